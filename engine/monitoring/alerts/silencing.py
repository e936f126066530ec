"""What keeps alerts quiet: silences that people set, and alerts that others explain; pure.

Owner: nobody. A critical alert of a pool explains the others of that pool. While the fleet is halted, alerts about work that does
not flow are explained by the halt.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace

from engine.model.alert_expressions import Condition, comparisons
from engine.model.alert_words import Severity
from engine.model.alerts import (
    Alert,
    AlertState,
    Matcher,
    Silence,
    all_match,
    labels_of,
    matcher_of,
)

HALT = "halt"
"""Instead of an alert's id: the fleet is halted on purpose."""
FLOW = frozenset({"queue_depth", "tasks_waiting", "oldest_waiting_s", "succeeded", "utilisation", "load", "allocation_ms", "response_ms", "scaling_efficiency"})
"""Metrics that are bad while nothing is placed."""


def is_about_flow(condition: Condition) -> bool:
    """Tell whether a condition is about work that flows, so that a halt explains it."""
    return any(one.operand.metric in FLOW for one in comparisons(condition))


def quieted(alerts: Iterable[Alert], silences: Iterable[Silence], flow_rules: Collection[str], now: float, *, halted: bool) -> list[Alert]:
    """Return the active alerts that are kept quiet by something else than before, as they are now."""
    active = [alert for alert in alerts if alert.is_active]
    in_force = [(silence.id, [matcher_of(text) for text in silence.matchers]) for silence in silences if silence.until > now]
    worst = critical_of_pools(active)
    moved = []
    for alert in active:
        silence = silenced_by(alert, in_force)
        inhibitor = _inhibitor(alert, worst)
        if not inhibitor and halted and alert.rule in flow_rules:
            inhibitor = HALT
        if (silence, inhibitor) != (alert.silenced_by, alert.inhibited_by):
            moved.append(replace(alert, silenced_by=silence, inhibited_by=inhibitor))
    return moved


def silenced_by(alert: Alert, silences: Iterable[tuple[str, list[Matcher]]]) -> str:
    """Return the first silence that is about an alert, empty when there is none."""
    labels = labels_of(alert)
    return next((id_ for id_, matchers in silences if all_match(matchers, labels)), "")


def critical_of_pools(alerts: Iterable[Alert]) -> Mapping[str, str]:
    """Return for each pool the critical alert that fires longest."""
    found: dict[str, Alert] = {}
    for alert in alerts:
        pool = alert.labels.get("pool", "")
        if pool and alert.state is AlertState.FIRING and alert.severity is Severity.CRITICAL:
            first = found.get(pool)
            if first is None or (alert.fired_at, alert.id) < (first.fired_at, first.id):
                found[pool] = alert
    return {pool: alert.id for pool, alert in found.items()}


def _inhibitor(alert: Alert, worst: Mapping[str, str]) -> str:
    return worst.get(alert.labels.get("pool", ""), "") if alert.severity is not Severity.CRITICAL else ""
