"""When a rule would have fired: the same windows and the same life, led through figures of the past; pure.

Owner: nobody. The past is looked at as coarsely as it is kept: by the second for the last hours, by minutes (their means) before.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from engine.model.alert_expressions import Condition, comparisons
from engine.model.alerts import Alert, AlertState
from engine.model.errors import UsageError
from engine.model.metrics import Label
from engine.monitoring.alerts.evaluating import evaluate
from engine.monitoring.alerts.lifecycle import Look, Quiet, Watched, step
from engine.monitoring.alerts.windows import Key, Windows

SPANS_MAX = 200
"""Alerts that an answer lists; more are counted."""


class Sample(NamedTuple):
    """The figures of one step."""

    at: float
    values: Mapping[Key, float]
    durations: Mapping[Key, Sequence[float]]


@dataclass(frozen=True, slots=True)
class Fired:
    """One alert that there would have been."""

    labels: dict[str, str]
    pending_at: float
    fired_at: float
    resolved_at: float
    """0 = it would still fire."""
    value: float
    """When it fired."""
    severity: str
    message: str


@dataclass(frozen=True, slots=True)
class Backtest:
    """What a rule would have done."""

    fired: tuple[Fired, ...]
    """In their order; the newest SPANS_MAX."""
    total: int
    samples: int
    known: int
    """Samples of which anything was known."""
    held: int
    """Samples at which the condition held for something."""


def check_replayable(condition: Condition) -> None:
    """Raise UsageError for what the history of figures does not have."""
    for one in comparisons(condition):
        if one.operand.function == "event":
            raise UsageError("events are not among the figures that are kept, so a rule about them cannot be tried on the past")
        if one.operand.label is Label.AGENT:
            raise UsageError("figures of single agents are not kept by the second, so a rule about them cannot be tried on the past")


def replay(watched: Watched, samples: Iterable[Sample], pools: Sequence[str], step_s: float) -> Backtest:
    """Lead a rule through samples, oldest first."""
    windows = Windows(lambda: pools, lambda _metric: {}, step_s)
    alerts: dict[str, Alert] = {}
    quiet: dict[str, Quiet] = {}
    fired: list[Fired] = []
    open_at: dict[str, int] = {}
    before, counts = -math.inf, [0, 0, 0]
    for sample in samples:
        if not counts[0]:
            windows.watch([one.operand for one in comparisons(watched.condition)], sample.at - step_s)
        windows.sample(sample.at, sample.values, sample.durations)
        found = evaluate(watched.condition, windows)
        gap = sample.at - before - step_s
        look = Look(sample.at, gap if gap >= step_s and counts[0] else 0.0)
        for alert in step(watched, found, alerts, quiet, look).moved:
            _keep(alert, alerts, fired, open_at)
        before = sample.at
        counts = [counts[0] + 1, counts[1] + bool(found.verdicts), counts[2] + any(verdict.holds for verdict in found.verdicts.values())]
    return Backtest(tuple(fired[-SPANS_MAX:]), len(fired), *counts)


def _keep(alert: Alert, alerts: dict[str, Alert], fired: list[Fired], open_at: dict[str, int]) -> None:
    """Take what a step changed: alerts as they are now, and the story as it is told."""
    alerts[alert.id] = alert
    if alert.state is AlertState.INACTIVE:
        del alerts[alert.id]
    elif alert.state is AlertState.FIRING and alert.id not in open_at:
        open_at[alert.id] = len(fired)
        fired.append(Fired(alert.labels, alert.since, alert.fired_at, 0.0, alert.value, alert.severity, alert.message))
    elif alert.state is AlertState.RESOLVED:
        place = open_at.pop(alert.id)
        fired[place] = replace(fired[place], resolved_at=alert.resolved_at)
