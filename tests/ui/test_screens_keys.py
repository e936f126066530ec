"""What keys do, from the screen to the engine: every verb shows its plan, and the engine is as the plan said."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from engine.model.task_commands import CancelTask
from engine.model.tasks import TaskState
from screens.document import Document
from screens.widgets.stream import Stream
from screens.widgets.table import Table

from tests.ui.fleet import Fleet, Seat, sit


@asynccontextmanager
async def busy_seat(size: tuple[int, int] = (120, 40)) -> AsyncIterator[Seat]:
    fleet = Fleet()
    async with sit(fleet, size) as seat:
        await fleet.busy()
        await seat.current()
        yield seat


def size_of(seat: Seat, pool: str) -> int:
    return int(seat.fleet.state.pools[pool].size)


def status_of(seat: Seat, name: str) -> str:
    return str(seat.fleet.state.agent_named(name).status)


def task_named(seat: Seat, title: str) -> str:
    return str(next(id_ for id_, task in seat.fleet.state.tasks.items() if task.spec.title == title))


def state_of(seat: Seat, title: str) -> TaskState:
    return TaskState(seat.fleet.state.tasks[task_named(seat, title)].state)


# ---- pools


async def test_staged_steps_add_up_and_enter_asks_for_them() -> None:
    async with busy_seat() as seat:
        await seat.open("pools")
        seat.table.point_at("coder")
        await seat.press("greater_than_sign", "greater_than_sign", "j", "less_than_sign")
        assert "5→7*" in seat.text
        assert "5→4*" in seat.text
        assert "2 staged" in seat.text
        assert size_of(seat, "coder") == 5
        await seat.press("enter")
        await seat.agree()
        await seat.until(lambda: (size_of(seat, "coder"), size_of(seat, "tester")) == (7, 4))
        await seat.until(lambda: seat.screen.NAME == "pools")
        assert not seat.screen.staged


async def test_esc_drops_what_is_staged_and_stays() -> None:
    async with busy_seat() as seat:
        await seat.open("pools")
        await seat.press("greater_than_sign", "escape")
        assert seat.screen.NAME == "pools"
        assert "*" not in seat.text
        assert size_of(seat, "coder") == 5


async def test_nobody_stages_less_than_no_agents() -> None:
    async with busy_seat() as seat:
        await seat.open("pools")
        seat.table.point_at("devops")
        await seat.press(*["less_than_sign"] * 4)
        assert seat.screen.staged == {"devops": -1}


async def test_scaling_marked_pools_by_words() -> None:
    async with busy_seat() as seat:
        await seat.open("pools")
        seat.table.point_at("coder")
        await seat.press("space", "j", "space", "s")
        await seat.until(lambda: type(seat.screen).__name__ == "ScaleDialog")
        await seat.press("plus", "3", "enter")
        await seat.agree()
        await seat.until(lambda: (size_of(seat, "coder"), size_of(seat, "tester")) == (8, 8))


async def test_f_pauses_and_resumes() -> None:
    async with busy_seat() as seat:
        await seat.open("pools")
        seat.table.point_at("coder")
        await seat.press("f")
        await seat.agree()
        await seat.until(lambda: bool(seat.fleet.state.pools["coder"].paused))
        await seat.current()
        await seat.until(lambda: seat.screen.NAME == "pools" and "‖ paused" in seat.text.splitlines()[3])
        await seat.press("f")
        await seat.agree()
        await seat.until(lambda: not seat.fleet.state.pools["coder"].paused)


async def test_from_a_pool_to_its_agents_and_tasks_and_back() -> None:
    async with busy_seat() as seat:
        await seat.open("pools")
        seat.table.point_at("coder")
        await seat.press("enter")
        await seat.until(lambda: seat.screen.NAME == "agents" and len(seat.table.shown_ids) == 5)
        await seat.press("escape")
        await seat.until(lambda: seat.screen.NAME == "pools")
        await seat.press("t")
        await seat.until(lambda: seat.screen.NAME == "tasks" and len(seat.table.shown_ids) == 7)


# ---- agents


async def test_draining_marked_agents_and_giving_them_work_again() -> None:
    async with busy_seat() as seat:
        await seat.open("agents /tester")
        await seat.press("space", "j", "space", "ctrl+d")
        await seat.agree()
        await seat.until(lambda: [status_of(seat, f"tester-{n}") for n in (1, 2, 3)] == ["drained", "drained", "idle"])
        await seat.until(lambda: seat.screen.NAME == "agents")
        await seat.press("D")
        await seat.agree()
        await seat.until(lambda: status_of(seat, "tester-1") == status_of(seat, "tester-2") == "idle")


async def test_restarting_and_taking_out() -> None:
    async with busy_seat() as seat:
        await seat.open("agents /ui-2")
        await seat.press("r")
        await seat.agree()
        await seat.until(lambda: seat.screen.NAME == "agents")
        await seat.press("K")
        await seat.agree()
        await seat.until(lambda: seat.fleet.state.agent_named("ui-2") is None)
        await seat.until(lambda: seat.screen.NAME == "agents" and not seat.table.shown_ids)
        assert "no agent passes" in seat.text


# ---- tasks


async def test_cancelling_running_work_needs_the_word() -> None:
    async with busy_seat() as seat:
        await seat.open("tasks /references")
        await seat.press("space", "j", "space", "x")
        await seat.until(lambda: type(seat.screen).__name__ == "PlanDialog")
        await seat.press("enter")  # at once, as somebody in a hurry does: keeps everything as it is
        await seat.until(lambda: seat.screen.NAME == "tasks")
        assert state_of(seat, "references of name_0") == "running"
        await seat.press("x")
        await seat.agree("yes")
        await seat.until(lambda: {state_of(seat, f"references of name_{n}") for n in (0, 1)} == {TaskState.CANCELLED})
        assert state_of(seat, "references of name_2") == "running"


async def test_what_has_ended_cannot_be_cancelled() -> None:
    async with busy_seat() as seat:
        await seat.open("tasks /rename")
        await seat.press("x")
        assert type(seat.screen).__name__ == "TasksScreen"


async def test_only_bad_tasks_and_running_one_again() -> None:
    async with busy_seat() as seat:
        await seat.open("tasks")
        await seat.press("b")
        assert [seat.screen.rows[id_].title for id_ in seat.table.shown_ids] == ["check api"]
        await seat.press("r")
        await seat.agree()
        await seat.until(lambda: int(seat.fleet.state.tasks[task_named(seat, "check api")].attempt) == 2)
        await seat.until(lambda: seat.screen.NAME == "tasks")
        await seat.press("escape")
        assert len(seat.table.shown_ids) == 16


async def test_when_nothing_is_bad_it_says_so() -> None:
    fleet = Fleet()
    async with sit(fleet) as seat:
        await fleet.ready()
        await seat.open("tasks")
        await seat.press("b")
        assert "no task failed, died or was cancelled" in seat.text


async def test_moving_the_priority_of_what_waits() -> None:
    async with busy_seat() as seat:
        await seat.open("tasks /orders")
        await seat.press("greater_than_sign")
        await seat.agree()
        await seat.until(lambda: int(seat.fleet.state.tasks[task_named(seat, "index orders")].priority) == 6)


# ---- plans


async def test_undoing_the_plan_pointed_at_and_applying_it_again() -> None:
    async with busy_seat() as seat:
        await seat.open("plans /tester")
        await seat.press("u")
        await seat.agree()
        await seat.until(lambda: size_of(seat, "tester") == 3)
        await seat.until(lambda: seat.screen.NAME == "plans" and "undone" in seat.text)
        await seat.press("U")
        await seat.agree()
        await seat.until(lambda: size_of(seat, "tester") == 5)


async def test_a_closed_window_is_said_and_nothing_is_asked() -> None:
    async with busy_seat() as seat:
        seat.fleet.clock.at += 10_000
        await seat.open("plans")
        await seat.press("u")
        assert "window closed" in seat.text
        assert seat.screen.NAME == "plans"


# ---- home


async def test_what_needs_somebody_opens() -> None:
    async with busy_seat() as seat:
        await seat.open("pulse")
        needs = seat.screen.query_one("#needs", Table)
        await seat.until(lambda: len(needs.shown_ids) == 2)
        await seat.press("shift+tab", "j", "enter")
        await seat.until(lambda: seat.screen.NAME == "task")
        assert "invalid syntax" in await seat.read()


async def test_the_list_of_needs_empties() -> None:
    async with busy_seat() as seat:
        await seat.open("pulse")
        await seat.press("shift+tab")
        await seat.fleet.gate.execute([CancelTask(task_named(seat, f"index {what}")) for what in ("users", "orders")])
        assert "2 things need you" in seat.text
        await seat.open("pools /database")
        await seat.press("f")
        await seat.agree()
        await seat.until(lambda: seat.screen.NAME == "pools")
        await seat.open("pulse")
        assert "1 thing needs you" in seat.text


# ---- documents


async def test_finding_in_a_document_keeps_what_is_around() -> None:
    async with busy_seat((80, 24)) as seat:
        await seat.open("tasks /check")
        await seat.press("enter")
        before = len((await seat.read()).splitlines())
        await seat.press("slash", *"security", "enter")
        document = seat.screen.query_one(Document)
        assert document.match_count >= 3
        assert len(document.text.splitlines()) == before
        assert "match 1 of" in seat.text
        await seat.press("n")
        assert "match 2 of" in seat.text
        await seat.press("N", "N")
        assert f"match {document.match_count} of" in seat.text
        await seat.press("escape")
        assert not document.is_searching
        assert seat.screen.NAME == "task"
        await seat.press("escape")
        await seat.until(lambda: seat.screen.NAME == "tasks")


async def test_yaml_and_copy() -> None:
    async with busy_seat() as seat:
        await seat.open("pools /coder")
        await seat.press("d")
        await seat.read()
        await seat.press("y")
        await seat.until(lambda: "max: 100" in seat.text)
        await seat.press("c")
        assert "max: 100" in seat.app.clipboard
        await seat.press("y")
        await seat.until(lambda: "Made of" in seat.text)


async def test_a_document_follows_its_task() -> None:
    async with busy_seat() as seat:
        await seat.open("tasks /references")
        await seat.press("enter")
        await seat.until(lambda: "● running" in seat.text)
        await seat.press("x")
        await seat.agree("yes")
        await seat.until(lambda: seat.screen.NAME == "task" and "− cancelled" in seat.text)


async def test_what_is_gone_is_said_in_the_document() -> None:
    async with busy_seat() as seat:
        await seat.open("agents /ui-2")
        await seat.press("d")
        await seat.read()
        await seat.press("K")
        await seat.agree()
        await seat.until(lambda: "no agent" in seat.text)


@pytest.mark.parametrize(("key", "tab"), [("l", "log"), ("T", "timeline"), ("X", "why"), ("d", "info")])
@pytest.mark.parametrize("view", ["agents /coder-1", "tasks /check"])
async def test_keys_that_lead_to_a_tab(view: str, key: str, tab: str) -> None:
    async with busy_seat() as seat:
        await seat.open(view)
        await seat.press(key)
        await seat.read()
        assert seat.screen.tab == tab
        assert f"[{tab}]" in seat.text


# ---- events


async def test_finding_in_events_keeps_their_context_and_stops_following() -> None:
    async with busy_seat((80, 24)) as seat:
        await seat.open("events")
        await seat.press("slash", *"rename", "enter")
        stream = seat.screen.query_one(Stream)
        assert stream.match_count >= 3
        assert not stream.is_following
        assert "accepted check api" in seat.text
        assert "held" in seat.text
        await seat.press("escape", "s")
        assert stream.is_following
        assert "following" in seat.text


async def test_new_events_arrive() -> None:
    async with busy_seat() as seat:
        await seat.open("events")
        await seat.fleet.submit("brand new", "ui")

        def is_shown() -> bool:
            seat.fleet.clock.at += 0.3  # the stream draws four times a second
            return "accepted brand new" in seat.text

        await seat.until(is_shown)


async def test_a_filter_typed_live() -> None:
    async with busy_seat() as seat:
        await seat.open("agents")
        await seat.press("slash", *"status=busy")
        assert len(seat.table.shown_ids) == 5
        assert seat.screen.query_one("#filter").display
        await seat.press("enter", "escape")
        assert len(seat.table.shown_ids) == 28


