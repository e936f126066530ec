"""Entries that were written in two places: both versions beside each other, and how to settle them."""

from __future__ import annotations

from dataclasses import replace

import msgspec
import pytest
from engine.model.memory import Dot, EntryId, Head, Level, Permissions
from engine.model.memory_commands import RememberEntry, ResolveConflict
from engine.model.memory_events import MemoryConflicted
from engine.model.plans import Origin
from engine.model.replication import Carried, PeerState
from engine.model.verbs import Role
from screens.present_conflicts import CHANGED, LOST, SAME, WON, compared
from screens.present_pulse import find_needs
from screens.widgets.cells import UNICODE

from tests.ui.conftest import Snap
from tests.ui.fleet import Fleet, Seat, sit

ROOT = Origin("root", "console", "", Role.ADMIN)
EVE = Origin("eve", "console", "", Role.VIEWER)
THEIRS = b'{"steps":["read","edit","review"],"owner":"zoe"}'
SIZES = pytest.mark.parametrize("size", [(80, 24), (120, 40), (200, 60)], ids=lambda size: f"{size[0]}x{size[1]}")


async def in_conflict(fleet: Fleet, key: str, value: str, lost: bytes) -> None:
    """Store an entry, and take in a version of it that another engine wrote at the same time."""
    gate = fleet.world.gate(ROOT)
    await gate.execute([RememberEntry(key, value, level="swarm")])
    id_, name = EntryId("default", "root", key), Dot("life_z", 1)
    there = fleet.world.memory.shelf.heads([id_])[id_]
    loser = Head(id_, permissions=Permissions(Level.SWARM), version=1, updated_at=there.updated_at - 40, writer="zoe", size=len(lost), lineage=(name,))
    head = msgspec.structs.replace(there, rivals=(name,), heard=(name,))
    await fleet.world.coordinator.record([MemoryConflicted((head,), (Carried(loser, msgspec.Raw(lost)),))], ROOT)


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
        assert ":resolve plan --owner root --take 1" in text
        await fleet.world.gate(ROOT).execute([ResolveConflict("plan", take="1", owner="root")])
        await seat.until(lambda: "no entry is in conflict" in seat.text)


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


def test_lines_stand_beside_those_they_are_compared_with() -> None:
    assert compared(["a", "b", "d"], ["a", "c", "d", "e"]) == [("a", SAME, "a"), ("b", CHANGED, "c"), ("d", SAME, "d"), ("", LOST, "e")]
    assert compared(["a"], []) == [("a", WON, "")]

