"""`:swarms` and `:sessions`: topologies are drawn, messages flow, objectives are given, stopped and followed to their tasks."""

from __future__ import annotations

from typing import Any

import pytest
from engine.coordinator.swarms import find_swarm
from engine.model.swarm_commands import CreateSwarm, EndSwarm, GiveObjective, SendMessage
from engine.model.swarm_rows import SwarmRow
from engine.model.swarm_words import PartState, SessionState, SwarmStatus
from engine.swarm.fitness import Condition
from screens.forms import VerbForm
from screens.present import CONDITION_BADGES, PART_BADGES, SESSION_BADGES, SWARM_BADGES
from screens.present_swarms import drawn, rate_now
from screens.widgets.cells import ASCII, PLAIN, UNICODE, Glyphs

from tests.ui.conftest import Snap
from tests.ui.fleet import Fleet, Seat, sit

CONFIG = {"fleet": {"default_pools": {"coder": {"min": 10, "max": 12}, "reviewer": {"min": 4, "max": 6}}}}


async def opened(fleet: Fleet, seat: Seat) -> str:
    """Make a hierarchy that works on an objective, a mesh that sends messages, a star and one that has ended; return the session."""
    await fleet.ready()
    await fleet.gate.execute([CreateSwarm("parser", ("coder",)), CreateSwarm("judges", ("reviewer",)), CreateSwarm("hub", ("reviewer",), topology="star"), CreateSwarm("old", ("reviewer",), topology="ring")])
    # Equals are listed as they came: a console that heard of all that follows at once would list what changed last at the end.
    await seat.current()
    fleet.clock.at += 90
    await fleet.gate.execute([EndSwarm("old", why="merged")])
    answer = await fleet.gate.execute([GiveObjective("parser", "rename the tokens", parts=('{"prompt": "lexer.py"}', '{"prompt": "tables.py", "how": "run"}'))])
    session = str(answer.values[0])
    await fleet.until(lambda: [part.state for part in fleet.state.swarming.sessions[session].parts] == [PartState.ACCEPTED, PartState.WORKING])
    judges = find_swarm(fleet.state, "judges").topology
    program = fleet.world.gate()
    for _ in range(20):
        await program.execute([SendMessage("judges", "opinion", source=judges.members[1], ttl_s=30.0)])
    fleet.clock.at += 5
    await seat.current()
    return session


async def point_at(seat: Seat, id_: str) -> None:
    await seat.until(lambda: id_ in seat.table.shown_ids)
    seat.table.point_at(id_)
    await seat.pilot.pause()


@pytest.mark.parametrize("size", [(80, 24), (120, 40), (200, 60)])
async def test_swarms_are_seen_and_drawn(snap: Snap, size: tuple[int, int]) -> None:
    fleet = Fleet(CONFIG)
    async with sit(fleet, size) as seat:
        session = await opened(fleet, seat)
        await seat.open("swarms")
        await seat.until(lambda: len(seat.table.shown_ids) == 4)
        await snap(seat.pilot, f"swarms-{size[0]}")
        for name, drawing in (("parser", "├─ "), ("judges", "from 1"), ("hub", "╰─ ")):
            await seat.open("swarms")
            await point_at(seat, find_swarm(fleet.state, name).id)
            await seat.press("enter")
            assert drawing in await seat.read()
            await snap(seat.pilot, f"swarm-{name}-{size[0]}")
        await seat.open("sessions")
        await point_at(seat, session)
        await snap(seat.pilot, f"sessions-{size[0]}")
        await seat.press("enter")
        assert "tables.py" in await seat.read()
        await snap(seat.pilot, f"session-{size[0]}")


async def test_a_swarm_is_paused_changed_and_ended_and_a_session_stopped() -> None:
    fleet = Fleet(CONFIG)
    async with sit(fleet) as seat:
        session = await opened(fleet, seat)
        swarm = find_swarm(fleet.state, "parser")
        await seat.open("swarms")
        await point_at(seat, swarm.id)
        for status in (SwarmStatus.PAUSED, SwarmStatus.ACTIVE):
            await seat.press("f")
            await seat.agree()
            await seat.until(lambda status=status: find_swarm(fleet.state, "parser").status is status)
            await seat.current()
        for key, verb in (("plus", "Make a swarm"), ("e", "Change a swarm"), ("o", "Give a swarm")):
            await seat.press(key)
            await seat.until(lambda: isinstance(seat.app.screen, VerbForm))
            assert verb in seat.text
            await seat.press("escape")
        await seat.press("s")
        await seat.until(lambda: seat.screen.NAME == "sessions")
        await seat.until(lambda: seat.table.shown_ids == [session])
        await seat.press("x")
        await seat.agree("yes")
        await seat.until(lambda: fleet.state.swarming.sessions[session].state is SessionState.CANCELLED)
        await seat.press("escape", "x")
        await seat.agree("yes")
        await seat.until(lambda: swarm.id not in fleet.state.swarming.swarms or fleet.state.swarming.swarms[swarm.id].is_over)
        await seat.current()
        await seat.press("e")
        assert "parser has ended" in seat.told


async def test_lines_lead_from_a_session_to_its_task_and_from_a_swarm_to_its_agent() -> None:
    fleet = Fleet(CONFIG)
    async with sit(fleet) as seat:
        session = await opened(fleet, seat)
        await seat.open(f"sessions {find_swarm(fleet.state, 'parser').name}", "sessions")
        await seat.until(lambda: seat.table.shown_ids == [session])
        await seat.press("enter")
        await seat.read()
        await seat.press("enter")
        await seat.until(lambda: seat.screen.NAME == "swarm")
        await seat.read()
        await seat.press("enter")
        await seat.until(lambda: seat.screen.NAME == "agent")
        await seat.press("escape", "escape", "down", "enter")
        await seat.until(lambda: seat.screen.NAME == "task")
        assert seat.screen.thing == fleet.state.swarming.sessions[session].parts[0].task


# ---- drawing


def member(id_: str, coordinator: str = "", *, leads: bool = False) -> dict[str, Any]:
    return {"id": id_, "name": id_, "coordinator": coordinator, "is_leader": leads}


def lines(topology: str, members: list[dict[str, Any]], glyphs: Glyphs = UNICODE) -> list[str]:
    return [lead + one["name"] for lead, one in drawn(topology, members, glyphs)]


THREE = [member("a"), member("b", leads=True), member("c")]


@pytest.mark.parametrize(
    ("topology", "members", "glyphs", "shown"),
    [
        ("star", THREE, UNICODE, ["b", "├─ a", "╰─ c"]),
        ("star", THREE, ASCII, ["b", "|- a", "`- c"]),
        ("ring", THREE, UNICODE, ["╭─ a", "│  b", "╰─ c"]),
        ("ring", THREE, ASCII, [".- a", "|  b", "`- c"]),
        ("mesh", THREE, UNICODE, ["1 a", "2 b", "3 c"]),
        ("hierarchical", [member("t"), member("u"), member("m", "t"), member("w", "m"), member("v", "t"), member("x", "u")], UNICODE, ["t", "├─ m", "│  ╰─ w", "╰─ v", "u", "╰─ x"]),
        ("ring", THREE, PLAIN, ["a", "b", "c"]),
        ("mesh", [], UNICODE, []),
        ("star", [], UNICODE, []),
    ],
)
def test_a_topology_is_drawn(topology: str, members: list[dict[str, Any]], glyphs: Glyphs, shown: list[str]) -> None:
    assert lines(topology, members, glyphs) == shown


def test_a_rate_falls_by_half_in_seven_seconds() -> None:
    values = dict.fromkeys(SwarmRow._fields, 0) | {"rate": 4.0, "rate_at": 100.0}
    row = SwarmRow(**values)
    assert rate_now(row, 100.0) == rate_now(row, 90.0) == 4.0
    assert rate_now(row, 106.93) == pytest.approx(2.0, abs=0.01)


def test_every_state_has_a_badge() -> None:
    assert set(SWARM_BADGES) == set(SwarmStatus)
    assert set(SESSION_BADGES) == set(SessionState)
    assert set(PART_BADGES) == set(PartState)
    assert set(CONDITION_BADGES) == set(Condition)
