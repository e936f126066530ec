"""Alert rules that the configuration has: refused with their place, made at the start, changed there alone, gone when they are."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from engine.config import load_config, parse_config
from engine.gate.editable import editable
from engine.model.alert_commands import DeleteRule, DisableRule, UpdateRule
from engine.model.alerts import Rule
from engine.model.errors import CommandRefused, ConfigError
from engine.monitoring.alerts.builtin import BUILTIN
from engine.monitoring.alerts.rule_verbs import new_rules
from engine.simulation.loop import run_virtual
from engine.simulation.world import World, instant_success
from tests.unit.test_alerter import POOLS, Watch

DEEP = {"id": "deep", "expr": "queue_depth > 100", "severity": "critical", "for_s": 2}


def watch(rules: list[dict[str, Any]], story: Callable[[Watch], Awaitable[None]]) -> None:
    async def run() -> None:
        world = World({"fleet": {"default_pools": POOLS}, "alerting": {"rules": rules}}, 1, hosts=1, work=instant_success)
        async with world.running():
            await story(Watch(world))
            world.coordinator.check()

    run_virtual(run())


@pytest.mark.row(230)
def test_a_rule_of_the_configuration_fires_and_is_changed_there_alone() -> None:
    async def story(one: Watch) -> None:
        rule = one.world.state.alerting.rules["deep"]
        assert (rule.source, rule.for_s, rule.severity, rule.enabled) == ("file", 2.0, "critical", True)
        await one.show({"coder": 500}, 4)
        assert one.states() == {"deep coder": "firing"}
        for command in (UpdateRule("deep", {"expr": "queue_depth > 1"}), DeleteRule("deep")):
            with pytest.raises(CommandRefused, match="written in the fleet's configuration: change it there"):
                await one.do(command)
        with pytest.raises(CommandRefused, match="written in the fleet's configuration"):
            editable(one.world.state, "rules", "deep")
        await one.do(DisableRule("deep"))
        assert one.states() == {"deep coder": "resolved"}

    watch([DEEP], story)


def test_what_the_file_no_longer_has_is_gone_and_what_an_operator_disabled_stays_so() -> None:
    async def story(one: Watch) -> None:
        await one.show({"coder": 500}, 4)
        state = one.world.state
        kept = tuple(rule for rule in state.alerting.rules.values() if rule.source == "file")
        assert new_rules(state, BUILTIN, kept, 9.0) == [], "nothing has changed"
        await one.do(DisableRule("error-rate"))
        [renewed] = new_rules(state, BUILTIN, [*kept, Rule("error-rate", "avg(error_rate, 5m) > 50%", source="file")], 9.0)
        [rule] = renewed.rules  # type: ignore[union-attr]
        assert (rule.expr, rule.enabled, rule.source) == ("avg(error_rate, 5m) > 50%", False, "file"), "it goes before the built-in one"
        changed = new_rules(state, BUILTIN, [Rule("deep", "queue_depth > 200", source="file")], 9.0)
        assert [event.type for event in changed] == ["alert.rules_set", "alert.moved"], "its alerts begin anew"
        closed, removed = new_rules(state, BUILTIN, [], 9.0)
        assert closed.alerts[0].state == "resolved"  # type: ignore[union-attr]
        assert removed.rule == "deep"  # type: ignore[union-attr]

    watch([DEEP], story)


def test_a_file_goes_before_what_an_operator_changed_and_a_built_in_rule_does_not() -> None:
    async def story(one: Watch) -> None:
        await one.do(UpdateRule("error-rate", {"expr": "avg(error_rate, 5m) > 20%"}))
        assert new_rules(one.world.state, BUILTIN, [], 9.0) == []
        [event] = new_rules(one.world.state, BUILTIN, [Rule("error-rate", "avg(error_rate, 5m) > 50%", source="file")], 9.0)
        assert event.rules[0].source == "file"  # type: ignore[union-attr]

    watch([], story)


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ({**DEEP, "expr": "queue_depht > 100"}, "alerting.rules.1: rule 'deep': column 1 of 'queue_depht > 100': no metric 'queue_depht'; did you mean 'queue_depth'?"),
        ({**DEEP, "actions": ["scael {pool} +2"]}, "alerting.rules.1: rule 'deep': action 'scael {pool} +2'"),
        ({**DEEP, "id": "Deep Queue"}, "alerting.rules.1: 'Deep Queue' is no name for a rule"),
        ({**DEEP, "labels": {"pool": "x"}}, "alerting.rules.1: rule 'deep': 'pool' cannot be a label of a rule"),
        ({**DEEP, "severity": "bad"}, "alerting.rules.1.severity:"),
        ({**DEEP, "for": 5}, "unknown key 'alerting.rules.1.for'"),
        ({**DEEP, "id": "first"}, "two rules are called first"),
    ],
)
def test_a_bad_rule_is_refused_with_its_place(rule: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError) as refused:
        parse_config({"alerting": {"rules": [{"id": "first", "expr": "queue_depth > 1"}, rule]}}, "fleet.toml")
    assert said in str(refused.value)


def test_rules_and_channels_are_written_side_by_side(tmp_path: Path) -> None:
    path = tmp_path / "fleet.toml"
    path.write_text('[[alerting.rules]]\nid = "deep"\nexpr = \'queue_depth{pool="coder"} > 100\'\nactions = ["scale {pool} +2"]\n\n[[alerting.channels]]\nname = "mail"\nurl = "json://localhost"\n', "utf-8")
    config = load_config(path, {})
    [rule] = config.alerting.made_rules()
    assert rule == Rule("deep", 'queue_depth{pool="coder"} > 100', actions=("scale {pool} +2",), source="file")
    assert [channel.name for channel in config.alerting.channels] == ["mail"]
