"""Engine start after kill -9 with 10,000 unfinished tasks: from the first line of initialize() to taking commands."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

from engine.fleet import FleetManager

from tests.bench.engines import light_config, median

ROWS = {"recover.seconds_per_10000_tasks": "s"}
TASKS = 10_000
RUNS = 3

_VICTIM = """
import asyncio, os, sys
from pathlib import Path
from engine.fleet import FleetManager
from engine.model.task_commands import SubmitTask
from tests.bench.engines import POOL, light_config

async def main():
    async with FleetManager(light_config(4), state_dir=Path(sys.argv[1])) as fleet:
        operator = fleet.operator()
        for _ in range(40):
            await operator.execute([SubmitTask("sleep", POOL, payload={"seconds": 3600})] * 250)
        print("ready", flush=True)
        await asyncio.Event().wait()

asyncio.run(main())
"""


def measure(report: Callable[..., None]) -> None:
    """Measure and report."""
    seconds = [_one_run() for _ in range(RUNS)]
    report("recover.seconds_per_10000_tasks", median(seconds), RUNS, f"{TASKS} unfinished tasks, killed with SIGKILL")


def _one_run() -> float:
    with TemporaryDirectory(prefix="fleet-bench-") as folder:
        root = Path(__file__).resolve().parent.parent.parent
        victim = subprocess.Popen([sys.executable, "-c", _VICTIM, folder], stdout=subprocess.PIPE, cwd=root)
        try:
            assert victim.stdout is not None
            line = victim.stdout.readline()
            if line != b"ready\n":
                raise RuntimeError(f"the engine to be killed did not start: {line!r}")
            os.kill(victim.pid, signal.SIGKILL)
        finally:
            victim.kill()
            victim.wait()
        return asyncio.run(_recover(Path(folder)))


async def _recover(state_dir: Path) -> float:
    fleet = FleetManager(light_config(4), state_dir=state_dir)
    began = time.perf_counter()
    await fleet.initialize()
    seconds = time.perf_counter() - began
    try:
        states = fleet.status().tasks.by_state
        assert sum(states.values()) == TASKS, states
    finally:
        await fleet.shutdown()
    return seconds
