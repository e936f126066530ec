"""Reads whole versions of entries from the database: those that won, and those that lost against them.

Owner: nobody; `ConflictReading` only reads, in the loop's thread.
"""

from __future__ import annotations

import sqlite3
from typing import Any

import msgspec

from engine.memory.database import Database
from engine.memory.failures import explain
from engine.memory.stored import head_of
from engine.model.memory import EntryId
from engine.model.memory_events import MemoryConflicted
from engine.model.replication import Carried

_conflicted_of = msgspec.json.Decoder(MemoryConflicted).decode

LISTED_MAX = 2_000
"""Entries in conflict that a list shows."""
CARRIED_ENTRY = "SELECT head, value, embedding FROM memory WHERE namespace = ? AND owner_id = ? AND key = ?"
CARRIED_LOSERS = "SELECT head, value, embedding FROM conflicts WHERE namespace = ? AND owner_id = ? AND key = ? ORDER BY version DESC, timestamp DESC, agent_id DESC"


class ConflictReading:
    """What the database has of versions in conflict."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def carried(self, id_: EntryId) -> Carried | None:
        """Return an entry with its value and embedding as they are kept, a tombstone too, or None. Raises JournalError."""
        for row in self._quick(CARRIED_ENTRY, *id_):
            return carried_of(*row)
        return None

    def losers(self, id_: EntryId) -> list[Carried]:
        """Return the versions of an entry that lost, the highest first. Raises JournalError."""
        return [carried_of(*row) for row in self._quick(CARRIED_LOSERS, *id_)]

    def settled_at(self, record: int, id_: EntryId) -> list[Carried]:
        """Return the versions of an entry that somebody settled with a record, the highest first; none when it is not kept any more. Raises JournalError."""
        rows = self._quick("SELECT data FROM events WHERE id = ? AND type = ?", record, MemoryConflicted.type)
        return [one for (data,) in rows for one in _conflicted_of(data).kept if one.head.id == id_]

    def instant_of(self, record: int) -> float:
        """Return when a record was written; 0 = it is not kept any more. Raises JournalError."""
        for (at,) in self._quick("SELECT timestamp FROM events WHERE id = ?", record):
            return float(at)
        return 0.0

    def conflicts(self) -> int:
        """Return how many entries have conflicts. Raises JournalError."""
        [(count,)] = self._quick("SELECT count(*) FROM (SELECT DISTINCT namespace, owner_id, key FROM conflicts)")
        return int(count)

    def in_conflict(self, namespace: str = "", key: str = "", limit: int = LISTED_MAX) -> list[EntryId]:
        """Return the entries that have conflicts, those of one key if it is given, in the order of their ids. Raises JournalError."""
        only, values = (" WHERE namespace = ? AND key = ?", [namespace, key]) if key else ("", [])
        sql = f"SELECT DISTINCT namespace, owner_id, key FROM conflicts{only} ORDER BY namespace, owner_id, key LIMIT ?"  # noqa: S608  # from above
        return [EntryId(*row) for row in self._quick(sql, *values, limit)]

    def _quick(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        try:
            return self._database.on_loop.execute(sql, values).fetchall()
        except sqlite3.Error as error:
            raise explain(error, self._database.path) from error


def carried_of(head: str, value: str | bytes, embedding: bytes | None) -> Carried:
    """Return an entry from its columns."""
    return Carried(head_of(head), msgspec.Raw(value.encode() if isinstance(value, str) else value), embedding or b"")
