"""`:alerts` and its lists: what is wrong is seen, taken, silenced and explained; rules, silences and channels beside it."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest
from engine.model.alert_commands import SilenceAlerts
from engine.model.alert_words import Severity
from engine.model.alerts import AlertState
from engine.model.errors import UsageError
from engine.model.reports import AlertsSeen
from screens.alert_details import AlertDetails, RuleDetails
from screens.attention import ANNOUNCE_AGAIN_S, ANNOUNCE_EVERY_S, Attention
from screens.editing import EditForm
from screens.forms import VerbForm
from screens.line_filter import Terminal
from screens.present_alerts import LISTS
from screens.widgets.charts import BrailleChart
from textual.widgets import Input, Static

from tests.ui.alerted import CONFIG, alert, see, told, troubled
from tests.ui.conftest import Snap
from tests.ui.fleet import Fleet, Seat, sit

HOUR_S = 3_600.0
NOON = 1_700_049_600.0
SIZES = [(80, 24), (120, 40), (200, 60)]


@pytest.mark.parametrize("size", SIZES)
async def test_alerts_are_seen_with_what_needs_somebody_first(snap: Snap, size: tuple[int, int]) -> None:
    fleet = Fleet(CONFIG)
    async with sit(fleet, size) as seat:
        alerts = await troubled(fleet, seat)
        await seat.open("alerts")
        await seat.until(lambda: len(seat.table.shown_ids) == 7)
        states = [fleet.state.alerting.alerts[id_].rule for id_ in seat.table.shown_ids]
        assert states == ["queue-depth", "allocation-slow", "error-rate", "memory-usage", "acts-refused", "runs-slower", "hosts-lost"]
        await snap(seat.pilot, f"alerts-{size[0]}")
        await seat.press("enter")
        assert "412 tasks wait in coder" in await seat.read()
        await snap(seat.pilot, f"alert-{size[0]}")
        await seat.press("X")
        await seat.until(lambda: "It fires: 412 tasks wait" in seat.text)
        await snap(seat.pilot, f"alert-why-{size[0]}")
        assert seat.screen.thing == alerts[0].id


async def test_tab_goes_through_the_lists_and_comes_back() -> None:
    fleet = Fleet(CONFIG)
    async with sit(fleet) as seat:
        await troubled(fleet, seat)
        await seat.open("alerts")
        expected = [7, 3, 1, 2, len(fleet.state.alerting.rules), 1, 2]
        for (name, view, scope), number in zip(LISTS, expected, strict=True):
            await seat.until(lambda view=view, scope=scope: (seat.screen.NAME, seat.screen.scope_text) == (view, scope))
            await seat.until(lambda number=number: len(seat.table.shown_ids) == number)
            assert f"[{name}" in seat.text
            await seat.press("tab")
        await seat.until(lambda: (seat.screen.NAME, seat.screen.scope_text) == ("alerts", ""))
        await seat.press("shift+tab")
        await seat.until(lambda: seat.screen.NAME == "channels")


async def test_an_alert_is_taken_given_back_silenced_and_heard_again() -> None:
    fleet = Fleet(CONFIG)
    async with sit(fleet) as seat:
        alerts = await troubled(fleet, seat)
        kept = fleet.state.alerting
        await seat.open("alerts")
        await seat.until(lambda: seat.table.pointed_id == alerts[0].id)
        await seat.press("a")
        await seat.agree()
        await seat.until(lambda: bool(kept.alerts[alerts[0].id].acked_by))
        seat.table.point_at(alerts[0].id)
        await seat.press("a")
        await seat.agree()
        await seat.until(lambda: not kept.alerts[alerts[0].id].acked_by)
        seat.table.point_at(alerts[0].id)
        await seat.press("s")
        await seat.until(lambda: isinstance(seat.app.screen, VerbForm))
        assert seat.screen.query_one("#field-matchers").value == "rule=queue-depth,pool=coder"
        await seat.press("f2")
        await seat.agree()
        await seat.until(lambda: len(kept.silences) == 2)
        seat.table.point_at(alerts[4].id)
        await seat.press("x")
        await seat.agree()
        await seat.until(lambda: [silence.matchers for silence in kept.silences.values()] == [("rule=queue-depth", "pool=coder")])
        seat.table.point_at(next(id_ for id_, one in kept.alerts.items() if one.rule == "hosts-lost"))
        await seat.press("a")
        assert "nothing to do here" in seat.told


@pytest.mark.parametrize("size", SIZES)
async def test_rules_are_seen_switched_and_removed(snap: Snap, size: tuple[int, int]) -> None:
    fleet = Fleet(CONFIG)
    async with sit(fleet, size) as seat:
        await troubled(fleet, seat)
        rules = fleet.state.alerting.rules
        await seat.open("rules")
        await snap(seat.pilot, f"rules-{size[0]}")
        seat.table.point_at("deep-queue")
        await seat.press("f")
        await seat.agree()
        await seat.until(lambda: not rules["deep-queue"].enabled)
        seat.table.point_at("deep-queue")
        await seat.press("x")
        await seat.agree()
        await seat.until(lambda: "deep-queue" not in rules)
        seat.table.point_at("queue-depth")
        await seat.press("x")
        await seat.until(lambda: "is built in" in seat.told)


async def test_silences_are_made_and_ended() -> None:
    fleet = Fleet(CONFIG)
    async with sit(fleet) as seat:
        await troubled(fleet, seat)
        silences = fleet.state.alerting.silences
        await seat.open("silences")
        await seat.press("enter")
        assert "bob was refused 12 times" in await seat.read(), "what it keeps quiet is said"
        await seat.press("x")
        await seat.agree()
        await seat.until(lambda: not silences)
        await seat.press("escape")
        await seat.until(lambda: "nothing is kept quiet; + makes a silence" in seat.text)
        await seat.press("plus", *"pool=coder", "f2")
        await seat.agree()
        await seat.until(lambda: [silence.matchers for silence in silences.values()] == [("pool=coder",)])


@pytest.mark.parametrize("size", SIZES)
async def test_channels_are_tested_and_what_was_parked_is_sent_again(snap: Snap, size: tuple[int, int]) -> None:
    fleet = Fleet(CONFIG)
    async with sit(fleet, size) as seat:
        await troubled(fleet, seat)
        await told(fleet, seat)
        await seat.open("channels")
        await seat.until(lambda: "550" in seat.text or size[0] == 80)
        await snap(seat.pilot, f"channels-{size[0]}")
        seat.table.point_at("mail")
        await seat.press("t")
        await seat.agree()
        await seat.until(lambda: "the test went through mail" in seat.told)
        await seat.press("enter")
        assert "no such user" in await seat.read()
        await snap(seat.pilot, f"channel-{size[0]}")
        await seat.press("o")
        await seat.until(lambda: seat.screen.NAME == "notifications")
        parked = next(letter for letter in fleet.world.notifier.outbox.letters.values() if letter.state == "parked")
        await seat.until(lambda: len(seat.table.shown_ids) == 2 and seat.table.size.width > 0)
        await seat.current()
        seat.table.point_at(parked.id)
        await snap(seat.pilot, f"notifications-{size[0]}")
        await seat.press("r")
        await seat.agree()
        await seat.until(lambda: parked.state != "parked")


# ---- figures and the past


class Engine:
    """Answers about figures as of an engine that has measured a day."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.fired = True

    async def ask(self, own: Any, what: str, **parameters: Any) -> object:
        self.asked.append((what, parameters))
        if what == "history":
            return self._history(**parameters)
        if what == "alert-test":
            return self._tried(**parameters)
        return await own.feed.operator.query(what, **parameters)

    def _history(self, *, metric: str, label: str, last_s: float, points: int, quantile: int) -> dict[str, Any]:
        if metric == "memory":
            raise UsageError("monitoring is switched off")
        step, since = last_s / 120, NOON - last_s
        values = [None if 40 <= n < 52 else 120 + 100 * math.sin(n / 9) for n in range(120)]
        return {"metric": metric, "label": label, "unit": "count", "quantile": 0.0, "since": since, "step_s": step, "values": values, "newest_at": NOON, "gaps": [[since + 40 * step, since + 52 * step]], "points": points, "asked": quantile}

    def _tried(self, *, id: str, last_s: float) -> dict[str, Any]:  # noqa: A002  # as it is asked
        since = NOON - last_s
        fired = [
            {"labels": {"pool": pool}, "pending_at": since + at * HOUR_S, "fired_at": since + at * HOUR_S + 60, "resolved_at": since + (at + long) * HOUR_S, "value": 100.0, "severity": severity, "message": f"{412 + at} tasks wait in {pool}, the limit is 100"}
            for pool, at, long, severity in (("coder", 2, 1.5, "warning"), ("tester", 6, 0.02, "info"), ("coder", 11, 4, "critical"))
        ]
        fired = fired if self.fired and last_s > HOUR_S else []
        return {"id": id, "expr": "", "for_s": 60.0, "since": since, "until": NOON, "resolution_s": 60, "fired": fired, "total": len(fired), "samples": round(last_s / 60), "known": round(last_s / 60 * 0.95), "held": 300}


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> Engine:
    found = Engine()
    for kind in (AlertDetails, RuleDetails):
        monkeypatch.setattr(kind, "ask_engine", lambda self, what, **more: found.ask(self, what, **more))
    return found


@pytest.mark.parametrize("size", SIZES)
async def test_an_alerts_figures_are_drawn_beside_the_limit(snap: Snap, engine: Engine, size: tuple[int, int]) -> None:
    fleet = Fleet(CONFIG)
    fleet.clock.at = NOON
    async with sit(fleet, size) as seat:
        alerts = await troubled(fleet, seat)
        await seat.open("alerts")
        await seat.until(lambda: seat.table.pointed_id == alerts[0].id)
        await seat.press("enter", "r")
        await seat.until(lambda: "rule asks" in seat.text)
        [asked] = [more for what, more in engine.asked if what == "history"][-1:]
        assert (asked["metric"], asked["label"], asked["last_s"]) == ("queue_depth", "coder", 3_600)
        assert seat.screen.query_one("#chart", BrailleChart).size.height > 5
        await snap(seat.pilot, f"alert-figures-{size[0]}")
        await seat.press("r")
        await seat.until(lambda: "last 24h" in seat.text)
        await seat.press("tab")
        await seat.until(lambda: "It fires" in seat.text)
        assert not seat.screen.has_class("-charted")


async def test_figures_that_are_not_kept_are_said() -> None:
    fleet = Fleet(CONFIG)
    async with sit(fleet) as seat:
        alerts = await troubled(fleet, seat)
        await seat.open("alerts")
        seat.table.point_at(alerts[4].id)
        await seat.press("enter", "r")
        await seat.until(lambda: "there is nothing to draw" in seat.text)


@pytest.mark.parametrize("size", SIZES)
async def test_a_rule_says_when_it_would_have_fired(snap: Snap, engine: Engine, size: tuple[int, int]) -> None:
    fleet = Fleet(CONFIG)
    fleet.clock.at = NOON
    async with sit(fleet, size) as seat:
        await troubled(fleet, seat)
        await seat.open("rules")
        seat.table.point_at("queue-depth")
        await seat.press("r")
        await seat.until(lambda: "it would not have fired in the last 1h00m" in seat.text)
        await seat.press("r")
        await seat.until(lambda: "it would have fired 3 times" in seat.text)
        assert "2x, 5h28m" in seat.text
        await snap(seat.pilot, f"rule-past-{size[0]}")
        await seat.press("d")
        await seat.until(lambda: "queue_depth" in seat.text and "412 tasks wait in coder" in seat.text)
        await snap(seat.pilot, f"rule-{size[0]}")


# ---- what needs somebody


def ids(seat: Seat) -> list[str]:
    return [need.id for need in seat.app.attention.open(seat.app.feed.now())]


@pytest.mark.parametrize("size", SIZES)
async def test_what_fires_and_dead_channels_are_in_the_inbox_and_on_the_pulse(snap: Snap, size: tuple[int, int]) -> None:
    fleet = Fleet(CONFIG)
    async with sit(fleet, size) as seat:
        alerts = await troubled(fleet, seat)
        await told(fleet, seat)
        fleet.clock.at += 2
        await seat.current()
        expected = ["alert queue-depth coder", "alert allocation-slow tester", "channel mail"]
        await seat.until(lambda: ids(seat) == expected)
        await seat.open("inbox")
        await seat.until(lambda: len(seat.screen.table.shown_ids) == 3)
        await snap(seat.pilot, f"inbox-{size[0]}")
        await seat.press("enter")
        await seat.until(lambda: (seat.screen.NAME, seat.screen.thing) == ("alert", alerts[0].id))
        await seat.press("escape", "down", "down", "enter")
        await seat.until(lambda: (seat.screen.NAME, seat.screen.thing) == ("channel", "mail"))
        await seat.open("pulse")
        await seat.forget_the_past()
        await seat.until(lambda: "412 tasks wait in coder" in seat.text)
        await snap(seat.pilot, f"pulse-{size[0]}")


@pytest.mark.row(218, 219)
async def test_the_pulse_has_agents_with_their_health_and_the_flow_of_tasks() -> None:
    fleet = Fleet()
    async with sit(fleet, (120, 40)) as seat:
        await fleet.busy()
        await seat.current()
        text = seat.text
        assert "28 agents" in text
        assert "17 free" in text or " free" in text
        assert "in use" in text
        assert "queued+running" in text
        assert "✓ healthy" in text, "each process that carries agents"
        [line] = [line for line in text.splitlines() if "database" in line and "paused" in line and "pool" not in line]
        assert " 2 " in line, "the queue of a pool"


async def test_alerts_of_a_rule_and_a_pool_are_one_thing_and_quiet_ones_are_none() -> None:
    fleet = Fleet(CONFIG)
    async with sit(fleet) as seat:
        await fleet.ready()
        now = fleet.clock.at
        many = [alert("agents-failing", Severity.WARNING, AlertState.FIRING, f"{number} agents of coder failed", pool="coder", agent=f"coder-{number}", now=now) for number in range(3)]
        info = alert("runs-slower", Severity.INFO, AlertState.FIRING, "half of the runs take longer", pool="coder", now=now)
        await see(fleet, *many, info)
        fleet.clock.at += 2
        await seat.current()
        await seat.until(lambda: ids(seat) == ["alert agents-failing coder"])
        await seat.press("full_stop")
        await seat.until(lambda: seat.screen.NAME == "alerts")
        await seat.until(lambda: len(seat.table.shown_ids) == 3)
        await fleet.gate.execute([SilenceAlerts("rule=agents-failing", 600.0)])
        silence = next(iter(fleet.state.alerting.silences))
        await see(fleet, *(replace(one, silenced_by=silence) for one in many))
        await fleet.until(lambda: all(one.silenced_by for one in fleet.state.alerting.alerts.values() if one.rule == "agents-failing"))
        fleet.clock.at += 2
        await seat.current()
        await seat.until(lambda: ids(seat) == [])


async def test_the_terminal_is_told_once_of_a_group_and_never_of_what_is_silenced() -> None:
    fleet = Fleet(CONFIG)
    async with sit(fleet, notify="osc9") as seat:
        await fleet.ready()
        await seat.current()
        written: list[str] = []
        driver = seat.app._driver
        assert driver is not None
        before = driver.write
        driver.write = lambda data: (written.append(data) if "\x1b]9;" in data else None, before(data))[1]  # type: ignore[method-assign]

        async def later(seconds: float) -> None:
            fleet.clock.at += seconds
            await seat.current()
            seat.app._attend()

        await later(20)
        now = fleet.clock.at
        first, second = (alert("queue-depth", Severity.CRITICAL, AlertState.FIRING, "tasks wait in coder", pool="coder", shard=shard, now=now) for shard in "ab")
        quiet = replace(alert("error-rate", Severity.CRITICAL, AlertState.FIRING, "errors", pool="tester", now=now), silenced_by="sil_1")
        await see(fleet, first, quiet)
        await later(20)
        await seat.until(lambda: len(written) == 1)
        assert "queue-depth coder: tasks wait in coder" in written[0]
        await see(fleet, second)
        await later(20)
        await later(20)
        assert len(written) == 1, "the group was told of"
        assert not [text for text in written if "error-rate" in text]


# ---- rules, made and edited


def text_of(seat: Seat, id_: str) -> str:
    return str(seat.app.screen.query_one(id_, Static).render())


def fill(seat: Seat, **texts: str) -> None:
    form = seat.app.screen
    assert isinstance(form, EditForm)
    for key, text in texts.items():
        number = next(number for number, field in enumerate(form._thing.fields) if field.key == key)
        form.query_one(f"#edit-{number}", Input).value = text


@pytest.mark.parametrize("size", SIZES)
async def test_a_rule_is_made_in_a_form_that_says_when_it_would_have_fired(snap: Snap, monkeypatch: pytest.MonkeyPatch, size: tuple[int, int]) -> None:
    fleet, engine = Fleet(CONFIG), Engine()
    fleet.clock.at = NOON
    async with sit(fleet, size) as seat:
        await fleet.ready()
        asked = fleet.gate.query

        async def query(what: str, **parameters: Any) -> object:
            if what != "alert-test":
                return await asked(what, **parameters)
            engine.asked.append((what, parameters))
            return engine._tried(id="", last_s=parameters["last_s"])

        monkeypatch.setattr(fleet.gate, "query", query)
        await seat.open("rules")
        await seat.press("plus")
        await seat.until(lambda: isinstance(seat.app.screen, EditForm))
        fill(seat, id="deep-queue")
        await seat.press("enter")
        assert text_of(seat, "#problem") == "expr is needed: its condition, such as 'queue_depth > 100'"
        fill(seat, expr='queue_depth{pool="coder"} > 100', for_s="60", labels="[1]")
        await seat.until(lambda: text_of(seat, "#problem") == 'labels is a list of texts, such as ["team=core"]')
        fill(seat, labels='["team=core"]', actions='["scale {pool} +2"]', severity="critical", title="Deep queue")
        await seat.press("f5")
        await seat.until(lambda: "it would have fired 3 times in the last 1d00h" in text_of(seat, "#diff"))
        assert engine.asked[-1][1] == {"expr": 'queue_depth{pool="coder"} > 100', "for_s": 60, "keep_firing_for_s": 0, "last_s": 86_400}
        await snap(seat.pilot, f"rule-form-{size[0]}")
        await seat.press("f2")
        await seat.agree()
        await seat.until(lambda: "deep-queue" in fleet.state.alerting.rules)
        rule = fleet.state.alerting.rules["deep-queue"]
        assert (rule.name, rule.for_s, rule.severity, rule.labels, rule.actions) == ("Deep queue", 60.0, "critical", {"team": "core"}, ("scale {pool} +2",))


async def test_a_rule_is_edited_from_its_alert_and_a_mistake_is_said_with_its_column() -> None:
    fleet = Fleet(CONFIG)
    async with sit(fleet) as seat:
        alerts = await troubled(fleet, seat)
        await seat.open("alerts")
        await seat.until(lambda: seat.table.pointed_id == alerts[0].id)
        await seat.press("e")
        await seat.until(lambda: isinstance(seat.app.screen, EditForm))
        fill(seat, expr="min(queue_depth, 2m) >> 100")
        await seat.press("f2")
        await seat.until(lambda: "column 23" in seat.told)
        await seat.press("e")
        await seat.until(lambda: isinstance(seat.app.screen, EditForm))
        fill(seat, expr="min(queue_depth, 2m) > 500", labels='["team=core"]', title="")
        await seat.press("f2")
        await seat.agree()
        await seat.until(lambda: fleet.state.alerting.rules["queue-depth"].source == "operator")
        rule = fleet.state.alerting.rules["queue-depth"]
        assert (rule.expr, rule.labels, rule.name, rule.for_s) == ("min(queue_depth, 2m) > 500", {"team": "core"}, "", 60.0)
        await seat.press("u")
        await seat.agree()
        await seat.until(lambda: fleet.state.alerting.rules["queue-depth"].expr == "min(queue_depth, 2m) > 100")


async def test_what_comes_back_within_a_minute_is_not_told_again() -> None:
    fleet = Fleet()
    async with sit(fleet) as seat:
        await fleet.ready()
        await seat.current()
        attention = Attention(seat.app.feed, seat.app.glyphs, {})

        async def fresh(later_s: float) -> list[str]:
            fleet.clock.at += later_s
            await seat.current()
            attention.look(fleet.clock.at)
            return [need.id for need in attention.fresh(fleet.clock.at)]

        assert await fresh(2) == []
        found = alert("error-rate", Severity.WARNING, AlertState.FIRING, "errors", pool="coder", now=fleet.clock.at)
        for again_s, told_of in ((ANNOUNCE_EVERY_S + 1, ["alert error-rate coder"]), (ANNOUNCE_EVERY_S + 1, []), (ANNOUNCE_AGAIN_S, ["alert error-rate coder"])):
            await see(fleet, replace(found, since=fleet.clock.at))
            assert await fresh(again_s) == told_of
            over = replace(fleet.state.alerting.alerts[found.id], state=AlertState.RESOLVED, resolved_at=fleet.clock.at)
            fleet.world.coordinator.report(AlertsSeen((over,)))
            await fleet.until(lambda: fleet.state.alerting.alerts[found.id].state is AlertState.RESOLVED)
            assert await fresh(ANNOUNCE_EVERY_S + 1) == []


async def test_nothing_rings_where_the_screen_is_read_aloud() -> None:
    async with sit(Fleet(), terminal=Terminal(is_plain=True), notify="bell") as seat:
        assert seat.app._notify("412 tasks wait") == ""
    async with sit(Fleet(), notify="bell") as seat:
        assert seat.app._notify("412 tasks wait") == "\a"
