"""Work through Redis to two hosts that joined: an engine that shares its fleet, and two workers as processes of their own on this machine.

A burst is submitted by 8 callers at once, 250 no-op tasks a call, to 1,000 light agents; what is offered at a pace is 500 tasks a second. A host that is
lost is killed while it runs a program; the time is that until the program runs on the other one.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from engine.fleet import FleetManager
from engine.model.events import Record
from engine.model.task_commands import SubmitTask
from engine.redis.embedded import LAUNCHER, find_server
from engine.supervisor import calm_collector
from fleet_tui.bench import Goal

from tests.bench.engines import idle, median, percentile

ROWS = {
    "redis.tasks_per_s": "1/s",
    "redis.task_p50_ms.at500": "ms",
    "redis.task_p99_ms.at500": "ms",
    "redis.host_lost_s": "s",
}
GOALS = {"redis.tasks_per_s": Goal(15_000)}
BURST, CALLERS, PER_CALL = 8_000, 8, 250
PACED_PER_S, PACED_S = 500, 6.0
AGENTS = 1_000
RUNS = 3
LOSSES = 3
ROOT = Path(__file__).resolve().parent.parent.parent


def measure(report: Callable[..., None]) -> None:
    """Measure and report."""
    rates = [asyncio.run(_burst()) for _ in range(RUNS)]
    report("redis.tasks_per_s", median(rates), RUNS, f"{BURST} no-op tasks, {AGENTS} light agents on two hosts, the server with its append-only file")
    waits = asyncio.run(_paced())
    for share in (50, 99):
        report(f"redis.task_p{share}_ms.at500", 1e3 * percentile(waits, share / 100), len(waits), "submit to durable result, two hosts")
    lost = [asyncio.run(_lost()) for _ in range(LOSSES)]
    report("redis.host_lost_s", median(lost), LOSSES, "kill -9 of a host to its task running on the other one, host_silent_s = 4")


@asynccontextmanager
async def hosted(pools: dict[str, object], *, agents: int = AGENTS, **sections: object) -> AsyncIterator[tuple[FleetManager, list[subprocess.Popen[bytes]]]]:
    """Run a server, an engine and two hosts, which take `agents` between them; `sections` are more of the engine's configuration."""
    async with AsyncExitStack() as stack:
        root = Path(stack.enter_context(TemporaryDirectory(prefix="fleet-bench-", ignore_cleanup_errors=True)))
        (root / "state").mkdir()
        url = f"unix://{root}/r"
        words = [str(find_server()), "--port", "0", "--unixsocket", f"{root}/r", "--dir", str(root), "--save", "", "--appendonly", "yes"]
        server = subprocess.Popen([sys.executable, "-I", "-S", str(LAUNCHER), str(os.getpid()), *words], stdout=subprocess.DEVNULL)  # noqa: ASYNC220  # it only forks
        stack.callback(_end, server)
        while not (root / "r").exists():  # noqa: ASYNC110  # of another process
            await asyncio.sleep(0.01)
        config = {"fleet": {"default_pools": {}, "max_agents": 50_000}, "pools": pools, "redis": {"url": url, "share": True, "mirror": False, "lease_s": 10}, **sections}
        fleet = await stack.enter_async_context(FleetManager(config, directory=root, state_dir=root / "state"))
        hosts = [_host(root, url, name, agents // 2) for name in ("a", "b")]
        for host in hosts:
            stack.callback(_end, host)
        await idle(fleet, agents if "light" in pools else 2)
        calm_collector()
        yield fleet, hosts


def _host(root: Path, url: str, name: str, agents: int) -> subprocess.Popen[bytes]:
    environment = {**os.environ, "XDG_STATE_HOME": str(root / "hosts")}
    words = [sys.executable, "-m", "fleet_tui", "-C", str(root), "worker", "--join", url, "--name", name, "--agents", str(agents)]
    return subprocess.Popen(words, cwd=ROOT, env=environment, stderr=subprocess.DEVNULL)


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    process.wait()


def _light() -> dict[str, object]:
    return {"light": {"min": AGENTS, "max": 1_000, "hosts": "joined"}}


async def _burst() -> float:
    async with hosted(_light()) as (fleet, _hosts):
        began = time.perf_counter()
        async with asyncio.TaskGroup() as group:
            for _ in range(CALLERS):
                group.create_task(_submit(fleet))
        async with asyncio.timeout(300):
            while fleet.status().tasks.succeeded < BURST:
                await asyncio.sleep(0.002)
        return BURST / (time.perf_counter() - began)


async def _submit(fleet: FleetManager) -> None:
    operator = fleet.operator()
    for _ in range(0, BURST // CALLERS, PER_CALL):
        await operator.execute([SubmitTask("noop", "light")] * PER_CALL)


async def _paced() -> list[float]:
    waits: list[float] = []
    async with hosted(_light()) as (fleet, _hosts):

        def note(record: Record) -> None:
            now = fleet.clock.now()
            for outcome in record.event.outcomes:  # type: ignore[union-attr]
                waits.append(now - float(fleet.coordinator.state.tasks[outcome.task].spec.payload["offered"]))  # type: ignore[arg-type]

        fleet.on("task.succeeded", note)
        operator = fleet.operator()
        began, tasks = fleet.clock.now(), int(PACED_S * PACED_PER_S)
        async with asyncio.TaskGroup() as group:
            for number in range(tasks // 5):
                await asyncio.sleep(max(0.0, began + number * 5 / PACED_PER_S - fleet.clock.now()))
                group.create_task(operator.execute([SubmitTask("noop", "light", payload={"offered": fleet.clock.now()})] * 5))
        async with asyncio.timeout(60):
            while len(waits) < tasks:
                await asyncio.sleep(0.01)
    return waits[len(waits) // 6 :]  # the first second warms caches up


async def _lost() -> float:
    pools: dict[str, object] = {"program": {"kind": "command", "min": 2, "max": 2, "hosts": "joined", "command": {"argv": ["sleep", "60"]}}}
    async with hosted(pools) as (fleet, hosts):
        state = fleet.coordinator.state
        id_ = (await fleet.operator().execute([SubmitTask("noop", "program")])).values[0]
        task = state.tasks[id_]  # type: ignore[index]
        await _until(lambda: task.state == "running")
        assert task.agent is not None
        where = state.agents[task.agent].host
        began = time.perf_counter()
        hosts["ab".index(str(where))].kill()
        await _until(lambda: task.state == "running" and task.attempt > 1)
        return time.perf_counter() - began


async def _until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not condition():
            await asyncio.sleep(0.005)
