"""Alert rules for programs that embed the engine, by the seeds' names: AlertManager, and what FleetMonitor has of it.

Owner: nobody; rules and alerts are the fleet's. A rule is given as a mapping: id, condition (or expr), name, severity, actions,
enabled, and what else `create-rule` takes; camelCase is understood.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from engine.fleet import FleetManager
from engine.library import Manager
from engine.model.alert_commands import AckAlert, CreateRule, DeleteRule
from engine.model.alert_expressions import Operand, comparisons, parse
from engine.model.alerts import Alert, AlertState, Labels, calculate_severity
from engine.model.errors import UsageError
from engine.model.metrics import ALIASES
from engine.model.wire import command_of, to_plain
from engine.monitoring.alerts.evaluating import evaluate
from engine.monitoring.alerts.rule_verbs import find_rule

_SEEDS = {"condition": "expr", "name": "title", "for": "for_s", "keepFiringFor": "keep_firing_for_s", "runbookUrl": "runbook"}


def command_for(rule: Mapping[str, Any]) -> CreateRule:
    """Return the verb that makes a rule. Raises UsageError for what is no key of one."""
    args: dict[str, Any] = {}
    for key, value in rule.items():
        if key == "enabled":
            args["disabled"] = not value
        elif key == "labels" and isinstance(value, Mapping):
            args["labels"] = [f"{name}={text}" for name, text in value.items()]
        else:
            args[_SEEDS.get(key, key)] = value
    if "id" not in args and "title" in args:
        args["id"] = "-".join(str(args["title"]).lower().split())
    command = command_of({"name": CreateRule.name, "args": args})
    assert isinstance(command, CreateRule)
    return command


def told(alert: Alert) -> dict[str, Any]:
    """Return an alert as the seeds have it, with all that is ours beside."""
    whole: dict[str, Any] = to_plain(alert)
    status = "active" if alert.state is AlertState.FIRING else alert.state.value
    return {**whole, "ruleId": alert.rule, "status": status, "metrics": {"value": alert.value}, "timestamp": alert.fired_at or alert.since}


class AlertManager(Manager):
    """Rules, and what they find. `config` is a fleet's own configuration."""

    def __init__(self, config: Mapping[str, Any] | None = None, *, fleet: FleetManager | None = None) -> None:
        """Take a fleet, or check the configuration of one of its own. Raises ConfigError, UsageError."""
        if fleet is not None and config:
            raise UsageError("give either a fleet or the configuration of one, not both")
        super().__init__(fleet, dict(config or {}))

    async def create_alert_rule(self, rule: Mapping[str, Any]) -> dict[str, Any]:
        """Make a rule; return it as it is stored, with createdAt. Raises FleetError."""
        command = command_for(rule)
        await self.fleet.operator().execute([command])
        kept = find_rule(self.fleet.coordinator.state, command.id)
        return {**to_plain(kept), "condition": kept.expr, "createdAt": kept.created_at}

    async def delete_alert_rule(self, rule: str) -> None:
        """Remove a rule. Raises FleetError."""
        await self.fleet.operator().execute([DeleteRule(rule)])

    async def list_alert_rules(self) -> list[dict[str, Any]]:
        """Return all rules."""
        return [{**to_plain(rule), "condition": rule.expr, "createdAt": rule.created_at} for rule in self.fleet.coordinator.state.alerting.rules.values()]

    async def evaluate_rules(self, metrics: Mapping[str, float]) -> list[dict[str, Any]]:
        """Return for every enabled rule that looks at any of these figures whether its condition holds for them, at once.

        A figure stands for its metric whatever window a rule looks at. Nothing fires of it.
        """
        given = _Given({ALIASES.get(name, name): float(value) for name, value in metrics.items()})
        results = []
        for rule in self.fleet.coordinator.state.alerting.rules.values():
            condition = parse(rule.expr)
            if not rule.enabled or not any(one.operand.metric in given.metrics for one in comparisons(condition)):
                continue
            verdict = evaluate(condition, given).verdicts.get(())
            results.append({"ruleId": rule.id, "triggered": verdict is not None and verdict.holds, "value": verdict.value if verdict else None, "severity": rule.severity})
        return results

    async def violations(self, metric: str, value: float) -> list[dict[str, Any]]:
        """Return which thresholds a value of a metric is beyond: type, metric, threshold, severity and timestamp."""
        name = ALIASES.get(metric, metric)
        found = []
        for one in await self.evaluate_rules({name: value}):
            first = next(comparisons(parse(find_rule(self.fleet.coordinator.state, one["ruleId"]).expr)))
            if one["triggered"] and first.operand.metric == name:
                severity = calculate_severity(value, first.limit).value
                found.append({"type": "threshold_exceeded", "metric": metric, "threshold": first.limit, "severity": severity, "timestamp": self.fleet.clock.now()})
        return found

    async def list_alerts(self, *, resolved: bool = False) -> list[dict[str, Any]]:
        """Return the alerts that are pending or fire, and with `resolved` those that did."""
        return [told(alert) for alert in self.fleet.coordinator.state.alerting.alerts.values() if resolved or alert.is_active]

    async def acknowledge(self, alert: str, why: str = "") -> None:
        """Say that somebody takes care of an alert. Raises FleetError."""
        await self.fleet.operator().execute([AckAlert(alert, why)])


class _Given:
    """Figures that somebody gives, as conditions read them."""

    def __init__(self, metrics: Mapping[str, float]) -> None:
        self.metrics = metrics

    def values(self, operand: Operand) -> Mapping[Labels, float]:
        """Return the figure of an operand's metric."""
        return {(): self.metrics[operand.metric]} if operand.metric in self.metrics else {}

    def is_complete(self, operand: Operand) -> bool:  # noqa: ARG002  # of the protocol
        """Tell that what is not given is not known."""
        return False

