"""The second cache of memory: a hit in a private Redis, beside the same read from the database; and its hit rate by Zipf's law."""

from __future__ import annotations

import asyncio
import random
import time
from bisect import bisect
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from itertools import accumulate
from pathlib import Path
from tempfile import TemporaryDirectory

from engine import FleetManager
from engine.memory.second_cache import SecondCache
from engine.memory.values import VALUE_INLINE_MAX
from engine.model.memory import EntryId, Head, Principal, RetrieveOptions, StoreOptions
from engine.supervisor import calm_collector

from tests.bench.engines import median

ROWS = {"memory.l2_hit_us": "us", "memory.l2_beside_l3_us": "us", "memory.l2_hit_rate_zipf": "ratio"}
WHO = Principal("agt_bench", pool="bench", swarm="fleet")
SIZE = 100_000
READS = 2_000
KEYS = 400
ZIPF = 1.1


def measure(report: Callable[[str, float, int, str], None]) -> None:
    """Measure and report."""
    asyncio.run(_hits(report))
    asyncio.run(_zipf(report))


@asynccontextmanager
async def _fleet(cache_max_bytes: int = 0) -> AsyncIterator[tuple[FleetManager, SecondCache]]:
    """Yield an engine with a private Redis, and its second cache."""
    config = {"fleet": {"default_pools": False}, "redis": "embedded", "memory": {"cache_max_bytes": cache_max_bytes}}
    with TemporaryDirectory(prefix="fleet-bench-") as folder:
        async with FleetManager(config, state_dir=Path(folder)) as fleet:
            calm_collector()  # as the engine's own process does
            second = fleet.memory.second
            assert second is not None, "there is a section redis"
            yield fleet, second


async def _hits(report: Callable[[str, float, int, str], None]) -> None:
    async with _fleet() as (fleet, second):
        head = await _warmed(fleet, second)
        here, beside = [], []
        for _ in range(READS):
            began = time.perf_counter()
            assert await second.get(head.artifact, head.size) is not None, second.figures
            between = time.perf_counter()
            assert await fleet.memory.entries.artifact(head.artifact) is not None
            beside.append(time.perf_counter() - between)
            here.append(between - began)
    note = f"{SIZE // 1_000} KB, a private Redis by its Unix socket, hashed"
    report("memory.l2_hit_us", 1e6 * median(here), READS, note)
    report("memory.l2_beside_l3_us", 1e6 * median(beside), READS, "the same value from the database in the same turns, its pages in the system's cache")


async def _warmed(fleet: FleetManager, second: SecondCache) -> Head:
    await fleet.memory.store(WHO, "large", "x" * SIZE, StoreOptions())
    await fleet.memory.retrieve(WHO, "large", RetrieveOptions())
    async with asyncio.timeout(10):
        while not second.figures.kept:
            await fleet.clock.sleep(0.01)
    return fleet.memory.head(WHO, EntryId("default", WHO.name, "large"))


async def _zipf(report: Callable[[str, float, int, str], None]) -> None:
    weights = list(accumulate(rank**-ZIPF for rank in range(1, KEYS + 1)))
    chance = random.Random(1)  # noqa: S311  # the seed is the point
    size = 2 * VALUE_INLINE_MAX
    async with _fleet(KEYS // 10 * size) as (fleet, second):
        for number in range(KEYS):
            await fleet.memory.store(WHO, f"k{number}", f"{number}:{'x' * size}", StoreOptions())
        for _ in range(2):  # the first round warms the cache
            before, asked = second.figures.hits, second.figures.misses + second.figures.failed
            for _ in range(READS):
                await fleet.memory.retrieve(WHO, f"k{bisect(weights, chance.random() * weights[-1])}", RetrieveOptions())
        hits = second.figures.hits - before
        asked = hits + second.figures.misses + second.figures.failed - asked
    note = f"of what the first cache, with room for a tenth, left over: zipf({ZIPF:g}) over {KEYS} keys of {size // 1_024} KB, after as many reads to warm it"
    report("memory.l2_hit_rate_zipf", hits / asked, asked, note)
