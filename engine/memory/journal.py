"""The journal in SQLite: records and their projections in one transaction, read back without a replay.

Owner: `SqliteJournal`. One batch is one commit; a batch is written whole, or not at all and JournalError is raised.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Self

import msgspec

from engine.memory.contract import Contents, JournalBatch, StoredArtifact
from engine.memory.database import Database, Synchronous
from engine.memory.failures import explain
from engine.memory.lives_reading import read_lives
from engine.memory.load_reading import read_load
from engine.memory.loading import TASK_COLUMNS, load_state, read_audit
from engine.memory.projections import WRITING, Projector
from engine.memory.stored import encode_text, task_of
from engine.model.costs import Lives
from engine.model.errors import JournalError, UsageError
from engine.model.events import Record
from engine.model.ids import TaskId
from engine.model.journal_entries import record_of
from engine.model.plans import AuditEntry
from engine.model.scaling import Load
from engine.model.tasks import Task
from engine.state import FleetState

SCANNED_MAX = 1_000_000
"""Newest records that a story is looked for in."""

PROBE_BYTES = 64 * 1024
SEQ_MAX = 1 << 62

Write = Callable[[sqlite3.Connection], None]
"""Writes a batch by the writer's connection."""


class SqliteJournal:
    """Keeps a fleet in one SQLite file; see contract.Journal."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._projector = Projector()
        self._last: int | None = None

    @classmethod
    async def open(cls, path: Path, *, synchronous: Synchronous = "full") -> Self:
        """Open or make the file. Raises JournalError that says what is wrong, where, and what to do."""
        return cls(await Database.open(path, synchronous=synchronous))

    @property
    def database(self) -> Database:
        """The open file, for what is kept beside the records."""
        return self._database

    async def append(self, batch: JournalBatch) -> None:
        """Write a batch; it is durable on return. Raises JournalError, and then nothing of it is written.

        The state is read before the first wait. Cancelling leaves the batch to the writer: all of it will be
        written, or nothing, before anything that is appended later; which of the two, load() tells.
        """
        await self._database.write(self._writing(batch))

    def _writing(self, batch: JournalBatch) -> Write:
        """Return what writes a batch; the state is read now."""
        values = self._projector.project(batch)
        state, artifacts = batch.state, batch.artifacts
        blobs = [(kept.id, kept.task or None, kept.media, len(kept.data), kept.data, state.at) for kept in artifacts]
        return lambda connection: self._write(connection, values, blobs)

    async def probe(self) -> None:
        """Write and remove a little something. Raises JournalError while writing does not work."""
        await self._database.write(_probe)

    async def load(self, finished_max: int) -> FleetState:
        """Return the state as of the last batch, without a replay. Raises JournalError for a database that is not whole."""
        # Behind what the writer still has to do, so that a cancelled append is seen whole or not at all.
        await self._database.settled()
        try:
            state, self._projector.turn = load_state(self._database.on_loop, finished_max)
        except sqlite3.Error as error:
            raise explain(error, self._database.path) from error
        except JournalError as error:
            raise JournalError(f"journal {self._database.path}: {error}") from error
        return state

    async def records(self, *, after: int = 0, limit: int = 1_000, before: int = 0) -> Sequence[Record]:
        """Return records with after < seq (< before, when given), oldest first, the newest `limit` of them."""
        return await self._database.read(lambda connection: _read_records(connection, after, before, limit))

    async def story(self, id_: str, *, limit: int = 200, within: int = 0) -> Sequence[Record]:
        """Return the newest records that mention an id, oldest first; `within` = only among so many newest ones.

        Searched is the life of a task or an agent, and for any other id the newest SCANNED_MAX records.
        """
        return await self._database.read(lambda connection: _read_story(connection, id_, limit, within))

    async def find_task(self, task_id: TaskId) -> Task | None:
        """Return a task from its row, whether the state knows it or not, or None."""
        sql = f"SELECT {TASK_COLUMNS} FROM tasks WHERE id = ?"  # noqa: S608
        try:
            row = self._database.on_loop.execute(sql, (task_id,)).fetchone()
            return None if row is None else task_of(*row)
        except (sqlite3.Error, msgspec.MsgspecError) as error:
            raise explain(error, self._database.path) from error

    async def finished_tasks(
        self, *, limit: int = 200, before: TaskId | None = None, state: str = "", pool: str = ""
    ) -> Sequence[Task]:
        """Return tasks that have ended, newest first, of a state or a pool when given; `before` = ended before that one."""
        return await self._database.read(lambda connection: _read_finished(connection, limit, before, (state, pool)))

    async def audit(self, *, limit: int = 200, before: int = 0) -> Sequence[AuditEntry]:
        """Return lines of the audit, newest first; `before` = written before that record."""
        return await self._database.read(lambda connection: read_audit(connection, limit, before))

    async def load_since(self, since: float, *, limit: int) -> Sequence[Load]:
        """Return the tasks accepted since an instant that have run, as load, oldest first, the newest `limit` of them."""
        return await self._database.read(lambda connection: read_load(connection, since, limit))

    async def lives_since(self, since: float, *, limit: int) -> Lives:
        """Return when pools had agents since an instant, when no engine ran, and how sizes moved; of the newest `limit` agents."""
        return await self._database.read(lambda connection: read_lives(connection, since, limit))

    async def artifact(self, artifact_id: str) -> StoredArtifact | None:
        """Return a stored payload, or None."""
        sql = "SELECT id, media, data, coalesce(task_id, '') FROM artifacts WHERE id = ?"
        row = await self._database.read(lambda connection: connection.execute(sql, (artifact_id,)).fetchone())
        return None if row is None else StoredArtifact(*row)

    async def backup(self, target: Path, *, force: bool = False) -> Contents:
        """Write a whole copy to a file while work goes on, also when writing here fails; `force` replaces an older one. Raises JournalError, CommandRefused."""
        return await self._database.backup(target, force=force)

    async def close(self) -> None:
        """Finish the threads and close the database."""
        await self._database.close()

    def _write(self, connection: sqlite3.Connection, values: tuple[Any, ...], blobs: list[tuple[Any, ...]]) -> None:
        """Write a batch; runs in the writer's thread, which alone uses `_last`."""
        if self._last is None:
            self._last = int(connection.execute("SELECT coalesce(max(id), 0) FROM events").fetchone()[0])
        first, last = values[:2]
        if first != self._last + 1:
            raise JournalError(f"the newest record is {self._last}, the batch starts at {first}; load the state again")
        if blobs:
            _write_with_artifacts(connection, values, blobs)
        else:
            connection.execute(WRITING, values)
        self._last = last


# What is stored again is as if new, so that nobody removes it for its age (pruning.py); at most hourly, for it costs a write.
_STORE = """
INSERT INTO artifacts (id, task_id, media, size, data, created_at) VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT (id) DO UPDATE SET created_at = excluded.created_at WHERE excluded.created_at - created_at > 3600
"""


def _write_with_artifacts(connection: sqlite3.Connection, values: tuple[Any, ...], blobs: list[tuple[Any, ...]]) -> None:
    connection.execute("BEGIN IMMEDIATE")
    try:
        connection.execute(WRITING, values)
        connection.executemany(
            _STORE, blobs
        )
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.rollback()
        raise


def _probe(connection: sqlite3.Connection) -> None:
    connection.execute(
        "INSERT INTO resources (kind, id, data) VALUES ('probe', 'probe', zeroblob(?)) "
        "ON CONFLICT (kind, id) DO UPDATE SET data = excluded.data",
        (PROBE_BYTES,),
    )
    connection.execute("DELETE FROM resources WHERE kind = 'probe'")


def _to_records(rows: Sequence[tuple[int, float, str, str, str]]) -> list[Record]:
    """Return records, oldest first, from rows that come newest first."""
    try:
        return [record_of(seq, float(at), cause, type_, data) for seq, at, cause, type_, data in reversed(rows)]
    except UsageError as error:
        raise JournalError(str(error)) from error


def _read_records(connection: sqlite3.Connection, after: int, before: int, limit: int) -> list[Record]:
    sql = "SELECT id, timestamp, cause, type, data FROM events WHERE id > ? AND id < ? ORDER BY id DESC LIMIT ?"
    return _to_records(connection.execute(sql, (after, before or SEQ_MAX, limit)).fetchall())


def _read_story(connection: sqlite3.Connection, id_: str, limit: int, within: int) -> list[Record]:
    life = (
        "SELECT first_record, last_record FROM tasks WHERE id = ? UNION ALL "
        "SELECT first_record, iif(removed_at IS NULL, ?, last_record) FROM agents WHERE id = ?"
    )
    newest = connection.execute("SELECT coalesce(max(id), 0) FROM events").fetchone()[0]
    first, last = connection.execute(life, (id_, newest, id_)).fetchone() or (0, newest)
    sql = (
        "SELECT id, timestamp, cause, type, data FROM events WHERE id BETWEEN ? AND ? "
        "AND (instr(data, ?) > 0 OR cause = ?) ORDER BY id DESC LIMIT ?"
    )
    first = max(first, last - SCANNED_MAX, newest - within if within else 0)
    found = (first, last, encode_text(id_), id_, limit)
    return _to_records(connection.execute(sql, found).fetchall())


def _read_finished(connection: sqlite3.Connection, limit: int, before: TaskId | None, only: tuple[str, str]) -> list[Task]:
    state, pool = only
    sql = (
        f"SELECT {TASK_COLUMNS} FROM tasks WHERE ended < coalesce((SELECT ended FROM tasks WHERE id = ?1), ?2) "  # noqa: S608
        "AND (?3 = '' OR status = ?3) AND (?4 = '' OR pool = ?4) ORDER BY ended DESC LIMIT ?5"
    )
    rows = connection.execute(sql, (before, SEQ_MAX, state, pool, limit)).fetchall()
    return [task_of(*row) for row in rows]
