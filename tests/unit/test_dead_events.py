"""Events that a group of the bus gave up on: how they become rows, and what is told again or removed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import pytest
from engine.bus.embedded_streams import EmbeddedStreams
from engine.bus.streams import BusMessage
from engine.clock import SystemClock
from engine.gate.dead_events import DATA_MAX, READ, DeadEvents
from engine.model.bus_commands import DropEvents, ReplayEvents
from engine.model.errors import CommandRefused, NotFound
from engine.model.redis_config import BusSection
from engine.simulation.world import World
from tests.given_up import give_up
from tests.unit.test_gate import live
from tests.unit.test_guardrails import ADMIN

MANY = READ + 8


async def dead_of(bus: EmbeddedStreams, group: str, numbers: Sequence[int]) -> None:
    """Have a group give up messages of the bus, which hands each out once."""
    messages = [BusMessage("fleet", number, f"tsk_{number}", "task.failed", 1.5, b'"%s"' % (b"x" * 600)) for number in numbers]
    await bus.publish(messages, after=numbers[0] - 1)
    async with bus.consumer(group, "one") as consumer:
        for _ in range(2):
            await consumer.take(count=1_000)


def looked_at(bus: EmbeddedStreams) -> tuple[DeadEvents, list[str]]:
    changed: list[str] = []

    def note(ids: Iterable[str]) -> None:
        changed.extend(ids)

    return DeadEvents(bus, SystemClock(), note), changed


async def test_what_came_and_what_another_engine_removed_is_seen_by_the_next_look() -> None:
    bus = EmbeddedStreams(BusSection(partitions=1, deliveries_max=1), SystemClock())
    dead, changed = looked_at(bus)
    await dead_of(bus, "billing", range(1, MANY + 1))
    await dead.look()
    ids = list(dead.rows())
    assert ([row.number for row in dead.rows().values()], changed) == (list(range(1, MANY + 1)), ids)
    row = dead.rows()[ids[0]]
    assert (row.group, row.key, row.type, row.deliveries, row.consumer, row.size_bytes, len(row.data)) == ("billing", "tsk_1", "task.failed", 1, "one", 602, DATA_MAX)
    await bus.drop([ids[0], ids[20]])
    changed.clear()
    await dead.look()
    assert list(dead.rows()) == [id_ for id_ in ids if id_ not in (ids[0], ids[20])]
    assert {ids[0], ids[20]} <= set(changed)


async def test_what_has_no_room_stays_dead_and_is_said() -> None:
    bus = EmbeddedStreams(BusSection(partitions=1, deliveries_max=1, entries_max=100), SystemClock())
    dead, _ = looked_at(bus)
    await dead_of(bus, "billing", range(1, 4))
    await bus.tidy()
    await bus.publish([BusMessage("fleet", number, "tsk_0", "task.failed", 1.5, b"{}") for number in range(4, 102)], after=3)
    await dead.look()
    assert await dead.replay(dead.chosen("billing")) == "2 events told again; 1 event stayed: the bus is full until the groups have acknowledged"
    assert len(dead.rows()) == 1
    with pytest.raises(CommandRefused, match="nothing was told again"):
        await dead.replay(dead.chosen(""))


def test_a_plan_says_whose_they_are_and_several_go_together() -> None:
    async def story(world: World) -> None:
        gate = world.gate(ADMIN)
        [step] = (await gate.plan([ReplayEvents()])).steps
        assert (step.effect, step.changes) == ("nothing is dead", False)
        await give_up(world, 3)
        await give_up(world, 2, group="search", first=4)
        [step] = (await gate.plan([DropEvents()])).steps
        assert (step.before, step.effect) == ("8 set aside", "never told to search (5), billing (3)")
        with pytest.raises(NotFound, match="did you mean 'billing'"):
            await gate.plan([ReplayEvents("biling")])
        rows = world.dead_events.chosen("billing")
        answer = await gate.execute([ReplayEvents(row.id) for row in rows[:2]])
        assert answer.summary == "2 events told again"
        async with world.streams.consumer("billing", "one") as consumer:
            # the two, and what was published for all meanwhile
            assert [delivery.message.key for delivery in await consumer.take() if delivery.message.again] == ["tsk_1", "tsk_2"]
        async with world.streams.consumer("search", "one") as consumer:
            assert await consumer.take() == []
        plan = await gate.plan([DropEvents("search")])
        assert (await gate.execute(plan.id, confirm=plan.confirm)).summary == "5 events removed"
        assert [row.group for row in world.dead_events.rows().values()] == ["billing"]

    live(story)
