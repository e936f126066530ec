"""Plans of what operators do to alerts, rules and silences: before, after and effect, and what takes it back; pure."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from engine.gate.alert_rows import label_words
from engine.gate.scaling_rows import keys_in_words
from engine.model.alert_commands import (
    AckAlert,
    AlertVerb,
    CreateRule,
    DeleteRule,
    DisableRule,
    EnableRule,
    EndSilence,
    SilenceAlerts,
    UnackAlert,
    UpdateRule,
)
from engine.model.alert_events import (
    AlertAcked,
    AlertRuleRemoved,
    AlertRulesSet,
    AlertsMoved,
    AlertsSilenced,
    SilenceEnded,
)
from engine.model.alert_words import Severity
from engine.model.alerts import Alert, AlertState, Rule
from engine.model.errors import CommandRefused
from engine.model.plans import Call, PlanStep
from engine.model.verbs import Command
from engine.model.wire import call_of
from engine.monitoring.alerts import rule_verbs as verbs
from engine.monitoring.alerts.silencing import quieted
from engine.state import FleetState

Line = tuple[str, str, str]


def inverse_of(state: FleetState, command: AlertVerb) -> Call | None:
    """Return the call that takes a verb back, from the state before it, or None when there is none."""
    alerting = state.alerting
    if isinstance(command, CreateRule):
        return Call(DeleteRule.name, {"id": command.id})
    if isinstance(command, AckAlert | UnackAlert):
        return _ack_back(state, command)
    if isinstance(command, EndSilence):
        silence = alerting.silences.get(command.silence)
        return Call(SilenceAlerts.name, {"matchers": ",".join(silence.matchers), "until": silence.until, "why": silence.why, "id": silence.id}) if silence else None
    rule = alerting.rules.get(command.id) if isinstance(command, UpdateRule | DeleteRule | EnableRule | DisableRule) else None
    return _rule_back(rule, command) if rule is not None else None


def _rule_back(rule: Rule, command: AlertVerb) -> Call | None:
    if isinstance(command, DeleteRule):
        return Call(CreateRule.name, verbs.create_args(rule))
    if isinstance(command, UpdateRule):
        return Call(UpdateRule.name, {"id": rule.id, "changes": {key: _plain(getattr(rule, key)) for key in command.changes if hasattr(rule, key)}})
    assert isinstance(command, EnableRule | DisableRule)
    return Call(command.inverse, {"id": rule.id}) if rule.enabled is isinstance(command, DisableRule) else None


def _plain(value: object) -> object:
    return list(value) if isinstance(value, tuple) else value


def _ack_back(state: FleetState, command: AckAlert | UnackAlert) -> Call | None:
    alert = verbs.find_alert(state, command.alert)
    if alert.acked_by:
        return Call(AckAlert.name, {"alert": alert.id, "why": alert.ack_why})
    return Call(UnackAlert.name, {"alert": alert.id}) if isinstance(command, AckAlert) else None


def version(state: FleetState, rule: str) -> dict[str, Any]:
    """Return what a rule is made of, by which one version is told from another; empty when there is none."""
    found = state.alerting.rules.get(rule)
    return verbs.create_args(found) if found else {}


def goal(state: FleetState, command: CreateRule | UpdateRule) -> dict[str, Any]:
    """Return what a rule will be made of."""
    rule = verbs.created(state, command, state.at) if isinstance(command, CreateRule) else verbs.updated(state, command)
    return verbs.create_args(rule)


# ---- plans


def _create(state: FleetState, command: CreateRule) -> PlanStep:
    rule = verbs.created(state, command, state.at)
    return PlanStep(call_of(command), rule.id, "", _words(rule), _effect(rule), _warning(rule))


def _update(state: FleetState, command: UpdateRule) -> PlanStep:
    old, new = verbs.find_rule(state, command.id), verbs.updated(state, command)
    differ = [key for key in verbs.CHANGEABLE if getattr(old, key) != getattr(new, key)]
    before, after = (keys_in_words({key: _shown(getattr(rule, key)) for key in differ}) for rule in (old, new))
    effect = f"{_resolved(state, old)}; watched anew" if differ else "no change"
    return PlanStep(call_of(command), old.id, before, after, effect, _warning(new), changes=new != old)


def _delete(state: FleetState, command: DeleteRule) -> PlanStep:
    rule = verbs.check_deletable(verbs.find_rule(state, command.id))
    return PlanStep(call_of(command), rule.id, _words(rule), "removed", _resolved(state, rule))


def _enable(state: FleetState, command: EnableRule | DisableRule) -> PlanStep:
    rule, on = verbs.find_rule(state, command.id), isinstance(command, EnableRule)
    before, after = ("watched" if one else "not watched" for one in (rule.enabled, on))
    effect = _words(rule) if on else _resolved(state, rule)
    return PlanStep(call_of(command), rule.id, before, after, effect, changes=rule.enabled is not on)


def _ack(state: FleetState, command: AckAlert | UnackAlert) -> PlanStep:
    alert = verbs.find_alert(state, command.alert)
    on = isinstance(command, AckAlert)
    if on and not alert.is_active:
        raise CommandRefused(f"{alert.id} ({alert.rule}) is resolved: there is nothing to take care of")
    before = f"taken care of by {alert.acked_by}" if alert.acked_by else "nobody's"
    effect = "nobody is reminded of it until it fires anew" if on else "reminders go on"
    return PlanStep(call_of(command), alert.id, before, "yours" if on else "nobody's", effect, changes=on or bool(alert.acked_by))


def _silence(state: FleetState, command: SilenceAlerts) -> PlanStep:
    silence = verbs.silence_of(command, "new", "", state.at)
    alerting = state.alerting
    quiet = [alert for alert in quieted(alerting.alerts.values(), [silence], (), state.at, halted=False) if alert.silenced_by == "new"]
    if silence.until <= state.at:
        return PlanStep(call_of(command), ",".join(silence.matchers), "", "", "its time would be over by now", changes=False)
    names = ", ".join(alert.rule for alert in quiet[:5])
    effect = f"keeps {len(quiet)} quiet now: {names}{', …' if len(quiet) > 5 else ''}" if quiet else "keeps none quiet now"  # noqa: PLR2004
    warning = "it is about critical alerts, too" if any(alert.severity is Severity.CRITICAL for alert in quiet) else ""
    return PlanStep(call_of(command), ",".join(silence.matchers), "told", f"quiet for {silence.until - state.at:.0f} s", effect, warning)


def _unsilence(state: FleetState, command: EndSilence) -> PlanStep:
    silence = verbs.find_silence(state, command.silence)
    quiet = sum(alert.silenced_by == silence.id for alert in state.alerting.alerts.values() if alert.is_active)
    return PlanStep(call_of(command), silence.id, ",".join(silence.matchers), "told", f"{quiet} alerts that it keeps quiet are told")


def _words(rule: Rule) -> str:
    return f"{rule.expr}{f' for {rule.for_s:g} s' if rule.for_s else ''}, {rule.severity}"


def _effect(rule: Rule) -> str:
    does = f", then does {'; '.join(rule.actions)}" if rule.actions else ""
    return f"watched from now on{does}" if rule.enabled else "not watched until enable-rule"


def _warning(rule: Rule) -> str:
    return "" if rule.for_s or "(" in rule.expr else "without a `for`, a single sample makes it fire"


def _resolved(state: FleetState, rule: Rule) -> str:
    active = sum(alert.rule == rule.id and alert.is_active for alert in state.alerting.alerts.values())
    return f"{active} active alert{'s' if active > 1 else ''} of it {'are' if active > 1 else 'is'} resolved" if active else "it has no active alert"


def _shown(value: object) -> object:
    return label_words(value) if isinstance(value, dict) else "; ".join(value) if isinstance(value, tuple) else value


DESCRIBE: dict[type[Command], Callable[[FleetState, Any], PlanStep]] = {
    CreateRule: _create,
    UpdateRule: _update,
    DeleteRule: _delete,
    EnableRule: _enable,
    DisableRule: _enable,
    AckAlert: _ack,
    UnackAlert: _ack,
    SilenceAlerts: _silence,
    EndSilence: _unsilence,
}


# ---- events in words


def _rules_set(_state: FleetState, event: AlertRulesSet) -> Line:
    first, more = event.rules[0], len(event.rules) - 1
    return "info", first.id, f"alert rule {first.id} set{'' if first.enabled else ', not watched'}: {first.expr}{f', and {more} more' if more else ''}"


def _moved(_state: FleetState, event: AlertsMoved) -> Line:
    """Tell of the alerts of one look: of the worst one in full."""
    worst = min(event.alerts, key=lambda alert: (list(Severity).index(alert.severity), alert.id))
    rest = f", and {len(event.alerts) - 1} more" if len(event.alerts) > 1 else ""
    return _level(worst), worst.id, f"{_story(worst)}{rest}"


def _story(alert: Alert) -> str:
    if alert.state is not AlertState.FIRING:
        word = {AlertState.PENDING: "may become an alert", AlertState.INACTIVE: "became no alert", AlertState.RESOLVED: "is resolved"}[alert.state]
        return f"{alert.rule} {word}: {alert.message}"
    quiet = f" (silenced by {alert.silenced_by})" if alert.silenced_by else f" (explained by {alert.inhibited_by})" if alert.inhibited_by else ""
    return f"{alert.rule} {'flaps' if alert.flapping else 'fires'}{quiet}: {alert.message}"


def _level(alert: Alert) -> str:
    if alert.state is not AlertState.FIRING:
        return "info"
    return {Severity.CRITICAL: "error", Severity.WARNING: "warn", Severity.INFO: "info"}[alert.severity]


def _acked(_state: FleetState, event: AlertAcked) -> Line:
    why = f": {event.why}" if event.why else ""
    return "info", event.alert, f"{event.by} takes care of {event.alert}{why}" if event.by else f"nobody takes care of {event.alert} any more"


WORDS: dict[type, Callable[[FleetState, Any], Line]] = {
    AlertRulesSet: _rules_set,
    AlertRuleRemoved: lambda _s, e: ("info", e.rule, f"alert rule {e.rule} removed"),
    AlertsMoved: _moved,
    AlertAcked: _acked,
    AlertsSilenced: lambda _s, e: ("info", e.silence.id, f"{e.silence.by} silenced {','.join(e.silence.matchers)}{f': {e.silence.why}' if e.silence.why else ''}"),
    SilenceEnded: lambda _s, e: ("info", e.silence, f"silence {e.silence} is over: {e.why}"),
}
