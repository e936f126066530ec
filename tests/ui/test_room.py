"""`:optimize` and `:gangs`: what could be smaller becomes a plan; agents that start together are asked for, seen and ended."""

from __future__ import annotations

from typing import Any

import pytest
from engine.model.pool_commands import AskGang, ScalePool
from engine.model.scaling import Observation
from screens.forms import VerbForm

from tests.ui.conftest import Snap
from tests.ui.fleet import Fleet, Seat, sit

POOL = {"min": 1, "max": 12, "cost": 0.001}
CONFIG: dict[str, Any] = {"fleet": {"default_pools": {"coder": POOL, "tester": POOL, "reviewer": POOL}}}


async def used(fleet: Fleet, seat: Seat) -> None:
    """Have ten minutes pass in which nobody works and little memory is used."""
    await fleet.ready()
    await fleet.gate.execute([ScalePool("coder", "8"), ScalePool("tester", "3")])
    await fleet.until(lambda: fleet.state.pools["coder"].agents == 8)
    figures = {"coder": (8, 2, 0.2), "tester": (3, 0, 0.9), "reviewer": (1, 1, 0.1)}
    for minute in range(10):
        seen = {name: Observation(minute * 60.0, size, size, busy, 0, memory=memory, cpu=0.9) for name, (size, busy, memory) in figures.items()}
        fleet.world.scaler.optimizer.see(seen, fleet.state.pools)
    fleet.clock.at += 10
    await seat.current()


@pytest.mark.row(63, 93)
@pytest.mark.parametrize("size", [(80, 24), (120, 40), (200, 60)])
async def test_what_could_be_smaller_is_a_list(snap: Snap, size: tuple[int, int]) -> None:
    fleet = Fleet(CONFIG)
    async with sit(fleet, size) as seat:
        await used(fleet, seat)
        await seat.open("optimize")
        await seat.until(lambda: len(seat.screen.table.shown_ids) == 4)
        assert size[0] < 120 or "would save at least 7 agents" in seat.text
        await snap(seat.pilot, f"optimize-{size[0]}")


@pytest.mark.row(63)
async def test_a_recommendation_becomes_a_plan_that_is_undone() -> None:
    fleet = Fleet(CONFIG)
    async with sit(fleet, (120, 40)) as seat:
        await used(fleet, seat)
        await seat.open("optimize tester")
        await seat.until(lambda: len(seat.screen.table.shown_ids) == 1)
        await seat.press("a")
        await seat.agree()
        await seat.until(lambda: fleet.state.pools["tester"].size == 1)
        fleet.clock.at += 10
        await seat.until(lambda: len(seat.screen.table.shown_ids) == 0)
        await seat.press("u")
        await seat.agree()
        await seat.until(lambda: fleet.state.pools["tester"].size == 3)


async def test_a_plan_takes_the_recommendations_of_one_kind() -> None:
    fleet = Fleet(CONFIG)
    async with sit(fleet, (120, 40)) as seat:
        await used(fleet, seat)
        await seat.open("optimize coder")
        await seat.until(lambda: len(seat.screen.table.shown_ids) == 2)
        await seat.press("space", "down", "space", "a")
        await seat.until(lambda: "1 recommendation of another kind" in seat.told)
        await seat.agree()
        await seat.until(lambda: fleet.state.pools["coder"].size == 3 or bool(fleet.state.pools["coder"].overrides))


@pytest.mark.row(93)
@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
async def test_gangs_are_asked_for_seen_and_ended(snap: Snap, size: tuple[int, int]) -> None:
    fleet = Fleet(CONFIG)
    async with sit(fleet, size) as seat:
        await fleet.ready()
        await seat.current()
        await seat.open("gangs")
        await seat.press("plus")
        await seat.until(lambda: isinstance(seat.app.screen, VerbForm))
        await seat.press("escape")
        await seat.pilot.press("colon", *"gang coder 6", "enter")
        await seat.agree()
        await seat.until(lambda: fleet.state.pools["coder"].size == 7)
        await seat.pilot.press("colon", *"gang coder 8 --priority 7", "enter")
        await seat.agree()
        await seat.until(lambda: len(seat.screen.table.shown_ids) == 2)
        assert "waits for its pool" in seat.text
        await snap(seat.pilot, f"gangs-{size[0]}")
        waiting = next(gang.id for gang in fleet.state.gangs.values() if gang.is_waiting)
        await seat.pilot.press("colon", *f"end-gang {waiting}", "enter")
        await seat.agree()
        await seat.until(lambda: len(fleet.state.gangs) == 1)
        await seat.until(lambda: len(seat.screen.table.shown_ids) == 1)
        await seat.press("x")
        await seat.agree()
        await seat.until(lambda: fleet.state.pools["coder"].size == 1)


@pytest.mark.row(63, 93)
@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
async def test_recommendations_and_gangs_have_a_document_that_leads_to_their_pool(snap: Snap, size: tuple[int, int]) -> None:
    fleet = Fleet(CONFIG)
    async with sit(fleet, size) as seat:
        await used(fleet, seat)
        await fleet.gate.execute([AskGang("reviewer", 8, priority=7), AskGang("coder", 2)])
        await seat.current()
        await seat.open("optimize coder")
        await seat.until(lambda: len(seat.screen.table.shown_ids) == 2)
        await seat.press("enter")
        assert "saves" in await seat.read()
        await snap(seat.pilot, f"recommendation-{size[0]}")
        await seat.press("enter")
        await seat.until(lambda: seat.screen.NAME == "pool")
        await seat.open("gangs")
        await seat.press("d")
        assert "ends in" in await seat.read()
        await snap(seat.pilot, f"gang-{size[0]}")
        before = len(fleet.state.gangs)
        await seat.press("x")
        await seat.agree()
        await seat.until(lambda: len(fleet.state.gangs) == before - 1)
        await seat.until(lambda: "this gang is over" in seat.text)


async def test_a_recommendation_is_applied_from_its_document() -> None:
    fleet = Fleet(CONFIG)
    async with sit(fleet, (120, 40)) as seat:
        await used(fleet, seat)
        await seat.open("optimize tester")
        await seat.until(lambda: len(seat.screen.table.shown_ids) == 1)
        await seat.press("d", "a")
        await seat.agree()
        await seat.until(lambda: fleet.state.pools["tester"].size == 1)
