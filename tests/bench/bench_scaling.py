"""The autoscaler on real agents, and policies on four shapes of load by three seeds beside the published rules of other autoscalers.

One more load is a public trace when FLEET_BENCH_TRACE names one (docs/scaling.md says which formats), else the run says that it is missing.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from statistics import mean

from engine.fleet import FleetManager
from engine.model.pool_commands import ScalePool
from engine.model.scaling import Direction, Limits, Policy
from engine.model.task_commands import SubmitTask
from engine.scaling.backtest import Chooser, Replay, replay, replay_chooser
from engine.scaling.shapes import SHAPES, trace
from fleet_tui.bench import Goal

from tests.bench.engines import median
from tests.bench.scaling_loads import PUBLIC, SEED, SEEDS, SIZE_MAX, BenchLoad, bench_loads
from tests.bench.scaling_rules import RULES
from tests.bench.scaling_table import HEADING, Beside, beside_fixed, say

ROWS = {
    "scaling.first_new_agent_s": "s",
    "scaling.light_10_to_100_s": "s",
    "scaling.process_10_to_100_s": "s",
    "scaling.busy_removed": "agents",
    "scaling.agent_seconds_saved": "ratio",
    "scaling.agent_seconds_saved_of_peak": "ratio",
    "scaling.turns_per_real_change": "ratio",
    "scaling.utilisation_saturated": "ratio",
    "scaling.backtest_24h_s": "s",
}
GOALS = {
    "scaling.busy_removed": Goal(0, is_most=True),
    "scaling.agent_seconds_saved": Goal(0.4),
    "scaling.turns_per_real_change": Goal(2, is_most=True),
    "scaling.utilisation_saturated": Goal(0.85),
}
RUNS = 3
DAY_S = 86_400.0
POOLS = 16
OURS = "fleet-tui"
SHRUNK = 300
"""Tasks that run while their pool is scaled up and down again and again."""
FOLLOWING = Policy(
    "following",
    "square-root staffing",
    target=1.0,
    safety=0.8,
    average_s=60.0,
    drain_s=25.0,
    tolerance=0.4,
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
    note = f"of {SHRUNK} programs that ran while their pool went 40, 2, 40, 2, ...: those that did not end at their first attempt"
    report("scaling.busy_removed", asyncio.run(_busy_removed()), 1, note)
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


async def _busy_removed() -> int:
    config = _config()
    config["auto_scaling"] = {"enabled": False}
    config["fleet"] = {"default_pools": {"shell": {"kind": "command", "min": 2, "max": 200, "command": {"argv": ["sleep", "0.2"]}}}}
    async with FleetManager(config) as fleet:
        pool, operator = fleet.coordinator.state.pools["shell"], fleet.operator()
        await operator.execute([SubmitTask("sleep", "shell") for _ in range(SHRUNK)])
        size = 40
        while pool.succeeded + pool.failed + pool.dead < SHRUNK:
            await operator.execute([ScalePool("shell", str(size))])
            await _until(lambda: pool.by_state.get("running", 0) > 1 or pool.succeeded + pool.failed + pool.dead >= SHRUNK)
            size = 42 - size
        tasks = fleet.coordinator.state.tasks.values()
        return sum(task.attempt != 1 or task.state != "succeeded" for task in tasks)


# ---- policies on loads


def _measure_policies(report: Callable[..., None]) -> None:
    loads = bench_loads()
    if said := missing(loads):
        _say(said)
    rules: dict[str, Callable[[BenchLoad], Replay]] = {OURS: lambda load: replay(load.tasks, [FOLLOWING], load.seconds)}
    rules |= {rule: partial(_choose, make) for rule, make in RULES.items()}
    rows = [row for load in loads for row in beside_fixed(load, rules)]
    for line in (HEADING, *map(say, rows)):
        _say(line)
    _report_rows(report, rows, f"{len(loads)} loads: four shapes by {len(SEEDS)} seeds{', one public' if not missing(loads) else ''}")
    full = trace("steps", SEED, seconds=1_800.0, limits=Limits(1, 8))
    report("scaling.utilisation_saturated", replay(full, [FOLLOWING], 1_500.0).utilisation, 1, "more work than the pool's max can do")


def missing(loads: Sequence[BenchLoad]) -> str:
    """Return what to say when the public trace is not among the loads."""
    if len(loads) > len(SHAPES) * len(SEEDS):
        return ""
    return f"the public trace is missing: nothing is fetched; name a file of one with {PUBLIC}=FILE (docs/scaling.md)"


def _choose(make: Callable[[], Chooser], load: BenchLoad) -> Replay:
    return replay_chooser(load.tasks, make(), load.seconds)


def _report_rows(report: Callable[..., None], rows: Sequence[Beside], loads: str) -> None:
    def of_all(figure: Callable[[Beside], float], over: Callable[[list[float]], float]) -> dict[str, float]:
        return {rule: over([figure(row) for row in rows if row.rule == rule]) for rule in (OURS, *RULES)}

    def others(found: dict[str, float]) -> str:
        return ", ".join(f"{rule} {value:.2f}" for rule, value in found.items() if rule != OURS)

    equal, peak = of_all(lambda row: row.saved, mean), of_all(lambda row: row.saved_of_peak, mean)
    turns = of_all(lambda row: row.turns_each, max)
    report("scaling.agent_seconds_saved", equal[OURS], 1, f"mean of {loads}, fixed size of equal p95 wait; published rules: {others(equal)}")
    report("scaling.agent_seconds_saved_of_peak", peak[OURS], 1, f"mean of {loads}, fixed size for the peak; published rules: {others(peak)}")
    report("scaling.turns_per_real_change", turns[OURS], 1, f"worst of {loads}; published rules: {others(turns)}")


def _say(text: str) -> None:
    print(f"  {text}", file=sys.stderr)  # noqa: T201
