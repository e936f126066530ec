"""The loop that watches: from figures to alerts in the journal, and what operators do to them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

import pytest
from engine.model.alert_checks import check_rule
from engine.model.alert_commands import (
    AckAlert,
    CreateRule,
    DeleteRule,
    DisableRule,
    EndSilence,
    SilenceAlerts,
    UpdateRule,
)
from engine.model.alert_rows import AlertRow, RuleRow, SilenceRow
from engine.model.alerts import Alert, Transition
from engine.model.commands import Command
from engine.model.errors import CommandRefused, FleetError, UsageError
from engine.model.fleet_commands import HaltFleet
from engine.monitoring.alerts.alerter import GAP_S, Alerter, Around
from engine.monitoring.alerts.builtin import BUILTIN
from engine.simulation.loop import run_virtual
from engine.simulation.world import World, instant_success
from tests.unit.test_guardrails import ADMIN

POOLS = {"coder": {"min": 1, "max": 2}, "tester": {"min": 1, "max": 2}}
DEEP = CreateRule("deep", "queue_depth > 100", for_s=3.0, severity="critical")


class Watch:
    """A world whose alerter is shown figures."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.told: list[tuple[str, str]] = []
        self.alerter = self.begin()

    def begin(self) -> Alerter:
        """Begin to watch, as an engine does that starts."""
        around = Around(lambda: self.world.state, self.world.coordinator.report, lambda _metric: (), lambda: self.world.coordinator.read_only, self.world.feed.looked)
        self.alerter = self.world.feed.alerter = Alerter(around, self.world.state.at)
        self.alerter.listeners.append(self._listen)
        self.world.coordinator.add_publisher(lambda records, touched: self.alerter.publish(records, touched))
        return self.alerter

    def _listen(self, transitions: object, _now: float) -> None:
        assert isinstance(transitions, list)
        self.told += [(one.before.state if one.before else "", one.alert.state) for one in transitions if isinstance(one, Transition)]

    async def show(self, depths: Mapping[str, float], seconds: int = 1) -> None:
        for _ in range(seconds):
            await self.world.clock.sleep(1)
            self.alerter.sampled(self.world.clock.now(), {("queue_depth", pool): depth for pool, depth in depths.items()}, {})
        await self.world.clock.sleep(0.1)

    async def do(self, command: Command) -> object:
        return (await self.world.gate(ADMIN).execute([command], confirm=str(getattr(command, "scope", "")))).values[0]

    def states(self) -> dict[str, str]:
        return {f"{one.rule} {one.labels.get('pool', '')}": one.state.value for one in self.world.state.alerting.alerts.values()}

    def only(self) -> Alert:
        [alert] = self.world.state.alerting.alerts.values()
        return alert


def watch(story: Callable[[Watch], Awaitable[None]]) -> None:
    async def run() -> None:
        world = World({"fleet": {"default_pools": POOLS}}, 1, hosts=1, work=instant_success)
        async with world.running():
            one = Watch(world)
            await story(one)
            world.coordinator.check()

    run_virtual(run())


@pytest.mark.row(230, 231, 232)
def test_from_a_rule_to_an_alert_and_its_end() -> None:
    async def story(one: Watch) -> None:
        await one.do(DEEP)
        rule = one.world.state.alerting.rules["deep"]
        assert rule.created_at == pytest.approx(one.world.clock.now(), abs=1.0)
        await one.show({"coder": 500, "tester": 5})
        assert one.states() == {"deep coder": "pending"}
        await one.show({"coder": 500, "tester": 5}, 3)
        alert = one.only()
        assert (alert.state, alert.severity, alert.message) == ("firing", "critical", "deep of coder: 500")
        row = one.world.feed.row("alerts", alert.id)
        assert isinstance(row, AlertRow)
        assert (row.reads, row.pool, row.labels) == ("500", "coder", "pool=coder")
        await one.show({"coder": 700, "tester": 5})
        row = one.world.feed.row("alerts", alert.id)
        assert isinstance(row, AlertRow)
        assert row.reads == "700", "the newest value is in the row"
        assert one.only() == alert, "and not in the journal"
        await one.show({"coder": 1})
        assert one.states() == {"deep coder": "resolved"}
        assert one.told == [("", "pending"), ("pending", "firing"), ("firing", "resolved")]

    watch(story)


@pytest.mark.row(231)
def test_a_disabled_rule_is_skipped_and_its_alerts_are_resolved() -> None:
    async def story(one: Watch) -> None:
        await one.do(CreateRule("deep", "queue_depth > 100"))
        await one.show({"coder": 500})
        await one.do(DisableRule("deep"))
        assert "its rule was disabled" in one.only().message
        await one.show({"coder": 500}, 5)
        assert one.states() == {"deep coder": "resolved"}
        row = one.world.feed.row("rules", "deep")
        assert isinstance(row, RuleRow)
        assert row.state == "disabled"

    watch(story)


def test_a_changed_rule_begins_anew() -> None:
    async def story(one: Watch) -> None:
        await one.do(CreateRule("deep", "queue_depth > 100"))
        await one.show({"coder": 500})
        await one.do(UpdateRule("deep", {"expr": "queue_depth > 1000"}))
        await one.show({"coder": 500}, 2)
        assert one.states() == {"deep coder": "resolved"}
        await one.do(DeleteRule("deep"))
        await one.show({"coder": 5_000}, 2)
        assert one.states() == {"deep coder": "resolved"}

    watch(story)


def test_who_takes_care_is_kept_until_it_fires_anew() -> None:
    async def story(one: Watch) -> None:
        await one.do(CreateRule("deep", "queue_depth > 100"))
        await one.show({"coder": 500})
        await one.do(AckAlert("deep", "adding agents"))
        await one.show({"coder": 600}, 3)
        assert (one.only().acked_by, one.only().ack_why) == (ADMIN.who, "adding agents")
        await one.show({"coder": 1})
        with pytest.raises(FleetError, match="no alert 'deep'"):
            await one.do(AckAlert("deep"))
        await one.show({"coder": 500})
        assert one.only().acked_by == ""

    watch(story)


def test_a_silence_ends_by_itself_and_what_still_fires_is_loud_again() -> None:
    async def story(one: Watch) -> None:
        await one.do(CreateRule("deep", "queue_depth > 100"))
        silence = await one.do(SilenceAlerts("pool=coder", 10.0, why="known"))
        await one.show({"coder": 500}, 2)
        assert one.only().silenced_by == silence
        row = one.world.feed.row("silences", str(silence))
        assert isinstance(row, SilenceRow)
        assert (row.alerts, row.matchers) == (1, "pool=coder")
        await one.show({"coder": 500}, 10)
        assert one.only().is_loud
        assert one.world.state.alerting.silences == {}
        again = await one.do(SilenceAlerts("rule=~de.*", 100.0))
        await one.show({"coder": 500})
        assert not one.only().is_loud
        await one.do(EndSilence(str(again)))
        await one.show({"coder": 500})
        assert one.only().is_loud

    watch(story)


def test_a_halt_explains_what_does_not_flow() -> None:
    async def story(one: Watch) -> None:
        await one.do(CreateRule("deep", "queue_depth > 100"))
        await one.do(HaltFleet("placing"))
        await one.show({"coder": 500}, 2)
        assert one.only().inhibited_by == "halt"

    watch(story)


def test_of_a_pool_that_is_gone_the_alert_is_resolved() -> None:
    async def story(one: Watch) -> None:
        await one.do(CreateRule("deep", "queue_depth > 100", keep_firing_for_s=600.0))
        await one.show({"coder": 500})
        one.world.state.pools.pop("coder")
        await one.show({"coder": 500})
        assert one.states() == {"deep coder": "resolved"}
        one.world.state.pools.clear()

    async def run() -> None:
        world = World({"fleet": {"default_pools": POOLS}}, 1, hosts=1, work=instant_success)
        async with world.running():
            await story(Watch(world))

    run_virtual(run())


def test_an_engine_that_starts_again_keeps_what_fires_and_counts_only_what_was_watched() -> None:
    async def story(one: Watch) -> None:
        await one.do(CreateRule("deep", "avg(queue_depth, 1m) > 100"))
        await one.do(CreateRule("late", "queue_depth > 100", for_s=60.0))
        await one.show({"coder": 500}, 40)
        assert one.states() == {"deep coder": "firing", "late coder": "pending"}
        await one.world.clock.sleep(3_600)
        told = len(one.told)
        one.begin().begin(one.world.clock.now())
        assert one.told[told:] == [("firing", "firing")], "channels are told of what fires, in case the engine before could not"
        await one.show({"coder": 500}, 19)
        assert one.states() == {"deep coder": "firing", "late coder": "pending"}, "an hour that nobody watched is no hour of trouble"
        await one.show({"coder": 500}, 42)
        assert one.states()["late coder"] == "firing"
        assert one.states()["deep coder"] == "firing"

    watch(story)


def test_a_gap_between_looks_does_not_count() -> None:
    async def story(one: Watch) -> None:
        await one.do(CreateRule("late", "queue_depth > 100", for_s=60.0))
        await one.show({"coder": 500}, 5)
        await one.world.clock.sleep(2 * GAP_S)
        await one.show({"coder": 500})
        assert one.states()["late coder"] == "pending"

    watch(story)


def test_a_rule_that_no_engine_can_read_is_left_out(caplog: pytest.LogCaptureFixture) -> None:
    async def story(one: Watch) -> None:
        await one.do(CreateRule("deep", "queue_depth > 100"))
        rules = one.world.state.alerting.rules
        rules["old"] = type(rules["deep"])("old", "gone_metric > 1")
        await one.show({"coder": 500})
        one.alerter.publish((), one.world.state.touched)
        await one.show({"coder": 500})
        assert one.states() == {"deep coder": "firing"}
        del rules["old"]

    watch(story)
    assert "an alert rule cannot be watched" in caplog.text


def test_what_was_decided_late_changes_nothing_twice() -> None:
    """Two looks before the coordinator gets to the first: the second finds nothing new."""

    async def story(one: Watch) -> None:
        await one.do(CreateRule("deep", "queue_depth > 100"))
        now = one.world.clock.now() + 1
        for second in range(3):
            one.alerter.sampled(now + second, {("queue_depth", "coder"): 500.0}, {})
        await one.world.clock.sleep(5)
        assert one.told == [("", "firing")]

    watch(story)


# ---- rules


@pytest.mark.row(206, 207, 208, 209, 210, 211, 223, 234)
def test_every_fleet_begins_with_rules_that_can_be_read() -> None:
    async def story(one: Watch) -> None:
        assert set(one.world.state.alerting.rules) == {rule.id for rule in BUILTIN}
        with pytest.raises(CommandRefused, match="disable-rule error-rate"):
            await one.do(DeleteRule("error-rate"))
        await one.do(UpdateRule("error-rate", {"expr": "avg(error_rate, 5m) > 20%"}))
        assert one.world.state.alerting.rules["error-rate"].source == "operator"
        await one.do(DeleteRule("error-rate"))

    for rule in BUILTIN:
        check_rule(rule)
    watch(story)


@pytest.mark.row(223)
@pytest.mark.parametrize(
    ("rule", "limit"),
    [("response-time", "> 5000"), ("error-rate", "> 5%"), ("memory-usage", "> 80%"), ("cpu-usage", "> 80%"), ("queue-depth", "> 100")],
)
def test_the_thresholds(rule: str, limit: str) -> None:
    [found] = [one for one in BUILTIN if one.id == rule]
    assert limit in found.expr


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (CreateRule("Deep", "queue_depth > 1"), "no name for a rule"),
        (CreateRule("deep", "queue_dept > 1"), "rule 'deep': column 1 of 'queue_dept > 1': no metric"),
        (CreateRule("deep", "queue_depth > 1", labels=("pool=x",)), "it comes from the condition"),
        (CreateRule("deep", "queue_depth > 1", labels=("team",)), "write name=value"),
        (CreateRule("deep", "queue_depth > 1", actions=("explode {pool}",)), "no verb 'explode'"),
        (CreateRule("deep", "queue_depth > 1", actions=("scale {pool}",)), "scale needs size"),
        (CreateRule("error-rate", "queue_depth > 1"), "is there already"),
        (UpdateRule("error-rate", {"limit": 5}), "no key 'limit'"),
        (UpdateRule("error-rate", {"severity": "awful"}), "severity is one of"),
        (UpdateRule("error-rate", {"for_s": -1}), "for_s is 0 to"),
        (UpdateRule("error-rat", {}), "did you mean 'error-rate'"),
        (SilenceAlerts("", 60.0), "needs a label at least"),
        (SilenceAlerts("pool", 60.0), "is no matcher"),
        (EndSilence("sil_x"), "no silence"),
    ],
)
def test_mistakes_are_explained(command: Command, said: str) -> None:
    async def story(one: Watch) -> None:
        with pytest.raises((UsageError, CommandRefused)) as caught:
            await one.world.gate(ADMIN).plan([command])
        assert said in str(caught.value)

    watch(story)


def test_a_silence_with_a_pattern_that_has_commas() -> None:
    async def story(one: Watch) -> None:
        silence = str(await one.do(SilenceAlerts("pool=~(co,x|coder){1,2},severity=warning", 60.0)))
        assert one.world.state.alerting.silences[silence].matchers[-1] == "severity=warning"

    watch(story)
