"""What operators do to alerts, their rules and silences; and what the alerter's looks come to."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from engine.model.alert_checks import check_rule
from engine.model.alert_commands import (
    AckAlert,
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
from engine.model.alerts import (
    BUILTIN,
    FILE,
    OPERATOR,
    Alert,
    AlertState,
    Rule,
    Silence,
    matcher_of,
)
from engine.model.errors import Ambiguous, CommandRefused, NotFound, UsageError
from engine.model.events import Event
from engine.model.ids import SILENCE_PREFIX
from engine.model.reports import AlertsSeen
from engine.model.wire import convert, nearest
from engine.monitoring.alerts.lifecycle import close
from engine.state import FleetState
from engine.state.deciding import Deciding, Decision

RULES_MAX = 200
SILENCES_MAX = 200
_SILENCE = re.compile(SILENCE_PREFIX + r"_[0-9a-z]{1,40}")
_BETWEEN = re.compile(r",(?=\s*[A-Za-z_][A-Za-z0-9_.]*\s*[=!])")
CHANGEABLE = tuple(spec.name for spec in dataclasses.fields(Rule) if spec.name not in ("id", "enabled", "created_at", "source"))


# ---- rules


def find_rule(state: FleetState, word: str) -> Rule:
    """Return the rule of that id. Raises NotFound with the nearest one."""
    rule = state.alerting.rules.get(word)
    if rule is None:
        raise NotFound(f"no alert rule {word!r}{nearest(word, state.alerting.rules)}; `get rules` lists them")
    return rule


def created(state: FleetState, command: CreateRule, now: float) -> Rule:
    """Return the rule that a command would make. Raises FleetError."""
    if command.id in state.alerting.rules:
        raise CommandRefused(f"alert rule {command.id!r} is there already; change it with update-rule")
    if len(state.alerting.rules) >= RULES_MAX:
        raise CommandRefused(f"there are {RULES_MAX} alert rules, more cannot be watched; delete-rule makes room")
    rule = Rule(
        command.id, command.expr, command.title, command.for_s, command.keep_firing_for_s, command.severity, _labels(command.labels),
        command.summary, command.runbook, tuple(command.actions), enabled=not command.disabled, created_at=now,
    )  # fmt: skip
    check_rule(rule)
    return rule


def create_args(rule: Rule) -> dict[str, Any]:
    """Return the arguments of the verb that makes a rule as it is."""
    args: dict[str, Any] = {"id": rule.id, "expr": rule.expr, "disabled": not rule.enabled, "title": rule.name}
    args |= {name: getattr(rule, name) for name in ("for_s", "keep_firing_for_s", "severity", "summary", "runbook")}
    return {**args, "labels": [f"{name}={value}" for name, value in rule.labels.items()], "actions": list(rule.actions)}


def _labels(words: Iterable[str]) -> dict[str, str]:
    labels = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not equals:
            raise UsageError(f"{word!r} is no label: write name=value")
        labels[name.strip()] = value.strip()
    return labels


def updated(state: FleetState, command: UpdateRule) -> Rule:
    """Return the rule as a command would have it. Raises FleetError."""
    return changed(check_changeable(find_rule(state, command.id)), command.changes)


def changed(rule: Rule, changes: Mapping[str, Any]) -> Rule:
    """Return a rule with other keys; null gives a key its default. Raises UsageError."""
    table = {name: getattr(rule, name) for name in CHANGEABLE}
    for key, value in changes.items():
        if key not in CHANGEABLE:
            raise UsageError(f"an alert rule has no key {key!r}{nearest(key, set(CHANGEABLE))}")
        if value is None:
            if key == "expr":
                raise UsageError("a rule needs its expr")
            table.pop(key)
        else:
            table[key] = value
    after = convert({**table, "id": rule.id, "enabled": rule.enabled, "created_at": rule.created_at, "source": rule.source}, Rule)
    if any(getattr(after, name) != getattr(rule, name) for name in CHANGEABLE):
        after = replace(after, source=OPERATOR)
    check_rule(after)
    return after


def decide_create(state: FleetState, commands: Sequence[CreateRule], deciding: Deciding) -> Decision:
    """Make rules."""
    if len({command.id for command in commands}) < len(commands):
        raise CommandRefused("a rule is named twice in one plan")
    rules = [created(state, command, deciding.now) for command in commands]
    return Decision([AlertRulesSet(tuple(rules))], [rule.id for rule in rules])


def decide_update(state: FleetState, commands: Sequence[UpdateRule], deciding: Deciding) -> Decision:
    """Change rules."""
    if len({command.id for command in commands}) < len(commands):
        raise CommandRefused("a rule is named twice in one plan")
    rules = [rule for command in commands if (rule := updated(state, command)) != state.alerting.rules[command.id]]
    events: list[Event] = [AlertRulesSet(tuple(rules))] if rules else []
    return Decision([*events, *_closed(state, {rule.id for rule in rules}, deciding.now, "its rule was changed")], [command.id for command in commands])


def decide_delete(state: FleetState, commands: Sequence[DeleteRule], deciding: Deciding) -> Decision:
    """Remove rules."""
    ids = dict.fromkeys(check_deletable(find_rule(state, command.id)).id for command in commands)
    events: list[Event] = [AlertRuleRemoved(id_) for id_ in ids]
    return Decision([*_closed(state, ids, deciding.now, "its rule was removed"), *events], [command.id for command in commands])


def check_changeable(rule: Rule) -> Rule:
    """Return a rule that may be changed. Raises CommandRefused for one of the configuration file."""
    if rule.source == FILE:
        raise CommandRefused(f"{rule.id} is written in the fleet's configuration: change it there, under [[alerting.rules]], and start the engine anew")
    return rule


def check_deletable(rule: Rule) -> Rule:
    """Return a rule that may be removed. Raises CommandRefused for one that would be back."""
    check_changeable(rule)
    if rule.source == BUILTIN:
        raise CommandRefused(f"{rule.id} is built in and would be back at the next start; disable-rule {rule.id} keeps it quiet")
    return rule


def decide_enable(state: FleetState, commands: Sequence[EnableRule | DisableRule], deciding: Deciding) -> Decision:
    """Watch rules, or watch them no more."""
    on = isinstance(commands[0], EnableRule)
    ids = dict.fromkeys(command.id for command in commands)
    rules = [rule for id_ in ids if (rule := find_rule(state, id_)).enabled is not on]
    events: list[Event] = [AlertRulesSet(tuple(replace(rule, enabled=on) for rule in rules))] if rules else []
    closed = [] if on else _closed(state, {rule.id for rule in rules}, deciding.now, "its rule was disabled")
    return Decision([*events, *closed], [command.id for command in commands])


def _closed(state: FleetState, rules: Iterable[str], now: float, why: str) -> list[Event]:
    wanted = set(rules)
    closed = tuple(close(alert, now, why) for alert in state.alerting.alerts.values() if alert.rule in wanted and alert.is_active)
    return [AlertsMoved(closed)] if closed else []


def new_rules(state: FleetState, builtin: Iterable[Rule], configured: Sequence[Rule], now: float) -> list[Event]:
    """Return what makes the rules that are shipped and configured which the fleet does not have, or has as they once were.

    A rule that the configuration no longer has is removed; one that it has goes before any of that name.
    """
    wanted = {rule.id: rule for rule in (*builtin, *configured)}
    set_ = [rule for one in wanted.values() if (rule := _renewed(state.alerting.rules.get(one.id), one, now)) is not None]
    gone = [rule.id for rule in state.alerting.rules.values() if rule.source == FILE and rule.id not in wanted]
    others = {rule.id for rule in set_ if (old := state.alerting.rules.get(rule.id)) is not None and (old.expr, old.labels) != (rule.expr, rule.labels)}
    events: list[Event] = [AlertRulesSet(tuple(set_))] if set_ else []
    closed = [*_closed(state, others, now, "its rule was changed"), *_closed(state, gone, now, "its rule is no longer in the configuration")]
    return [*events, *closed, *map(AlertRuleRemoved, gone)]


def _renewed(old: Rule | None, rule: Rule, now: float) -> Rule | None:
    """Return a shipped or configured rule as the fleet is to have it; None = it stays as it is."""
    if old is None:
        return replace(rule, created_at=now)
    if old.source == OPERATOR and rule.source == BUILTIN:
        return None  # an operator changed it
    new = replace(rule, created_at=old.created_at, enabled=old.enabled)
    return new if new != old else None


# ---- alerts


def find_alert(state: FleetState, word: str) -> Alert:
    """Return the alert of an id, or the only active one of a rule. Raises NotFound, Ambiguous."""
    alerts = state.alerting.alerts
    if word in alerts:
        return alerts[word]
    of_rule = [alert for alert in alerts.values() if alert.rule == word and alert.is_active]
    if len(of_rule) > 1:
        raise Ambiguous(f"{word} has {len(of_rule)} alerts: {', '.join(alert.id for alert in of_rule[:5])}; name one of them")
    if not of_rule:
        raise NotFound(f"no alert {word!r}{nearest(word, alerts)}; `get alerts` lists them")
    return of_rule[0]


def decide_ack(state: FleetState, commands: Sequence[AckAlert | UnackAlert], deciding: Deciding) -> Decision:
    """Note who takes care of alerts."""
    events: list[Event] = []
    found = {find_alert(state, command.alert).id: command for command in commands}
    for id_, command in found.items():
        alert = state.alerting.alerts[id_]
        if isinstance(command, UnackAlert):
            events += [AlertAcked(id_, "", "")] if alert.acked_by else []
            continue
        if not alert.is_active:
            raise CommandRefused(f"{id_} ({alert.rule}) is resolved: there is nothing to take care of")
        if (alert.acked_by, alert.ack_why) != (deciding.origin.who, command.why):
            events.append(AlertAcked(id_, deciding.origin.who, command.why))
    return Decision(events, [find_alert(state, command.alert).id for command in commands])


def silence_of(command: SilenceAlerts, id_: str, who: str, now: float) -> Silence:
    """Return the silence that a command would make. Raises UsageError."""
    texts = tuple(str(matcher_of(text)) for text in _parts(command.matchers))
    if not texts:
        raise UsageError("a silence needs a label at least, such as pool=coder; it would be about everything")
    until = command.until or now + command.for_s
    return Silence(id_, texts, until, who, command.why, now)


def _parts(text: str) -> list[str]:
    """Split at the commas before which a label and its sign stand: a pattern may have some, too."""
    return [part.strip() for part in _BETWEEN.split(text) if part.strip()]


def decide_silence(state: FleetState, commands: Sequence[SilenceAlerts], deciding: Deciding) -> Decision:
    """Keep alerts quiet for a while."""
    if len(state.alerting.silences) + len(commands) > SILENCES_MAX:
        raise CommandRefused(f"there are {len(state.alerting.silences)} silences, {SILENCES_MAX} at most; unsilence makes room")
    silences = [silence_of(command, command.id or deciding.ids.new(SILENCE_PREFIX), deciding.origin.who, deciding.now) for command in commands]
    for silence in silences:
        if silence.until <= deciding.now:
            raise CommandRefused("its time would be over by now")
        if silence.id in state.alerting.silences or not _SILENCE.fullmatch(silence.id):
            raise CommandRefused(f"{silence.id!r} cannot be the id of another silence; leave it out")
    return Decision([AlertsSilenced(silence) for silence in silences], [silence.id for silence in silences])


def find_silence(state: FleetState, word: str) -> Silence:
    """Return the silence of that id. Raises NotFound with the nearest one."""
    silence = state.alerting.silences.get(word)
    if silence is None:
        raise NotFound(f"no silence {word!r}{nearest(word, state.alerting.silences)}; `get silences` lists them")
    return silence


def decide_unsilence(state: FleetState, commands: Sequence[EndSilence], deciding: Deciding) -> Decision:
    """Take silences back."""
    ids = dict.fromkeys(find_silence(state, command.silence).id for command in commands)
    return Decision([SilenceEnded(id_, f"taken back by {deciding.origin.who}") for id_ in ids], [command.silence for command in commands])


# ---- what the alerter saw


def decide_seen(state: FleetState, report: AlertsSeen, _deciding: Deciding) -> list[Event]:
    """Return what follows from a look, as far as it still holds; who takes care of an alert is not the alerter's to say."""
    moved = tuple(now for alert in report.alerts if (now := _still(state, alert)) is not None)
    events: list[Event] = [AlertsMoved(moved)] if moved else []
    return [*events, *(SilenceEnded(id_, "its time is over") for id_ in report.over if id_ in state.alerting.silences)]


def _still(state: FleetState, alert: Alert) -> Alert | None:
    """Return an alert as it is to be kept; None when the look is out of date."""
    current, rule = state.alerting.alerts.get(alert.id), state.alerting.rules.get(alert.rule)
    is_active = current is not None and current.is_active
    if alert.is_active and (rule is None or not rule.enabled):
        return None
    if current is None or not is_active:
        return alert if alert.is_active else None
    if current.since != alert.since and alert.is_active:
        return None  # it is there already: the look before is decided only now
    if _stage(current) > _stage(alert) and alert.is_active:
        return None
    kept = replace(alert, acked_by=current.acked_by, ack_why=current.ack_why, acked_at=current.acked_at)
    return kept if kept != current else None


def _stage(alert: Alert) -> int:
    return (AlertState.PENDING, AlertState.FIRING).index(alert.state) if alert.is_active else 2
