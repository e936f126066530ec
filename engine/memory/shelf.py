"""What is decided about entries but not durable yet, laid over the database: what a decision needs to know.

Owner: `Shelf`, of the heads and conflicts that wait for their commit. Limits: as many as the coordinator has pending; dropped
when durable, all of them when the journal failed.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Protocol

import msgspec

from engine.memory.merging import dot_of
from engine.model.events import Record
from engine.model.memory import Dot, EntryId, Head
from engine.model.memory_events import (
    ABOUT_MEMORY,
    MemoryChanged,
    MemoryConflicted,
    MemoryPermitted,
    MemoryPurged,
)
from engine.model.replication import Carried


class HeadSource(Protocol):
    """Knows what is durable."""

    def heads(self, ids: Collection[EntryId]) -> Mapping[EntryId, Head]:
        """Return the heads of the entries that there are."""
        ...

    def losers(self, id_: EntryId) -> Sequence[Carried]:
        """Return the conflicts of an entry, the highest first."""
        ...

    def carried(self, id_: EntryId) -> Carried | None:
        """Return an entry with its value as it is kept, or None."""
        ...


_Content = tuple[MemoryChanged, int]
"""The event that brought the value of an entry, and where in it."""


class Shelf:
    """The heads of entries, as they will be when all that is decided is durable."""

    def __init__(self, durable: HeadSource) -> None:
        self._durable = durable
        self._pending: dict[EntryId, tuple[int, Head | None, _Content | None]] = {}
        """Entry -> the record that changed it last, its head after that (None = purged), and its value (None = as it is durable)."""
        self._conflicts: dict[EntryId, tuple[int, dict[Dot, Carried | None]]] = {}
        """Entry -> the record that changed its conflicts last, and what became of them; None = settled."""

    def heads(self, ids: Iterable[EntryId]) -> dict[EntryId, Head]:
        """Return the heads of the entries that there are, tombstones too. Raises JournalError."""
        pending = self._pending
        if not pending:
            return dict(self._durable.heads(list(ids)))
        asked = list(ids)
        rest = [id_ for id_ in asked if id_ not in pending]
        found = dict(self._durable.heads(rest)) if rest else {}
        for id_ in asked:
            if id_ in pending and (head := pending[id_][1]) is not None:
                found[id_] = head
        return found

    def losers(self, head: Head) -> list[Carried]:
        """Return the conflicts of an entry. Raises JournalError."""
        if not head.rivals:
            return []
        found = {dot_of(loser.head): loser for loser in self._durable.losers(head.id)}
        if head.id in self._conflicts:
            found |= {dot: loser for dot, loser in self._conflicts[head.id][1].items() if loser is not None}
        return [found[dot] for dot in head.rivals if dot in found]

    def carried(self, head: Head) -> Carried:
        """Return an entry, of which this is the head, with its value as it is or will be kept. Raises JournalError."""
        pending = self._pending.get(head.id)
        if pending is not None and pending[2] is not None:
            event, place = pending[2]
            return Carried(head, event.values[place], event.embeddings.get(place, b""))
        kept = self._durable.carried(head.id)
        assert kept is not None, f"{head.id} is neither pending nor durable"
        return msgspec.structs.replace(kept, head=head)

    def applied(self, record: Record) -> None:
        """Lay a change over what is durable."""
        event, seq = record.event, record.seq
        if isinstance(event, MemoryChanged):
            for place, head in enumerate(event.heads):
                self._pending[head.id] = (seq, msgspec.structs.replace(head, record=seq), (event, place))
        elif isinstance(event, MemoryPermitted):
            for head in event.heads:
                self._pending[head.id] = (seq, msgspec.structs.replace(head, record=seq), self._content(head.id))
        elif isinstance(event, MemoryPurged):
            for id_ in event.entries:
                self._pending[id_] = (seq, None, None)
        elif isinstance(event, MemoryConflicted):
            self._conflicted(seq, event)

    def _content(self, id_: EntryId) -> _Content | None:
        pending = self._pending.get(id_)
        return None if pending is None else pending[2]

    def _conflicted(self, seq: int, event: MemoryConflicted) -> None:
        for head in event.heads:
            self._pending[head.id] = (seq, head, self._content(head.id))
        changes: list[tuple[EntryId, Dot, Carried | None]] = [(loser.head.id, dot_of(loser.head), loser) for loser in event.losers]
        changes += [(id_, dot, None) for id_, dot in event.settled]
        for id_, dot, loser in changes:
            known = self._conflicts.get(id_, (0, {}))[1]
            known[dot] = loser
            self._conflicts[id_] = (seq, known)

    def durable(self, records: Iterable[Record]) -> None:
        """Drop what the database knows by now."""
        pending, conflicts = self._pending, self._conflicts
        for seq, _at, _cause, event in records:
            if type(event) not in ABOUT_MEMORY:
                continue
            ids = changed_by(event)
            for id_ in ids:
                if id_ in pending and pending[id_][0] <= seq:
                    del pending[id_]
            for id_ in ids if conflicts else ():
                if id_ in conflicts and conflicts[id_][0] <= seq:
                    del conflicts[id_]

    def clear(self) -> None:
        """Forget what never becomes durable."""
        self._pending.clear()
        self._conflicts.clear()


def changed_by(event: object) -> Collection[EntryId]:
    """Return the entries that an event is about."""
    if isinstance(event, MemoryChanged | MemoryPermitted):
        return [head.id for head in event.heads]
    if isinstance(event, MemoryConflicted):
        return {*(head.id for head in event.heads), *(loser.head.id for loser in event.losers), *(id_ for id_, _ in event.settled)}
    return event.entries if isinstance(event, MemoryPurged) else ()
