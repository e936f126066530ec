"""Why an alert is as it is: what its rule saw, what keeps it quiet or is told of it, and what else is wrong with the same pool; pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from engine.gate.alert_rows import alert_row
from engine.gate.why_acts import find_act, halts_of
from engine.model.alert_expressions import written_duration
from engine.model.alert_words import Severity
from engine.model.alerts import Alert, AlertState, Rule
from engine.model.explanations import Evidence, Explanation
from engine.model.notifications import Letter, LetterState
from engine.monitoring.alerts.alerter import Book
from engine.state import FleetState

OTHERS_MAX = 5
LETTERS_MAX = 3
_LEVELS = {Severity.CRITICAL: "error", Severity.WARNING: "warn", Severity.INFO: "info"}


def explain_alert(state: FleetState, alert: Alert, now: float, book: Book | None, letters: Sequence[Letter]) -> Explanation:
    """Return why an alert is as it is; `letters` are notifications on their way through channels."""
    rule = state.alerting.rules.get(alert.rule)
    evidence = [
        *_seen(state, alert, rule, book),
        *_quiet(state, alert),
        *_taken(alert),
        *_flaps(alert),
        *_told(alert, letters),
        *_about(state, alert),
        *_others(state, alert),
    ]
    level = _LEVELS[alert.severity] if alert.is_loud else "info"
    return Explanation("alerts", alert.id, f"{alert.rule} {alert.labels.get('pool', '')}".strip(), _headline(alert, rule, now), level, now, tuple(evidence))


def _headline(alert: Alert, rule: Rule | None, now: float) -> str:
    if alert.state is AlertState.RESOLVED:
        return f"it is resolved: {alert.message}"
    if alert.state is AlertState.FIRING:
        return f"it fires: {alert.message}"
    left = (rule.for_s - (now - alert.counted_from)) if rule is not None else 0.0
    return f"it fires in {max(0.0, left):.0f} s if its condition holds until then: {alert.message}"


def _seen(state: FleetState, alert: Alert, rule: Rule | None, book: Book | None) -> list[Evidence]:
    """Return what the rule asks for, and what it found."""
    if rule is None:
        return [Evidence(f"its rule {alert.rule} is gone", "warn")]
    row = alert_row(state, alert, book)
    held = f", for {written_duration(rule.for_s)}" if rule.for_s else ""
    lines = [Evidence(f"{rule.id} asks whether {rule.expr}{held}", kind="rules", id=rule.id)]
    if alert.is_active:
        lines.append(Evidence(f"the condition holds; it reads {row.reads} now", at=alert.since))
    if alert.fired_at:
        lines.append(Evidence("it fired", at=alert.fired_at))
    if alert.state is AlertState.RESOLVED:
        lines.append(Evidence(f"it was resolved; it read {row.reads}", at=alert.resolved_at))
    return lines


def _quiet(state: FleetState, alert: Alert) -> list[Evidence]:
    """Return what keeps it from being told."""
    lines = []
    silence = state.alerting.silences.get(alert.silenced_by)
    if silence is not None:
        why = f": {silence.why}" if silence.why else ""
        lines.append(Evidence(f"{silence.by} silenced {','.join(silence.matchers)}{why}; nobody is told of it", "warn", silence.created_at, "silences", silence.id))
    other = state.alerting.alerts.get(alert.inhibited_by)
    if other is not None:
        lines.append(Evidence(f"{other.rule} is critical and explains it, so nobody is told of this one: {other.message}", "warn", other.fired_at, "alerts", other.id))
    elif alert.inhibited_by:
        lines += halts_of(state, "placing") or [Evidence(f"{alert.inhibited_by} explains it, so nobody is told of it", "warn")]
    return lines


def _taken(alert: Alert) -> list[Evidence]:
    why = f": {alert.ack_why}" if alert.ack_why else ""
    return [Evidence(f"{alert.acked_by} takes care of it{why}; nobody is reminded", at=alert.acked_at)] if alert.acked_by else []


def _flaps(alert: Alert) -> list[Evidence]:
    if alert.flapping:
        return [Evidence(f"it flaps: it fired {len(alert.fires)} times, so it stays until it has been calm for a while", "warn", alert.fires[0] if alert.fires else 0.0)]
    return [Evidence(f"it fired {len(alert.fires)} times lately", at=alert.fires[0])] if len(alert.fires) > 1 else []


def _told(alert: Alert, letters: Sequence[Letter]) -> list[Evidence]:
    """Return what became of telling people, the newest first."""
    own = [letter for letter in reversed(letters) if any(news.fingerprint == alert.id for news in letter.notification.alerts)]
    words: Mapping[LetterState, str] = {LetterState.SENT: "told of it", LetterState.WAITING: "is to be told of it", LetterState.PARKED: "was not told of it"}
    return [
        Evidence(
            f"{letter.channel} {words[letter.state]}{f': {letter.error}' if letter.error else ''}",
            "error" if letter.state is LetterState.PARKED else "warn" if letter.error and letter.state is LetterState.WAITING else "info",
            letter.ended_at or letter.notification.at, "notifications", letter.id,
        )  # fmt: skip
        for letter in own[:LETTERS_MAX]
    ]


def _about(state: FleetState, alert: Alert) -> list[Evidence]:
    """Return the things that its labels name, and who last changed the rule."""
    lines = []
    pool, agent = alert.labels.get("pool", ""), state.agent_named(alert.labels.get("agent", ""))
    if agent is not None:
        lines.append(Evidence(f"{agent.spec.name} is {agent.status}", kind="agents", id=agent.spec.id))
    if pool in state.pools:
        found = state.pools[pool]
        lines.append(Evidence(f"pool {pool} has {found.agents} of {found.size} agents", kind="pools", id=pool))
    act = find_act(state, ("alert.rule.create", "alert.rule.update"), (alert.rule,))
    return [*lines, *([Evidence(f"its rule was set {act.text}", "info", act.at, act.kind, act.id)] if act is not None else [])]


def _others(state: FleetState, alert: Alert) -> list[Evidence]:
    """Return what else fires for the same pool."""
    pool = alert.labels.get("pool", "")
    others = [one for one in state.alerting.alerts.values() if pool and one.id != alert.id and one.state is AlertState.FIRING and one.labels.get("pool") == pool]
    others.sort(key=lambda one: (list(Severity).index(one.severity), one.fired_at))
    return [Evidence(f"{one.rule} fires for {pool}, too: {one.message}", _LEVELS[one.severity], one.fired_at, "alerts", one.id) for one in others[:OTHERS_MAX]]
