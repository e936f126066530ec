"""How changes of memory become rows of a batch: its sections from `memory` on (writing.sql).

Owner: `MemoryFound`, of what one batch changes. Runs in the loop's thread: at most 3 µs an entry beside its event.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import accumulate, repeat
from operator import attrgetter
from typing import Protocol

from msgspec.structs import replace

from engine.memory.merging import dot_of
from engine.memory.stored import encode
from engine.model.events import Event
from engine.model.memory import Dot, EntryId, Head
from engine.model.memory_events import (
    MemoryChanged,
    MemoryConflicted,
    MemoryPermitted,
    MemoryPurged,
)
from engine.model.replication import Carried

_TAIL = len(b"]}")
"""What follows the values, which are the event's last field."""
_BARE_NUMBER = frozenset(b"-0123456789")
_NOWHERE = (0, 0)
columns_of = attrgetter(
    "permissions.level", "kind", "team", "swarm", "writer", "version", "created_at", "updated_at", "ttl_s", "expires_at",
    "is_deleted", "size", "artifact", "embedder",
)
"""What columns repeat of a head, in their order in writing.sql: in one call."""
_id_of = attrgetter("id")

Rows = list[tuple[object, ...]]

# A plain tuple: made of columns without a call an entry.
Change = tuple[int, Head, int, int, bool, bytes]
"""An entry as an event changed it: the record, its head, where in the batch's texts its value starts and how long that is,
whether that is one bare number, and its embedding."""


class Texts(Protocol):
    """The large texts of a batch, end to end."""

    def add_text(self, part: bytes) -> tuple[int, int]:
        """Add one; return where it starts and how long it is."""
        ...

    def add_texts(self, parts: Sequence[bytes]) -> Iterable[tuple[int, int]]:
        """Add several; return the same of each."""
        ...


class MemoryFound:
    """What the records of a batch say of entries: each once, as it is after them."""

    def __init__(self) -> None:
        self._changed: dict[EntryId, Change] = {}
        self._permitted: dict[EntryId, tuple[int, Head]] = {}
        self._purged: dict[EntryId, None] = {}
        self._conflicted: dict[EntryId, tuple[int, Head]] = {}
        self._losers: dict[tuple[EntryId, Dot], tuple[int, Carried] | None] = {}
        """None = it is none any more."""

    def add(self, record: int, event: Event, end: int) -> None:
        """Note an event whose JSON ends before the byte `end` of the batch's texts."""
        if isinstance(event, MemoryChanged):
            self._changed.update(changes_in(record, event, end))
            self._forget_conflicted(event.heads)
        elif isinstance(event, MemoryPermitted):
            for head in event.heads:
                here = self._changed.get(head.id)
                if here is None:
                    self._permitted[head.id] = (record, head)
                else:
                    self._changed[head.id] = (record, head, *here[2:])
            self._forget_conflicted(event.heads)
        elif isinstance(event, MemoryConflicted):
            self._conflicted.update((head.id, (record, head)) for head in event.heads)
            self._losers.update(((loser.head.id, dot_of(loser.head)), (record, loser)) for loser in event.losers)
            self._losers.update(dict.fromkeys(event.settled))
        elif isinstance(event, MemoryPurged):
            self._purged.update(dict.fromkeys(event.entries))

    def _forget_conflicted(self, heads: Iterable[Head]) -> None:
        """Forget what an older head said: these know it."""
        if self._conflicted:
            for head in heads:
                self._conflicted.pop(head.id, None)

    def rows(self, texts: Texts) -> Sequence[Rows]:
        """Return the rows of the sections; what is large goes to the batch's texts."""
        return (*self._entry_rows(texts), *self._conflict_rows(texts))

    def _conflict_rows(self, texts: Texts) -> tuple[Rows, Rows, Rows]:
        return (
            [(*id_, record, *texts.add_text(encode(head))) for id_, (record, head) in self._conflicted.items()],
            [loser_row(*found, texts) for found in self._losers.values() if found is not None],
            [(*id_, *dot) for (id_, dot), found in self._losers.items() if found is None],
        )

    def _entry_rows(self, texts: Texts) -> tuple[Rows, Rows, Rows, Rows]:
        if not (self._changed or self._permitted or self._purged):
            return [], [], [], []
        changed = self._changed.values()
        permitted = [change for id_, change in self._permitted.items() if id_ not in self._changed]
        heads: Iterable[Head] = (*(change[1] for change in changed), *(head for _, head in permitted))
        return (
            memory_rows(changed, texts),
            [permitted_row(record, head, texts) for record, head in permitted],
            [lists_row(head) for head in heads if head.version != 1 or has_lists(head)],  # a new one without any has no row
            list(self._purged),
        )


def changes_in(record: int, event: MemoryChanged, end: int) -> Iterator[tuple[EntryId, Change]]:
    """Return the changes of an event whose JSON ends before the byte `end` of the batch's texts; the last of an entry counts.

    The values are not written once more: they are found in the event's own text, from its end backwards.
    """
    heads, values = event.heads, [memoryview(value) for value in event.values]
    assert len(heads) == len(values), f"record {record} has {len(heads)} heads and {len(values)} values"
    sizes = list(map(len, values))
    first = end - _TAIL - sum(sizes) - max(0, len(sizes) - 1)
    starts = accumulate([first, *(size + 1 for size in sizes)])
    is_bare = [value[0] in _BARE_NUMBER for value in values]
    embeddings = [event.embeddings.get(place, b"") for place in range(len(heads))] if event.embeddings else repeat(b"")
    return zip(map(_id_of, heads), zip(repeat(record), heads, starts, sizes, is_bare, embeddings))  # noqa: B905  # some are endless


def memory_rows(changed: Collection[Change], texts: Texts) -> Rows:
    """Return the rows of entries, in the order of the columns in writing.sql; what is large goes to the batch's texts."""
    placed = texts.add_texts([_with_record(change[1], change[0]) for change in changed])
    return [
        (*head.id, *columns_of(head), record, is_bare, start, length, *place, *(texts.add_text(embedding) if embedding else _NOWHERE))
        for (record, head, start, length, is_bare, embedding), place in zip(changed, placed, strict=True)
    ]


def loser_row(record: int, loser: Carried, texts: Texts) -> tuple[object, ...]:
    """Return the row of a version that lost."""
    head, value = loser.head, bytes(loser.value)
    return (
        *head.id,
        *dot_of(head),
        head.version,
        head.writer,
        head.updated_at,
        record,
        head.artifact or None,
        int(value[0] in _BARE_NUMBER),
        *texts.add_text(value),
        *texts.add_text(_with_record(head, record)),
        *(texts.add_text(loser.embedding) if loser.embedding else _NOWHERE),
    )


def permitted_row(record: int, head: Head, texts: Texts) -> tuple[object, ...]:
    """Return the row of an entry whose value stays."""
    level, words = head.permissions.level, texts.add_text(_with_record(head, record))
    return (*head.id, level, head.writer, head.version, head.updated_at, record, *words)


def has_lists(head: Head) -> bool:
    """Answer whether somebody may do more with an entry than its level says."""
    lists = head.permissions
    return bool(lists.read or lists.write or lists.delete)


def lists_row(head: Head) -> tuple[object, ...]:
    """Return what the table of permissions says of an entry from now on."""
    lists = head.permissions
    named = ((), (), ()) if head.is_deleted else (lists.read, lists.write, lists.delete)
    return (*head.id, head.writer, head.updated_at, *named)


def _with_record(head: Head, record: int) -> bytes:
    """Return a head as JSON with the number of its record, which the event itself does not know."""
    return encode(replace(head, record=record))
