"""A past for a fleet's database, written as the recorder writes it: a sample every ten seconds, rolled up and saved."""

from __future__ import annotations

import asyncio
import sqlite3
from array import array
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from engine.monitoring.agents import packed
from engine.monitoring.archive import IDS, Archive, Key
from engine.monitoring.histogram import BUCKETS, bucket_of
from engine.monitoring.maintenance import PAST_MIN
from engine.monitoring.series import SeriesStore

T = TypeVar("T")
SAMPLE_S = 10
Past = Callable[[int], tuple[Mapping[Key, float], Mapping[Key, Sequence[float]]]]
"""Gives gauges and rates, and durations in milliseconds, of an instant."""


class Direct:
    """A database without threads."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    async def write(self, work: Callable[[sqlite3.Connection], T]) -> T:
        return work(self._connection)

    async def read(self, work: Callable[[sqlite3.Connection], T]) -> T:
        return work(self._connection)


class Unhurried:
    """A clock that nobody waits for."""

    def now(self) -> float:
        return 0.0

    async def sleep(self, seconds: float) -> None:
        del seconds


async def write_past(connection: sqlite3.Connection, since: int, until: int, past: Past) -> SeriesStore:
    """Write what was measured from `since` to before `until`; return the store."""
    archive = Archive(Direct(connection))
    await archive.open()
    store = SeriesStore(archive, Unhurried())
    for at in range(since, until, SAMPLE_S):
        if not store.is_open(at):
            await store.save()
            await store.open(at)
        values, durations = past(at)
        store.put(at, values, {key: counted(found) for key, found in durations.items()})
    await store.save()
    return store


def counted(durations: Sequence[float]) -> list[float]:
    """Return durations as counts of their buckets."""
    counts = [0.0] * BUCKETS
    for one in durations:
        counts[bucket_of(one)] += 1
    return counts


def give_past(database: Path, since: int, until: int, past: Past) -> None:
    """Write a past into the database of an engine that does not run."""
    connection = sqlite3.connect(database, isolation_level=None)
    try:
        asyncio.run(write_past(connection, since, until, past))
    finally:
        connection.close()


def give_agents_past(database: Path, until: int, agents: Sequence[str], read: Callable[[str, int], Mapping[str, float]]) -> None:
    """Write what agents read in the PAST_MIN minutes before an instant into the database of an engine that does not run.

    `read` gives the figures of an agent, counts as they stand, by how many minutes were left.
    """
    connection = sqlite3.connect(database, isolation_level=None)
    try:
        for left in range(PAST_MIN, -1, -1):
            at = until - left * 60
            figures = [read(agent, left) for agent in agents]
            rows = [(at, name, packed(array("f", [one[name] for one in figures]).tobytes(), name)) for name in figures[0]]
            rows.append((at, IDS, packed("\n".join(agents).encode(), IDS)))
            connection.executemany("INSERT OR REPLACE INTO metric_agents (at, name, data) VALUES (?, ?, ?)", rows)
    finally:
        connection.close()
