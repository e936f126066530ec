"""What keeping figures costs: the engine's throughput with and without, and the time, memory and bytes of 10,000 agents.

Throughput: no-op tasks to 1,000 light agents as in `dispatch`, runs with and without taking turns in one process. The overhead is of
the CPU time that the engine's process, all of its threads, takes for a task: it is bound by that, and other programs of the machine
do not change it. Predictive maintenance: on days of `tests.simulation.made_agents`. The overhead is the median of the turns' ratios, each of two runs side by side. 10,000 agents: all eleven metrics a second, a tenth of the agents changed in it; bytes as saved.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable

from engine.monitoring.agents import NAMES, SECONDS, AgentColumns, packed
from engine.monitoring.blocks import SLOTS, VALUE, Block
from engine.state import Touched

from tests.bench.engines import burst_cpu_s, light_fleet, median
from tests.simulation.made_agents import judge, made_day

ROWS = {
    "monitoring.overhead_percent": "%",
    "monitoring.agents_sample_ms.10000": "ms",
    "monitoring.agents_memory_mb.10000": "MB",
    "monitoring.agents_saved_mb_per_day.10000": "MB",
    "monitoring.bytes_per_sample": "B",
    "monitoring.maintenance_precision": "%",
    "monitoring.maintenance_recall": "%",
}
AGENTS = 1_000
TASKS = 20_000
TURNS = 9
MANY = 10_000
TICKS = 130
UNSEEN_DAYS = range(41, 61)


def measure(report: Callable[..., None]) -> None:
    """Measure and report."""
    asyncio.run(burst_cpu_s(AGENTS, TASKS, monitoring={"enabled": True}))  # warms up what every run shares
    ratios, costs = [], []
    for turn in range(TURNS):
        took = {enabled: asyncio.run(burst_cpu_s(AGENTS, TASKS, monitoring={"enabled": enabled})) for enabled in (turn % 2 == 0, turn % 2 == 1)}
        ratios.append(took[True] / took[False])
        costs.append(took[False])
    spread = f"{100 * (min(ratios) - 1):.1f} to {100 * (max(ratios) - 1):.1f} %; {1e6 * median(costs):.0f} µs of CPU a task without"
    report("monitoring.overhead_percent", 100 * (median(ratios) - 1), TURNS, spread)
    asyncio.run(_agents(report))
    report("monitoring.bytes_per_sample", *_bytes_per_sample())
    _maintenance(report)


def _maintenance(report: Callable[..., None]) -> None:
    """Judge the warnings of made-up days that no threshold was set by."""
    scores = [judge(made_day(seed)) for seed in UNSEEN_DAYS]
    warnings, right = sum(one.warnings for one in scores), sum(one.right for one in scores)
    faults, found = sum(one.faults for one in scores), sum(one.found for one in scores)
    lead = median([float(minutes) for one in scores for minutes in one.leads_min])
    report("monitoring.maintenance_precision", 100 * right / warnings, len(scores), f"made-up days: {right} of {warnings} warnings were about a fault")
    report("monitoring.maintenance_recall", 100 * found / faults, len(scores), f"{found} of {faults} faults warned of, {lead:.0f} min before the failure")


async def _agents(report: Callable[..., None]) -> None:
    async with light_fleet(MANY, monitoring={"enabled": False}) as fleet:
        state, columns, chance = fleet.coordinator.state, AgentColumns(), random.Random(1)  # noqa: S311
        ids = list(state.agents)
        took = []
        for second in range(TICKS):
            changed = chance.sample(ids, MANY // 10)
            for id_ in changed:
                state.agents[id_].succeeded += 1
                state.agents[id_].busy_s += chance.random()
            columns.note(Touched(agents=dict.fromkeys(changed)))
            began = time.perf_counter()
            columns.sample(state, None, 1_800_000_000.0 + second)
            took.append(1e3 * (time.perf_counter() - began))
        report("monitoring.agents_sample_ms.10000", median(took), TICKS, f"worst {max(took[1:]):.1f} ms; {len(NAMES)} metrics, {MANY // 10} agents changed")
        report("monitoring.agents_memory_mb.10000", columns.bytes / 1e6, 1, f"{len(NAMES)} metrics, {SECONDS} s")
        begin, minute = columns.pending[-1]
        saved = sum(len(packed(data, name)) for name, data in minute)
        report("monitoring.agents_saved_mb_per_day.10000", saved * 1_440 / 1e6, 1, f"{saved:,} bytes a minute, of minute {begin}")


def _bytes_per_sample() -> tuple[float, int, str]:
    """Return the bytes of a sample over series of the shapes that a fleet has, and of each shape."""
    chance = random.Random(2)  # noqa: S311
    shapes: dict[str, Callable[[int], float]] = {
        "constant": lambda _slot: 27.0,
        "count": lambda slot: float(20 + (slot // 40) % 7),
        "rate": lambda _slot: chance.randrange(60) / 1.0003,
        "noise": lambda _slot: chance.random(),
    }
    sizes = {}
    for name, value in shapes.items():
        block = Block(SLOTS[1], VALUE)
        for slot in range(SLOTS[1]):
            block.columns[0][slot] = value(slot)
        sizes[name] = len(block.encode()) / SLOTS[1]
    note = ", ".join(f"{name} {size:.2f}" for name, size in sizes.items())
    return sum(sizes.values()) / len(sizes), len(sizes), f"mean of {note}; 4 as they are"
