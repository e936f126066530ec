"""What an instance that fails costs whoever waits: the same work of the same agent, asked for directly and through a sandbox that traps."""

from __future__ import annotations

import asyncio
import logging
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from engine.model.ids import TaskId
from engine.model.tasks import FINISHED, TaskState

from tests.bench.engines import median
from tests.integration.boosted import Boosted, bad_module, boosted

ENGINES = 6
TRIES = 4
"""In one engine: after the fifth failure the booster leaves the operation to regular agents at once."""
LOOK_S = 0.0005


def measure_fallback(report: Callable[..., None], sources: Sequence[str]) -> None:
    """Report the time from the submission to the answer of the regular agent, less that of a task that went to it at once."""
    logging.getLogger("engine").setLevel(logging.ERROR)  # it tells of every failure
    through, direct = asyncio.run(_measure(sources[: ENGINES * TRIES]))
    note = f"a trap, then the regular agent: {median(through):.1f}; asked at once: {median(direct):.1f}; files of 2 to 4 kB"
    report("booster.fallback_ms", median(through) - median(direct), len(through), note)


async def _measure(sources: Sequence[str]) -> tuple[list[float], list[float]]:
    through: list[float] = []
    direct: list[float] = []
    for start in range(0, len(sources), TRIES):
        with tempfile.TemporaryDirectory() as folder:
            async with boosted(Path(folder), bad_module(), {"poolSize": 1}) as engine:
                await engine.until(lambda: all(pool.by_status.get("idle") for pool in engine.fleet.coordinator.state.pools.values()))  # noqa: B023  # awaited here
                await _ask(engine, "x = 1\n", "coder")  # imports LibCST
                for source in sources[start : start + TRIES]:
                    through.append(await _ask(engine, f"{source}\n# by the booster\n", ""))
                    direct.append(await _ask(engine, f"{source}\n# by the agent\n", "coder"))
    return through, direct


async def _ask(engine: Boosted, source: str, pool: str) -> float:
    """Return the milliseconds until a regular agent has answered."""
    began = time.perf_counter()
    task = engine.tasks[TaskId(await engine.submit("code.outline", {"source": source}, pool=pool))]
    while task.state not in FINISHED:
        await asyncio.sleep(LOOK_S)
    assert (task.state, task.spec.pool, bool(task.moved)) == (TaskState.SUCCEEDED, "coder", not pool), task.error
    return 1e3 * (time.perf_counter() - began)
