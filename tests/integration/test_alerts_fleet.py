"""Alerts of a real fleet: what a library sees, what rules do, what a restart keeps, and a rule tried on what was measured."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest
from engine import FleetManager, FleetMonitor
from engine.library_alerts import AlertManager
from engine.model.alert_commands import CreateRule, SilenceAlerts
from engine.model.errors import CommandRefused, UsageError
from engine.monitoring.recorded import SERIES_MAX

from tests.integration.engines import engine as engine_process
from tests.integration.engines import until as until_shown

POOL = "[fleet.default_pools.coder]\nmin = 1\nmax = 2\n"
CONFIG = {"fleet": {"default_pools": {"coder": {"min": 2, "max": 4}}}}
IDLE = {"id": "idle", "condition": "agents_idle{pool=~\"cod.*\"} >= 2", "severity": "critical", "actions": ["pause {pool}"], "enabled": True}


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not condition():
            await asyncio.sleep(0.05)


def firing(fleet: FleetManager) -> set[str]:
    return {alert.rule for alert in fleet.coordinator.state.alerting.alerts.values() if alert.state == "firing"}


@pytest.mark.row(40, 201, 202, 230, 232)
async def test_a_rule_fires_and_does_what_it_says(tmp_path: Path) -> None:
    async with FleetManager(CONFIG, state_dir=tmp_path) as fleet:
        monitor = FleetMonitor(fleet=fleet)
        assert await monitor.create_alert(IDLE) == "idle"
        await until(lambda: fleet.coordinator.state.pools["coder"].paused)
        [alert] = [one for one in await monitor.list_alerts() if one["rule"] == "idle"]
        assert (alert["ruleId"], alert["status"], alert["severity"], alert["labels"]) == ("idle", "active", "critical", {"pool": "coder"})
        assert alert["metrics"]["value"] == 2
        entry = next(entry for entry in fleet.coordinator.state.audit if entry.who == "alert:idle")
        assert (entry.action, entry.target, entry.result) == ("pool.pause", "coder", "done")
        board = await monitor.get_dashboard_data()
        assert {"timestamp", "status", "metrics", "fleet", "alerts", "loads"} == set(board)
        assert any(one["id"] == alert["id"] for one in board["alerts"])
        await monitor.delete_alert("idle")
        await until(lambda: "idle" not in firing(fleet))
        assert not [one for one in await monitor.list_alerts() if one["rule"] == "idle"]


async def test_guardrails_hold_for_rules_and_what_is_refused_is_noted(tmp_path: Path) -> None:
    guardrails = [{"name": "careful", "verbs": ["pause"], "deny": "not by night"}]
    async with FleetManager({**CONFIG, "operations": {"guardrails": guardrails}}, state_dir=tmp_path) as fleet:
        await FleetMonitor(fleet=fleet).create_alert(IDLE)
        await until(lambda: any(entry.who == "alert:idle" for entry in fleet.coordinator.state.audit))
        entry = next(entry for entry in fleet.coordinator.state.audit if entry.who == "alert:idle")
        assert "not by night" in entry.result
        assert not fleet.coordinator.state.pools["coder"].paused


async def test_the_same_action_is_not_done_again_and_again(tmp_path: Path) -> None:
    async with FleetManager(CONFIG, state_dir=tmp_path) as fleet:
        await FleetMonitor(fleet=fleet).create_alert(IDLE)
        await until(lambda: fleet.coordinator.state.pools["coder"].paused)
        [alert] = [one for one in fleet.coordinator.state.alerting.alerts.values() if one.rule == "idle"]
        await fleet.alerting.actions.act(alert, "pause {pool}")
        newest = fleet.coordinator.state.audit[-1]
        assert (newest.who, newest.action, newest.reason) == ("alert:idle", "alert.action", "pause {pool}")
        assert "the same again only after" in newest.result


async def test_what_fires_goes_on_after_a_restart_and_a_silence_holds(tmp_path: Path) -> None:
    async with FleetManager(CONFIG, state_dir=tmp_path) as fleet:
        await fleet.operator().execute([CreateRule("idle", "agents_idle > 1")])
        await fleet.operator().execute([SilenceAlerts("rule=idle", 600.0)])
        await until(lambda: "idle" in firing(fleet))
        before = next(alert for alert in fleet.coordinator.state.alerting.alerts.values() if alert.rule == "idle")
    async with FleetManager(CONFIG, state_dir=tmp_path) as fleet:
        after = fleet.coordinator.state.alerting.alerts[before.id]
        assert (after.state, after.fired_at, after.silenced_by) == ("firing", before.fired_at, before.silenced_by)
        assert fleet.coordinator.state.alerting.silences


@pytest.mark.row(231)
async def test_rules_are_tried_on_figures_that_somebody_gives(tmp_path: Path) -> None:
    async with FleetManager(CONFIG, state_dir=tmp_path) as fleet:
        alerts = AlertManager(fleet=fleet)
        await alerts.create_alert_rule({"name": "Never watched", "condition": "queueDepth > 1", "enabled": False})
        results = {one["ruleId"]: one for one in await alerts.evaluate_rules({"errorRate": 0.2, "queueDepth": 50})}
        assert results["error-rate"] == {"ruleId": "error-rate", "triggered": True, "value": 0.2, "severity": "auto"}
        assert results["queue-depth"]["triggered"] is False
        assert "never-watched" not in results, "disabled rules are skipped"
        for wrong in ({"id": "x", "condition": "queue > 1"}, {"id": "x", "condition": "hosts > 1", "colour": "red"}):
            with pytest.raises(UsageError):
                await alerts.create_alert_rule(wrong)
        assert [one["condition"] for one in await alerts.list_alert_rules() if one["id"] == "never-watched"] == ["queueDepth > 1"]
        await alerts.delete_alert_rule("never-watched")
        assert "never-watched" not in {one["id"] for one in await alerts.list_alert_rules()}


@pytest.mark.row(224, 225)
async def test_figures_of_a_program_are_kept_and_rules_look_at_them(tmp_path: Path) -> None:
    async with FleetManager(CONFIG, state_dir=tmp_path) as fleet:
        monitor = FleetMonitor(fleet=fleet)
        await fleet.operator().execute([CreateRule("checkout", 'recorded.checkout_ms{source="web"} > 500')])
        assert await monitor.record_metric({"type": "checkout_ms", "value": 900, "source": "web", "metadata": {"shop": 3}}) == {"metric": "recorded.checkout_ms", "violations": []}
        await monitor.record_metric({"type": "checkout_ms", "value": 900, "source": "shop"})
        await until(lambda: "checkout" in firing(fleet))
        [alert] = [one for one in await monitor.list_alerts() if one["rule"] == "checkout"]
        assert alert["labels"] == {"source": "web"}
        trend = await monitor.get_history("recorded.checkout_ms", "web")
        assert [value for value in trend.values if value is not None][-1] == 900
        [row] = [one for one in cast("list[dict[str, Any]]", await fleet.operator().query("metrics")) if one["name"] == "recorded.checkout_ms"]
        assert row["sources"] == ["shop", "web"] and row["now"] is None, "one figure of two series is none"
        told = await monitor.record_metric({"type": "errorRate", "value": 0.2, "source": "web"})
        [violation] = told["violations"]
        assert {**violation, "timestamp": 0} == {"type": "threshold_exceeded", "metric": "errorRate", "threshold": 0.05, "severity": "critical", "timestamp": 0}
        now = fleet.clock.now()
        for wrong in ({"type": "a b", "value": 1}, {"type": "x", "value": float("nan")}, {"type": "x", "value": 1, "timestamp": now - 900}, {"type": "x", "value": 1, "unit": "s"}):
            with pytest.raises(UsageError):
                await monitor.record_metric(wrong)
        for number in range(SERIES_MAX - 3):
            fleet.history.record("many", 1.0, f"source-{number}")
        with pytest.raises(CommandRefused, match="series are recorded"):
            fleet.history.record("many", 1.0, "one more")


async def test_a_rule_is_tried_on_what_was_measured(tmp_path: Path) -> None:
    async with FleetManager(CONFIG, state_dir=tmp_path) as fleet:
        await until(lambda: fleet.history.recorder.newest.get(("agents_idle", "coder")) == 2)
        sampled = fleet.history.recorder.sampled_at
        await until(lambda: fleet.history.recorder.sampled_at > sampled + 2)
        operator = fleet.operator()
        found: Any = await operator.query("alert-test", expr="agents_idle > 1", last_s=60)
        assert (found["total"], found["resolution_s"]) == (1, 1)
        [one] = found["fired"]
        assert one["labels"] == {"pool": "coder"} and one["resolved_at"] == 0
        never: Any = await operator.query("alert-test", expr="agents_idle > 5", last_s=60)
        assert never["total"] == 0 and never["known"] > 0
        held: Any = await operator.query("alert-test", id="queue-depth", last_s=60)
        assert held["expr"] == "min(queue_depth, 2m) > 100"
        for words, error in (({"expr": "agents_idle >"}, UsageError), ({"expr": "event(host.lost)"}, UsageError), ({"id": "queue-dept"}, CommandRefused)):
            with pytest.raises(error):
                await operator.query("alert-test", **words)




async def test_a_channel_is_told_of_what_a_rule_found(tmp_path: Path) -> None:
    told = tmp_path / "told.json"
    program = tmp_path / "tell"
    program.write_text(f"#!/bin/sh\ncat > {told}.new && mv {told}.new {told}\n")
    program.chmod(0o755)
    channel = {"name": "program", "command": [str(program)]}
    config = {**CONFIG, "alerting": {"channels": [channel], "group_wait_s": 1}}
    async with FleetManager(config, state_dir=tmp_path) as fleet:
        await fleet.operator().execute([CreateRule("idle", "agents_idle > 1", summary="{pool} has {value} idle", runbook="https://runbooks.example/idle")])
        await until(told.exists)
        message = json.loads(told.read_text())
        [alert] = message["alerts"]
        assert (message["status"], alert["labels"]["pool"]) == ("firing", "coder")
        assert "coder has 2 idle" in told.read_text()
        assert "https://runbooks.example/idle" in told.read_text()


def test_the_command_line_makes_a_rule_and_tries_it(tmp_path: Path) -> None:
    with engine_process(tmp_path, POOL) as engine:
        assert engine.run("create-rule", "idle", "agents_idle >= 0", "--severity", "info").returncode == 0
        until_shown(lambda: any(row["rule"] == "idle" for row in engine.get("alerts")))
        # A second must have passed whole before it is among those that are tried.
        until_shown(lambda: "would have fired once" in engine.run("alerts", "rule", "test", "idle", "--last", "5m").stdout)
        wrong = engine.run("alerts", "rule", "test", "queue_dept > 5")
        assert wrong.returncode == 2
        assert "column 1 of 'queue_dept > 5': no metric 'queue_dept'; did you mean 'queue_depth'" in wrong.stderr
        assert engine.run("silence", "rule=idle", "60", "--yes").returncode == 0
        until_shown(lambda: any(row["silenced_by"] for row in engine.get("alerts")))
