"""An engine for benchmarks: one pool of light agents, in a directory of its own, on the real clock."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from engine.config import FleetManagerConfig, parse_config
from engine.fleet import FleetManager
from engine.model.task_commands import SubmitTask
from engine.supervisor import calm_collector

POOL = "light"
CALLERS = 8
PER_CALL = 250
"""Tasks submitted by one call of a burst."""


def light_config(agents: int, **more: object) -> FleetManagerConfig:
    """Return a configuration with one pool of light agents."""
    return parse_config(
        {"fleet": {"maxAgents": 50_000, "defaultPools": {}}, "pools": {POOL: {"min": agents, "max": 50_000}}, **more},
        "benchmark",
    )


@asynccontextmanager
async def light_fleet(agents: int, state_dir: Path | None = None, **more: object) -> AsyncIterator[FleetManager]:
    """Run an engine whose agents are all idle; `more` are sections of its configuration."""
    with TemporaryDirectory(prefix="fleet-bench-") as folder:
        async with FleetManager(light_config(agents, **more), state_dir=state_dir or Path(folder)) as fleet:
            await idle(fleet, agents)
            calm_collector()  # as the engine's own process does
            yield fleet


async def idle(fleet: FleetManager, agents: int) -> None:
    """Wait until all agents are idle."""
    async with asyncio.timeout(120):
        while fleet.status().agents.by_status.get("idle", 0) < agents:
            await asyncio.sleep(0.005)


async def burst_cpu_s(agents: int, tasks: int, **more: object) -> float:
    """Return the CPU seconds of this process that a task takes from submission to result, so many at once; `more` as for light_fleet()."""
    async with light_fleet(agents, **more) as fleet:
        began = time.process_time()
        async with asyncio.TaskGroup() as group:
            for _ in range(CALLERS):
                group.create_task(_submit(fleet, tasks // CALLERS))
        async with asyncio.timeout(120):
            while fleet.status().tasks.succeeded < tasks:
                await asyncio.sleep(0.002)
        return (time.process_time() - began) / tasks


async def _submit(fleet: FleetManager, tasks: int) -> None:
    operator = fleet.operator()
    for _ in range(0, tasks, PER_CALL):
        await operator.execute([SubmitTask("noop", POOL)] * PER_CALL)


def percentile(values: Sequence[float], share: float) -> float:
    """Return the value below which a share of them lies."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def median(values: Sequence[float]) -> float:
    """Return the median."""
    return statistics.median(values)
