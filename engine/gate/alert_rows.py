"""Rows of alerts, their rules and silences; pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from engine.model.alert_expressions import comparisons, parse
from engine.model.alert_rows import AlertRow, RuleRow, SilenceRow
from engine.model.alerts import Alert, AlertState, Rule, Silence
from engine.model.metrics import written_value
from engine.monitoring.alerts.alerter import Book
from engine.state import FleetState

ALERT_KINDS = frozenset({"alerts", "rules", "silences"})


def label_words(labels: Mapping[str, str]) -> str:
    """Return labels as matchers are written."""
    return ",".join(f"{name}={value}" for name, value in sorted(labels.items()))


def alert_ids(state: FleetState) -> list[str]:
    """Return the ids of all alerts, the worst first: firing before pending before resolved, then by severity and age."""
    return [alert.id for alert in sorted(state.alerting.alerts.values(), key=_rank)]


def _rank(alert: Alert) -> tuple[int, int, float]:
    states = (AlertState.FIRING, AlertState.PENDING, AlertState.RESOLVED)
    newest = alert.resolved_at if alert.state is AlertState.RESOLVED else alert.since
    return states.index(alert.state), ("critical", "warning", "info").index(alert.severity), -newest


def alert_row(state: FleetState, alert: Alert, book: Book | None) -> AlertRow:
    """Return an alert's row, with how its value reads now."""
    rule = state.alerting.rules.get(alert.rule)
    value = book.values.get(alert.id, alert.value) if book is not None and alert.is_active else alert.value
    reads = written_value(value, _unit(rule)) if rule is not None else f"{value:g}"
    return AlertRow(
        alert.id, alert.rule, alert.severity, alert.state, alert.labels.get("pool", ""), alert.labels.get("agent", ""),
        label_words(alert.labels), value, reads, alert.message, alert.since, alert.fired_at, alert.resolved_at, alert.acked_by,
        alert.ack_why, alert.silenced_by, alert.inhibited_by, alert.flapping, rule.runbook if rule is not None else "",
    )  # fmt: skip


def _unit(rule: Rule) -> str:
    return next(comparisons(parse(rule.expr))).operand.unit


def rule_row(state: FleetState, rule: Rule, book: Book | None) -> RuleRow:
    """Return a rule's row, with what it found."""
    active = [alert for alert in state.alerting.alerts.values() if alert.rule == rule.id and alert.is_active]
    firing = sum(alert.state is AlertState.FIRING for alert in active)
    found = "firing" if firing else "pending" if active else "quiet" if book is not None and rule.id in book.known else "unknown"
    return RuleRow(
        rule.id, rule.name or rule.id, rule.expr, rule.for_s, rule.keep_firing_for_s, rule.severity, rule.enabled,
        found if rule.enabled else "disabled", firing, len(active) - firing, book.left_out.get(rule.id, 0) if book is not None else 0,
        label_words(rule.labels), rule.summary, rule.runbook, "; ".join(rule.actions), rule.source, rule.created_at,
    )  # fmt: skip


def silence_row(state: FleetState, silence: Silence) -> SilenceRow:
    """Return a silence's row, with how many alerts it keeps quiet now."""
    quiet = sum(alert.silenced_by == silence.id for alert in state.alerting.alerts.values() if alert.is_active)
    return SilenceRow(silence.id, ",".join(silence.matchers), silence.until, silence.by, silence.why, silence.created_at, quiet)


def row_of(state: FleetState, book: Book | None, kind: str, id_: str) -> AlertRow | RuleRow | SilenceRow | None:
    """Return the row of an id of one of the kinds, None when it is gone."""
    alerting = state.alerting
    if kind == "alerts":
        alert = alerting.alerts.get(id_)
        return alert_row(state, alert, book) if alert else None
    if kind == "rules":
        rule = alerting.rules.get(id_)
        return rule_row(state, rule, book) if rule else None
    silence = alerting.silences.get(id_)
    return silence_row(state, silence) if silence else None


def ids_of(state: FleetState, kind: str) -> Iterable[str]:
    """Return the ids of one of the kinds."""
    if kind == "alerts":
        return alert_ids(state)
    return state.alerting.rules if kind == "rules" else state.alerting.silences
