"""Guardrails: what a rule may say, which rules contradict each other, when windows are open, and what the gate makes of them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from engine.config import parse_config
from engine.model.agent_commands import AllocateAgent, DrainAgent, RegisterAgent
from engine.model.errors import CommandRefused, ConfigError, Denied, Unconfirmed
from engine.model.fleet_commands import HaltFleet, RedoPlan, UndoPlan
from engine.model.guardrails import MINUTES_A_WEEK, WHOLE_WEEK, WindowConfig, minutes_of
from engine.model.plans import Origin
from engine.model.pool_commands import PausePool, ScalePool
from engine.model.task_commands import CancelTask, SubmitTask
from engine.model.verbs import Role
from engine.simulation.loop import VirtualClock, run_virtual
from engine.simulation.world import World, instant_success
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.test_gate import BOB, POOLS, audits

ADMIN = Origin("root", "cli", "", 2)
ZURICH = ZoneInfo("Europe/Zurich")
MONDAY_NOON = datetime(2026, 6, 1, 12, tzinfo=ZURICH).timestamp()


def rules(*given: dict[str, Any], **operations: Any) -> dict[str, Any]:
    return {"fleet": {"default_pools": POOLS, "max_agents": 12}, "operations": {"guardrails": list(given), **operations}}


def live(config: dict[str, Any], story: Callable[[World], Awaitable[Any]], at: float = MONDAY_NOON) -> None:
    """Run a story on a fresh engine whose agents are up, at an instant."""

    async def whole() -> None:
        world = World(config, 1, hosts=2, work=instant_success, clock=VirtualClock(at))
        async with world.running():
            await world.until(lambda: world.state.totals.by_status.get("idle", 0) == 3)
            await story(world)

    run_virtual(whole())


# ---- what may be configured


@pytest.mark.parametrize(
    ("rule", "text"),
    [
        ({"verbs": ["scale"]}, "operations.guardrails.0: the rule demands nothing: give it deny, confirm, max_bulk, window, reason_required or vote"),
        ({"deny": "no", "confirm": "type-name"}, "operations.guardrails.0: `deny` refuses everything, so that confirm would never matter"),
        ({"deny": "no", "verbs": ["scal"]}, "operations.guardrails.0.verbs: no verb matches 'scal'; did you mean 'scale'?"),
        ({"deny": "no", "vebs": ["scale"]}, "unknown key 'operations.guardrails.0.vebs'; did you mean 'verbs'?"),
        ({"deny": "no", "roles": ["viewer"]}, "operations.guardrails.0.roles.0: Input should be 'operator' or 'admin'"),
        ({"confirm": "yes"}, "operations.guardrails.0.confirm: Input should be '' or 'type-name'"),
        ({"max_bulk": 0}, "operations.guardrails.0.max_bulk: Input should be greater than or equal to 1"),
        ({"window": {}}, "operations.guardrails.0.window: a window needs `only` or `never`"),
        ({"window": {"only": ["mon-fri 08:00"]}}, "'mon-fri 08:00' is not understood; write days, hours or both"),
        ({"window": {"only": ["monday"]}}, "'monday': 'monday' is no day; days are mon, tue"),
        ({"window": {"only": ["24:30-25:00"]}}, "is not understood"),
        ({"window": {"never": ["12:00-12:00"]}}, "is not understood"),
        ({"window": {"never": ["mon-sun"]}}, "`only` and `never` leave no minute of the week; use `deny`"),
        ({"window": {"only": ["mon"], "never": ["sun-tue"]}}, "`only` and `never` leave no minute of the week"),
        ({"window": {"only": ["mon"], "zone": "Europe/Zürich"}}, "window.zone: this machine knows no time zone 'Europe/Zürich'"),
        ({"window": {"onyl": ["mon"]}}, "unknown key 'operations.guardrails.0.window.onyl'; did you mean 'only'?"),
    ],
)
def test_rules_that_cannot_be_meant_are_refused_with_where_and_why(rule: dict[str, Any], text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_config(rules(rule), "fleet.toml")
    assert text in str(caught.value)


OFFICE = {"window": {"only": ["mon-fri 08:00-18:00"]}, "verbs": ["scale"]}
NIGHT = {"window": {"only": ["20:00-06:00"]}, "verbs": ["pool.*"]}


@pytest.mark.parametrize(
    ("first", "second", "text"),
    [
        ({"name": "a", "deny": "no"}, {"name": "a", "confirm": "type-name"}, "guardrails.0 and guardrails.1 have the same name 'a'"),
        (
            {"name": "freeze", "deny": "no", "verbs": ["pool.*"]},
            {"name": "names", "confirm": "type-name", "verbs": ["scale", "pause"]},
            "guardrails.1 ('names') never matters: guardrails.0 ('freeze') denies all that it is about; drop one or narrow the other",
        ),
        (
            {"max_bulk": 3, "verbs": ["cancel"], "targets": ["prod-*"], "roles": ["operator"]},
            {"deny": "no", "targets": ["prod-*", "test-*"]},
            "guardrails.0 (verbs cancel) never matters: guardrails.1 (verbs *) denies",
        ),
        (OFFICE, NIGHT, "guardrails.0 and guardrails.1 together leave no hour of the week to pool.scale; let their windows meet"),
    ],
)
def test_rules_that_contradict_each_other_are_refused(first: dict[str, Any], second: dict[str, Any], text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_config(rules(first, second), "fleet.toml")
    assert text in str(caught.value)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"deny": "no", "roles": ["operator"]}, {"confirm": "type-name"}),
        ({"deny": "no", "targets": ["prod-*"]}, {"confirm": "type-name", "targets": ["prod-*", "test-*"]}),
        ({"deny": "no", "verbs": ["cancel"]}, {"max_bulk": 2}),
        (OFFICE, {**NIGHT, "roles": ["admin"]}),
        (OFFICE, {**NIGHT, "window": {**NIGHT["window"], "zone": "Asia/Tokyo"}}),  # type: ignore[dict-item]
    ],
)
def test_rules_that_leave_something_to_each_other_are_taken(first: dict[str, Any], second: dict[str, Any]) -> None:
    parse_config(rules(first, second), "fleet.toml")


# ---- windows


def test_spans_mean_the_minutes_that_they_say() -> None:
    assert minutes_of("00:00-24:00") == minutes_of("mon-sun") == minutes_of("sat-fri") == WHOLE_WEEK
    assert minutes_of("mon 00:00-00:01") == 1
    assert minutes_of("sun 23:59-24:00") == 1 << MINUTES_A_WEEK - 1
    assert minutes_of("sun 23:59-00:01") == 1 << MINUTES_A_WEEK - 1 | 1  # passes into Monday
    assert minutes_of("Fri 16:00-24:00").bit_count() == 8 * 60
    assert minutes_of("sat,sun") == minutes_of("sat sun") == minutes_of("sat") | minutes_of("sun")


@given(st.integers(0, MINUTES_A_WEEK - 1), st.integers(1, 24 * 60 - 1))
def test_a_span_is_open_from_its_start_for_its_length(start: int, length: int) -> None:
    day, of_day = divmod(start, 1_440)
    end = (of_day + length) % 1_440
    text = f"{('mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun')[day]} {of_day // 60:02d}:{of_day % 60:02d}-{end // 60:02d}:{end % 60:02d}"
    found = minutes_of(text)
    assert found.bit_count() == length
    assert all(found >> (start + minute) % MINUTES_A_WEEK & 1 for minute in (0, length - 1))


@pytest.mark.parametrize(
    ("month", "day", "hour", "is_open", "opens"),
    [
        (6, 1, 12, True, ""),  # Monday, summer time
        (6, 5, 15, True, ""),
        (6, 5, 16, False, "mon 08:00"),  # Friday afternoon
        (6, 7, 12, False, "mon 08:00"),
        (12, 7, 8, True, ""),  # winter time
        (12, 7, 7, False, "mon 08:00"),
    ],
)
def test_windows_follow_the_clock_of_their_zone(month: int, day: int, hour: int, *, is_open: bool, opens: str) -> None:
    window = WindowConfig(only=("mon-fri 08:00-18:00",), never=("fri 16:00-24:00",), zone="Europe/Zurich")
    at = datetime(2026, month, day, hour, tzinfo=ZURICH).timestamp()
    assert window.is_open(at) is is_open
    said = window.describe(at)
    assert said.startswith("only mon-fri 08:00-18:00 and never fri 16:00-24:00 (Europe/Zurich; it is ")
    assert said.endswith(f", open again {opens})" if opens else " there)")


# ---- what the gate makes of them: every effect, for plan and for execute


def test_deny_refuses_with_its_text_and_the_refusal_is_audited() -> None:
    async def story(world: World) -> None:
        gate = world.gate(BOB)
        plan = await gate.plan([PausePool("coder")])
        assert plan.refused == "refused by 'freeze': ask the platform team (incident 12)"
        assert [(demand.kind, demand.rule) for demand in plan.demands] == [("deny", "freeze")]
        with pytest.raises(CommandRefused, match="no plan"):
            await gate.execute(plan.id)  # such a plan is not kept
        with pytest.raises(Denied, match="refused by 'freeze': ask the platform team .*; nothing was changed"):
            await gate.execute([PausePool("coder")], confirm="coder", reason="please")
        assert audits(world)[-1][:3] == ("bob", "pool.pause", "coder")
        assert not world.state.pools["coder"].paused
        await gate.execute([PausePool("ui")])

    rule = {"name": "freeze", "verbs": ["pause"], "targets": ["cod*"], "deny": "ask the platform team", "because": "incident 12"}
    live(rules(rule), story)


def test_type_name_demands_the_targets_name_and_for_several_their_number() -> None:
    async def story(world: World) -> None:
        gate = world.gate(BOB)
        plan = await gate.plan([DrainAgent("coder-1")])
        assert (plan.confirm, plan.refused) == ("coder-1", "")
        for typed in ("", "yes", "Coder-1"):
            with pytest.raises(Unconfirmed, match=r"type 'coder-1' to confirm.* \(guardrail 1\); nothing was changed"):
                await gate.execute(plan.id, confirm=typed)
        await gate.execute(plan.id, confirm=" coder-1 ")
        both = [DrainAgent("coder-2"), DrainAgent("ui-1")]
        assert (await gate.plan(both)).confirm == "2"
        with pytest.raises(Unconfirmed, match="type '2' to confirm, not 'ui-1'"):
            await gate.execute(both, confirm="ui-1")
        await gate.execute(both, confirm="2")
        agent = next(iter(world.state.agents))
        await gate.execute([DrainAgent(agent)], confirm=agent)  # the id will do as well

    live(rules({"verbs": ["drain"], "confirm": "type-name"}), story)


def test_max_bulk_counts_what_a_plan_touches() -> None:
    async def story(world: World) -> None:
        gate = world.gate(BOB)
        for commands, touched in (
            ([ScalePool("coder", "+4")], 4),
            ([RegisterAgent("coder", count=3)], 3),
            ([PausePool("coder"), PausePool("ui"), PausePool("coder")], 3),
        ):
            plan = await gate.plan(commands)
            assert plan.refused == f"refused by 'few': at most 2 at once, this plan touches {touched}"
            with pytest.raises(Denied, match=f"this plan touches {touched}; nothing was changed"):
                await gate.execute(commands)
        plan = await gate.plan([ScalePool("coder", "+2")])
        assert (plan.refused, plan.demands[0].text) == ("", "at most 2 at once, this plan touches 2")
        await gate.execute(plan.id)
        await gate.execute([ScalePool("coder", "-1")])

    live(rules({"name": "few", "max_bulk": 2}, {"name": "some", "max_bulk": 5}), story)


def test_window_is_judged_when_the_plan_is_carried_out() -> None:
    async def story(world: World) -> None:
        gate = world.gate(BOB)
        plan = await gate.plan([ScalePool("coder", "3")])
        assert plan.demands[0].text == "only mon-fri 08:00-18:00 (Europe/Zurich; it is mon 17:59 there)"
        await world.clock.sleep(120)
        with pytest.raises(Denied, match=r"refused by 'guardrail 1': only mon-fri 08:00-18:00 .*it is mon 18:01 there, open again tue 08:00"):
            await gate.execute(plan.id)
        assert world.state.pools["coder"].size == 2
        await world.gate(ADMIN).execute([ScalePool("coder", "3")])

    window = {"only": ["mon-fri 08:00-18:00"], "zone": "Europe/Zurich"}
    live(rules({"verbs": ["scale"], "roles": ["operator"], "window": window}), story, MONDAY_NOON + 5 * 3_600 + 3_590)


def test_reason_is_demanded() -> None:
    async def story(world: World) -> None:
        gate = world.gate(BOB)
        plan = await gate.plan([ScalePool("coder", "3")])
        assert plan.needs_reason
        with pytest.raises(Unconfirmed, match=r"give a reason \(tickets\); nothing was changed"):
            await gate.execute(plan.id, reason="  ")
        await gate.execute(plan.id, reason="ticket 7")
        planned = await gate.plan([ScalePool("coder", "2")], reason="ticket 8")
        await gate.execute(planned.id)  # the reason given with the plan counts

    live(rules({"name": "tickets", "reason_required": True}), story)


def test_demands_of_all_rules_that_match_add_up() -> None:
    async def story(world: World) -> None:
        plan = await world.gate(BOB).plan([ScalePool("coder", "3")])
        assert [demand.kind for demand in plan.demands] == ["reason", "confirm", "bulk"]
        assert (plan.needs_reason, plan.confirm) == (True, "coder")
        other = await world.gate(Origin("bob", "cli", "", 1)).plan([ScalePool("coder", "3")])
        assert [demand.kind for demand in other.demands] == ["reason", "bulk"]
        other = await world.gate(Origin("ada", "console", "", 1)).plan([ScalePool("ui", "2")])
        assert other.demands == ()

    live(
        rules(
            {"operators": ["b?b"], "reason_required": True},
            {"faces": ["console"], "targets": ["coder"], "confirm": "type-name"},
            {"targets": ["coder"], "max_bulk": 4},
        ),
        story,
    )


def test_agents_and_tasks_are_matched_by_their_pool_and_their_names() -> None:
    async def story(world: World) -> None:
        gate = world.gate(BOB)
        await world.gate(ADMIN).execute([HaltFleet("placing")], confirm="placing")
        [task] = (await world.gate(ADMIN).execute([SubmitTask("noop", "ui", title="nightly backup")])).values
        for command in (DrainAgent("coder-1"), DrainAgent(world.state.agent_ids["coder-1"]), CancelTask(str(task))):
            assert (await gate.plan([command])).refused
        assert not (await gate.plan([DrainAgent("ui-1")])).refused
        for command in (SubmitTask("noop", "coder"), AllocateAgent("mine", "coder"), RegisterAgent("coder")):
            with pytest.raises(CommandRefused):
                await gate.execute([command])

    live(rules({"targets": ["coder", "nightly *"], "roles": ["operator"], "deny": "no"}), story)


def test_a_code_task_without_a_pool_is_judged_by_the_pool_that_it_would_go_to() -> None:
    async def story(world: World) -> None:
        task = SubmitTask("code.outline", payload={"source": ""})
        with pytest.raises(Denied, match="not here"):
            await world.gate(BOB).execute([task])

    live(rules({"name": "coder", "targets": ["coder"], "deny": "not here"}), story)
    live(rules({"name": "other", "targets": ["ui"], "deny": "not here"}), _submits_code)


async def _submits_code(world: World) -> None:
    await world.gate(BOB).execute([SubmitTask("code.outline", payload={"source": ""})])


def test_undo_and_redo_are_judged_by_what_they_do() -> None:
    async def story(world: World) -> None:
        gate = world.gate(BOB)
        await gate.execute([ScalePool("coder", "4")], confirm="coder")
        assert (await gate.plan([UndoPlan()])).confirm == "coder"
        with pytest.raises(Unconfirmed):
            await gate.execute([UndoPlan()])
        await gate.execute([UndoPlan()], confirm="coder")
        with pytest.raises(Unconfirmed):
            await gate.execute([RedoPlan()])

    live(rules({"verbs": ["scale"], "confirm": "type-name"}), story)


def test_rules_for_programs_hold_for_their_routine_work_too() -> None:
    async def story(world: World) -> None:
        with pytest.raises(Denied):
            await world.gate().execute([SubmitTask("noop", "ui")])
        await world.gate().execute([SubmitTask("noop", "coder")])

    live(rules({"faces": ["library"], "targets": ["ui"], "deny": "no"}), story)


# ---- roles and read-only connections


@pytest.mark.parametrize(
    ("origin", "operations", "text"),
    [
        (Origin("eve", "console", "", 0), {}, "pool.scale needs the role operator; eve is viewer"),
        (Origin("eve", "console", "", 2), {"roles": {"e*": "viewer"}}, "pool.scale needs the role operator; eve is viewer"),
        (Origin("eve", "api", "", 2, "read-only"), {}, "scale: this connection is read-only: it was opened to look only, by --read-only or by read_only of its context"),
        (Origin("eve", "cli", "", 2), {"read_only": True}, "read-only: operations.read_only is set; open it with --write"),
        (Origin("eve", "cli", "", 0, "write"), {"read_only": True}, "needs the role operator"),
        (Origin("eve", "cli", "", 2, "read-only"), {"read_only": True}, "it was opened to look only, by --read-only or by read_only of its context"),
    ],
)
def test_who_may_only_look_is_refused_with_the_reason(origin: Origin, operations: dict[str, Any], text: str) -> None:
    async def story(world: World) -> None:
        gate = world.gate(origin)
        assert gate.authority.read_only
        for ask in (gate.plan, gate.execute):
            with pytest.raises(Denied, match=f"{text}.*; nothing was changed"):
                await ask([ScalePool("coder", "3")])
        assert audits(world)[-1][:3] == ("eve", "pool.scale", "coder")
        assert await gate.query("pools")

    live(rules(**operations), story)


@pytest.mark.parametrize(
    ("origin", "operations"),
    [
        (Origin("bob", "cli", "", 2, "write"), {"read_only": True}),
        (Origin("bob", "library", "", 2), {"read_only": True}),
        (Origin("bob", "cli", "", 2), {"roles": {"bob": "operator", "e*": "viewer"}}),
    ],
)
def test_who_may_act_does(origin: Origin, operations: dict[str, Any]) -> None:
    async def story(world: World) -> None:
        gate = world.gate(origin)
        assert not gate.authority.read_only
        await gate.execute([ScalePool("coder", "3")])

    live(rules(**operations), story)


def test_configured_role_never_raises() -> None:
    async def story(world: World) -> None:
        assert world.gate(Origin("eve", "cli", "", 1)).authority.role == Role.OPERATOR

    live(rules(roles={"eve": "admin"}), story)
