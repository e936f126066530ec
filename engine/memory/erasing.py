"""Erases what somebody owns in memory: entries, their history in the journal, large values, words and vectors, and the keys.

Owner: `Erasing`, of the row `erasing` of each owner in the table of resources, which is there until all is done: an engine that
ends before goes on at its next start. Bytes are overwritten where they lay (`secure_delete`), the pages that were free go back to the
disk, and the write-ahead log is emptied. Limits: BATCH entries an event, RECORDS_SCANNED records a look.
"""

from __future__ import annotations

import asyncio
import json
import logging
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from engine.clock import Clock
from engine.memory.changing import NULL, Delete, tombstone
from engine.memory.database import Database
from engine.memory.drafting import Draft
from engine.memory.failures import explain
from engine.memory.gathering import Keeper
from engine.memory.keys import KeyRing
from engine.memory.merging import end_of
from engine.memory.searching import Search
from engine.memory.store import Memory
from engine.memory.stored import encode_text, head_of
from engine.model.errors import EncryptionError, JournalError, ReadOnly
from engine.model.events import Event
from engine.model.memory import JSON, Head, Permissions, Principal, PrincipalKind
from engine.model.memory_events import MemoryChanged, MemoryConflicted, MemoryPermitted
from engine.model.plans import Origin

logger = logging.getLogger(__name__)

BATCH = 500
RECORDS_SCANNED = 20_000
AGAIN_S = 60.0
FREE_PAGES = 200
_CHECKPOINTS_MAX = 50
_ENGINE = Origin("engine", "engine", "", 2)

_NAMING = "SELECT id FROM events WHERE id > ? AND id <= ? AND type IN (?, ?, ?) AND instr(data, ?) > 0"
_EXTENT = "SELECT count(*), coalesce(sum(size), 0) FROM memory WHERE owner_id = ? AND deleted = 0"
_LEFT = "SELECT head FROM memory WHERE owner_id = ? AND deleted = 0 AND last_record <= ? LIMIT ?"
_USED = (
    "SELECT value FROM json_each(:ids) WHERE value IN (SELECT artifact FROM memory WHERE artifact IS NOT NULL UNION SELECT artifact FROM conflicts) UNION "
    "SELECT head.value ->> '$.artifact' FROM events, json_each(events.data, '$.heads') AS head "
    "WHERE events.type = 'memory.changed' AND head.value ->> '$.artifact' IN (SELECT value FROM json_each(:ids))"
)
_DROP = "DELETE FROM artifacts WHERE task_id IS NULL AND id IN (SELECT value FROM json_each(?))"
_MARK = "INSERT INTO resources (kind, id, data) VALUES ('erasing', ?, ?) ON CONFLICT (kind, id) DO UPDATE SET data = excluded.data"


@dataclass(slots=True)
class Erased:
    """What was erased of an owner."""

    owner: str
    entries: int = 0
    records: int = 0
    """Of the journal, in which its values were."""
    keys: int = 0
    values: set[str] = field(default_factory=set)
    """Large ones, by address."""

    @property
    def told(self) -> str:
        """Return it in words, with what is left."""
        return (
            f"erased {self.owner}: {self.entries:,} entries, their values in {self.records:,} records of the journal, {len(self.values):,} large values, "
            f"{self.keys:,} keys; left are the names and times of its entries, what others stored, results and logs of tasks, other engines that exchange memory, and backups: see to these yourself"
        )


class Erasing:
    """Erases owners, one at a time."""

    def __init__(self, memory: Memory, database: Database, search: Search, ring: KeyRing | None, clock: Clock) -> None:
        self._memory = memory
        self._database = database
        self._search = search
        self._ring = ring
        self._clock = clock
        self._keeper: Keeper | None = None
        self._turn = asyncio.Lock()

    def connect(self, keeper: Keeper) -> None:
        """Say who makes changes durable; called once."""
        self._keeper = keeper

    def extent(self, owner: str) -> tuple[int, int]:
        """Return how many entries somebody owns, and their bytes. Raises JournalError."""
        try:
            [(count, size)] = self._database.on_loop.execute(_EXTENT, (owner,))
        except sqlite3.Error as error:
            raise explain(error, self._database.path) from error
        return count, size

    async def erase(self, owner: str, origin: Origin) -> str:
        """Erase all that an owner has in memory, and say what; nothing can be read again on return.

        What fails or is cancelled half-way is finished within a minute, or at the next start. Raises FleetError.
        """
        await self._database.write(lambda connection: connection.execute(_MARK, (owner, "{}")))
        return (await self._finish(owner, origin)).told

    async def run(self) -> None:
        """Finish what was begun, until cancelled."""
        while True:
            try:
                for owner in await self._database.read(_begun):
                    await self._finish(owner, _ENGINE)
                    logger.info("an erasure was finished", extra={"owner": owner})
            except (JournalError, ReadOnly, EncryptionError, sqlite3.Error, OSError) as error:
                logger.warning("an erasure waits", extra={"reason": str(error)})
            await self._clock.sleep(AGAIN_S)

    async def _finish(self, owner: str, origin: Origin) -> Erased:
        keeper = self._keeper
        assert keeper is not None, "connect() comes first"
        async with self._turn:
            erased = Erased(owner)
            secure = await self._database.write(_begin_overwriting)
            try:
                if self._ring is not None:  # first: whatever is sealed from here on has another key, and stays
                    erased.keys = await asyncio.to_thread(self._ring.erase, owner, self._clock.now())
                last = keeper.state.seq
                erased.entries = await self._bury(keeper, owner, last, origin)
                await self._database.settled()
                await self._scrub(erased, last)
                await self._drop_values(erased)
                await self._database.write(lambda connection: connection.execute("DELETE FROM conflicts WHERE owner_id = ?", (owner,)))
                await self._search.forget_all()
                await self._empty()
            finally:
                await self._database.write(lambda connection: connection.execute(f"PRAGMA secure_delete = {secure}"))
            await self._database.write(lambda connection: connection.execute("DELETE FROM resources WHERE kind = 'erasing' AND id = ?", (owner,)))
            return erased

    async def _bury(self, keeper: Keeper, owner: str, last: int, origin: Origin) -> int:
        """Leave tombstones of all entries that are durable up to a record; return how many."""
        count = 0
        await keeper.settled()
        while found := await self._database.read(lambda connection: [head_of(text) for (text,) in connection.execute(_LEFT, (owner, last, BATCH))]):
            heads = [head for head in self._memory.shelf.heads([head.id for head in found]).values() if not head.is_deleted and head.record <= last]
            if heads:
                durable: asyncio.Future[None] = asyncio.get_running_loop().create_future()
                keeper.keep(self._tombstones(keeper, heads, origin), origin, waiters=(durable,))
                await durable
            else:  # all of them were changed since, and that is on its way
                await keeper.settled()
            count += len(heads)
        return count

    def _tombstones(self, keeper: Keeper, heads: Sequence[Head], origin: Origin) -> list[Event]:
        """Return the events that make tombstones of entries; of one that is over by age, the same that age would."""
        now, by = self._clock.now(), Principal(origin.who, PrincipalKind.ENGINE)
        draft = Draft(keeper.state.seq + 1, {head.id: head for head in heads}, now, self._memory.settings.rules())
        draft.decide([Delete(by, head.id, settles=True) for head in heads if head.is_there(now)])
        events, _ = draft.finish(self._memory.seal)
        expired = tuple(tombstone(head, origin.who, now, end_of(head), settles=True) for head in heads if not head.is_there(now))
        return [*events, *([MemoryChanged(expired, {}, (msgspec.Raw(NULL),) * len(expired))] if expired else [])]

    async def _scrub(self, erased: Erased, last: int) -> None:
        """Take the values out of the journal's records up to one."""
        needle, kinds = encode_text(erased.owner), tuple(_SCRUB)
        for first in range(0, last, RECORDS_SCANNED):
            span = (first, min(last, first + RECORDS_SCANNED))
            for (record,) in await self._database.read(lambda connection, span=span: connection.execute(_NAMING, (*span, *kinds, needle)).fetchall()):  # type: ignore[misc]
                text = await self._database.read(lambda connection, record=record: _scrubbed(connection, record, erased))  # type: ignore[misc]
                if text:
                    await self._database.write(lambda connection, row=(text, record): connection.execute("UPDATE events SET data = ? WHERE id = ?", row))  # type: ignore[misc]
                    erased.records += 1

    async def _drop_values(self, erased: Erased) -> None:
        """Remove large values, but for those that are the same as somebody else's."""
        if erased.values:
            ids = json.dumps(sorted(erased.values))
            used = await self._database.read(lambda connection: {row[0] for row in connection.execute(_USED, {"ids": ids})})
            erased.values -= used
            ids = json.dumps(sorted(erased.values))
            await self._database.write(lambda connection: connection.execute(_DROP, (ids,)))
            if self._memory.second is not None:
                self._memory.second.forget(erased.values)

    async def _empty(self) -> None:
        """Give free pages back to the disk, and empty the write-ahead log; readers may hold that up for a moment."""
        while await self._database.write(_give_back):
            pass
        for _ in range(_CHECKPOINTS_MAX):
            if await self._database.write(lambda connection: connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0] == 0):
                return
            await self._clock.sleep(0.1)
        raise JournalError("the write-ahead log could not be emptied, a reader holds it: the erasure is finished within a minute")


def _begin_overwriting(connection: sqlite3.Connection) -> int:
    """Have what is removed overwritten; return how it was."""
    before = int(connection.execute("PRAGMA secure_delete").fetchone()[0])
    connection.execute("PRAGMA secure_delete = ON")
    return before


def _give_back(connection: sqlite3.Connection) -> bool:
    free = int(connection.execute("PRAGMA freelist_count").fetchone()[0])
    connection.execute(f"PRAGMA incremental_vacuum({FREE_PAGES})").fetchall()
    return int(connection.execute("PRAGMA freelist_count").fetchone()[0]) < free


def _begun(connection: sqlite3.Connection) -> list[str]:
    return [owner for (owner,) in connection.execute("SELECT id FROM resources WHERE kind = 'erasing'")]


def _scrubbed(connection: sqlite3.Connection, record: int, erased: Erased) -> str:
    """Return a record's JSON without the values of an owner, and note its large ones; empty when it has none of its entries."""
    row = connection.execute("SELECT type, data FROM events WHERE id = ?", (record,)).fetchone()
    if row is None:
        return ""
    kind, scrub = _SCRUB[row[0]]
    event = msgspec.json.decode(row[1], type=kind)
    losers = (*event.losers, *event.kept) if isinstance(event, MemoryConflicted) else ()
    its = [head for head in (*event.heads, *(loser.head for loser in losers)) if head.id.owner == erased.owner]
    erased.values.update(head.artifact for head in its if head.artifact)
    return encode_text(scrub(event, erased.owner)) if its else ""


def _heads(heads: Sequence[Head], owner: str) -> tuple[Head, ...]:
    return tuple(_bare(head) if head.id.owner == owner else head for head in heads)


def _scrub_changed(event: MemoryChanged, owner: str) -> MemoryChanged:
    gone = {place for place, head in enumerate(event.heads) if head.id.owner == owner}
    values = tuple(msgspec.Raw(NULL) if place in gone else value for place, value in enumerate(event.values))
    return MemoryChanged(_heads(event.heads, owner), {place: kept for place, kept in event.embeddings.items() if place not in gone}, values)


def _scrub_permitted(event: MemoryPermitted, owner: str) -> MemoryPermitted:
    return MemoryPermitted(_heads(event.heads, owner))


def _scrub_conflicted(event: MemoryConflicted, owner: str) -> MemoryConflicted:
    losers, kept = (tuple(one for one in several if one.head.id.owner != owner) for several in (event.losers, event.kept))
    return MemoryConflicted(_heads(event.heads, owner), losers, event.settled, kept)


_SCRUB: dict[str, tuple[Any, Callable[[Any, str], object]]] = {
    MemoryChanged.type: (MemoryChanged, _scrub_changed),
    MemoryPermitted.type: (MemoryPermitted, _scrub_permitted),
    MemoryConflicted.type: (MemoryConflicted, _scrub_conflicted),
}


def _bare(head: Head) -> Head:
    """Return the head of a version whose value is gone: name, times and level."""
    level = Permissions(head.permissions.level)
    return msgspec.structs.replace(head, permissions=level, is_deleted=True, tags=(), metadata={}, media=JSON, size=0, artifact="", embedder="")
