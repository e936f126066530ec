"""Durable no-op tasks to light agents: submit, lease, run in a worker process, result; every step journalled.

A burst is submitted by 8 callers at once, 250 tasks a call. The paced runs offer 2,000 tasks a second, 10 a call each
5 ms; start is when the worker began the task by its own clock, result when the outcome was durable.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from engine.fleet import FleetManager
from engine.model.events import Record
from engine.model.task_commands import SubmitTask

from tests.bench.engines import POOL, light_fleet, median, percentile

SIZES = (16, 1_000, 10_000)
ROWS = {
    **{f"dispatch.burst_tasks_per_s.{size}": "1/s" for size in SIZES},
    "dispatch.start_p50_ms.at2000": "ms",
    "dispatch.start_p99_ms.at2000": "ms",
    "dispatch.result_p50_ms.at2000": "ms",
    "dispatch.result_p99_ms.at2000": "ms",
}
BURST = 20_000
CALLERS = 8
PER_CALL = 250
PACED_RATE = 2_000
PACED_S = 4.0
RUNS = 3


def measure(report: Callable[..., None]) -> None:
    """Measure and report."""
    for size in SIZES:
        tasks = BURST if size > 16 else BURST // 4
        rates = [asyncio.run(_burst(size, tasks)) for _ in range(RUNS)]
        report(f"dispatch.burst_tasks_per_s.{size}", median(rates), RUNS, f"{tasks} tasks, {size} agents, synchronous=full")
    starts, results = asyncio.run(_paced(1_000))
    for name, values in (("start", starts), ("result", results)):
        for share in (50, 99):
            value = 1e3 * percentile(values, share / 100)
            report(f"dispatch.{name}_p{share}_ms.at2000", value, len(values), f"{PACED_RATE}/s offered, 1,000 agents")


async def _burst(agents: int, tasks: int) -> float:
    async with light_fleet(agents) as fleet:
        began = time.perf_counter()
        async with asyncio.TaskGroup() as group:
            for _ in range(CALLERS):
                group.create_task(_submit(fleet, tasks // CALLERS))
        async with asyncio.timeout(120):
            while fleet.status().tasks.succeeded < tasks:
                await asyncio.sleep(0.002)
        return tasks / (time.perf_counter() - began)


async def _submit(fleet: FleetManager, tasks: int) -> None:
    operator = fleet.operator()
    for first in range(0, tasks, PER_CALL):
        await operator.execute([SubmitTask("noop", POOL)] * min(PER_CALL, tasks - first))


async def _paced(agents: int) -> tuple[list[float], list[float]]:
    starts: list[float] = []
    results: list[float] = []
    async with light_fleet(agents) as fleet:

        def note(record: Record) -> None:
            now = fleet.clock.now()
            for outcome in record.event.outcomes:  # type: ignore[union-attr]
                task = fleet.coordinator.state.tasks[outcome.task]
                starts.append(outcome.started_at - float(task.spec.payload["offered"]))  # type: ignore[arg-type]
                results.append(now - float(task.spec.payload["offered"]))  # type: ignore[arg-type]

        fleet.on("task.succeeded", note)
        operator = fleet.operator()
        began = fleet.clock.now()
        async with asyncio.TaskGroup() as group:
            for number in range(int(PACED_S * PACED_RATE / 10)):
                at = began + number * 10 / PACED_RATE
                await asyncio.sleep(max(0.0, at - fleet.clock.now()))
                offered = fleet.clock.now()
                group.create_task(operator.execute([SubmitTask("noop", POOL, payload={"offered": offered})] * 10))
        async with asyncio.timeout(60):
            while len(results) < int(PACED_S * PACED_RATE):
                await asyncio.sleep(0.01)
    skip = len(results) // 8  # the first half second warms caches up
    return starts[skip:], results[skip:]
