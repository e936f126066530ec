"""How changes of memory become rows of a batch: its sections from `memory` on (writing.sql).

Owner: `MemoryFound`, of what one batch changes. Runs in the loop's thread: at most 3 µs an entry beside its event.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from operator import attrgetter
from typing import NamedTuple

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
_columns_of = attrgetter(
    "permissions.level", "kind", "team", "swarm", "writer", "version", "created_at", "updated_at", "ttl_s", "expires_at",
    "is_deleted", "size", "artifact", "embedder",
)
"""What columns repeat of a head, in their order in writing.sql: in one call."""

AddText = Callable[[bytes], tuple[int, int]]
Rows = list[tuple[object, ...]]


class Change(NamedTuple):
    """An entry as an event changed it, and where in the batch's texts its value is."""

    record: int
    head: Head
    start: int
    length: int
    is_bare: bool
    """The value is one bare number."""
    embedding: bytes


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
                    self._changed[head.id] = here._replace(record=record, head=head)
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

    def rows(self, add_text: AddText) -> Sequence[Rows]:
        """Return the rows of the sections; what is large goes to the batch's texts."""
        return (*self._entry_rows(add_text), *self._conflict_rows(add_text))

    def _conflict_rows(self, add_text: AddText) -> tuple[Rows, Rows, Rows]:
        return (
            [(*id_, record, *add_text(encode(head))) for id_, (record, head) in self._conflicted.items()],
            [loser_row(*found, add_text) for found in self._losers.values() if found is not None],
            [(*id_, *dot) for (id_, dot), found in self._losers.items() if found is None],
        )

    def _entry_rows(self, add_text: AddText) -> tuple[Rows, Rows, Rows, Rows]:
        if not (self._changed or self._permitted or self._purged):
            return [], [], [], []
        changed = self._changed.values()
        permitted = [change for id_, change in self._permitted.items() if id_ not in self._changed]
        heads: Iterable[Head] = (*(change.head for change in changed), *(head for _, head in permitted))
        return (
            [memory_row(change, add_text) for change in changed],
            [permitted_row(record, head, add_text) for record, head in permitted],
            [row for head in heads if (row := lists_row(head))],
            list(self._purged),
        )


def changes_in(record: int, event: MemoryChanged, end: int) -> Iterator[tuple[EntryId, Change]]:
    """Return the changes of an event whose JSON ends before the byte `end` of the batch's texts; the last of an entry counts.

    The values are not written once more: they are found in the event's own text, from its end backwards.
    """
    values = [memoryview(value) for value in event.values]
    at = end - _TAIL - sum(map(len, values)) - max(0, len(values) - 1)
    embeddings = event.embeddings
    for place, (head, value) in enumerate(zip(event.heads, values, strict=True)):
        yield head.id, Change(record, head, at, len(value), value[0] in _BARE_NUMBER, embeddings.get(place, b""))
        at += len(value) + 1


def memory_row(change: Change, add_text: AddText) -> tuple[object, ...]:
    """Return an entry's row, in the order of the columns in writing.sql; what is large goes to the batch's texts."""
    record, head, start, length, is_bare, embedding = change
    placed = add_text(embedding) if embedding else _NOWHERE
    return (*head.id, *_columns_of(head), record, is_bare, start, length, *add_text(_with_record(head, record)), *placed)


def loser_row(record: int, loser: Carried, add_text: AddText) -> tuple[object, ...]:
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
        *add_text(value),
        *add_text(_with_record(head, record)),
        *(add_text(loser.embedding) if loser.embedding else (0, 0)),
    )


def permitted_row(record: int, head: Head, add_text: AddText) -> tuple[object, ...]:
    """Return the row of an entry whose value stays."""
    level, words = head.permissions.level, add_text(_with_record(head, record))
    return (*head.id, level, head.writer, head.version, head.updated_at, record, *words)


def lists_row(head: Head) -> tuple[object, ...] | None:
    """Return what the table of permissions says of an entry from now on, or None for a new entry without lists."""
    lists = head.permissions
    if head.version == 1 and not (lists.read or lists.write or lists.delete):
        return None
    named = ((), (), ()) if head.is_deleted else (lists.read, lists.write, lists.delete)
    return (*head.id, head.writer, head.updated_at, *named)


def _with_record(head: Head, record: int) -> bytes:
    """Return a head as JSON with the number of its record, which the event itself does not know."""
    return b'%b,"record":%d}' % (encode(head)[:-1], record)
