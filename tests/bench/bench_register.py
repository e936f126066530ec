"""Durable registration of 10,000 agents: from the verb to the answer, the journal written (synchronous = full)."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from engine.model.agent_commands import RegisterAgent

from tests.bench.engines import POOL, light_fleet, median

ROWS = {"register.agents_per_s": "1/s"}
AGENTS = 10_000
RUNS = 3


def measure(report: Callable[..., None]) -> None:
    """Measure and report."""
    rates = [asyncio.run(_one_run()) for _ in range(RUNS)]
    report("register.agents_per_s", median(rates), RUNS, f"{AGENTS} agents, 1,000 a verb, 4 verbs at once, synchronous=full")


async def _one_run() -> float:
    async with light_fleet(0) as fleet:
        operator = fleet.operator()
        began = time.perf_counter()
        for _ in range(AGENTS // 4_000 + 1):
            count = min(4_000, AGENTS - fleet.status().agents.total)
            if count:
                await asyncio.gather(*(operator.execute([RegisterAgent(POOL, count=count // 4)]) for _ in range(4)))
        seconds = time.perf_counter() - began
        assert fleet.status().agents.total == AGENTS, fleet.status().agents
        return AGENTS / seconds
