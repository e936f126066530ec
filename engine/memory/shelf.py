"""What is decided about entries but not durable yet, laid over the database: what a decision needs to know.

Owner: `Shelf`, of the heads that wait for their commit. Limits: as many as the coordinator has pending; dropped when
durable, all of them when the journal failed.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Protocol

import msgspec

from engine.model.events import Record
from engine.model.memory import EntryId, Head
from engine.model.memory_events import ABOUT_MEMORY, MemoryChanged, MemoryPermitted, MemoryPurged


class HeadSource(Protocol):
    """Knows the durable heads."""

    def heads(self, ids: Collection[EntryId]) -> Mapping[EntryId, Head]:
        """Return those that there are."""
        ...


class Shelf:
    """The heads of entries, as they will be when all that is decided is durable."""

    def __init__(self, durable: HeadSource) -> None:
        self._durable = durable
        self._pending: dict[EntryId, tuple[int, Head | None]] = {}
        """Entry -> the record that changed it last, and its head after that; None = purged."""

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

    def applied(self, record: Record) -> None:
        """Lay a change over what is durable."""
        event = record.event
        if isinstance(event, MemoryChanged | MemoryPermitted):
            for head in event.heads:
                self._pending[head.id] = (record.seq, msgspec.structs.replace(head, record=record.seq))
        elif isinstance(event, MemoryPurged):
            for id_ in event.entries:
                self._pending[id_] = (record.seq, None)

    def durable(self, records: Iterable[Record]) -> None:
        """Drop what the database knows by now."""
        pending = self._pending
        for seq, _at, _cause, event in records:
            if type(event) not in ABOUT_MEMORY:
                continue
            for id_ in changed_by(event):
                kept = pending.get(id_)
                if kept is not None and kept[0] <= seq:
                    del pending[id_]

    def clear(self) -> None:
        """Forget what never becomes durable."""
        self._pending.clear()


def changed_by(event: object) -> Iterable[EntryId]:
    """Return the entries that an event is about."""
    if isinstance(event, MemoryChanged | MemoryPermitted):
        return (head.id for head in event.heads)
    return event.entries if isinstance(event, MemoryPurged) else ()
