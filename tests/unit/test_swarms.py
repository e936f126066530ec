"""Swarms in a fleet: made of agents and pools, edited while they run, healed when a member is lost."""

from __future__ import annotations

from typing import Any

import pytest
from engine.coordinator.swarms import find_swarm
from engine.gate.swarms import in_full, swarm_row
from engine.model.agent_commands import UnregisterAgent
from engine.model.errors import CommandRefused, FleetError, NotFound, UsageError
from engine.model.fleet_commands import UndoPlan
from engine.model.plans import Origin
from engine.model.swarm_commands import CreateSwarm, EditSwarm, EndSwarm, PauseSwarm, UnpauseSwarm
from engine.model.swarm_words import ENDED_MAX, SwarmStatus
from engine.model.swarms import Swarm
from engine.simulation.loop import run_virtual
from engine.simulation.world import World, instant_success

ADA = Origin("ada", "console", "", 2)
CONFIG = {"fleet": {"default_pools": {"coder": {"min": 8, "max": 12}, "coordinator": {"min": 2, "max": 2}}}}


def live(story: Any, seed: int = 1) -> None:
    async def run() -> None:
        world = World(CONFIG, seed, hosts=2, work=instant_success)
        async with world.running():
            await world.until(lambda: world.state.totals.by_status.get("idle", 0) == 10)
            await story(world)
            world.coordinator.check()

    run_virtual(run())


async def do(world: World, *commands: Any, confirm: str = "") -> Any:
    return await world.gate(ADA).execute(commands, confirm=confirm)


def coders(count: int) -> tuple[str, ...]:
    return tuple(f"coder-{number}" for number in range(1, count + 1))


def swarm(world: World, name: str = "parser") -> Swarm:
    return find_swarm(world.state, name)


async def lose(world: World, name: str) -> None:
    version = swarm(world).version
    await do(world, UnregisterAgent(name), confirm=name)
    await world.until(lambda: swarm(world).version > version or swarm(world).is_over, 5)


@pytest.mark.row(134)
def test_pools_and_agents_become_a_swarm_whose_size_chooses_its_topology() -> None:
    async def story(world: World) -> None:
        await do(world, CreateSwarm("parser", ("coder", "coordinator-1")))
        row = swarm_row(world.state, swarm(world), world.clock.now())
        assert (row.state, row.topology, row.is_auto, row.members, row.term, row.rule) == ("active", "hierarchical", True, 9, 1, "delegated")
        assert row.leader == "coordinator-1"  # the most reliable by its type
        full = in_full(world.state, "parser", world.clock.now())
        assert full["layout"]["communication"]["lateral"] == "coordinator-to-coordinator"
        assert {agent["name"] for agent in full["agents"]} == {*coders(8), "coordinator-1"}
        assert len(full["traffic"]) == row.links

    live(story)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"members": ()}, "nobody would be in it"),
        ({"members": ("nobody",)}, "no agent or pool 'nobody'"),
        ({"members": ("coder",), "topology": "mesh"}, "a mesh of 8 members needs 28 links"),
        ({"members": coders(2), "topology": "ring"}, "a ring needs 3"),
    ],
)
def test_a_swarm_that_cannot_be_is_refused(given: dict[str, Any], said: str) -> None:
    async def story(world: World) -> None:
        with pytest.raises((NotFound, UsageError), match=said):
            await do(world, CreateSwarm("parser", **given))
        assert not world.state.swarming.swarms

    live(story)


def test_a_name_is_taken_until_its_swarm_has_ended() -> None:
    async def story(world: World) -> None:
        await do(world, CreateSwarm("parser", coders(3)))
        with pytest.raises(CommandRefused, match="there is a swarm 'parser' already"):
            await do(world, CreateSwarm("parser", coders(3)))
        await do(world, EndSwarm("parser", "merged"))
        assert swarm(world).because == "ended by ada: merged"
        with pytest.raises(CommandRefused, match="parser is completed: ended by ada: merged"):
            await do(world, PauseSwarm("parser"))
        await do(world, CreateSwarm("parser", coders(3)))
        assert swarm(world).status is SwarmStatus.ACTIVE
        assert [one.is_over for one in world.state.swarming.swarms.values()] == [True, False]

    live(story)


def test_the_topology_is_changed_while_it_runs_as_a_plan_and_taken_back() -> None:
    async def story(world: World) -> None:
        await do(world, CreateSwarm("parser", coders(5)))
        gate = world.gate(ADA)
        plan = await gate.plan([EditSwarm("parser", topology="star")])
        assert (plan.steps[0].before, plan.steps[0].after) == ("mesh of 5 members, 10 links", "star of 5 members, 4 links")
        assert "votes are centralized from now on" in plan.steps[0].effect
        before = swarm(world).topology
        answer = await gate.execute(plan.id)
        assert swarm(world).topology.shape == "star"
        assert swarm(world).topology.leader == before.leader
        await gate.execute([UndoPlan(answer.plan)])
        assert (swarm(world).topology, swarm(world).settings.shape) == (before, "auto")
        await do(world, EditSwarm("parser", members=(*coders(7), "coordinator-2")))
        assert (swarm(world).topology.shape, len(swarm(world).topology.members)) == ("hierarchical", 8)
        assert swarm(world).topology.leader == before.leader

    live(story)


def test_an_edit_is_not_taken_back_over_somebody_elses() -> None:
    async def story(world: World) -> None:
        await do(world, CreateSwarm("parser", coders(5)))
        answer = await do(world, EditSwarm("parser", rule="unanimous"))
        await do(world, EditSwarm("parser", rule="quorum"))
        with pytest.raises(FleetError, match="change it by hand"):
            await do(world, UndoPlan(answer.plan))

    live(story)


def test_a_paused_swarm_goes_on() -> None:
    async def story(world: World) -> None:
        await do(world, CreateSwarm("parser", coders(3)))
        answer = await do(world, PauseSwarm("parser"))
        assert swarm(world).status is SwarmStatus.PAUSED
        await do(world, UndoPlan(answer.plan))
        assert swarm(world).status is SwarmStatus.ACTIVE
        await do(world, PauseSwarm("parser"))
        await do(world, UnpauseSwarm("parser"))
        assert swarm(world).status is SwarmStatus.ACTIVE

    live(story)


def test_a_lost_leader_is_followed_by_another_and_a_smaller_swarm_has_the_topology_of_its_size() -> None:
    async def story(world: World) -> None:
        await do(world, CreateSwarm("parser", (*coders(7), "coordinator-1")))
        await lose(world, "coordinator-1")
        found = swarm(world)
        assert (found.topology.shape, len(found.topology.members), found.term) == ("mesh", 7, 2)
        assert found.topology.leader in found.topology.members
        assert found.notes[-1][1].startswith("lost coordinator-1; coder-")
        assert found.notes[-1][1].endswith("leads now; mesh now")
        for name in coders(6):
            await lose(world, name)
        assert (found.topology.shape, found.topology.members) == ("star", (world.state.agent_ids["coder-7"],))
        await lose(world, "coder-7")
        assert (found.status, found.because) == (SwarmStatus.FAILED, "none of its members is left")

    live(story)


def test_a_topology_that_somebody_chose_stays_through_losses() -> None:
    async def story(world: World) -> None:
        await do(world, CreateSwarm("parser", coders(4), topology="ring"))
        for name in coders(3):
            await lose(world, name)
        assert swarm(world).topology.shape == "ring"

    live(story)


def test_what_was_lost_while_the_engine_was_down_is_healed_at_its_start() -> None:
    async def run() -> None:
        world = World(CONFIG, 1, hosts=2, work=instant_success)
        async with world.running():
            await world.until(lambda: world.state.totals.by_status.get("idle", 0) == 10)
            await do(world, CreateSwarm("parser", coders(3)))
            await do(world, UnregisterAgent("coder-2"), confirm="coder-2")
        await world.reborn()
        async with world.running():
            await world.until(lambda: len(swarm(world).topology.members) == 2, 5)
            world.coordinator.check()

    run_virtual(run())


def test_a_swarm_begins_when_all_of_its_members_have_started() -> None:
    async def run() -> None:
        world = World(CONFIG, 1, hosts=2, work=instant_success)
        async with world.running():
            await world.until(lambda: world.state.totals.by_status.get("starting", 0) > 0)
            await do(world, CreateSwarm("parser", ("coder",)))
            await world.until(lambda: swarm(world).status is SwarmStatus.ACTIVE, 60)
            assert [text for _, text in swarm(world).notes] == ["made by ada", "all of its members have started"]

    run_virtual(run())


def test_making_a_swarm_is_taken_back_by_ending_it() -> None:
    async def story(world: World) -> None:
        answer = await do(world, CreateSwarm("parser", coders(3)))
        await do(world, UndoPlan(answer.plan))
        assert swarm(world).is_over

    live(story)


def test_swarms_that_ended_are_kept_up_to_a_number() -> None:
    async def story(world: World) -> None:
        for number in range(ENDED_MAX + 3):
            await do(world, CreateSwarm(f"s{number}", coders(2)))
            await do(world, EndSwarm(f"s{number}"))
        assert [one.name for one in world.state.swarming.swarms.values()] == [f"s{number}" for number in range(3, ENDED_MAX + 3)]

    live(story)
