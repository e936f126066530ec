"""The autoscaler on real agents, and policies on five loads beside the published rules of other autoscalers.

The fifth load is a public trace when FLEET_BENCH_TRACE names one (engine/scaling/traces.py says which formats), else it is left out.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import mean

from engine.fleet import FleetManager
from engine.model.pool_commands import ScalePool
from engine.model.scaling import Direction, Limits, Policy
from engine.model.task_commands import SubmitTask
from engine.scaling.backtest import PoolTrace, Replay, replay, replay_chooser, static_for
from engine.scaling.shapes import SHAPES, trace
from engine.scaling.traces import pool_traces, read_trace

from tests.bench.engines import median
from tests.bench.scaling_rules import RULES

ROWS = {
    "scaling.first_new_agent_s": "s",
    "scaling.light_10_to_100_s": "s",
    "scaling.process_10_to_100_s": "s",
    "scaling.agent_seconds_saved": "ratio",
    "scaling.utilisation_saturated": "ratio",
    "scaling.backtest_24h_s": "s",
}
RUNS = 3
SEED = 1
SHAPE_S = 7_200.0
DAY_S = 86_400.0
POOLS = 16
SIZE_MAX = 200
FOLLOWING = Policy(
    "following",
    "square-root staffing",
    target=1.0,
    safety=0.8,
    average_s=60.0,
    drain_s=20.0,
    tolerance=0.3,
    scale_up=Direction(stabilization_s=2.0),
    scale_down=Direction(stabilization_s=60.0),
)
"""The policy that docs/scaling.md recommends to begin with."""


def measure(report: Callable[..., None]) -> None:
    """Measure and report."""
    firsts = [asyncio.run(_first_new_agent()) for _ in range(RUNS)]
    report("scaling.first_new_agent_s", median(firsts), RUNS, "100 tasks submitted to the first agent beyond the ten accepting work")
    light = [asyncio.run(_ten_to_hundred("light")) for _ in range(RUNS)]
    report("scaling.light_10_to_100_s", median(light), RUNS, "scale verb to the hundredth light agent accepting work")
    processes = [asyncio.run(_ten_to_hundred("shell")) for _ in range(RUNS)]
    report("scaling.process_10_to_100_s", median(processes), RUNS, "scale verb to 100 tasks in a process of their own at once")
    _measure_policies(report)
    shapes = [tuple(SHAPES)[number % len(SHAPES)] for number in range(POOLS)]
    day = [trace(shape, SEED + number, seconds=DAY_S, limits=Limits(1, SIZE_MAX)) for number, shape in enumerate(shapes)]
    began = time.perf_counter()
    for load in day:
        replay(load, [FOLLOWING], DAY_S)
    note = f"{POOLS} pools, 1 s ticks, {sum(len(load.arrivals) for load in day):,} tasks"
    report("scaling.backtest_24h_s", time.perf_counter() - began, 1, note)


# ---- real agents


def _config() -> dict[str, object]:
    pools = {
        "light": {"min": 10, "max": 200},
        "shell": {"kind": "command", "min": 10, "max": 200, "command": {"argv": ["sleep", "1"]}},
    }
    demand = {"pool": "light", "target": 0.85}
    return {"fleet": {"default_pools": pools}, "auto_scaling": {"interval_s": 0.5, "policies": {"demand": demand}}}


async def _until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not condition():
            await asyncio.sleep(0.002)


async def _first_new_agent() -> float:
    async with FleetManager(_config()) as fleet:
        pool = fleet.coordinator.state.pools["light"]
        await _until(lambda: pool.by_status.get("idle", 0) == 10)
        began = time.perf_counter()
        await fleet.operator().execute([SubmitTask("sleep", "light", payload={"seconds": 0.5}) for _ in range(100)])
        await _until(lambda: pool.by_status.get("busy", 0) + pool.by_status.get("assigned", 0) > 10)
        return time.perf_counter() - began


async def _ten_to_hundred(name: str) -> float:
    config = _config()
    config["auto_scaling"] = {"enabled": False}
    async with FleetManager(config) as fleet:
        pool, operator = fleet.coordinator.state.pools[name], fleet.operator()
        await _until(lambda: pool.by_status.get("idle", 0) == 10)
        if name == "light":
            began = time.perf_counter()
            await operator.execute([ScalePool(name, "100")])
            await _until(lambda: pool.by_status.get("idle", 0) == 100)
            return time.perf_counter() - began
        await operator.execute([SubmitTask("sleep", name) for _ in range(100)])
        began = time.perf_counter()
        await operator.execute([ScalePool(name, "100")])
        await _until(lambda: pool.by_state.get("running", 0) + pool.succeeded >= 100)
        return time.perf_counter() - began


# ---- policies on loads


def _loads() -> list[tuple[str, PoolTrace, float]]:
    limits = Limits(1, SIZE_MAX)
    loads = [(shape, trace(shape, SEED, seconds=SHAPE_S, limits=limits), SHAPE_S) for shape in SHAPES]
    if path := os.environ.get("FLEET_BENCH_TRACE"):
        (public,), seconds = pool_traces(read_trace(Path(path), pool="coder", service_s=5.0), {"coder": limits}, {})
        loads.append((Path(path).stem, public, seconds))
    return loads


def _measure_policies(report: Callable[..., None]) -> None:
    saved: dict[str, list[float]] = {}
    for name, load, seconds in _loads():
        runs: dict[str, Replay] = {"fleet-tui": replay(load, [FOLLOWING], seconds)}
        runs |= {rule: replay_chooser(load, make(), seconds) for rule, make in RULES.items()}
        for rule, run in runs.items():
            static = static_for(load, run.wait_p95_s, seconds, SIZE_MAX)
            saved.setdefault(rule, []).append(1 - run.agent_s / static.agent_s)
            _say(name, rule, run, saved[rule][-1])
    others = ", ".join(f"{rule} {mean(values):.2f}" for rule, values in saved.items() if rule != "fleet-tui")
    note = f"mean over {len(saved['fleet-tui'])} loads, seed {SEED}; the published rules of others on the same: {others}"
    report("scaling.agent_seconds_saved", mean(saved["fleet-tui"]), 1, note)
    full = trace("steps", SEED, seconds=1_800.0, limits=Limits(1, 8))
    report("scaling.utilisation_saturated", replay(full, [FOLLOWING], 1_500.0).utilisation, 1, "more work than the pool's max can do")


def _say(load: str, rule: str, run: Replay, saved: float) -> None:
    figures = f"saved {saved:5.2f}  busy {run.utilisation:4.0%}  wait p50 {run.wait_p50_s:6.2f} s  p95 {run.wait_p95_s:6.2f} s"
    print(f"  {load:22} {rule:10} {figures}  turns {run.direction_changes:4}  drains {run.drains:3}", file=sys.stderr)  # noqa: T201
