"""`:scaler` and `:policies`: why each pool has its size, holds, and policies edited with what they would have done."""

from __future__ import annotations

import pytest
from screens.editing import EditForm
from textual.widgets import Input, Static

from tests.ui.conftest import Snap
from tests.ui.fleet import Fleet, Seat, sit

DEMAND = {"pool": "coder", "target": 1.0, "safety": 0.8, "average_s": 30.0, "scale_down": {"stabilization_s": 60.0}}
CONFIG = {"auto_scaling": {"policies": {"coder-demand": DEMAND}}}


async def opened(seat: Seat, view: str) -> None:
    await seat.current()
    await seat.open(view)
    await seat.until(lambda: len(seat.screen.table.shown_ids) > 0)


def text_of(seat: Seat, id_: str) -> str:
    return str(seat.app.screen.query_one(id_, Static).render())


async def test_each_pool_says_why_it_has_its_size() -> None:
    fleet = Fleet(CONFIG)
    async with sit(fleet, (120, 40)) as seat:
        await fleet.ready()
        await opened(seat, "scaler")
        await seat.until(lambda: "coder-demand" in seat.text)
        shown = seat.text
        assert "1 policy" in shown
        assert "no policy" in shown
        await seat.press("slash")
        await seat.pilot.press(*"coder", "enter")
        await seat.press("enter")
        await seat.until(lambda: "recommended" in seat.text)
        assert "coder-demand" in seat.text


async def test_a_key_holds_a_pool_and_lets_it_go() -> None:
    fleet = Fleet(CONFIG)
    async with sit(fleet, (120, 40)) as seat:
        await fleet.ready()
        await opened(seat, "scaler /coder")
        await seat.press("f")
        await seat.until(lambda: "held for 600 s" in seat.text)
        await seat.agree()
        await seat.until(lambda: fleet.state.pools["coder"].hold is not None)
        await seat.until(lambda: "5 held" in seat.text)


async def test_a_policy_is_edited_with_live_checks_and_a_plan() -> None:
    fleet = Fleet(CONFIG)
    async with sit(fleet, (120, 40)) as seat:
        await fleet.ready()
        await opened(seat, "policies")
        await seat.press("e")
        await seat.until(lambda: isinstance(seat.app.screen, EditForm))
        target = next(line for line in seat.app.screen.query(Input) if line.value == "1.0")
        target.value = "many"
        beside = f"#beside-{target.id.removeprefix('edit-')}"
        await seat.until(lambda: text_of(seat, beside) == "many is no number")
        target.value = "0.7"
        await seat.until(lambda: "target 1.0 → target 0.7" in text_of(seat, "#diff"))
        assert text_of(seat, "#problem") == ""
        await seat.press("enter")
        await seat.until(lambda: "target 1.0 → target 0.7" in seat.text)
        assert fleet.state.policies["coder-demand"].target == 1.0, "the plan is not agreed to yet"
        await seat.agree()
        await seat.until(lambda: fleet.state.policies["coder-demand"].target == 0.7)
        await seat.press("u")
        await seat.agree()
        await seat.until(lambda: fleet.state.policies["coder-demand"].target == 1.0)


@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
async def test_the_form_shows_what_a_change_would_have_done(size: tuple[int, int], snap: Snap) -> None:
    fleet = Fleet(CONFIG)
    async with sit(fleet, size) as seat:
        await fleet.ready()
        for number in range(4):
            await fleet.submit(f"outline {number}")
            fleet.clock.at += 5
        await opened(seat, "policies")
        await seat.press("e")
        await seat.until(lambda: isinstance(seat.app.screen, EditForm))
        await seat.press("f5")
        await seat.until(lambda: "in force" in text_of(seat, "#diff") or bool(text_of(seat, "#problem")))
        assert "size edited" in text_of(seat, "#diff"), text_of(seat, "#problem")
        await snap(seat.pilot, f"what-if-{size[0]}")
        await seat.press("backspace")
        assert "size edited" not in text_of(seat, "#diff"), "what was typed since is not what was replayed"


async def test_policies_are_made_switched_and_removed_from_the_keyboard() -> None:
    fleet = Fleet(CONFIG)
    async with sit(fleet, (120, 40)) as seat:
        await fleet.ready()
        await opened(seat, "policies")
        await seat.press("f")
        await seat.agree()
        await seat.until(lambda: not fleet.state.policies["coder-demand"].enabled)
        await seat.until(lambda: "off" in seat.text)
        await seat.press("x")
        await seat.agree()
        await seat.until(lambda: not fleet.state.policies)
        await seat.until(lambda: "no policy yet" in seat.text)
        await seat.press("plus")
        await seat.pilot.press(*"mine", "enter")
        await seat.agree()
        await seat.until(lambda: "mine" in fleet.state.policies)


@pytest.mark.parametrize("size", [(80, 24), (120, 40), (200, 60)], ids=lambda size: f"{size[0]}x{size[1]}")
async def test_pictures(size: tuple[int, int], snap: Snap) -> None:
    fleet = Fleet(CONFIG)
    async with sit(fleet, size) as seat:
        await fleet.ready()
        await opened(seat, "scaler")
        await seat.until(lambda: "demand" in seat.text)
        await snap(seat.pilot, "scaler")
        await opened(seat, "policies")
        await snap(seat.pilot, "policies")
        await seat.press("e")
        await seat.until(lambda: isinstance(seat.app.screen, EditForm))
        await snap(seat.pilot, "edit-policy")
