"""Policies beside fixed sizes on one load: against as many agents as make the same p95 wait, and as the peak needs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from engine.scaling.backtest import Replay, static_for

from tests.bench.scaling_loads import SIZE_MAX, BenchLoad, peak_demand, real_changes


@dataclass(frozen=True, slots=True)
class Beside:
    """One rule on one load, beside fixed sizes. Savings are 1 - agent-seconds / those of the fixed size."""

    load: str
    rule: str
    run: Replay
    fixed: Replay
    """The smallest fixed size whose p95 wait is no longer."""
    peak: int
    peak_agent_s: float
    real_changes: int

    @property
    def saved(self) -> float:
        """Return the savings against the fixed size with an equal p95 wait."""
        return 1 - self.run.agent_s / self.fixed.agent_s

    @property
    def at_most(self) -> float:
        """Return what a rule would save that has no agent idle, ever, and still makes that wait."""
        return 1 - self.run.busy_s / self.fixed.agent_s

    @property
    def saved_of_peak(self) -> float:
        """Return the savings against a fixed size with which no task ever waits."""
        return 1 - self.run.agent_s / self.peak_agent_s

    @property
    def turns_each(self) -> float:
        """Return the changes of direction for each real change of the load."""
        return self.run.direction_changes / max(1, self.real_changes)


def beside_fixed(load: BenchLoad, rules: Mapping[str, Callable[[BenchLoad], Replay]]) -> list[Beside]:
    """Run every rule on a load."""
    peak, changes = peak_demand(load.tasks), real_changes(load.tasks, load.seconds)
    rows = []
    for name, rule in rules.items():
        run = rule(load)
        fixed = static_for(load.tasks, run.wait_p95_s, load.seconds, max(SIZE_MAX, peak))
        rows.append(Beside(load.name, name, run, fixed, peak, peak * load.seconds, changes))
    return rows


HEADING = (
    f"{'load':18} {'rule':10} {'saved':>6} {'at most':>8} {'of peak':>8} {'busy':>5} {'p50':>6} {'p95':>6}"
    f" {'fixed size':>15} {'turns':>6} {'a change':>9} {'drains':>7}"
)


def say(row: Beside) -> str:
    """Return a row's line under HEADING. Times in seconds."""
    run = row.run
    fixed = f"{row.fixed.peak} at {row.fixed.wait_p95_s:.2f}"
    return (
        f"{row.load[:18]:18} {row.rule:10} {row.saved:6.0%} {row.at_most:8.0%} {row.saved_of_peak:8.0%} {run.utilisation:5.0%}"
        f" {run.wait_p50_s:6.2f} {run.wait_p95_s:6.2f} {fixed:>15} {run.direction_changes:6,} {row.turns_each:9.1f} {run.drains:7}"
    )
