"""`:memory`: pages of what the fleet remembers, one entry in full, forms about it, and nothing that is not for its operator."""

from __future__ import annotations

import pytest
from engine.memory.second_cache import SecondCache
from engine.model.memory_commands import RememberEntry
from engine.simulation.world import ADA

from tests.ui.conftest import Snap
from tests.ui.fleet import Fleet, Seat, sit
from tests.ui.memory_fleet import CONFIG, SECRET, VIC, open_memory, remember


@pytest.mark.row(178)
@pytest.mark.parametrize("size", [(80, 24), (120, 40), (200, 60)])
async def test_what_the_fleet_remembers_is_a_table(snap: Snap, size: tuple[int, int]) -> None:
    fleet = Fleet(CONFIG)
    async with sit(fleet, size) as seat:
        await remember(fleet)
        await open_memory(seat)
        assert "7 entries" in seat.text
        await snap(seat.pilot, f"memory-{size[0]}")


class Elsewhere:
    """What the second cache needs of Redis; here it is only there, or away."""

    is_up = True

    async def command(self, *words: str | bytes | float, deadline_s: float | None = None) -> None:
        raise AssertionError(f"nobody asks here: {words}, {deadline_s}")


@pytest.mark.row(192)
@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
async def test_the_heading_says_how_the_caches_answer_where_there_is_room(snap: Snap, size: tuple[int, int]) -> None:
    fleet = Fleet(CONFIG)
    async with sit(fleet, size) as seat:
        await remember(fleet)
        memory, shared = fleet.world.memory, Elsewhere()
        memory.cache.figures.hits, memory.cache.figures.misses = 970, 30
        memory.second = SecondCache(shared, fleet.clock)
        memory.second.figures.hits, memory.second.figures.misses, memory.second.figures.failed = 84, 10, 6
        await fleet.world.gate(ADA).execute([RememberEntry("note", '"seen"', owner="ada")])
        await open_memory(seat)
        await seat.current()
        if size[0] == 80:
            assert "caches" not in seat.text
            return
        await seat.until(lambda: "caches L1 97%, L2 84%" in seat.text)
        await snap(seat.pilot, "caches-120")
        shared.is_up = False
        await fleet.world.gate(ADA).execute([RememberEntry("note", '"again"', owner="ada")])
        await seat.until(lambda: "L1 97%, L2 away" in seat.text)


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


async def point_at(seat: Seat, key: str) -> None:
    await seat.until(lambda: any(id_.endswith(f"/{key}") for id_ in seat.table.shown_ids))
    seat.table.point_at(next(id_ for id_ in seat.table.shown_ids if id_.endswith(f"/{key}")))


def keys_shown(seat: Seat) -> list[str]:
    return [seat.screen.rows[id_].key for id_ in seat.table.shown_ids]


@pytest.mark.row(178)
async def test_entries_are_filtered_and_sorted_by_the_engine() -> None:
    fleet = Fleet(CONFIG)
    async with sit(fleet, (120, 40)) as seat:
        await remember(fleet)
        await open_memory(seat, "memory coder-1")
        assert sorted(keys_shown(seat)) == ["release plan", "style"]
        await open_memory(seat, "memory /level=swarm")
        assert sorted(keys_shown(seat)) == ["outage of monday", "style"]
        await seat.press("escape")
        await seat.until(lambda: len(keys_shown(seat)) == 7)
        seat.screen._sort_by("size", is_reversed=True)
        await seat.until(lambda: keys_shown(seat)[0] == "release plan")
        assert keys_shown(seat)[-1] == "deploy key"
        await seat.press("slash", *"-r x")
        await seat.until(lambda: "-r is not for memory" in seat.text)


@pytest.mark.row(179)
async def test_marked_entries_are_forgotten_and_come_back() -> None:
    fleet = Fleet(CONFIG)
    async with sit(fleet, (120, 40)) as seat:
        await remember(fleet)
        await open_memory(seat)
        for key in ("style", "todo"):
            await point_at(seat, key)
            await seat.press("space")
        await seat.press("x")
        await seat.agree()
        await seat.until(lambda: len(keys_shown(seat)) == 5)
        await seat.press("u")
        await seat.agree()
        await seat.until(lambda: len(keys_shown(seat)) == 7)
        await point_at(seat, "release plan")
        await seat.press("r")
        await seat.until(lambda: "restore-entry" in seat.text)
        await seat.press("enter")
        await seat.press("enter")
        entry = await fleet.world.gate(ADA).query("entry", key="release plan", owner="coder-1")
        await seat.until(lambda: seat.screen.NAME in ("memory", "entry"))
        assert entry["value"]["done"] == 1  # type: ignore[index]


@pytest.mark.row(186)
@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
async def test_who_may_use_an_entry_is_a_form_whose_plan_says_who_gains_and_loses(snap: Snap, size: tuple[int, int]) -> None:
    fleet = Fleet(CONFIG)
    async with sit(fleet, size) as seat:
        await remember(fleet)
        await open_memory(seat)
        await point_at(seat, "style")
        await seat.press("a")
        await seat.until(lambda: type(seat.screen).__name__ == "EntryForm")
        level, read = (seat.screen.query_one(f"#field-{name}") for name in ("level", "read"))
        level.value = "private"
        seat.app.set_focus(read)
        await seat.press(*"test", "right")
        assert read.value == "tester-1"
        await snap(seat.pilot, f"form-{size[0]}")
        await seat.press("enter")
        await seat.until(lambda: type(seat.screen).__name__ == "PlanDialog")
        await snap(seat.pilot, f"plan-{size[0]}")
        await seat.press("enter")
        await seat.until(lambda: "private" in str([row for row in seat.screen.rows.values() if row.key == "style"]) if seat.screen.NAME == "memory" else False)
        permissions = await fleet.world.gate(ADA).query("entry", key="style", owner="coder-1")
        assert permissions["read"] == (fleet.state.agent_named("tester-1").spec.id,)  # type: ignore[index]


@pytest.mark.row(188)
@pytest.mark.parametrize("size", [(80, 24)])
async def test_what_a_viewer_may_not_read_is_not_there_or_says_so(snap: Snap, size: tuple[int, int]) -> None:
    fleet = Fleet(CONFIG)
    fleet.at_console = fleet.world.gate(VIC)
    async with sit(fleet, size) as seat:
        await remember(fleet)
        await open_memory(seat)
        assert sorted(keys_shown(seat)) == ["outage of monday", "readme", "style", "todo"]
        await point_at(seat, "todo")
        await snap(seat.pilot, "viewer")
        await seat.press("enter")
        assert "viewers read levels swarm and public" in await seat.read()
        assert "rotate keys" not in seat.text
        await snap(seat.pilot, "refused")


async def test_a_value_that_was_typed_is_not_kept_in_the_history_of_lines() -> None:
    fleet = Fleet(CONFIG)
    async with sit(fleet, (120, 40)) as seat:
        await fleet.ready()
        await seat.current()
        seat.app.type_line("")
        await seat.press(*f"remember key {SECRET}", "enter")
        await seat.until(lambda: type(seat.screen).__name__ == "PlanDialog")
        assert SECRET not in seat.text
        assert SECRET not in str(seat.app.lines)
        await seat.press("escape")
        seat.app.type_line("")
        await seat.press(*"pools", "enter")
        assert "pools" in seat.app.lines
