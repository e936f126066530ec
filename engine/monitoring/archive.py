"""Where blocks of metrics are kept: three tables of the fleet's database, written in small batches by its one writer.

Owner: of the numbers of series. Limits: SERIES_MAX series; blocks as old as KEPT_S says are removed.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple, Protocol, TypeVar

SERIES_MAX = 4_000
KEPT_S = {1: 86_400, 60: 30 * 86_400, 3600: 30 * 86_400}
"""Step -> how long its blocks are kept."""
AGENTS_KEPT_S = 86_400
IDS = "ids"
"""Name of the row that says whose values the columns of agents are."""

_T = TypeVar("_T")
Key = tuple[str, str]
"""Name and label of a series."""


class Files(Protocol):
    """The database: one thread writes, another one reads."""

    async def write(self, work: Callable[[sqlite3.Connection], _T]) -> _T:
        """Have a work done by the writer's thread. Raises JournalError."""
        ...

    async def read(self, work: Callable[[sqlite3.Connection], _T]) -> _T:
        """Have a read done off the loop. Raises JournalError."""
        ...


class Stored(NamedTuple):
    """One block as it is kept."""

    key: Key
    step: int
    start: int
    data: bytes


class Archive:
    """Blocks of metrics in the database."""

    def __init__(self, files: Files) -> None:
        self._files = files
        self._numbers: dict[Key, int] = {}

    async def open(self) -> None:
        """Read which series there are. Raises JournalError."""
        rows = await self._files.read(lambda connection: connection.execute("SELECT name, label, id FROM metric_series").fetchall())
        self._numbers = {(name, label): number for name, label, number in rows}

    def keys(self) -> list[Key]:
        """Return all series."""
        return list(self._numbers)

    async def save(self, blocks: Sequence[tuple[Key, int, int, Callable[[], bytes]]]) -> None:
        """Write blocks in one transaction: (series, step, start, what gives the data). Raises JournalError."""
        await self._files.write(lambda connection: self._write(connection, blocks))

    async def load(self, step: int, start: int) -> list[Stored]:
        """Return the blocks of all series that begin at an instant. Raises JournalError."""
        sql = "SELECT data FROM metric_blocks WHERE series = ? AND step = ? AND start = ?"

        def work(connection: sqlite3.Connection) -> list[Stored]:
            found = ((key, connection.execute(sql, (number, step, start)).fetchone()) for key, number in self._numbers.items())
            return [Stored(key, step, start, row[0]) for key, row in found if row is not None]

        return await self._files.read(work)

    async def find(self, key: Key, step: int, since: int, until: float) -> list[Stored]:
        """Return the blocks of a series that begin from `since` to before `until`, oldest first. Raises JournalError."""
        number = self._numbers.get(key)
        if number is None:
            return []
        sql = "SELECT start, data FROM metric_blocks WHERE series = ? AND step = ? AND start >= ? AND start < ? ORDER BY start"
        rows = await self._files.read(lambda connection: connection.execute(sql, (number, step, since, until)).fetchall())
        return [Stored(key, step, start, data) for start, data in rows]

    async def save_agents(self, at: int, columns: Iterable[tuple[str, bytes]]) -> None:
        """Write what agents read in the minute that began then. Raises JournalError."""
        rows = [(at, name, data) for name, data in columns]
        sql = "INSERT OR REPLACE INTO metric_agents (at, name, data) VALUES (?, ?, ?)"
        await self._files.write(lambda connection: all_or_nothing(connection, lambda: connection.executemany(sql, rows)))

    async def agents(self, name: str, since: float, until: float) -> tuple[list[tuple[int, bytes]], list[tuple[int, bytes]]]:
        """Return the lists of ids that hold from some minute on, and the columns of a metric, oldest first. Raises JournalError."""

        def work(connection: sqlite3.Connection) -> tuple[list[tuple[int, bytes]], list[tuple[int, bytes]]]:
            sql = "SELECT at, data FROM metric_agents WHERE name = ? AND at >= ? AND at < ? ORDER BY at"
            newest = "SELECT coalesce(max(at), 0) FROM metric_agents WHERE name = ? AND at <= ?"
            first = connection.execute(newest, (IDS, since)).fetchone()[0]
            return connection.execute(sql, (IDS, first, until)).fetchall(), connection.execute(sql, (name, since, until)).fetchall()

        return await self._files.read(work)

    async def prune(self, now: float) -> int:
        """Remove what is too old, in small works; return how many rows went. Raises JournalError."""
        removed = 0
        for number in list(self._numbers.values()):
            removed += await self._files.write(lambda connection, number=number: _prune(connection, number, now))  # type: ignore[misc]
        sql = "DELETE FROM metric_agents WHERE at < ?"
        # The list of ids that holds at the oldest minute kept is written anew once a kept span, so it may go with its minute.
        removed += await self._files.write(lambda connection: connection.execute(sql, (now - AGENTS_KEPT_S,)).rowcount)
        return removed

    def _write(self, connection: sqlite3.Connection, blocks: Sequence[tuple[Key, int, int, Callable[[], bytes]]]) -> None:
        sql = (
            "INSERT INTO metric_blocks (series, step, start, data) VALUES (?, ?, ?, ?) "
            "ON CONFLICT (series, step, start) DO UPDATE SET data = excluded.data"
        )

        def work() -> None:
            rows = [(self._number(connection, key), step, start, encode()) for key, step, start, encode in blocks]
            connection.executemany(sql, [row for row in rows if row[0] is not None])

        all_or_nothing(connection, work)

    def _number(self, connection: sqlite3.Connection, key: Key) -> int | None:
        """Return a series' number, a new one for a new series; None when there are too many."""
        number = self._numbers.get(key)
        if number is None and len(self._numbers) < SERIES_MAX:
            connection.execute("INSERT OR IGNORE INTO metric_series (name, label) VALUES (?, ?)", key)
            number = connection.execute("SELECT id FROM metric_series WHERE name = ? AND label = ?", key).fetchone()[0]
            self._numbers = {**self._numbers, key: number}  # readers are in another thread
        return number


def _prune(connection: sqlite3.Connection, number: int, now: float) -> int:
    sql = "DELETE FROM metric_blocks WHERE series = ? AND step = ? AND start < ?"
    return sum(connection.execute(sql, (number, step, now - kept)).rowcount for step, kept in KEPT_S.items())


def all_or_nothing(connection: sqlite3.Connection, work: Callable[[], object]) -> None:
    """Do a work in one transaction; nothing of it stays when it raises."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        work()
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.rollback()
        raise
