"""Entries that were written in two places: both versions beside each other, and how to settle them."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from engine.model.memory import EntryId
from engine.model.memory_commands import ResolveConflict
from engine.model.plans import Origin
from engine.model.redis_health import RedisHealth
from engine.model.replication import PeerState
from engine.model.verbs import Role
from fleet_tui.edit_conflict import marked
from screens.conflicts import ConflictsScreen
from screens.memory import MemoryScreen
from screens.present_conflicts import CHANGED, LOST, SAME, WON, compared, short_sides
from screens.present_pulse import Need, find_needs
from screens.pulse_panels import screen_of
from screens.widgets.cells import UNICODE, Cell
from textual.widgets import Input

from tests.ui.conftest import Snap
from tests.ui.fleet import Fleet, Seat, sit
from tests.ui.memory_fleet import ROOT, in_conflict

EVE = Origin("eve", "console", "", Role.VIEWER)
THEIRS = b'{"steps":["read","edit","review"],"owner":"zoe"}'
SIZES = pytest.mark.parametrize("size", [(80, 24), (120, 40), (200, 60)], ids=lambda size: f"{size[0]}x{size[1]}")


async def seat_with(fleet: Fleet, seat: Seat) -> None:
    await fleet.busy()
    await in_conflict(fleet, "plan", '{"steps": ["read", "edit"], "owner": "root"}', THEIRS)
    await in_conflict(fleet, "notes", "deploy nothing on fridays", b'"deploy on fridays only"')
    fleet.world.desk.sources.exchanging.known = [  # type: ignore[union-attr]
        PeerState("/run/other/engine.sock", at=fleet.world.clock.now() - 12, tried_at=1.0, taken=42, given=7, last=(0, 0)),
        PeerState("wss://b.example:7070", problem="no engine answers at wss://b.example:7070", failures=3),
    ]
    await seat.current()


@SIZES
async def test_looks_as_approved(size: tuple[int, int], snap: Snap) -> None:
    fleet = Fleet()
    fleet.at_console = fleet.world.gate(ROOT)
    async with sit(fleet, size) as seat:
        await seat_with(fleet, seat)
        await seat.open("conflicts")
        text = await seat.read()
        assert "won:" in text
        await snap(seat.pilot, "conflicts")


async def test_both_sides_and_the_ways_out_and_after_settling_nothing() -> None:
    fleet = Fleet()
    fleet.at_console = fleet.world.gate(ROOT)
    async with sit(fleet, (120, 40)) as seat:
        await seat_with(fleet, seat)
        await seat.open("conflicts plan")
        text = await seat.read()
        assert '"review"' in text
        assert "fridays" not in text
        assert ":resolve" not in text, "the keys are below; the lines are in the conflict's own document"
        await fleet.world.gate(ROOT).execute([ResolveConflict("plan", take="1", owner="root")])
        await seat.until(lambda: "no entry is in conflict" in seat.text)


@SIZES
async def test_a_document_of_one_conflict_looks_as_approved(size: tuple[int, int], snap: Snap) -> None:
    fleet = Fleet()
    fleet.at_console = fleet.world.gate(ROOT)
    async with sit(fleet, size) as seat:
        await seat_with(fleet, seat)
        await seat.open("conflicts plan")
        await seat.read()
        await seat.press("enter")
        await seat.until(lambda: seat.screen.NAME == "conflict")
        text = await seat.read()
        assert ":resolve plan --owner root --take 1" in text
        assert "version 1 by zoe" in text
        await snap(seat.pilot, "conflict")
        await seat.press("tab")
        await seat.until(lambda: "--- lost" in seat.text)
        assert '+  "owner": "root"' in seat.text


@pytest.mark.parametrize(("key", "kept"), [("less_than_sign", b"root"), ("greater_than_sign", b"zoe")])
async def test_a_key_settles_the_conflict_pointed_at_and_undo_opens_it_again(key: str, kept: bytes) -> None:
    fleet = Fleet()
    fleet.at_console = fleet.world.gate(ROOT)
    async with sit(fleet, (120, 40)) as seat:
        await seat_with(fleet, seat)
        await seat.open("conflicts")
        await seat.read()
        await seat.press("j", key)  # the second: plan
        await seat.agree()
        await seat.until(lambda: "fridays" in seat.text and "review" not in seat.text)
        id_ = EntryId("default", "root", "plan")
        [one] = [fleet.world.memory.entries.one(id_)]
        assert one is not None
        assert kept in one[1]
        await seat.press("u")
        await seat.agree()
        await seat.until(lambda: "review" in seat.text)


async def test_the_form_has_both_values_above_one_of_ones_own() -> None:
    fleet = Fleet()
    fleet.at_console = fleet.world.gate(ROOT)
    async with sit(fleet, (80, 24)) as seat:
        await seat_with(fleet, seat)
        await seat.open("conflicts notes")
        await seat.read()
        await seat.press("r")
        await seat.until(lambda: "Settle root/notes" in seat.text)
        assert "deploy nothing on fridays" in seat.text
        assert "deploy on fridays only" in seat.text
        seat.screen.query_one("#field-value", Input).value = "ask ann on fridays"
        await seat.press("enter")
        await seat.agree()
        await seat.until(lambda: "no entry is in conflict" in seat.text)
        one = fleet.world.memory.entries.one(EntryId("default", "root", "notes"))
        assert one is not None
        assert one[1] == b'"ask ann on fridays"'


async def test_who_may_not_settle_is_told_so() -> None:
    fleet = Fleet()
    fleet.at_console = fleet.world.gate(EVE)
    async with sit(fleet, (120, 40)) as seat:
        await seat_with(fleet, seat)
        await seat.open("conflicts")
        text = await seat.read()
        assert "for its owner and administrators to settle" in text
        assert ":resolve" not in text


def test_conflicts_and_peers_that_are_away_need_somebody() -> None:
    fleet = Fleet()
    status = replace(fleet.world.status(), conflicts=2, peers_away=("/run/other/engine.sock: no engine runs here",))
    needs = find_needs(status, {"hosts": {}, "pools": {}, "tasks": {}}, UNICODE)
    assert [(need.what.text, need.view) for need in needs] == [("! 2 entries of memory in conflict", "conflicts"), ("! 1 peer of memory away", "conflicts")]
    assert "no engine runs here" in needs[1].why


def test_redis_that_is_away_needs_somebody() -> None:
    fleet = Fleet()
    away = RedisHealth("cache:6379", "standalone", since_at=5.0, reason="redis cannot be reached at cache:6379")
    for health, told in ((away, ["! redis is away"]), (replace(away, is_up=True), []), (None, [])):
        needs = find_needs(replace(fleet.world.status(), redis=health), {"hosts": {}, "pools": {}, "tasks": {}}, UNICODE)
        assert [need.what.text for need in needs] == told
        assert all(need.why == away.reason and need.at == 5.0 for need in needs)


def test_what_needs_somebody_leads_where_it_is_seen() -> None:
    for view, screen in (("conflicts", ConflictsScreen), ("memory", MemoryScreen)):
        assert isinstance(screen_of(Need(view, Cell(view), "", 0.0, view)), screen)


def test_lines_stand_beside_those_they_are_compared_with() -> None:
    assert compared(["a", "b", "d"], ["a", "c", "d", "e"]) == [("a", SAME, "a"), ("b", CHANGED, "c"), ("d", SAME, "d"), ("", LOST, "e")]
    assert compared(["a"], []) == [("a", WON, "")]


def test_both_versions_in_one_text_for_the_editor() -> None:
    def side(value: object) -> dict[str, object]:
        return {"writer": "ann", "version": 2, "value": {"refused": "", "is_bytes": False, "text": json.dumps(value)}}

    text = marked(side({"a": 1, "b": 2}), side({"a": 1, "b": 3}))
    assert text.splitlines() == ["{", ' '*2 + '"a": 1,', "<<<<<<< won: version 2 by ann", '  "b": 2', "=======", '  "b": 3', ">>>>>>> lost: version 2 by ann", "}"]
    assert marked(side("x"), side("x")) == "x\n"


def test_a_long_value_is_shown_where_it_differs() -> None:
    def side(lines: list[str], name: str = "") -> dict[str, object]:
        value = {"refused": "", "is_bytes": False, "left_out": 0, "text": json.dumps("\n".join(lines))}
        return {"name": name, "writer": "ann", "version": 1, "at": 0.0, "level": "team", "kind": "semantic", "size": 9, "tags": "", "is_deleted": False, "value": value}

    sheet = {"sides": [side([*map(str, range(50))]), side([*map(str, range(49)), "other"], "x.1")]}
    lines = short_sides(sheet, 1, 60, 9, 10.0, UNICODE)
    assert len(lines) == 9
    assert "| other" in " ".join(lines)
    assert lines[-1].endswith("more lines")
