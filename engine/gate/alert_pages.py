"""An alert in full: its row, its rule, and which figures the rule looks at; pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from engine.gate.alert_rows import alert_row, rule_row
from engine.model.alert_events import AlertsMoved
from engine.model.alert_expressions import (
    AVERAGES,
    QUANTILES,
    Comparison,
    comparisons,
    parse,
)
from engine.model.alerts import Rule
from engine.model.events import Record
from engine.model.metrics import CATALOGUE, Label
from engine.model.wire import row_to_dict
from engine.monitoring.alerts.alerter import Book
from engine.monitoring.alerts.rule_verbs import find_alert
from engine.state import FleetState

QUANTILE_USUAL = 95


def alert_page(state: FleetState, book: Book | None, word: str) -> dict[str, Any]:
    """Return an alert with its rule and what it looks at. Raises NotFound, Ambiguous."""
    alert = find_alert(state, word)
    rule = state.alerting.rules.get(alert.rule)
    return {
        **row_to_dict(alert_row(state, alert, book)),
        "acked_at": alert.acked_at,
        "fires": alert.fires,
        "rule_row": row_to_dict(rule_row(state, rule, book)) if rule is not None else None,
        "measured": measured(rule, alert.labels) if rule is not None else None,
    }


def measured(rule: Rule, labels: Mapping[str, str]) -> dict[str, Any] | None:
    """Return the history that the first comparison of a rule is about; None where figures are not kept: of events, and of what callers record."""
    first = next(comparisons(parse(rule.expr)))
    metric = CATALOGUE.get(first.operand.metric)
    if metric is None or first.operand.function == "event":
        return None
    name = {Label.FLEET: "", Label.POOL: "pool", Label.AGENT: "agent"}[metric.label]
    return {
        "metric": metric.name,
        "label": labels.get(name, ""),
        "quantile": round(100 * QUANTILES[first.operand.function]) if first.operand.function in QUANTILES else QUANTILE_USUAL,
        "limit": _limit(first),
        "operator": first.operator,
    }


def _limit(comparison: Comparison) -> float | None:
    """Return the limit where it is one of the metric itself, not of how it changed or for how long it was away."""
    is_of_metric = comparison.operand.function in ("", *AVERAGES, *QUANTILES)
    return comparison.limit if is_of_metric else None


def told_of(record: Record, alert: str) -> Record:
    """Return a record as the story of one alert has it: without what else was seen in the same look."""
    if not isinstance(record.event, AlertsMoved):
        return record
    own = tuple(one for one in record.event.alerts if one.id == alert)
    return record._replace(event=AlertsMoved(own)) if own else record
