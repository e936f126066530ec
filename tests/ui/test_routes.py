"""`:routes`: what learned routing knows of each pool is seen, judged, switched and forgotten; a decision leads to its task."""

from __future__ import annotations

import pytest
from engine.model.ids import TaskId
from engine.model.learned import RoutingMode
from engine.model.routing_rows import RouteRow
from engine.model.task_commands import SubmitTask
from engine.scheduling.learned_router import LEARN_FIRST
from screens.present_routes import ROUTE_BADGES, gain_cell, route_cells
from screens.widgets.cells import ASCII, PLAIN, UNICODE

from tests.ui.conftest import Snap
from tests.ui.fleet import Fleet, Seat, sit

CONFIG = {"fleet": {"default_pools": {"coder": {"min": 4, "max": 9}, "reviewer": {"min": 2, "max": 9}}}, "routing": {"looks_per_s": 10_000}}


async def worked(fleet: Fleet, seat: Seat) -> None:
    """Have tasks that succeed and fail end in one pool, one by one, and one in another."""
    await fleet.ready()
    for number in range(LEARN_FIRST + 10):
        how = "fail" if number % 4 == 0 else "edit"
        [task] = (await fleet.gate.execute([SubmitTask(f"code.{how}", "coder", payload={"how": how}, title=f"task {number}")])).values
        fleet.clock.at += 1.0
        await seat.until(lambda task=task: fleet.state.tasks[TaskId(str(task))].finished_at > 0)  # type: ignore[misc]
    await fleet.gate.execute([SubmitTask("code.edit", "reviewer", payload={"how": "edit"})])
    await seat.until(lambda: fleet.world.router.course("reviewer").model.outcomes == 1)
    await seat.current()


@pytest.mark.parametrize("size", [(80, 24), (120, 40), (200, 60)])
async def test_routes_are_seen_and_switched(snap: Snap, size: tuple[int, int]) -> None:
    fleet = Fleet(CONFIG)
    async with sit(fleet, size) as seat:
        await worked(fleet, seat)
        await seat.open("routes")
        await seat.until(lambda: len(seat.screen.table.shown_ids) == 2)
        await snap(seat.pilot, f"routes-{size[0]}")
        await seat.until(lambda: seat.screen.table.pointed_id == "coder")
        await seat.press("enter")
        assert "both coder-" in await seat.read()
        await snap(seat.pilot, f"route-{size[0]}")
        await seat.press("a")
        await seat.agree()
        await seat.until(lambda: fleet.world.router.mode("coder") is RoutingMode.ON)
        await seat.until(lambda: "deciding" in seat.text)


async def test_what_was_learned_is_forgotten_and_taken_up_again() -> None:
    fleet = Fleet(CONFIG)
    async with sit(fleet, (120, 40)) as seat:
        await worked(fleet, seat)
        fleet.world.router.keep()
        await seat.until(lambda: "coder" in fleet.state.routers)
        outcomes = fleet.world.router.course("coder").model.outcomes
        await seat.open("routes")
        await seat.until(lambda: seat.screen.table.pointed_id == "coder")
        await seat.press("x")
        await seat.agree()
        await seat.until(lambda: fleet.world.router.course("coder").model.outcomes == 0)
        await seat.until(lambda: "learning" in seat.text)
        await seat.press("R")
        await seat.agree()
        await seat.until(lambda: fleet.world.router.course("coder").model.outcomes == outcomes)


async def test_a_decision_leads_to_its_task_and_why_says_both_choices() -> None:
    fleet = Fleet(CONFIG)
    async with sit(fleet, (120, 40)) as seat:
        await worked(fleet, seat)
        task = fleet.world.router.course("coder").recent[-1].task
        why = await fleet.gate.query("explain", kind="tasks", id=task)
        assert any("scores decided; learned routing" in line["text"] for line in why["evidence"])
        await seat.open("routes coder")
        await seat.until(lambda: seat.screen.table.shown_ids == ["coder"])
        await seat.press("enter")
        await seat.read()
        await seat.press("G", "enter")
        await seat.until(lambda: seat.screen.NAME == "task")


def test_what_is_not_known_is_not_zero() -> None:
    row = RouteRow("coder", "shadow", "learning", 0, 0, 0, 0, 0, None, None, None, None, None, None, None, 4.0, 0, 0.0, "why")
    for glyphs in (UNICODE, ASCII, PLAIN):
        cells = [cell if isinstance(cell, str) else cell.text for cell in route_cells(row, glyphs)]
        assert not any(cell in ("0%", "0.000", "nan") for cell in cells)
    assert set(ROUTE_BADGES) == {"deciding", "watching", "learning", "held back", "off"}
    ahead = row._replace(gain=0.1, gain_low=0.05, gain_high=0.15)
    assert gain_cell(ahead, UNICODE).role == "good"
    assert gain_cell(ahead._replace(gain_low=-0.05), UNICODE).role == ""
