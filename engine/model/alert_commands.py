"""The verbs about alerts, their rules and silences; part of the table in engine.model.commands."""

from __future__ import annotations

from typing import Any

from engine.model.alert_words import SEVERITIES
from engine.model.verbs import Command, Danger, arg, verb

LONGEST_S = 86_400.0


@verb
class CreateRule(Command):
    """Make an alert rule; it is watched from now on."""

    name = "alert.rule.create"
    verb = "create-rule"
    help = "Make an alert rule"
    danger = Danger.NONE
    inverse = "alert.rule.delete"

    id: str = arg("short name of the new rule, such as deep-queue")
    expr: str = arg("its condition, such as 'queue_depth > 100'")
    for_s: float = arg("how long the condition must hold", default=0.0, ge=0, le=LONGEST_S, unit="s", option=True)
    keep_firing_for_s: float = arg("how long it fires after it held last", default=0.0, ge=0, le=LONGEST_S, unit="s", option=True)
    severity: str = arg("how bad it is; auto = by how far the value is from the limit", default="warning", choices=SEVERITIES, option=True)
    title: str = arg("its name in words; empty = its id", default="", option=True)
    summary: str = arg("what it says, with {value}, {limit}, {pool}, {agent}", default="", option=True)
    runbook: str = arg("where it is written what to do", default="", option=True)
    labels: tuple[str, ...] = arg("labels to add, each name=value", default=(), option=True)
    actions: tuple[str, ...] = arg("verbs to do when it fires, such as 'restart {agent}'", default=(), option=True)
    disabled: bool = arg("do not watch it yet", default=False, option=True)


@verb
class UpdateRule(Command):
    """Change some keys of an alert rule; null gives a key its default back. Its alerts begin anew."""

    name = "alert.rule.update"
    verb = "update-rule"
    help = "Change an alert rule"
    danger = Danger.REVERSIBLE
    inverse = "alert.rule.update"
    undo_note = "alerts of the rule that were resolved by the change begin anew"

    id: str = arg("rule to change", completes="rules")
    changes: dict[str, Any] = arg('JSON object, such as {"expr": "queue_depth > 50", "for_s": 60}', default={}, option=True)


@verb
class DeleteRule(Command):
    """Remove an alert rule; its alerts are resolved."""

    name = "alert.rule.delete"
    verb = "delete-rule"
    help = "Remove an alert rule"
    danger = Danger.REVERSIBLE
    inverse = "alert.rule.create"
    undo_note = "its alerts begin anew"

    id: str = arg("rule to remove", completes="rules")


@verb
class EnableRule(Command):
    """Watch an alert rule."""

    name = "alert.rule.enable"
    verb = "enable-rule"
    help = "Watch an alert rule"
    danger = Danger.NONE
    inverse = "alert.rule.disable"

    id: str = arg("rule to watch", completes="rules")


@verb
class DisableRule(Command):
    """Watch an alert rule no more; its alerts are resolved."""

    name = "alert.rule.disable"
    verb = "disable-rule"
    help = "Watch an alert rule no more"
    danger = Danger.REVERSIBLE
    inverse = "alert.rule.enable"
    undo_note = "its alerts begin anew"

    id: str = arg("rule to watch no more", completes="rules")


@verb
class AckAlert(Command):
    """Say that you take care of an alert: nobody is reminded of it any more."""

    name = "alert.ack"
    verb = "ack"
    help = "Say that you take care of an alert"
    danger = Danger.NONE
    inverse = "alert.unack"

    alert: str = arg("its id, or its rule's when there is one alert of it", completes="alerts")
    why: str = arg("what you do about it", default="", option=True)


@verb
class UnackAlert(Command):
    """Say that nobody takes care of an alert any more."""

    name = "alert.unack"
    verb = "unack"
    help = "Say that nobody takes care of an alert any more"
    danger = Danger.NONE
    inverse = "alert.ack"
    undo_note = "it is acknowledged by whoever takes it back"

    alert: str = arg("its id, or its rule's when there is one alert of it", completes="alerts")


@verb
class SilenceAlerts(Command):
    """Tell nobody of alerts with certain labels for a while; they are watched all the same."""

    name = "alert.silence"
    verb = "silence"
    help = "Tell nobody of some alerts for a while"
    danger = Danger.REVERSIBLE
    inverse = "alert.unsilence"
    undo_note = "what was not told meanwhile is told then, if it still fires"

    matchers: str = arg("labels with commas between, such as pool=coder,severity=~warning|info")
    for_s: float = arg("how long", default=3_600.0, ge=1, le=30 * 86_400.0, unit="s")
    until: float = arg("until when, instead of how long, since 1970; 0 = not said", default=0.0, ge=0, unit="s", option=True)
    why: str = arg("why", default="", option=True)
    id: str = arg("its id, to bring one back that is over; empty = a new one", default="", option=True)


@verb
class EndSilence(Command):
    """Take a silence back before its time is over."""

    name = "alert.unsilence"
    verb = "unsilence"
    help = "Take a silence back"
    danger = Danger.NONE
    inverse = "alert.silence"

    silence: str = arg("silence to end", completes="silences")


RuleVerb = CreateRule | UpdateRule | DeleteRule | EnableRule | DisableRule
AlertVerb = RuleVerb | AckAlert | UnackAlert | SilenceAlerts | EndSilence
