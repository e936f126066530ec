"""What a console offers to somebody who may not do everything."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from engine.model.commands import COMMANDS
from engine.model.plans import Origin
from engine.model.pool_commands import PausePool
from engine.model.verbs import Role
from screens.keys import VERB_OF

from tests.ui.conftest import Snap
from tests.ui.fleet import Fleet, Seat, sit

EVE = Origin("eve", "console", "", Role.VIEWER)
LOOKING = Origin("ada", "console", "", Role.OPERATOR, mode="read-only")
OPERATOR = Origin("ada", "console", "", Role.OPERATOR)
RULES: list[dict[str, Any]] = [
    {"name": "frozen", "verbs": ["pause"], "targets": ["tester"], "deny": "ask the platform team first"},
    {"name": "few", "verbs": ["scale"], "max_bulk": 4, "reason_required": True},
    {"name": "never by hand", "verbs": ["unregister"], "deny": "the autoscaler does it"},
]


@asynccontextmanager
async def seat_of(origin: Origin, size: tuple[int, int] = (120, 40)) -> AsyncIterator[Seat]:
    fleet = Fleet({"operations": {"guardrails": RULES}})
    fleet.at_console = fleet.world.gate(origin)
    async with sit(fleet, size) as seat:
        await fleet.busy()
        await seat.current()
        yield seat


@pytest.mark.parametrize(("origin", "reason"), [(EVE, "needs the role operator; eve is viewer"), (LOOKING, "this connection is read-only")])
async def test_keys_of_verbs_say_why_they_do_nothing(origin: Origin, reason: str) -> None:
    async with seat_of(origin) as seat:
        for view, keys in (("pools", "s><fn"), ("agents", "Dr"), ("tasks", "xr><"), ("policies", "ef+"), ("scaler", "fe"), ("alerts", "ase"), ("rules", "e+fx"), ("plans", "u")):
            await seat.open(view)
            for key in keys:
                seat.app.clear_notifications()
                await seat.press({"+": "plus", ">": "greater_than_sign", "<": "less_than_sign"}.get(key, key))
                expected = "needs the role admin" if view == "policies" or (view == "scaler" and key == "e") else reason
                await seat.until(lambda expected=expected: expected in seat.told)
                assert view == seat.screen.NAME, key
        assert "s scale" not in seat.text


async def test_the_line_is_refused_before_a_plan_is_made() -> None:
    async with seat_of(EVE) as seat:
        await seat.open("pools")
        before = seat.fleet.state.seq
        seat.app.ask([PausePool("coder")])
        await seat.until(lambda: "eve is viewer" in seat.told)
        assert seat.fleet.state.seq == before
        assert seat.screen.NAME == "pools"


def test_every_binding_names_a_verb() -> None:
    assert set(VERB_OF.values()) <= set(COMMANDS)


@pytest.mark.parametrize("size", [(80, 24), (120, 40)], ids=lambda size: f"{size[0]}x{size[1]}")
async def test_looks_as_approved(size: tuple[int, int], snap: Snap) -> None:
    async with seat_of(OPERATOR, size) as seat:
        await seat.open("can-i")
        assert "never by hand" in await seat.read()
        await snap(seat.pilot, "verbs")
        await seat.open("can-i coder")
        assert "frozen" not in await seat.read()
