"""`:cost`: what was used against its limits; pools against a fixed size at their peak, and the hours; a limit raised from the inbox."""

from __future__ import annotations

import pytest
from engine.model.budgets import Figures, Used
from engine.model.costs import AgentLife, Lives
from engine.model.ids import TaskId
from engine.model.reports import TasksUsed
from engine.model.scaling import Load
from engine.model.wire import to_plain
from engine.scaling.costs import report
from screens import costs as screen

from tests.ui.conftest import Snap
from tests.ui.fleet import Fleet, Seat, sit

LIMITS = {
    "budget": {"cost_per_day": 20, "tokens_per_day": 1_200_000, "cost_per_task": 5},
    "pools": {"coder": {"budget": {"cost_per_hour": 4}}, "tester": {"budget": {"cost_per_task": 1}}},
}
H = 3_600.0
BEGIN = 1_700_000_000.0 - 1_700_000_000.0 % H


def lives() -> Lives:
    still = [AgentLife(pool, BEGIN, 0.0, cost) for pool, cost in (("coder", 0.002), ("coder", 0.002), ("tester", 0.001), ("reviewer", 0.0))]
    burst = [AgentLife("coder", BEGIN + H, BEGIN + 1.25 * H, 0.002) for _ in range(12)]
    return Lives((*still, *burst), ((BEGIN + 2 * H, BEGIN + 2.5 * H),), (("coder", 2, 14), ("coder", 14, 2)))


@pytest.mark.row(205, 277)
@pytest.mark.parametrize("size", [(80, 24), (120, 40), (200, 60)], ids=lambda size: f"{size[0]}x{size[1]}")
async def test_looks_as_approved(size: tuple[int, int], snap: Snap, monkeypatch: pytest.MonkeyPatch) -> None:
    load = [Load(BEGIN + second, "coder", 3.0) for second in range(0, int(4 * H), 4)]
    found = to_plain(report(lives(), load, BEGIN - H, BEGIN + 4 * H, {"coder": 0.87}))

    asked = screen.CostScreen.ask_engine

    async def ask(self: screen.CostScreen, what: str, **parameters: object) -> object:
        return found if what == "cost" else await asked(self, what, **parameters)

    monkeypatch.setattr(screen.CostScreen, "ask_engine", ask)
    async with sit(Fleet(LIMITS), size) as seat:
        await spend(seat)
        await seat.open("cost")
        assert "coder" in await seat.read()
        await snap(seat.pilot, "used")
        await seat.pilot.press("tab")
        await seat.until(lambda: "agent-h" in seat.text)
        await snap(seat.pilot, "cost")


async def test_a_living_fleet_answers() -> None:
    async with sit(Fleet(), (120, 40)) as seat:
        await seat.current()
        await seat.open("cost")
        assert "nothing was used yet" in await seat.read()
        await seat.press("tab")
        await seat.until(lambda: "By hour" in seat.text)


async def test_a_limit_that_is_used_up_is_raised_from_the_inbox() -> None:
    async with sit(Fleet(LIMITS), (120, 40)) as seat:
        first, second = await spend(seat)
        world = seat.fleet.world
        world.coordinator.report(TasksUsed((Used(second, 1, {"": Figures(1.5)}),)))
        await seat.fleet.until(lambda: seat.fleet.state.tasks[second].state == "pending")
        assert seat.fleet.state.tasks[first].state == "running", "the limit is of the other task"
        await seat.press("exclamation_mark")
        await seat.until(lambda: seat.screen.NAME == "inbox" and "used up: cost_per_task of map it" in seat.text)
        assert "little left: tokens_per_day of fleet" in seat.text
        await seat.press("b")
        await seat.until(lambda: "cost_per_task of map it is $1.00, $1.50 used" in seat.text)
        await seat.press("enter")
        await seat.until(lambda: "cost_per_task 1 → cost_per_task 1.5" in seat.text and "nothing more begins" in seat.text)
        await seat.press("escape")
        await seat.press("b")
        await seat.until(lambda: "how much it may be" in seat.text)
        await seat.press("ctrl+u", *"2.25", "enter")
        await seat.agree()
        await seat.fleet.until(lambda: seat.fleet.state.tasks[second].state == "running")
        seat.fleet.clock.at += 2
        await seat.current()
        await seat.until(lambda: "map it" not in seat.text and "little left" in seat.text)


async def spend(seat: Seat) -> tuple[TaskId, TaskId]:
    """Have two tasks run and tell what they used."""
    fleet = seat.fleet
    await fleet.ready()
    first, second = TaskId(await fleet.submit("fix the build", "coder", "run")), TaskId(await fleet.submit("map it", "tester", "run"))
    fleet.clock.at += 300
    opus, codex = {"claude-opus-5-5": Figures(0.84, 912_000), "claude-haiku-5": Figures(0.012, 30_400)}, {"": Figures(None, 48_000)}
    fleet.world.coordinator.report(TasksUsed((Used(first, 1, opus, 14), Used(second, 1, codex, 3))))
    await fleet.until(lambda: bool(fleet.state.tasks[second].spent))
    fleet.clock.at += 60
    await seat.current()
    return first, second
