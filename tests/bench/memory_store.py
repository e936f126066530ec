"""Memory at work: entries of 1 KB stored durably by many callers, beside aiosqlite row by row and diskcache in the same
turns; and read, from the first cache, from the database, and by Zipf's law with a cache that holds a tenth of the keys.

All three stores have a file of their own in the same folder. Ours and aiosqlite's are synced at each commit (WAL,
synchronous = full); diskcache's default, which is kept, syncs less (normal). Ours also writes a journal record.
"""

from __future__ import annotations

import asyncio
import random
import time
from bisect import bisect
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from itertools import accumulate
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import aiosqlite
import diskcache
from engine import FleetManager
from engine.memory.caches import OVERHEAD_BYTES
from engine.model.memory import Principal, RetrieveOptions, StoreOptions
from engine.supervisor import calm_collector

from tests.bench.engines import median, percentile

ROWS = {
    "memory.stores_per_s": "1/s",
    "memory.rowwise_stores_per_s": "1/s",
    "memory.diskcache_stores_per_s": "1/s",
    "memory.store_vs_rowwise": "ratio",
    "memory.store_vs_diskcache": "ratio",
    "memory.l1_hit_us": "us",
    "memory.l3_read_p99_us": "us",
    "memory.hit_rate_zipf": "ratio",
}
WHO = Principal("agt_bench", pool="bench", swarm="fleet")
VALUE = "x" * 1_000
TURNS = 15
"""Short ones: a disk that others use, too, is as fast for all of a turn."""
CALLERS = 500
EACH = 12
COMPARED = 600
"""Stores of a turn by those beside us."""
READS = 20_000
KEYS = 50_000
ZIPF = 1.1
STORE, RETRIEVE = StoreOptions(), RetrieveOptions()


def measure(report: Callable[[str, float, int, str], None]) -> None:
    """Measure and report."""
    asyncio.run(_stores(report))
    asyncio.run(_reads(report))
    asyncio.run(_zipf(report))


@asynccontextmanager
async def _fleet(folder: str, **memory: Any) -> AsyncIterator[FleetManager]:
    async with FleetManager({"fleet": {"default_pools": False}, "memory": memory}, state_dir=Path(folder)) as fleet:
        calm_collector()  # as the engine's own process does
        yield fleet


async def _stores(report: Callable[[str, float, int, str], None]) -> None:
    ours, rows, disk = [], [], []
    with TemporaryDirectory(prefix="fleet-bench-") as folder:
        async with _fleet(folder) as fleet, _rowwise(folder) as store_row:
            with diskcache.Cache(f"{folder}/diskcache") as cache:
                for turn in range(TURNS):
                    ours.append(await _many_callers(fleet, turn))
                    rows.append(await _one_caller(store_row, turn))
                    disk.append(_in_turn(cache, turn))
    note = f"1 KB each, {CALLERS} callers that await each store; {TURNS} turns beside each other, of {CALLERS * EACH} and {COMPARED}"
    report("memory.stores_per_s", median(ours), TURNS, note)
    report("memory.rowwise_stores_per_s", median(rows), TURNS, "aiosqlite: an upsert and a commit a value, WAL, synchronous = full")
    report("memory.diskcache_stores_per_s", median(disk), TURNS, "diskcache as it comes: WAL, synchronous = normal")
    report("memory.store_vs_rowwise", median([a / b for a, b in zip(ours, rows, strict=True)]), TURNS, note)
    report("memory.store_vs_diskcache", median([a / b for a, b in zip(ours, disk, strict=True)]), TURNS, note)


async def _many_callers(fleet: FleetManager, turn: int) -> float:
    async def one(caller: int) -> None:
        for number in range(EACH):
            await fleet.memory.store(WHO, f"{turn}/{caller}/{number}", VALUE, STORE)

    began = time.perf_counter()
    await asyncio.gather(*(one(caller) for caller in range(CALLERS)))
    return CALLERS * EACH / (time.perf_counter() - began)


@asynccontextmanager
async def _rowwise(folder: str) -> AsyncIterator[Callable[[str], Awaitable[None]]]:
    async with aiosqlite.connect(f"{folder}/rowwise.db") as database:
        await database.execute("PRAGMA journal_mode = WAL")
        await database.execute("PRAGMA synchronous = FULL")
        await database.execute("CREATE TABLE memory (key TEXT PRIMARY KEY, value TEXT, updated_at REAL)")

        async def store(key: str) -> None:
            sql = "INSERT INTO memory VALUES (?, ?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value, updated_at = excluded.updated_at"
            await database.execute(sql, (key, VALUE, time.time()))
            await database.commit()

        yield store


async def _one_caller(store: Callable[[str], Awaitable[None]], turn: int) -> float:
    began = time.perf_counter()
    for number in range(COMPARED):
        await store(f"{turn}/{number}")
    return COMPARED / (time.perf_counter() - began)


def _in_turn(cache: diskcache.Cache, turn: int) -> float:
    began = time.perf_counter()
    for number in range(COMPARED):
        cache.set(f"{turn}/{number}", VALUE)
    return COMPARED / (time.perf_counter() - began)


async def _reads(report: Callable[[str, float, int, str], None]) -> None:
    with TemporaryDirectory(prefix="fleet-bench-") as folder:
        async with _fleet(folder) as fleet:
            await _fill(fleet, READS)
            cold = []
            for number in range(READS):
                began = time.perf_counter()
                await fleet.memory.retrieve(WHO, f"k{number}", RETRIEVE)
                cold.append(time.perf_counter() - began)
            hits = []
            for _ in range(TURNS):
                began = time.perf_counter()
                for _ in range(READS):
                    await fleet.memory.retrieve(WHO, "k7", RETRIEVE)
                hits.append((time.perf_counter() - began) / READS)
            figures = fleet.memory.cache.figures
            assert (figures.misses, figures.hits) == (READS, READS * TURNS), figures
    report("memory.l3_read_p99_us", 1e6 * percentile(cold, 0.99), READS, "retrieve, ACL asked, value of 1 KB decoded, each key for the first time")
    report("memory.l1_hit_us", 1e6 * median(hits), READS * TURNS, "the same from the first cache")


async def _zipf(report: Callable[[str, float, int, str], None]) -> None:
    weights = list(accumulate(rank**-ZIPF for rank in range(1, KEYS + 1)))
    chance = random.Random(1)  # noqa: S311  # the seed is the point
    room = KEYS // 10 * (len(VALUE) + 2 + OVERHEAD_BYTES)
    with TemporaryDirectory(prefix="fleet-bench-") as folder:
        async with _fleet(folder, cache_max_bytes=room) as fleet:
            await _fill(fleet, KEYS)
            for _ in range(2):  # the first round warms the cache
                before = fleet.memory.cache.figures.hits
                for _ in range(2 * KEYS):
                    await fleet.memory.retrieve(WHO, f"k{bisect(weights, chance.random() * weights[-1])}", RETRIEVE)
            hits = fleet.memory.cache.figures.hits - before
    note = f"zipf({ZIPF:g}) over {KEYS} keys, the cache holds a tenth; counted after as many reads to warm it"
    report("memory.hit_rate_zipf", hits / (2 * KEYS), 2 * KEYS, note)


async def _fill(fleet: FleetManager, keys: int) -> None:
    for first in range(0, keys, 5_000):
        await fleet.memory.store_many(WHO, [(f"k{number}", VALUE, STORE) for number in range(first, min(keys, first + 5_000))])
