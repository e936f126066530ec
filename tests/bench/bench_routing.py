"""Learned routing: its regret beside that of the scores where agents change, also after lies, and what a look at a decision costs."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from engine.model.config_sections import RoutingSection
from engine.model.learned import RoutingMode
from engine.simulation.changing_agents import ChangingAgents, Shape, Tally

from tests.bench.engines import burst_cpu_s, median

ROWS = {
    "routing.regret_ratio": "ratio",
    "routing.regret_ratio_worst": "ratio",
    "routing.reward_gain": "%",
    "routing.poisoned_regret_ratio": "ratio",
    "routing.reward_worst": "ratio",
    "routing.look_us": "us",
    "routing.shadow_share": "%",
    "routing.dispatches_off_per_s": "1/s",
    "routing.dispatches_shadow_per_s": "1/s",
    "routing.dispatches_on_per_s": "1/s",
    "routing.shadow_vs_off": "ratio",
    "routing.on_vs_off": "ratio",
}
SEEDS = tuple(range(1, 9))
LIES = 300
AGENTS = 500
TASKS = 10_000
RUNS = 3
TURNS = 5
MODES = (RoutingMode.OFF, RoutingMode.SHADOW, RoutingMode.ON)


def measure(report: Callable[..., None]) -> None:
    """Measure and report."""
    runs = [_compared(seed) for seed in SEEDS]
    note = f"{Shape().tasks} tasks, {Shape().agents} agents of which half change {Shape().changes} times, seeds 1 to {len(SEEDS)}"
    ratios = [learned.regret() / scores.regret() for scores, learned in runs]
    report("routing.regret_ratio", sum(learned.regret() for _, learned in runs) / sum(scores.regret() for scores, _ in runs), len(SEEDS), note)
    report("routing.regret_ratio_worst", max(ratios), len(SEEDS), "of one seed")
    gain = sum(learned.reward() for _, learned in runs) / sum(scores.reward() for scores, _ in runs) - 1
    report("routing.reward_gain", 100 * gain, len(SEEDS), "more than scores alone earn")
    lied = [_compared(seed, poisoned=LIES) for seed in SEEDS]
    after = sum(learned.regret(2 * LIES) for _, learned in lied) / sum(scores.regret(2 * LIES) for scores, _ in lied)
    report("routing.poisoned_regret_ratio", after, len(SEEDS), f"the first {LIES} outcomes are lies; from decision {2 * LIES} on")
    worst = min(learned.reward() / scores.reward() for scores, learned in [*runs, *lied, *(_compared(seed, changes=20) for seed in SEEDS)])
    report("routing.reward_worst", worst, 3 * len(SEEDS), "least of one seed by what scores earn, also with lies and with 20 changes")
    _measure_cost(report)


def _compared(seed: int, **shape: int) -> tuple[Tally, Tally]:
    scores, learned = (ChangingAgents(seed, Shape(mode=mode, **shape)).run() for mode in (RoutingMode.OFF, RoutingMode.ON))  # type: ignore[arg-type]
    return scores, learned


def _measure_cost(report: Callable[..., None]) -> None:
    looks = median([_one_look() for _ in range(RUNS)])
    report("routing.look_us", 1e6 * looks, RUNS, "a decision with 8 contenders, and learning from its outcome")
    rate = RoutingSection().looks_per_s
    report("routing.shadow_share", 100 * looks * rate, RUNS, f"of the engine's time, at most: {rate:g} looks a second, whatever the load")
    # Beside each other, so that what else the machine does is in all three; by seconds of the engine's core.
    turns = [[1 / asyncio.run(burst_cpu_s(AGENTS, TASKS, routing={"mode": mode.value})) for mode in MODES] for _ in range(TURNS)]
    note = f"a second of the engine's core, submit to result; {TASKS} tasks to {AGENTS} agents at once"
    for mode, rates in zip(MODES, zip(*turns, strict=True), strict=True):
        report(f"routing.dispatches_{mode.value}_per_s", median(rates), TURNS, note)
    report("routing.shadow_vs_off", median([shadow / off for off, shadow, _ in turns]), TURNS, "dispatches, of the same turn")
    report("routing.on_vs_off", median([on / off for off, _, on in turns]), TURNS, "dispatches, of the same turn")


def _one_look() -> float:
    """Return the seconds of a core that a look at a decision, and learning from it, adds to a task."""
    took = []
    for mode in (RoutingMode.OFF, RoutingMode.SHADOW):
        world = ChangingAgents(1, Shape(mode=mode, tasks=2_000))
        began = time.process_time()
        world.run()
        took.append((time.process_time() - began) / world.shape.tasks)
    return max(0.0, took[1] - took[0])
