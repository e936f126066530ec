"""What facts about alerts do to the tables.

Owner: nobody; transitions only. Limits: RESOLVED_MAX resolved alerts are kept, the newest ones.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from engine.model.alert_events import (
    AlertAcked,
    AlertRuleRemoved,
    AlertRulesSet,
    AlertsMoved,
    AlertsSilenced,
    SilenceEnded,
)
from engine.model.alerts import AlertState
from engine.state.tables import Tables

RESOLVED_MAX = 200


def _rules_set(tables: Tables, event: AlertRulesSet, _at: float) -> None:
    for rule in event.rules:
        tables.alerting.rules[rule.id] = rule
        tables.touched.rules[rule.id] = None


def _rule_removed(tables: Tables, event: AlertRuleRemoved, _at: float) -> None:
    tables.alerting.rules.pop(event.rule, None)
    tables.touched.rules[event.rule] = None


def _moved(tables: Tables, event: AlertsMoved, _at: float) -> None:
    for alert in event.alerts:
        if alert.state is AlertState.INACTIVE:
            tables.alerting.alerts.pop(alert.id, None)
        else:
            tables.alerting.alerts[alert.id] = alert
        tables.touched.alerts[alert.id] = None
        tables.touched.rules[alert.rule] = None
    resolved = [alert for alert in tables.alerting.alerts.values() if alert.state is AlertState.RESOLVED]
    resolved.sort(key=lambda alert: (alert.resolved_at, alert.id))
    for alert in resolved[: max(0, len(resolved) - RESOLVED_MAX)]:
        del tables.alerting.alerts[alert.id]
        tables.touched.alerts[alert.id] = None


def _acked(tables: Tables, event: AlertAcked, at: float) -> None:
    alert = tables.alerting.alerts[event.alert]
    tables.alerting.alerts[event.alert] = replace(alert, acked_by=event.by, ack_why=event.why, acked_at=at if event.by else 0.0)
    tables.touched.alerts[event.alert] = None


def _silenced(tables: Tables, event: AlertsSilenced, _at: float) -> None:
    tables.alerting.silences[event.silence.id] = event.silence
    tables.touched.silences[event.silence.id] = None


def _silence_ended(tables: Tables, event: SilenceEnded, _at: float) -> None:
    tables.alerting.silences.pop(event.silence, None)
    tables.touched.silences[event.silence] = None


TRANSITIONS: dict[type, Callable[[Tables, Any, float], None]] = {
    AlertRulesSet: _rules_set,
    AlertRuleRemoved: _rule_removed,
    AlertsMoved: _moved,
    AlertAcked: _acked,
    AlertsSilenced: _silenced,
    SilenceEnded: _silence_ended,
}
