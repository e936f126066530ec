"""Engine start with 1,000,000 journal rows: from the first line of initialize() to taking commands.

The journal is made by the same code that an engine writes with: 250,000 tasks are submitted, leased, started and
succeed, one record each. Measured after a clean end and after kill -9; the row is the slower of the two.
"""

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

from engine.fleet import DATABASE_NAME, FleetManager
from engine.memory.contract import JournalBatch
from engine.memory.journal import SqliteJournal
from engine.model import events as ev
from engine.model.agent_events import AgentsReady, AgentsRegistered, HostInfo
from engine.model.agents import AgentSpec, Resources
from engine.model.ids import AgentId, HostId, TaskId
from engine.model.pool_events import PoolConfigured
from engine.model.pools import PoolSpec
from engine.model.task_events import TasksLeased, TasksStarted, TasksSubmitted, TasksSucceeded
from engine.model.tasks import Lease, Outcome, Placement, TaskSpec
from engine.state import FleetState, Touched

from tests.bench.engines import POOL, light_config, median

ROWS = {"memory.start_1m_rows_s": "s"}
RECORDS = 1_000_000
IN_BATCH = 1_000
RUNS = 5
AGENTS = 4

_VICTIM = """
import asyncio, sys
from pathlib import Path
from engine.fleet import FleetManager
from engine.model.task_commands import SubmitTask
from tests.bench.engines import POOL, light_config

async def main():
    async with FleetManager(light_config(int(sys.argv[2])), state_dir=Path(sys.argv[1])) as fleet:
        await fleet.operator().execute([SubmitTask("noop", POOL)] * 10)
        print("ready", flush=True)
        await asyncio.Event().wait()

asyncio.run(main())
"""


def measure(report: Callable[..., None]) -> None:
    """Measure and report."""
    with TemporaryDirectory(prefix="fleet-bench-") as folder:
        root = Path(folder)
        asyncio.run(fill(root / DATABASE_NAME, RECORDS))
        clean = [asyncio.run(_start(root)) for _ in range(RUNS)]
        killed = [_start_after_kill(root) for _ in range(RUNS)]
        megabytes = (root / DATABASE_NAME).stat().st_size / 1e6
    worse = max(median(clean), median(killed))
    report(
        "memory.start_1m_rows_s", worse, 2 * RUNS,
        f"{megabytes:.0f} MB; medians: {median(clean):.2f} s after a clean end, {median(killed):.2f} s after kill -9",
    )  # fmt: skip


async def fill(path: Path, count: int) -> None:
    """Make a journal of at least so many records: tasks that succeed, a record a step."""
    journal = await SqliteJournal.open(path, synchronous="normal")
    state, at = FleetState(20_000), time.time() - count * 0.01
    records: list[ev.Record] = []

    async def do(event: ev.Event) -> None:
        nonlocal at
        at += 0.01
        record = ev.Record(state.seq + 1, at, "bench", event)
        state.apply(record)
        records.append(record)
        if len(records) >= IN_BATCH:
            batch = JournalBatch(list(records), state, state.touched)
            state.touched = Touched()
            records.clear()
            await journal.append(batch)

    agents = [AgentId(f"agt_{number}") for number in range(AGENTS)]
    await do(PoolConfigured(PoolSpec(POOL, 0, 50_000), AGENTS))
    await do(AgentsRegistered(tuple(AgentSpec(agent, agent, POOL, "bench", (), Resources(1, 0.1), 0.0) for agent in agents)))
    await do(AgentsReady(HostInfo(HostId("hst_bench"), "light", 7, 0.0), tuple(agents)))
    number = 0
    while state.seq < count:
        number += 1
        task, agent = TaskId(f"tsk_{number:08d}"), agents[number % AGENTS]
        await do(TasksSubmitted((TaskSpec(task, "echo", POOL, {"text": f"task {number}"}, title=f"task {number}", submitted_at=at),)))
        await do(TasksLeased((Lease(task, agent, 1, Placement(0.5, (0.1, 0.2, 0.3, 0.4, 0.5), ((agent, 0.5),), 3)),)))
        await do(TasksStarted(((task, 1, at),)))
        await do(TasksSucceeded((Outcome(task, 1, ok=True, result={"text": f"task {number}"}),)))
    if records:
        await journal.append(JournalBatch(records, state, state.touched))
    await journal.close()


async def _start(root: Path) -> float:
    fleet = FleetManager(light_config(AGENTS), state_dir=root)
    began = time.perf_counter()
    await fleet.initialize()
    seconds = time.perf_counter() - began
    assert fleet.coordinator.state.seq >= RECORDS
    await fleet.shutdown()
    return seconds


def _start_after_kill(root: Path) -> float:
    source = Path(__file__).resolve().parent.parent.parent
    victim = subprocess.Popen([sys.executable, "-c", _VICTIM, root, str(AGENTS)], stdout=subprocess.PIPE, cwd=source)
    try:
        assert victim.stdout is not None
        line = victim.stdout.readline()
        if line != b"ready\n":
            raise RuntimeError(f"the engine to be killed did not start: {line!r}")
        os.kill(victim.pid, signal.SIGKILL)
    finally:
        victim.kill()
        victim.wait()
    return asyncio.run(_start(root))
