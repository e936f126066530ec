"""The plan dialog: what it shows at every size, what must be typed, where a quick enter leads, and what changes meanwhile."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest
from engine.model.agent_commands import DrainAgent
from engine.model.fleet_commands import HaltFleet, StopEngine
from engine.model.pool_commands import PausePool, ScalePool
from engine.model.task_commands import CancelTask
from engine.model.verbs import Command
from screens.plan_dialog import PlanDialog, PlanText
from screens.widgets.cells import ASCII, UNICODE, Glyphs
from textual.widgets import Static

from tests.ui.conftest import Snap
from tests.ui.fleet import Fleet, Seat, sit

RULES: list[dict[str, Any]] = [
    {"name": "production", "verbs": ["drain"], "targets": ["coder"], "confirm": "type-name", "reason_required": True, "because": "runbook 7"},
    {"name": "frozen", "verbs": ["pause"], "targets": ["tester"], "deny": "ask the platform team first"},
    {"name": "few", "verbs": ["scale"], "max_bulk": 4},
]
CONFIG: dict[str, Any] = {"operations": {"guardrails": RULES}, "pools": {"tester": {"cost": 0.02}}}


@asynccontextmanager
async def asked(
    *commands: Command, size: tuple[int, int] = (120, 40), glyphs: Glyphs = UNICODE, config: dict[str, Any] | None = None
) -> AsyncIterator[Seat]:
    """Open a console on a busy fleet and ask for verbs."""
    fleet = Fleet(config)
    async with sit(fleet, size, glyphs=glyphs) as seat:
        await fleet.busy()
        await seat.open("pools")
        seat.app.ask(commands)
        await dialog(seat)
        yield seat


async def dialog(seat: Seat) -> None:
    await seat.until(lambda: isinstance(seat.screen, PlanDialog) and seat.app.focused is not None)


async def closed(seat: Seat) -> None:
    await seat.until(lambda: not isinstance(seat.screen, PlanDialog))


def held(seat: Seat, pool: str = "coder") -> Sequence[str]:
    tasks = seat.fleet.state.tasks.values()
    return [str(task.spec.id) for task in tasks if task.state == "running" and task.spec.pool == pool]


def default(seat: Seat) -> str | None:
    """Return the answer that stands out as the one that enter gives."""
    [answer] = seat.screen.query("Answer.-default")
    return str(answer.id)


def said(seat: Seat) -> str:
    """Return the plan's text and what is said about the answer, without what is behind or around."""
    problem = str(seat.screen.query_one("#problem", Static).content)
    return f"{seat.screen.query_one(PlanText).text}\n{problem}"


# ---- what it shows


SIZES = [(60, 20), (80, 24), (120, 40), (200, 60)]


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
async def test_looks_as_approved(size: tuple[int, int], snap: Snap) -> None:
    async with asked(ScalePool("tester", "-2"), size=size, config=CONFIG) as seat:
        await snap(seat.pilot, "scale")
        await seat.press("escape")
        await closed(seat)
        seat.app.ask([DrainAgent("coder-1")])
        await dialog(seat)
        await snap(seat.pilot, "typed")
        await seat.press("escape")
        await closed(seat)
        seat.app.ask([CancelTask(task) for task in held(seat)])
        await dialog(seat)
        await snap(seat.pilot, "destructive")
        await seat.press("escape")
        await closed(seat)
        seat.app.ask([PausePool("tester")])
        await dialog(seat)
        await snap(seat.pilot, "refused")


async def test_ascii(snap: Snap) -> None:
    async with asked(ScalePool("tester", "-2"), size=(80, 24), glyphs=ASCII, config=CONFIG) as seat:
        shown = [line.strip() for line in str(seat.screen.query_one("#lines").text).splitlines()]
        assert [line for line in shown if not line.isascii()] == []
        await snap(seat.pilot)


async def test_long_plan_scrolls_and_keeps_the_answers_in_view() -> None:
    fleet = Fleet()
    async with sit(fleet, (80, 24)) as seat:
        await fleet.ready()
        await fleet.gate.execute([PausePool("database")])
        tasks = [await fleet.submit(f"waits {number:02d}", "database", "wait") for number in range(30)]
        await seat.current()
        seat.app.ask([CancelTask(task) for task in tasks])
        await dialog(seat)
        assert "cancel 30 tasks" in seat.text
        assert "[ keep as it is ]  [ cancel ]" in seat.text
        assert "waits 00" in seat.text
        await seat.press("pagedown")
        assert "waits 00" not in seat.text
        await seat.press(*["pagedown"] * 8)
        assert "a running task begins anew" in seat.text
        await seat.press(*"yes", "enter")
        await seat.until(lambda: {fleet.state.tasks[task].state for task in tasks} == {"cancelled"})


# ---- what must be typed


async def test_enter_at_once_is_the_safe_answer_where_work_may_be_lost() -> None:
    async with asked(StopEngine()) as seat:
        await seat.press("escape")
        await closed(seat)
        tasks, seq = held(seat), seat.fleet.state.seq
        seat.app.ask([CancelTask(task) for task in tasks])
        await dialog(seat)
        assert default(seat) == "keep"
        await seat.press("enter")
        await closed(seat)
        assert (held(seat), seat.fleet.state.seq) == (tasks, seq)


async def test_apply_without_the_word_says_what_to_type_and_changes_nothing() -> None:
    async with asked(HaltFleet()) as seat:
        await seat.press("tab", "tab", "tab", "enter")
        assert isinstance(seat.screen, PlanDialog)
        assert "type agents to go on, esc to drop it" in said(seat)
        assert not seat.fleet.state.halted
        await seat.press(*"agent", "enter")
        assert isinstance(seat.screen, PlanDialog)
        await seat.press("s")
        assert default(seat) == "apply"
        await seat.press("enter")
        await closed(seat)
        await seat.until(lambda: "agents" in seat.fleet.state.halted)


async def test_rule_demands_the_name_and_a_reason() -> None:
    async with asked(DrainAgent("coder-1"), config=CONFIG) as seat:
        assert "production: type coder-1 (runbook 7)" in said(seat)
        assert seat.app.focused is not None and seat.app.focused.id == "confirm"
        await seat.press(*"yes", "enter")
        assert "type coder-1 to go on" in said(seat)
        await seat.press("ctrl+u", *"coder-1", "enter")
        assert "give a reason: a rule wants it" in said(seat)
        assert seat.app.focused.id == "reason"
        await seat.press(*"patch", "enter")
        await seat.until(lambda: bool(seat.fleet.state.agent_named("coder-1").cordoned))
        assert seat.fleet.state.audit[-1].reason == "patch"


async def test_denied_plan_has_one_answer_and_says_why() -> None:
    async with asked(PausePool("tester"), config=CONFIG) as seat:
        assert "refused by 'frozen': ask the platform team first" in said(seat)
        assert "pause tester" in seat.text and "cannot be carried out" in seat.text
        assert not seat.screen.query("#apply") and not seat.screen.query("Input")
        await seat.press("x", "enter")
        await closed(seat)
        assert not seat.fleet.state.pools["tester"].paused


async def test_more_than_a_rule_allows_cannot_be_applied() -> None:
    async with asked(ScalePool("coder", "+5"), config=CONFIG) as seat:
        assert "refused by 'few': at most 4 at once, this plan touches 5" in said(seat)


async def test_answers_take_clicks_and_arrows() -> None:
    async with asked(PausePool("coder")) as seat:
        await seat.press("tab", "right", "left")
        assert seat.app.focused is not None and seat.app.focused.id == "keep"
        await seat.pilot.click("#apply")
        await closed(seat)
        await seat.until(lambda: bool(seat.fleet.state.pools["coder"].paused))


async def test_what_is_typed_on_an_answer_goes_into_the_first_field() -> None:
    async with asked(PausePool("coder")) as seat:
        await seat.press("tab", *"because", "enter")
        await seat.until(lambda: bool(seat.fleet.state.pools["coder"].paused))
        assert seat.fleet.state.audit[-1].reason == "because"


# ---- what changes meanwhile


async def test_plan_that_would_do_something_else_is_shown_anew() -> None:
    async with asked(ScalePool("coder", "+2")) as seat:
        first = seat.screen
        await seat.fleet.gate.execute([ScalePool("coder", "9")])
        await seat.press("enter")
        await seat.until(lambda: isinstance(seat.screen, PlanDialog) and seat.screen is not first and seat.app.focused is not None)
        assert "the fleet changed since this plan was made: coder was 5 → 7, now 9 → 7" in said(seat)
        assert seat.fleet.state.pools["coder"].size == 9
        await seat.press("enter")
        await seat.until(lambda: seat.fleet.state.pools["coder"].size == 11)


async def test_undo_says_what_it_is_about() -> None:
    async with asked(ScalePool("coder", "+2")) as seat:
        await seat.press("enter")
        await seat.until(lambda: seat.fleet.state.pools["coder"].size == 7)
        await closed(seat)
        await seat.press("u")
        await dialog(seat)
        assert "undo: scale coder" in seat.text
        await seat.press("enter")
        await seat.until(lambda: seat.fleet.state.pools["coder"].size == 5)
