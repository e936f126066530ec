"""Reads entries of memory from the database: single ones in the loop's thread (microseconds), lists beside it.

Owner: nobody; `Entries` only reads. What is not durable yet is not here: see shelf.py.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from typing import NamedTuple

import msgspec

from engine.memory.conflict_reading import ConflictReading
from engine.memory.listing import Listing, read_page
from engine.memory.stored import encode_text, head_of
from engine.model.entry_rows import EntryPage, EntryRow
from engine.model.filters import Filter
from engine.model.memory import EntryId, Head, MemoryFilter
from engine.model.memory_events import MemoryChanged, MemoryPermitted

PAGE = 500
"""Rows of a list read at a time."""
SCANNED_MAX = 200_000
"""Rows that a list looks at; one that finds too little in them says where it stopped."""
LAST = "\U0010ffff"

_changed_of = msgspec.json.Decoder(MemoryChanged).decode
_permitted_of = msgspec.json.Decoder(MemoryPermitted).decode

_HEADS = (
    "SELECT entry.head FROM json_each(?) AS id CROSS JOIN memory AS entry ON entry.namespace = json_extract(id.value, '$[0]') "
    "AND entry.owner_id = json_extract(id.value, '$[1]') AND entry.key = json_extract(id.value, '$[2]')"
)
_ONE = "SELECT head, value FROM memory WHERE namespace = ? AND owner_id = ? AND key = ?"
_OWNERS = "SELECT head FROM memory WHERE key = ? AND namespace = ? AND deleted = 0 ORDER BY owner_id LIMIT 1000"

Kept = tuple[Head, bytes]
"""An entry's head, and its value as it is kept."""


class Page(NamedTuple):
    """A part of a list."""

    heads: Sequence[Head]
    after: EntryId | None
    """Where the next page begins; None = this was the last."""


class Version(NamedTuple):
    """An entry as one record left it."""

    record: int
    at: float
    cause: str
    head: Head
    kept: bytes | None
    """Its value; None = as it was before."""


class Entries(ConflictReading):
    """What the database has of memory."""

    def heads(self, ids: Collection[EntryId]) -> dict[EntryId, Head]:
        """Return the heads of those entries that there are, tombstones too, in one query. Raises JournalError."""
        if len(ids) == 1:
            rows = self._quick("SELECT head FROM memory WHERE namespace = ? AND owner_id = ? AND key = ?", *next(iter(ids)))
        else:
            rows = self._quick(_HEADS, encode_text(list(ids)))
        return {head.id: head for (text,) in rows if (head := head_of(text))}

    def one(self, id_: EntryId) -> Kept | None:
        """Return an entry, a tombstone too, or None. Raises JournalError."""
        for text, value in self._quick(_ONE, *id_):
            return head_of(text), value.encode() if type(value) is str else value
        return None

    def of_key(self, namespace: str, key: str) -> list[Head]:
        """Return the entries that have a key, whoever owns them. Raises JournalError."""
        return [head_of(text) for (text,) in self._quick(_OWNERS, key, namespace)]

    def expired(self, now: float, limit: int) -> list[Head]:
        """Return entries whose time is over and that are no tombstones yet. Raises JournalError."""
        sql = "SELECT head FROM memory WHERE expires_at <= ? AND deleted = 0 LIMIT ?"
        return [head_of(text) for (text,) in self._quick(sql, now, limit)]

    def episodes(self, before: float, limit: int, namespace: str = "") -> list[Kept]:
        """Return episodes from before an instant (of a namespace) with their values as they are kept, the oldest ones. Raises JournalError."""
        sql = (
            "SELECT head, value FROM memory WHERE kind = 'episodic' AND deleted = 0 AND created_at < ?1 AND ?3 IN ('', namespace) "
            "ORDER BY created_at LIMIT ?2"
        )
        return [(head_of(text), value.encode() if type(value) is str else value) for text, value in self._quick(sql, before, limit, namespace)]

    def tombstones(self, before: float, upto: int, limit: int) -> list[EntryId]:
        """Return tombstones from before an instant that no record after one changed. Raises JournalError."""
        sql = "SELECT namespace, owner_id, key FROM memory WHERE deleted = 1 AND updated_at < ? AND changed <= ? AND NOT EXISTS (SELECT 1 FROM conflicts AS other WHERE other.namespace = memory.namespace AND other.owner_id = memory.owner_id AND other.key = memory.key) LIMIT ?"
        return [EntryId(*row) for row in self._quick(sql, before, upto, limit)]

    def version_at(self, record: int, id_: EntryId) -> Version | None:
        """Return an entry with its value as a record left it, or None. Raises JournalError."""
        here = self._versions_in(record, id_)
        found = here[-1] if here else None
        while here and here[-1].kept is None:
            here = self._versions_in(here[0].head.previous, id_)
        return found._replace(kept=here[-1].kept) if found and here else None

    def history(self, head: Head, limit: int) -> list[Version]:
        """Return the versions of an entry, newest first, back to the oldest that the journal has. Raises JournalError."""
        found: list[Version] = []
        record = head.record
        while record and len(found) < limit:
            here = self._versions_in(record, head.id)
            if not here:
                break  # the journal does not reach back so far
            found += reversed(here)
            record = here[0].head.previous if here[0].head.previous < record else 0
        return found[:limit]

    def _versions_in(self, record: int, id_: EntryId) -> list[Version]:
        """Return the versions that one record made of an entry, oldest first."""
        found: list[Version] = []
        for at, cause, type_, data in self._quick("SELECT timestamp, cause, type, data FROM events WHERE id = ?", record):
            for head, kept in _contents(type_, data):
                if head.id == id_:
                    found.append(Version(record, at, cause, msgspec.structs.replace(head, record=record), kept))
        return found

    async def page(self, wanted: MemoryFilter, allows: Callable[[Head], bool], now: float) -> Page:
        """Return the entries that match and are allowed, in the order of their ids. Raises JournalError."""
        return await self._database.read(lambda connection: _read_page(connection, wanted, allows, now))

    async def listed(self, listing: Listing, wanted: Filter, row_of: Callable[[Head], EntryRow | None], now: float) -> EntryPage:
        """Return a page of a list in any order. Raises UsageError, JournalError."""
        return await self._database.read(lambda connection: read_page(connection, listing, wanted, row_of, now))

    async def artifact(self, artifact_id: str) -> bytes | None:
        """Return a large value as it is kept, or None. Raises JournalError."""
        sql = "SELECT data FROM artifacts WHERE id = ?"
        row = await self._database.read(lambda connection: connection.execute(sql, (artifact_id,)).fetchone())
        return None if row is None else bytes(row[0])

    def artifact_now(self, artifact_id: str) -> bytes | None:
        """Return the same in the loop's thread: milliseconds, for what people do by hand."""
        for (data,) in self._quick("SELECT data FROM artifacts WHERE id = ?", artifact_id):
            return bytes(data)
        return None

    async def graves(self) -> int:
        """Return how many tombstones there are. Raises JournalError."""
        return await self._database.read(lambda connection: int(connection.execute("SELECT count(*) FROM memory WHERE deleted = 1").fetchone()[0]))

    async def totals(self, now: float) -> list[tuple[str, int, int]]:
        """Return for each kind how many entries there are, and their bytes. Raises JournalError."""
        sql = "SELECT kind, count(*), sum(size) FROM memory WHERE deleted = 0 AND (expires_at IS NULL OR expires_at > ?) GROUP BY kind"
        return await self._database.read(lambda connection: connection.execute(sql, (now,)).fetchall())


def _contents(type_: str, data: str) -> Iterable[tuple[Head, bytes | None]]:
    """Return what a record says of entries, from its JSON."""
    if type_ == MemoryChanged.type:
        event = _changed_of(data)
        return zip(event.heads, map(bytes, event.values), strict=True)
    if type_ == MemoryPermitted.type:
        return ((head, None) for head in _permitted_of(data).heads)
    return ()


def _read_page(connection: sqlite3.Connection, wanted: MemoryFilter, allows: Callable[[Head], bool], now: float) -> Page:
    found: list[Head] = []
    last = wanted.after
    for scanned, head in enumerate(_scan(connection, wanted)):
        if len(found) == wanted.limit or scanned == SCANNED_MAX:
            return Page(found, last)
        last = head.id
        if head.is_there(now) and set(wanted.tags) <= set(head.tags) and allows(head):
            found.append(head)
    return Page(found, None)


def _scan(connection: sqlite3.Connection, wanted: MemoryFilter) -> Iterator[Head]:
    """Yield heads that match all that the tables can tell, in the order of their ids."""
    conditions, values = _conditions(wanted)
    after = wanted.after or EntryId("", "", "")
    while True:
        sql = (
            "SELECT head FROM memory WHERE (namespace, owner_id, key) > (?, ?, ?) AND deleted = 0"
            f"{conditions} ORDER BY namespace, owner_id, key LIMIT ?"
        )
        rows = connection.execute(sql, (*after, *values, PAGE)).fetchall()
        for (text,) in rows:
            head = head_of(text)
            yield head
            after = head.id
        if len(rows) < PAGE:
            return


def _conditions(wanted: MemoryFilter) -> tuple[str, list[object]]:
    """Return what the tables can tell of a filter, as SQL and its values; every word of it is ours."""
    texts, values = "", list[object]()
    for column, value in (("namespace", wanted.namespace), ("owner_id", wanted.owner)):
        if value:
            texts += f" AND {column} = ?"
            values.append(value)
    if wanted.prefix:
        texts += " AND key >= ? AND key < ?"
        values += [wanted.prefix, wanted.prefix + LAST]
    for column, several in (("kind", wanted.kinds), ("acl_level", wanted.levels)):
        if several:
            texts += f" AND {column} IN ({', '.join('?' * len(several))})"
            values += several
    if wanted.since:
        texts += " AND updated_at >= ?"
        values.append(wanted.since)
    if wanted.until:
        texts += " AND updated_at < ?"
        values.append(wanted.until)
    return texts, values
