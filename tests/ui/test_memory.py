"""`:memory`: pages of what the fleet remembers, one entry in full, forms about it, and nothing that is not for its operator."""

from __future__ import annotations

import pytest

from tests.ui.conftest import Snap
from tests.ui.fleet import Fleet, sit
from tests.ui.memory_fleet import CONFIG, open_memory, remember


@pytest.mark.row(178)
@pytest.mark.parametrize("size", [(80, 24), (120, 40), (200, 60)])
async def test_what_the_fleet_remembers_is_a_table(snap: Snap, size: tuple[int, int]) -> None:
    fleet = Fleet(CONFIG)
    async with sit(fleet, size) as seat:
        await remember(fleet)
        await open_memory(seat)
        assert "7 entries" in seat.text
        await snap(seat.pilot, f"memory-{size[0]}")


@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
async def test_an_entry_has_a_value_a_history_and_permissions(snap: Snap, size: tuple[int, int]) -> None:
    fleet = Fleet(CONFIG)
    async with sit(fleet, size) as seat:
        await remember(fleet)
        await open_memory(seat)
        seat.table.point_at(next(id_ for id_ in seat.table.shown_ids if id_.endswith("release plan")))
        await seat.press("enter")
        assert "ship the parser" in await seat.read()
        await snap(seat.pilot, f"value-{size[0]}")
        await seat.press("tab")
        await seat.until(lambda: "edit is done" in seat.text)
        await snap(seat.pilot, f"history-{size[0]}")
        await seat.press("enter")
        await seat.until(lambda: seat.screen.NAME == "version")
        await seat.read()
        await snap(seat.pilot, f"changes-{size[0]}")
        await seat.press("escape", "tab")
        await seat.until(lambda: "Who that is now" in seat.text)
        await snap(seat.pilot, f"permissions-{size[0]}")
        await seat.press("y")
        await seat.until(lambda: "owner_id:" in seat.text)
