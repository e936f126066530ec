"""Entries of memory read from the records of a journal in memory: slow, and enough for a simulated engine."""

from __future__ import annotations

from collections.abc import Callable, Collection

import msgspec

from engine.memory.entries import Entries, Kept, Page, Version
from engine.model.memory import EntryId, Head, MemoryFilter
from engine.model.memory_events import MemoryChanged, MemoryPermitted, MemoryPurged
from engine.simulation.fakes import MemoryJournal


class KeptEntries(Entries):
    """Finds entries by going through all records."""

    def __init__(self, journal: MemoryJournal) -> None:
        self._journal = journal

    def heads(self, ids: Collection[EntryId]) -> dict[EntryId, Head]:
        """Return the heads of those entries that there are."""
        return {id_: kept[0] for id_, kept in self._all().items() if id_ in ids}

    def one(self, id_: EntryId) -> Kept | None:
        """Return an entry, or None."""
        return self._all().get(id_)

    def of_key(self, namespace: str, key: str) -> list[Head]:
        """Return the entries that have a key."""
        return [head for head, _ in self._all().values() if (head.id.namespace, head.id.key) == (namespace, key) and not head.is_deleted]

    async def page(self, wanted: MemoryFilter, allows: Callable[[Head], bool], now: float) -> Page:
        """Return the entries that may be read; of the filter only where to begin and the limit count."""
        after = wanted.after or EntryId("", "", "")
        found = [head for head, _ in self._all().values() if head.id > after and head.is_there(now) and allows(head)]
        heads = sorted(found, key=lambda head: head.id)
        return Page(heads[: wanted.limit], None)

    def artifact_now(self, artifact_id: str) -> bytes | None:
        """Return a large value, or None."""
        stored = self._journal.stored(artifact_id)
        return stored.data if stored else None

    async def artifact(self, artifact_id: str) -> bytes | None:
        """Return a large value, or None."""
        return self.artifact_now(artifact_id)

    def _versions_in(self, record: int, id_: EntryId) -> list[Version]:
        return [version for version in self._versions() if (version.record, version.head.id) == (record, id_)]

    def _versions(self) -> list[Version]:
        found = []
        for seq, at, cause, event in self._journal.kept:
            if isinstance(event, MemoryChanged):
                pairs = [*zip(event.heads, map(bytes, event.values), strict=True)]
                found += [Version(seq, at, cause, msgspec.structs.replace(head, record=seq), kept) for head, kept in pairs]
            elif isinstance(event, MemoryPermitted):
                found += [Version(seq, at, cause, msgspec.structs.replace(head, record=seq), None) for head in event.heads]
        return found

    def _all(self) -> dict[EntryId, Kept]:
        entries: dict[EntryId, Kept] = {}
        for version in self._versions():
            id_ = version.head.id
            entries[id_] = (version.head, entries[id_][1] if version.kept is None else version.kept)
        for record in self._journal.kept:
            if isinstance(record.event, MemoryPurged):
                for id_ in record.event.entries:
                    entries.pop(id_, None)
        return entries
