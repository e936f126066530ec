"""Entries of memory read from the records of a journal in memory: slow, and enough for a simulated engine."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Collection
from contextlib import closing

import msgspec

from engine.memory.conflict_reading import LISTED_MAX
from engine.memory.entries import Entries, Kept, Page, Version
from engine.memory.listing import Listing, read_page
from engine.memory.merging import dot_of
from engine.memory.stored import encode_text
from engine.model.entry_rows import EntryPage, EntryRow
from engine.model.filters import Filter
from engine.model.memory import Dot, EntryId, Head, MemoryFilter
from engine.model.memory_events import (
    MemoryChanged,
    MemoryConflicted,
    MemoryPermitted,
    MemoryPurged,
)
from engine.model.memory_words import Kind
from engine.model.replication import Carried
from engine.simulation.fakes import MemoryJournal

_COLUMNS = (
    "namespace", "owner_id", "key", "acl_level", "kind", "size", "version", "writer", "created_at", "updated_at", "expires_at", "deleted", "head",
)  # fmt: skip


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

    def episodes(self, before: float, limit: int, namespace: str = "") -> list[Kept]:
        """Return episodes from before an instant, the oldest ones."""
        found = [kept for kept in self._all().values() if kept[0].kind is Kind.EPISODIC and not kept[0].is_deleted and kept[0].created_at < before]
        return sorted((kept for kept in found if namespace in ("", kept[0].id.namespace)), key=lambda kept: kept[0].created_at)[:limit]

    async def page(self, wanted: MemoryFilter, allows: Callable[[Head], bool], now: float) -> Page:
        """Return the entries that may be read; of the filter only where to begin and the limit count."""
        after = wanted.after or EntryId("", "", "")
        found = [head for head, _ in self._all().values() if head.id > after and head.is_there(now) and allows(head)]
        heads = sorted(found, key=lambda head: head.id)
        return Page(heads[: wanted.limit], None)

    async def listed(self, listing: Listing, wanted: Filter, row_of: Callable[[Head], EntryRow | None], now: float) -> EntryPage:
        """Return a page of a list, by the real statements on a table made for them."""
        with closing(sqlite3.connect(":memory:")) as connection:
            connection.execute(f"CREATE TABLE memory ({', '.join(_COLUMNS)})")
            heads = [head for head, _ in self._all().values()]
            connection.executemany(f"INSERT INTO memory VALUES ({', '.join('?' * len(_COLUMNS))})", map(_cells, heads))
            return read_page(connection, listing, wanted, row_of, now)

    def carried(self, id_: EntryId) -> Carried | None:
        """Return an entry with its value, or None."""
        kept = self.one(id_)
        return Carried(kept[0], msgspec.Raw(kept[1])) if kept else None

    def losers(self, id_: EntryId) -> list[Carried]:
        """Return the versions of an entry that lost."""
        return [loser for loser in self._losers().values() if loser.head.id == id_]

    def in_conflict(self, namespace: str = "", key: str = "", limit: int = LISTED_MAX) -> list[EntryId]:
        """Return the entries that have conflicts."""
        found = {loser.head.id for loser in self._losers().values()}
        return sorted(id_ for id_ in found if not key or (id_.namespace, id_.key) == (namespace, key))[:limit]

    def settled_at(self, record: int, id_: EntryId) -> list[Carried]:
        """Return the versions of an entry that somebody settled with a record."""
        events = [event for seq, _, _, event in self._journal.kept if seq == record]
        return [one for event in events if isinstance(event, MemoryConflicted) for one in event.kept if one.head.id == id_]

    def instant_of(self, record: int) -> float:
        """Return when a record was written."""
        return next((at for seq, at, _, _ in self._journal.kept if seq == record), 0.0)

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

    def _losers(self) -> dict[tuple[EntryId, Dot], Carried]:
        found: dict[tuple[EntryId, Dot], Carried] = {}
        for record in self._journal.kept:
            if isinstance(record.event, MemoryConflicted):
                found |= {(loser.head.id, dot_of(loser.head)): loser for loser in record.event.losers}
                for settled in record.event.settled:
                    found.pop(settled, None)
        return found

    def _all(self) -> dict[EntryId, Kept]:
        entries: dict[EntryId, Kept] = {}
        for version in self._versions():
            id_ = version.head.id
            entries[id_] = (version.head, entries[id_][1] if version.kept is None else version.kept)
        for record in self._journal.kept:
            for head in record.event.heads if isinstance(record.event, MemoryConflicted) else ():
                if head.record == entries[head.id][0].record:
                    entries[head.id] = (head, entries[head.id][1])
            if isinstance(record.event, MemoryPurged):
                for id_ in record.event.entries:
                    entries.pop(id_, None)
        return entries


def _cells(head: Head) -> tuple[object, ...]:
    facts = (head.permissions.level, head.kind, head.size, head.version, head.writer, head.created_at, head.updated_at, head.expires_at)
    return (*head.id, *facts, int(head.is_deleted), encode_text(head))
