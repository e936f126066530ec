"""The fleet status query with 10,000 agents, in process as the gate answers it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from tests.bench.engines import light_fleet, percentile

ROWS = {"status.p99_ms.10000": "ms"}
AGENTS = 10_000
QUERIES = 2_000


def measure(report: Callable[..., None]) -> None:
    """Measure and report."""
    times = asyncio.run(_times())
    report("status.p99_ms.10000", 1e3 * percentile(times, 0.99), len(times), f"{AGENTS} agents, p50 {1e3 * percentile(times, 0.5):.4f} ms")


async def _times() -> list[float]:
    times = []
    async with light_fleet(AGENTS) as fleet:
        operator = fleet.operator()
        for _ in range(QUERIES):
            began = time.perf_counter()
            await operator.query("status")
            times.append(time.perf_counter() - began)
    return times
