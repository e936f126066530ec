"""Who may not know that an entry of memory is there reads its name nowhere: in no line of the audit, no plan, no event, no undo."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from engine.gate.memory_words import AN_ENTRY
from engine.memory.verbs import principal_of
from engine.model import wire
from engine.model.errors import CommandRefused, Conflict, Denied, NotFound
from engine.model.fleet_commands import RedoPlan, UndoPlan
from engine.model.memory import Action, EntryId, RetrieveOptions
from engine.model.memory_commands import ForgetEntry, PermitEntry, RememberEntry
from engine.model.plans import Origin
from engine.model.verbs import Role
from engine.simulation.loop import run_virtual
from engine.simulation.world import World, instant_success
from tests.unit.test_gate import CONFIG
from tests.unit.test_guardrails import ADMIN

KEY, OWN = "zq-merger-plan", "zq-mine"
EVE = Origin("eve", "api", "", Role.VIEWER)
OPERATOR = Origin("bob", "console", "", Role.OPERATOR)


async def everything(world: World, origin: Origin) -> str:
    """Return all that somebody can read of what was done."""
    gate = world.gate(origin)
    found: list[Any] = [await gate.query(kind, limit=1_000) for kind in ("audit", "plans", "events")]
    found += [await gate.query("event", id=row["id"]) for row in found[2]]
    found.append(await gate.query("audit", limit=1_000, filter=KEY))
    async with gate.follow(["audit", "plans", "events"]) as frames:
        async for frame in frames:
            found.append([frame.rows, frame.events])
            break
    return wire.encode(found).decode()


def live(story: Callable[[World], Awaitable[None]]) -> None:
    async def run() -> None:
        world = World(CONFIG, 1, hosts=1, work=instant_success)
        async with world.running():
            await story(world)

    run_virtual(run())


async def act(world: World, level: str) -> str:
    """Do all that can be done with an entry; return the last plan."""
    admin = world.gate(ADMIN)
    await admin.execute([RememberEntry(KEY, "1", level=level)])
    await admin.execute([RememberEntry(KEY, "2")])
    await admin.execute([PermitEntry(KEY, level)])
    plan = (await admin.execute([ForgetEntry(KEY)])).plan
    for again in (UndoPlan, RedoPlan, UndoPlan):
        await admin.execute([again(plan)])
    with pytest.raises(Conflict, match=KEY):
        await admin.execute([RememberEntry(KEY, "3", version=77)])
    return plan


@pytest.mark.parametrize(("level", "reader"), [("private", EVE), ("team", EVE), ("system", OPERATOR), ("system", EVE)])
@pytest.mark.row(186, 190, 191)
def test_nothing_names_an_entry_to_who_may_not_know_of_it(level: str, reader: Origin) -> None:
    async def story(world: World) -> None:
        plan = await act(world, level)
        with pytest.raises(NotFound):
            await world.memory.retrieve(principal_of(reader), KEY, RetrieveOptions(owner=ADMIN.who))
        for _ in range(3):
            world.memory.denials.note(principal_of(OPERATOR), Action.READ, EntryId("default", ADMIN.who, KEY), "it is private", world.clock.now())
        told = await everything(world, reader)
        assert KEY not in told
        assert AN_ENTRY in told
        assert told.count("memory.store") > 2, "the lines themselves are there"
        for undo in (UndoPlan, RedoPlan):
            with pytest.raises((Denied, CommandRefused)) as refusal:
                await world.gate(reader).execute([undo(plan)])
            assert KEY not in str(refusal.value)
        assert KEY in await everything(world, ADMIN)

    live(story)


@pytest.mark.row(188)
def test_who_may_know_of_an_entry_reads_its_name_and_who_wrote_a_line_its_own() -> None:
    async def story(world: World) -> None:
        await act(world, "swarm")
        assert KEY in await everything(world, EVE)
        with pytest.raises(NotFound):
            await world.gate(OPERATOR).execute([ForgetEntry(OWN)])
        rows = await world.gate(OPERATOR).query("audit", limit=1_000)
        assert [row["target"] for row in rows if row["who"] == OPERATOR.who] == [OWN]
        rows = await world.gate(EVE).query("audit", limit=1_000)
        assert [(row["target"], row["result"]) for row in rows if row["who"] == OPERATOR.who] == [(AN_ENTRY, "refused")]

    live(story)


def test_a_filter_finds_no_name_that_is_not_shown() -> None:
    async def story(world: World) -> None:
        await act(world, "private")
        for word in (KEY, f"target={ADMIN.who}/{KEY}"):
            assert await world.gate(EVE).query("audit", filter=word) == []
            assert await world.gate(ADMIN).query("audit", filter=word)
        assert await world.gate(EVE).query("plans", filter=KEY) == []

    live(story)
