"""Messages of swarms: carried over links, counted, waiting in bounded mailboxes, given up in time, sent again."""

from __future__ import annotations

from typing import Any

import pytest
from engine.coordinator.mail import DISPLACED, EXPIRED, FULL
from engine.gate.mail import mail_of
from engine.gate.swarms import in_full, swarm_row
from engine.model.agent_commands import UnregisterAgent
from engine.model.errors import CommandRefused, NotFound, UsageError
from engine.model.plans import Origin
from engine.model.swarm_commands import (
    CreateSwarm,
    EndSwarm,
    ResendMessage,
    SendMessage,
    TakeMessage,
)
from engine.model.swarm_mail import RATE_S, Flow
from engine.model.swarm_words import DEAD_MAX, MAILBOX_MAX
from engine.simulation.loop import run_virtual
from engine.simulation.world import World, instant_success
from tests.unit.test_swarms import ADA, CONFIG, coders, live, swarm

PROGRAM = Origin("program", "library", "", 2)


async def star(world: World, members: int = 5) -> None:
    """The first coder is its center."""
    await world.gate(ADA).execute([CreateSwarm("parser", coders(members), topology="star")])


async def send(world: World, source: str, target: str = "", **more: Any) -> str:
    command = SendMessage("parser", more.pop("type", "task_assignment"), target, source=source, **more)
    return str((await world.gate(PROGRAM).execute([command])).values[0])


def box(world: World, agent: str) -> list[str]:
    return [one["id"] for one in mail_of(world.state, ADA, agent)]


def dead(world: World) -> list[dict[str, str]]:
    return [one["not_reached"] for one in in_full(world.state, "parser", world.clock.now())["dead_messages"]]


def agent(world: World, name: str) -> str:
    return world.state.agent_ids[name]


@pytest.mark.row(126)
@pytest.mark.row(127)
def test_a_message_goes_over_the_center_and_waits_until_it_is_taken() -> None:
    async def story(world: World) -> None:
        await star(world)
        payload = {"taskId": "tsk_1", "taskType": "research", "objective": "read it"}
        id_ = await send(world, "coder-2", "coder-3", payload=payload, priority="high", ttl_s=3_600.0, session="ssn_1", correlation="tsk_1")
        [found] = mail_of(world.state, ADA, "coder-3")
        metadata = {"version": "1.0.0", "session_id": "ssn_1", "correlation_id": "tsk_1", "retry_count": 0, "ttl": 3_600.0}
        wanted = {"id": id_, "type": "task_assignment", "source": agent(world, "coder-2"), "target": agent(world, "coder-3"), "payload": payload, "priority": "high"}
        assert {key: found[key] for key in wanted} == wanted
        assert (found["metadata"], found["hops"]) == (metadata, 2)
        await world.gate(PROGRAM).execute([TakeMessage(id_, "coder-3")])
        assert box(world, "coder-3") == []
        with pytest.raises(NotFound, match="it was taken, or expired"):
            await world.gate(PROGRAM).execute([TakeMessage(id_, "coder-3")])
        row = swarm_row(world.state, swarm(world), world.clock.now())
        assert (row.sent, row.carried, row.waiting, row.dead) == (1, 2, 0, 0)
        carried = [link["messages"] + link["messages_back"] for link in in_full(world.state, "parser", world.clock.now())["traffic"]]
        assert sorted(carried) == [0, 0, 1, 1]

    live(story)


@pytest.mark.parametrize(("topology", "members", "links"), [("mesh", 5, 4), ("star", 5, 4), ("ring", 5, 5), ("hierarchical", 8, 7)])
def test_a_broadcast_reaches_everybody_else_over_so_many_links(topology: str, members: int, links: int) -> None:
    async def story(world: World) -> None:
        await world.gate(ADA).execute([CreateSwarm("parser", coders(members), topology=topology)])
        await send(world, "coder-2", type="hello")
        assert all(len(box(world, name)) == (name != "coder-2") for name in coders(members))
        assert swarm_row(world.state, swarm(world), world.clock.now()).carried == links

    live(story)


def test_the_most_urgent_is_read_first_and_displaces_what_is_less_urgent_in_a_full_mailbox() -> None:
    async def story(world: World) -> None:
        await star(world)
        first = await send(world, "coder-2", "coder-3", priority="low")
        rest = [await send(world, "coder-2", "coder-3") for _ in range(MAILBOX_MAX - 1)]
        refused = await send(world, "coder-2", "coder-3", priority="low")
        urgent = await send(world, "coder-2", "coder-3", priority="critical")
        assert box(world, "coder-3") == [urgent, *rest]
        boxes = world.state.swarming.mailboxes
        assert [(boxes.mail[id_].message.id, *boxes.mail[id_].dead.values()) for id_ in boxes.dead] == [(refused, FULL), (first, DISPLACED)]

    live(story)


def test_a_message_that_nobody_takes_in_time_is_dead_and_can_be_sent_again() -> None:
    async def story(world: World) -> None:
        await star(world)
        id_ = await send(world, "coder-2", "coder-3", ttl_s=5.0)
        await world.clock.sleep(6)
        assert box(world, "coder-3") == []
        assert dead(world) == [{agent(world, "coder-3"): EXPIRED}]
        await world.gate(ADA).execute([ResendMessage(id_)])
        [again] = mail_of(world.state, ADA, "coder-3")
        assert (again["metadata"]["retry_count"], again["metadata"]["correlation_id"], again["metadata"]["ttl"]) == (1, id_, 5.0)
        assert dead(world) == []

    live(story)


def test_the_mail_of_who_leaves_is_dead_and_a_swarm_that_ends_has_none() -> None:
    async def story(world: World) -> None:
        await star(world)
        id_ = await send(world, "coder-2", "coder-3")
        kept = await send(world, "coder-2", "coder-4")
        gone = agent(world, "coder-3")
        await world.gate(ADA).execute([UnregisterAgent("coder-3")], confirm="coder-3")
        await world.until(lambda: len(swarm(world).topology.members) == 4, 5)
        assert dead(world) == [{gone: "it left the swarm"}]
        with pytest.raises(CommandRefused, match="nobody whom"):
            await world.gate(ADA).execute([ResendMessage(id_)])
        assert box(world, "coder-4") == [kept]
        await world.gate(ADA).execute([EndSwarm("parser")], confirm="parser")
        assert not world.state.swarming.mailboxes.mail

    live(story)


def test_only_members_and_operators_speak_in_a_swarm_and_each_as_itself() -> None:
    async def story(world: World) -> None:
        await star(world)
        with pytest.raises(CommandRefused, match="is not in the swarm parser"):
            await send(world, "coder-8", "coder-2")
        with pytest.raises(NotFound, match="'coder-8' is not in the swarm"):
            await send(world, "coder-2", "coder-8")
        with pytest.raises(CommandRefused, match="one speaks as oneself"):
            await world.gate(ADA).execute([SendMessage("parser", "hello", source="coder-2")])
        with pytest.raises(UsageError, match="larger than 16,384 bytes"):
            await send(world, "coder-2", "coder-3", payload={"text": "x" * 20_000})
        await world.gate(ADA).execute([SendMessage("parser", "hello", "coder-3")])
        [found] = mail_of(world.state, ADA, "coder-3")
        assert (found["source"], found["hops"]) == ("@ada", 1)
        id_ = await send(world, "coder-3", "@ada")
        [answer] = mail_of(world.state, ADA, "")
        assert (answer["id"], answer["hops"]) == (id_, 1)
        await world.gate(ADA).execute([TakeMessage(id_)])
        assert mail_of(world.state, ADA, "") == []

    live(story)


def test_mail_outlives_the_engine_and_still_expires() -> None:
    async def run() -> None:
        world = World(CONFIG, 1, hosts=2, work=instant_success)
        async with world.running():
            await world.until(lambda: world.state.totals.by_status.get("idle", 0) == 10)
            await star(world)
            await send(world, "coder-2", "coder-3", ttl_s=60.0)
        await world.reborn()
        async with world.running():
            assert len(box(world, "coder-3")) == 1
            await world.until(lambda: not box(world, "coder-3"), 70)
            world.coordinator.check()

    run_virtual(run())


def test_dead_messages_are_kept_up_to_a_number() -> None:
    async def story(world: World) -> None:
        await star(world)
        for _ in range(DEAD_MAX // 100 + 1):
            await world.gate(PROGRAM).execute([SendMessage("parser", "hello", "coder-3", source="coder-2", ttl_s=1.0) for _ in range(100)])
            await world.clock.sleep(2)
        assert len(world.state.swarming.mailboxes.dead) == DEAD_MAX
        assert swarm_row(world.state, swarm(world), world.clock.now()).dead == DEAD_MAX + 100

    live(story)


def test_the_rate_of_a_link_is_what_went_over_it_and_falls_when_nothing_does() -> None:
    flow = Flow()
    for number in range(1_000):
        flow.add(number / 10)
    assert flow.messages == 1_000
    assert flow.rate(99.9) == pytest.approx(10, rel=0.02)
    assert flow.rate(99.9 + RATE_S) == pytest.approx(10 / 2.718, rel=0.02)
