"""Getting about by keys: the command line, filters, sorts, history, bookmarks, the space that a view takes."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from engine.model.task_commands import CancelTask
from fleet_tui.app import FleetApp
from screens.places import Place
from screens.plan_dialog import PlanText
from screens.prompts import HintBar, PromptBox
from screens.pulse_panels import PulseTable
from screens.widgets.stream import Stream
from screens.widgets.table import ARRIVAL_S
from textual.widgets import OptionList

from tests.ui.conftest import Snap
from tests.ui.fleet import Fleet, Seat, sit


@asynccontextmanager
async def busy_seat(size: tuple[int, int] = (120, 40)) -> AsyncIterator[Seat]:
    fleet = Fleet()
    async with sit(fleet, size) as seat:
        await fleet.busy()
        await seat.current()
        yield seat


@asynccontextmanager
async def seat_with_memory(path: Path) -> AsyncIterator[Seat]:
    fleet = Fleet()
    async with fleet.world.running():
        app = FleetApp(fleet.connect, clock=fleet.clock, memory=path)
        async with app.run_test(size=(120, 40)) as pilot:
            seat = Seat(fleet, app, pilot)
            await fleet.ready()
            await seat.current()
            yield seat


def box(seat: Seat, name: str) -> PromptBox:
    found = seat.screen.query_one(f"#{name}", PromptBox)
    assert isinstance(found, PromptBox)
    return found


def hint(seat: Seat) -> str:
    return seat.text.splitlines()[-2].rstrip()


def name_of(seat: Seat, row_id: str | None) -> str:
    row = seat.screen.rows[row_id]
    return str(getattr(row, "name", "") or getattr(row, "title", "") or row.id)


async def said(seat: Seat, text: str) -> None:
    await seat.until(lambda: any(text in notice.message for notice in seat.app._notifications))


async def cancel(seat: Seat, task: str) -> None:
    await seat.fleet.gate.execute([CancelTask(task)])
    await seat.until(lambda: seat.fleet.state.tasks[task].state == "cancelled")
    await seat.current()


async def at(seat: Seat, view: str) -> None:
    await seat.until(lambda: view == seat.screen.NAME and seat.screen.is_mounted)
    await seat.current()


async def test_views_that_were_left_collect_no_more_changes() -> None:
    async with sit(Fleet()) as seat:
        await seat.open("pools")
        before = len(seat.app.feed._watches)
        for view in ("agents", "tasks", "events", "pulse", "inbox", "pools"):
            await seat.open(view)
        await seat.until(lambda: len(seat.app.feed._watches) == before)


# ---- the command line


async def test_one_line_opens_a_view_with_scope_filter_and_context() -> None:
    async with busy_seat() as seat:
        await seat.press(":", *"ag coder /status=busy @world", "enter")
        await at(seat, "agents")
        assert (seat.screen.scope_text, seat.screen.filter_text) == ("pool=coder", "status=busy")
        assert [name_of(seat, id_) for id_ in seat.table.shown_ids] == ["coder-1", "coder-4", "coder-5"]
        assert "Agents · pool=coder · /status=busy" in seat.text
        assert "3 agents · 2 hidden" in seat.text


async def test_tab_takes_the_ghost_text_and_walks_through_candidates() -> None:
    async with busy_seat() as seat:
        await seat.press(":", *"ag", "tab", "space", *"co", "tab")
        prompt = box(seat, "line").prompt
        assert prompt.value == "agents coder"
        await seat.press("tab")
        assert prompt.value == "agents coder-1"
        await seat.press("shift+tab", "shift+tab")
        assert prompt.value == prompt.candidates[-1] == "agents coordinator-1"
        assert "coordinator-1" in hint(seat)
        await seat.press("space", *"/sta", "ctrl+f", *"idl", "right", "enter")
        await at(seat, "agents")
        assert (seat.screen.scope_text, seat.screen.filter_text) == ("name=coordinator-1", "status=idle")


async def test_the_hint_says_how_a_line_goes_on() -> None:
    async with busy_seat() as seat:
        await seat.press(":", *"scale co")
        assert hint(seat).startswith("scale POOL SIZE: Set how many agents a pool should have")
        assert "coder  coordinator" in hint(seat)
        await seat.press("ctrl+u", *"tasks /sta")
        assert hint(seat).startswith("tasks NAME /FILTER @CONTEXT  state=")


async def test_what_is_wrong_is_said_in_place_and_the_line_stays() -> None:
    async with busy_seat() as seat:
        await seat.press(":", *"agnets", "enter")
        assert box(seat, "line").display
        assert hint(seat) == "^^^^^^ no view or verb 'agnets'; did you mean 'agents'?"
        await seat.press("ctrl+w", *"agents codr", "enter")
        assert hint(seat).startswith("       ^^^^ no pool, agent or host 'codr' here; did you mean 'coder'?")
        await seat.press("ctrl+w", *"coder /gpu", "greater_than_sign", "1", "enter")
        assert "              ^^^ no field gpu" in hint(seat)
        await seat.press("escape")
        assert not box(seat, "line").display
        assert seat.screen.NAME == "pulse"


async def test_an_unknown_context_is_refused_and_the_known_one_is_said() -> None:
    async with busy_seat() as seat:
        await seat.press(":", *"tasks @prod", "enter")
        await said(seat, "no context @prod")
        assert seat.screen.NAME == "pulse"


async def test_history_of_lines_is_walked_and_kept(tmp_path: Path) -> None:
    memory = tmp_path / "console.json"
    async with seat_with_memory(memory) as seat:
        for line in ("agents", "pools", "agents coder"):
            await seat.press(":", *line, "enter")
            await at(seat, line.split()[0])
    async with seat_with_memory(memory) as seat:
        await seat.press(":", "up")
        prompt = box(seat, "line").prompt
        assert prompt.value == "agents coder"
        await seat.press("up", "up", "up")
        assert prompt.value == "agents"
        await seat.press("down")
        assert prompt.value == "pools"
        await seat.press("ctrl+u", "a", "g", "up")
        assert prompt.value == "agents coder"
        await seat.press("up", "enter")
        await at(seat, "agents")
        assert seat.screen.scope_text == ""


async def test_bytes_typed_at_once_are_one_line() -> None:
    async with busy_seat() as seat:
        await seat.pilot.press(":", *"tasks coder /index", "enter", "S", "a", "enter", "I")
        await at(seat, "tasks")
        assert (seat.screen.scope_text, seat.screen.filter_text) == ("pool=coder", "index")
        assert seat.table.sorted_by == "agent"
        assert seat.table.is_reversed


# ---- filters


async def test_a_filter_works_while_it_is_typed_and_its_matches_are_marked() -> None:
    async with busy_seat() as seat:
        await seat.open("tasks")
        await seat.press("/", *"rence !name_0")
        assert [name_of(seat, id_) for id_ in seat.table.shown_ids] == ["references of name_1", "references of name_2"]
        marked = [segment.text for segment in seat.table.render_line(1) if segment.style is not None and segment.style.underline]
        assert marked == ["rence"]
        assert "2 tasks · 14 hidden" in seat.text
        await seat.press("enter")
        assert not box(seat, "filter").display
        assert "/rence !name_0" in seat.text
        await seat.press("escape")
        assert len(seat.table.shown_ids) == 16
        assert not any(segment.style is not None and segment.style.underline for segment in seat.table.render_line(1))


async def test_of_a_filter_that_cannot_be_read_the_rest_stays_in_force() -> None:
    async with busy_seat() as seat:
        await seat.open("agents")
        await seat.press("/", *"coder")
        assert len(seat.table.shown_ids) == 5
        await seat.press("space", *"stat=busy")
        assert len(seat.table.shown_ids) == 5
        assert hint(seat) == "      ^^^^ no field stat; did you mean status?"
        await seat.press("enter")
        assert box(seat, "filter").display
        await seat.press("ctrl+w", "tab", *"state=busy", "enter")
        assert not box(seat, "filter").display
        assert len(seat.table.shown_ids) == 3


async def test_esc_drops_the_filter_then_the_marks_then_the_view() -> None:
    async with busy_seat() as seat:
        await seat.open("pools")
        await seat.press("enter")
        await at(seat, "agents")
        await seat.press("space", "/", *"coder-4", "enter")
        assert "1 marked, 1 of them hidden" in seat.text
        await seat.press("escape")
        assert seat.screen.filter_text == ""
        assert len(seat.table.marked_ids) == 1
        await seat.press("escape")
        assert not seat.table.marked_ids
        assert seat.screen.NAME == "agents"
        await seat.press("escape")
        await at(seat, "pools")


async def test_hidden_marks_are_never_acted_on_nor_is_another_row_in_their_place() -> None:
    async with busy_seat() as seat:
        await seat.open("agents tester")
        await seat.press("space", "/", *"tester-4", "enter", "ctrl+d")
        assert seat.screen.NAME == "agents"
        await said(seat, "all marked rows are hidden")


async def test_filters_are_remembered_by_view(tmp_path: Path) -> None:
    memory = tmp_path / "console.json"
    async with seat_with_memory(memory) as seat:
        await seat.open("agents")
        await seat.press("/", *"coder", "enter", "escape")
    async with seat_with_memory(memory) as seat:
        await seat.open("agents")
        await seat.press("/", "up")
        assert seat.screen.filter_text == "coder"
        await seat.open("pools")
        await seat.press("/", "up")
        assert seat.screen.filter_text == ""


async def test_rows_that_age_leave_a_filter_of_time() -> None:
    async with busy_seat() as seat:
        await seat.open("tasks /age<1m")
        before = len(seat.table.shown_ids)
        assert before > 0
        seat.fleet.clock.at += 3_600
        await seat.current()
        assert not seat.table.shown_ids


# ---- the row under the cursor


async def test_nobody_acts_on_a_row_that_only_just_came_under_the_cursor() -> None:
    """The top row of a list that sorts by itself is another one before the key arrives."""
    async with busy_seat() as seat:
        await seat.open("tasks")
        seen = seat.table.pointed_id
        assert seen is not None
        await cancel(seat, seen)
        assert seat.table.pointed_id != seen
        await seat.press("x")
        assert seat.screen.NAME == "tasks"
        await said(seat, "another row had just come here")
        held = seat.table.held_id
        assert held is not None
        await seat.press("x")
        await seat.until(lambda: type(seat.screen).__name__ == "PlanDialog")
        assert name_of_task(seat, held) in seat.screen.query_one(PlanText).text


def name_of_task(seat: Seat, task: str) -> str:
    return str(seat.fleet.state.tasks[task].spec.title)


async def test_a_chosen_row_is_acted_on_wherever_it_moves_and_stays_in_view() -> None:
    async with busy_seat((80, 24)) as seat:
        for number in range(40):
            await seat.fleet.submit(f"filler {number}", "ui")
        await seat.open("tasks")
        await seat.press("j")
        chosen = seat.table.held_id
        assert chosen is not None
        await cancel(seat, chosen)
        assert seat.table.pointed_id == chosen
        assert name_of_task(seat, chosen) in seat.text
        await seat.press("enter")
        await at(seat, "task")
        assert seat.screen.thing == chosen


async def test_after_a_moment_the_top_row_is_what_it_looks_like() -> None:
    async with busy_seat() as seat:
        await seat.open("tasks")
        seen = seat.table.pointed_id
        assert seen is not None
        await cancel(seat, seen)
        seat.fleet.clock.at += ARRIVAL_S
        await seat.press("enter")
        await at(seat, "task")


# ---- sort, width, space


async def test_sorting_by_a_picked_column_is_remembered(tmp_path: Path) -> None:
    memory = tmp_path / "console.json"
    async with seat_with_memory(memory) as seat:
        await seat.open("agents")
        await seat.press("S", "d")
        assert seat.screen.query_one(OptionList).highlighted == [column.id for column in seat.app.screen_stack[-2].table.columns].index("done")
        await seat.press("enter")
        assert (seat.table.sorted_by, seat.table.is_reversed) == ("done", True)
        await seat.press("S", "enter")
        assert (seat.table.sorted_by, seat.table.is_reversed) == ("done", False)
        await seat.press("S", "escape", "I", "w")
        assert (seat.table.sorted_by, seat.table.is_reversed, seat.table.is_wide) == ("done", True, True)
    async with seat_with_memory(memory) as seat:
        await seat.open("agents")
        assert (seat.table.sorted_by, seat.table.is_reversed, seat.table.is_wide) == ("done", True, True)
        await seat.open("pools")
        assert seat.table.sorted_by is None


async def test_compact_leaves_one_line_around_every_view(tmp_path: Path) -> None:
    memory = tmp_path / "console.json"
    async with seat_with_memory(memory) as seat:
        await seat.open("agents")
        rows = seat.table.size.height
        await seat.press("ctrl+e")
        assert seat.table.size.height == rows + 3
        assert "Agents" in seat.text.splitlines()[0]
        assert seat.text.splitlines()[0].endswith("LIVE")
        await seat.press(":", *"pools", "enter")
        await at(seat, "pools")
        assert "Pools" in seat.text.splitlines()[0]
    async with seat_with_memory(memory) as seat:
        await seat.open("agents")
        assert seat.table.size.height == rows + 3
        await seat.press("ctrl+e")
        assert seat.table.size.height == rows


async def test_one_list_of_the_pulse_fills_the_view_and_that_is_remembered(tmp_path: Path) -> None:
    memory = tmp_path / "console.json"
    async with seat_with_memory(memory) as seat:
        await seat.press("tab", "z")
        shown = [table.id for table in seat.screen.query(PulseTable) if table.display]
        assert shown == ["hosts"]
    async with seat_with_memory(memory) as seat:
        assert [table.id for table in seat.screen.query(PulseTable) if table.display] == ["hosts"]
        assert seat.app.focused is not None
        assert seat.app.focused.id == "hosts"
        await seat.press("z")
        assert [table.id for table in seat.screen.query(PulseTable) if table.display] == ["pools", "hosts"]


# ---- history


async def test_back_and_forward_restore_each_view_as_it_was_left() -> None:
    async with busy_seat() as seat:
        await seat.open("agents coder /!coder-3")
        await seat.press("j", "j", "S", "f", "enter")
        left = seat.table.held_id
        await seat.open("tasks")
        await seat.press("/", *"name", "enter")
        await seat.press("[")
        await at(seat, "agents")
        place = seat.screen.place()
        assert place == Place("agents", "pool=coder", "!coder-3", sort=("for", True), row_id=left)
        assert "/!coder-3" in seat.text
        await seat.press("]")
        await at(seat, "tasks")
        assert seat.screen.filter_text == "name"
        await seat.press("]")
        await said(seat, "there is no view after this one")
        await seat.press("-")
        await at(seat, "agents")
        await seat.press("-")
        await at(seat, "tasks")


async def test_what_was_drilled_into_is_on_the_trail() -> None:
    async with busy_seat() as seat:
        await seat.open("pools")
        await seat.press("enter")
        await at(seat, "agents")
        await seat.press("d")
        await seat.read()
        await seat.press("[")
        await at(seat, "pools")
        await seat.press("]")
        await at(seat, "agents")
        assert seat.screen.scope_text == "pool=coder"
        await seat.press("escape")
        await at(seat, "pulse")


# ---- bookmarks


async def test_a_bookmark_opens_the_view_with_scope_filter_and_sort_in_another_session(tmp_path: Path) -> None:
    memory = tmp_path / "console.json"
    async with seat_with_memory(memory) as seat:
        await seat.open("agents coder /status=idle")
        await seat.press("S", "f", "enter", "B")
        assert "Keep agents pool=coder /status=idle under" in seat.text
        await seat.press("3")
        await said(seat, "3 opens agents pool=coder /status=idle")
        assert json.loads(memory.read_text("utf-8"))["console"]["bookmarks"]["3"]["view"] == "agents"
        await seat.press("S", "a", "enter")
    async with seat_with_memory(memory) as seat:
        await seat.press("3")
        await at(seat, "agents")
        assert seat.screen.place() == Place("agents", "pool=coder", "status=idle", sort=("for", True))
        await seat.press("0")
        await at(seat, "pulse")
        await seat.press("4")
        await said(seat, "4 is empty; B 4 keeps")


async def test_bookmarks_are_listed_opened_and_removed() -> None:
    async with busy_seat() as seat:
        await seat.open("tasks /name")
        await seat.press(":", *"bookmark 1", "enter")
        await seat.open("audit")
        await seat.press(":", *"bm 9", "enter", ":", *"bm x", "enter")
        await said(seat, "bookmark takes one digit from 1 to 9")
        await seat.open("bookmarks")
        assert "1 tasks /name" in seat.text
        assert "9 audit" in seat.text
        assert "2 bookmarks of 9" in seat.text
        await seat.press("j", "x")
        assert "9 audit" not in seat.text
        await seat.press("enter")
        await at(seat, "tasks")
        assert seat.screen.filter_text == "name"


async def test_an_event_search_can_be_kept() -> None:
    async with busy_seat() as seat:
        await seat.open("events")
        await seat.press("/", *"rename", "enter", ":", *"bookmark 2", "enter")
        await seat.open("pools")
        await seat.press("2")
        await at(seat, "events")

        def is_found() -> bool:
            seat.fleet.clock.at += 0.3  # the stream draws four times a second
            return bool(seat.screen.query_one(Stream).match_count)

        await seat.until(is_found)


# ---- home, hosts


async def test_the_last_minute_is_there_when_home_is_opened_again() -> None:
    async with busy_seat() as seat:
        await seat.open("agents")
        for _ in range(5):
            seat.fleet.clock.at += 2
            await seat.fleet.submit("step", "ui")
            await seat.current()
        await seat.open("pulse")
        line = next(line for line in seat.text.splitlines() if line.strip().startswith(("▶ coder", "coder")))
        assert line.count("█") >= 3 + 5
        assert "– tasks done/s" not in seat.text


async def test_failures_that_are_alike_are_one_line_that_opens_them() -> None:
    async with busy_seat() as seat:
        for number in range(4):
            await seat.fleet.submit(f"check {number}", "security", "fail")
        await seat.open("pulse")
        assert "✕ 5 tasks of security failed" in seat.text
        await seat.press("shift+tab", "j", "enter")
        await at(seat, "tasks")
        assert seat.screen.scope_text == "pool=security state=failed error=syntax"
        assert len(seat.table.shown_ids) == 5


async def test_hosts_lead_to_their_agents() -> None:
    async with busy_seat() as seat:
        await seat.open("hosts /cpu>20")
        assert len(seat.table.shown_ids) == 2
        host = seat.table.pointed_id
        await seat.press("enter")
        await at(seat, "agents")
        assert seat.screen.scope_text == f"host={host}"
        assert len(seat.table.shown_ids) == 14


# ---- pictures


@pytest.mark.parametrize("size", [(80, 24), (120, 40)], ids=lambda size: f"{size[0]}x{size[1]}")
async def test_looks_as_approved(size: tuple[int, int], snap: Snap) -> None:
    async with busy_seat(size) as seat:
        await seat.open("tasks coder")
        await seat.press("/", *"name_ age<2h")
        await snap(seat.pilot, "filter")
        await seat.press("space", *"stat=x")
        await snap(seat.pilot, "fault")
        await seat.press("escape", ":", *"agents co", "tab", "tab")
        await snap(seat.pilot, "completion")
        await seat.press("escape", "S", "p")
        await snap(seat.pilot, "sort")
        await seat.press("escape", *":bookmark 1", "enter", *":bm 2", "enter", "B")
        await snap(seat.pilot, "bookmark")
        await seat.press("escape")
        await seat.open("hosts")
        await snap(seat.pilot, "hosts")
        await seat.press("ctrl+e")
        await snap(seat.pilot, "compact")
        await seat.press("ctrl+e")
        await seat.open("bookmarks")
        await snap(seat.pilot, "bookmarks")
        assert seat.screen.query_one(HintBar).is_attached
