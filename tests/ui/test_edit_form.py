"""`e`: a form made from the model, checked as somebody types, with a diff, and with what others changed meanwhile."""

from __future__ import annotations

import pytest
from engine.model.pool_commands import EditPool
from screens.editing import EditForm
from screens.widgets.cells import ASCII
from textual.widgets import Input, Static

from tests.ui.conftest import Snap
from tests.ui.fleet import Fleet, Seat, sit


def text_of(seat: Seat, id_: str) -> str:
    return str(seat.app.screen.query_one(id_, Static).render())


def number_of(seat: Seat, key: str) -> int:
    form = seat.app.screen
    assert isinstance(form, EditForm)
    return next(number for number, field in enumerate(form._thing.fields) if field.key == key)


def line_of(seat: Seat, key: str) -> Input:
    return seat.app.screen.query_one(f"#edit-{number_of(seat, key)}", Input)


def beside(seat: Seat, key: str) -> str:
    return text_of(seat, f"#beside-{number_of(seat, key)}")


async def edit(seat: Seat, pool: str = "coder") -> None:
    await seat.fleet.ready()
    await seat.current()
    await seat.open("pools")
    seat.table.point_at(pool)
    await seat.press("e")
    await seat.until(lambda: isinstance(seat.app.screen, EditForm))


async def test_a_pool_is_edited_checked_as_typed_and_undone() -> None:
    fleet = Fleet()
    async with sit(fleet) as seat:
        await edit(seat)
        assert (line_of(seat, "min").value, line_of(seat, "max").value) == ("5", "100")
        assert seat.app.focused is line_of(seat, "min")
        assert text_of(seat, "#help") == "fewest agents; started at once; a whole number 0 to 100000; 5 by default"
        await seat.press("backspace", "x")
        assert beside(seat, "min") == "x is no whole number"
        await seat.press("enter")
        assert isinstance(seat.app.screen, EditForm), "what is wrong is not sent"
        await seat.press("backspace", *"700")
        assert beside(seat, "min") == "0 to 100000"
        assert text_of(seat, "#problem") == "min 700 would be above max 100"
        assert text_of(seat, "#diff") == "min 5 → min 700"
        await seat.press("backspace", "backspace", "enter")
        await seat.until(lambda: type(seat.screen).__name__ == "PlanDialog")
        assert "min 5 → min 7" in seat.text
        assert fleet.state.pools["coder"].spec.min == 5, "nobody agreed yet"
        await seat.agree()
        await seat.until(lambda: fleet.state.pools["coder"].spec.min == 7)
        await seat.until(lambda: seat.screen.NAME == "pools")
        await seat.press("u")
        await seat.agree()
        await seat.until(lambda: fleet.state.pools["coder"].spec.min == 5)


async def test_an_emptied_key_is_as_configured_again() -> None:
    fleet = Fleet()
    async with sit(fleet) as seat:
        await seat.fleet.ready()
        await fleet.gate.execute([EditPool("coder", {"priority": 2})])
        await edit(seat)
        line_of(seat, "priority").value = ""
        await seat.until(lambda: text_of(seat, "#diff") == "priority 2 → priority default")
        await seat.press("enter")
        await seat.agree()
        await seat.until(lambda: fleet.state.pools["coder"].overrides == {})


async def test_what_somebody_else_changed_is_said_and_not_overwritten() -> None:
    fleet = Fleet()
    async with sit(fleet) as seat:
        await edit(seat)
        line_of(seat, "max").value = "50"
        await fleet.gate.execute([EditPool("coder", {"max": 60, "priority": 3})])
        await seat.press("enter")
        await seat.until(lambda: "it changed while you edited: max is 60 now, it was 100, priority is 3 now, it was 8." in text_of(seat, "#problem").replace("\n", " "))
        assert line_of(seat, "max").value == "50", "what was typed stays"
        assert line_of(seat, "priority").value == "3", "what was not follows"
        assert text_of(seat, "#diff") == "max 60 → max 50"
        await seat.press("enter")
        await seat.agree()
        await seat.until(lambda: fleet.state.pools["coder"].overrides == {"max": 50, "priority": 3})


async def test_nothing_changed_is_nothing_asked() -> None:
    fleet = Fleet()
    async with sit(fleet) as seat:
        await edit(seat)
        await seat.press("enter")
        assert text_of(seat, "#problem") == "nothing was changed"
        await seat.press("escape")
        await seat.until(lambda: seat.screen.NAME == "pools")


async def test_a_pool_without_a_policy_has_no_decision_to_edit() -> None:
    fleet = Fleet()
    async with sit(fleet) as seat:
        await fleet.ready()
        await seat.open("scaler")
        await seat.until(lambda: bool(seat.table.shown_ids))
        await seat.press("e")
        assert "nothing to edit" in seat.told


@pytest.mark.parametrize("size", [(80, 24), (120, 40), (200, 60)], ids=lambda size: f"{size[0]}x{size[1]}")
async def test_looks_as_approved(size: tuple[int, int], snap: Snap) -> None:
    fleet = Fleet()
    async with sit(fleet, size) as seat:
        await edit(seat)
        line_of(seat, "max").value = "20"
        line_of(seat, "memory").value = "much"
        await seat.until(lambda: "amount" in beside(seat, "memory"))
        await snap(seat.pilot, "edit-pool")


async def test_ascii_alone() -> None:
    async with sit(Fleet(), (80, 24), glyphs=ASCII) as seat:
        await edit(seat)
        line_of(seat, "max").value = "20"
        await seat.until(lambda: text_of(seat, "#diff") == "max 100 -> max 20")
