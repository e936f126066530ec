"""`give auto`: the fittest swarm takes an objective and says why; plans say the same."""

from __future__ import annotations

from typing import Any

import pytest
from engine.coordinator.sessions import find_session
from engine.gate.sessions import session_row
from engine.gate.swarms import in_full, swarm_row
from engine.model.agent_commands import DrainAgent
from engine.model.errors import CommandRefused, UsageError
from engine.model.swarm_commands import CreateSwarm, EndSwarm, GiveObjective, PauseSwarm
from engine.simulation.world import World
from tests.unit.test_swarms import ADA, coders, do, live, swarm

PARTS: dict[str, Any] = {"work": "work", "parts": ("one",)}


async def given_to(world: World, word: str = "auto", **more: Any) -> str:
    result = await do(world, GiveObjective(word, "ship it", **PARTS | more))
    session = find_session(world.state, str(result.values[0]))
    assert session.chosen
    assert session_row(world.state, session).reason == session.chosen
    return world.state.swarming.swarms[session.swarm].name


@pytest.mark.row(60)
def test_an_objective_goes_to_the_swarm_that_can_and_is_free() -> None:
    async def story(world: World) -> None:
        await do(world, CreateSwarm("code", coders(3)), CreateSwarm("lead", ("coordinator",)))
        assert await given_to(world, needs=("consensus",)) == "lead"
        assert await given_to(world, needs=("coding",)) == "code"
        with pytest.raises(CommandRefused, match="no active swarm has anybody who can do cooking"):
            await given_to(world, needs=("cooking",))
        await do(world, PauseSwarm("code"))
        with pytest.raises(CommandRefused, match="who can do coding"):
            await given_to(world, needs=("coding",))
        with pytest.raises(UsageError, match="--needs chooses a swarm"):
            await given_to(world, "code", needs=("coding",))

    live(story)


@pytest.mark.row(60)
def test_objectives_of_one_plan_are_spread_and_each_fleet_keeps_its_own() -> None:
    async def story(world: World) -> None:
        await do(world, CreateSwarm("a/1", coders(2)), CreateSwarm("a/2", ("coder-3", "coder-4")), CreateSwarm("b/1", ("coder-5",)))
        result = await do(world, *(GiveObjective("a/auto", f"part {number}", **PARTS) for number in range(4)))
        swarms = [find_session(world.state, str(id_)).swarm for id_ in result.values]
        assert sorted(world.state.swarming.swarms[id_].name for id_ in swarms) == ["a/1", "a/1", "a/2", "a/2"]
        assert await given_to(world, "b/auto") == "b/1"
        with pytest.raises(CommandRefused, match="no active swarm whose name begins with c/"):
            await given_to(world, "c/auto")
        with pytest.raises(UsageError, match="stands for the fittest"):
            await do(world, CreateSwarm("auto", coders(2)))

    live(story)


def test_a_plan_says_which_swarm_takes_it_and_why() -> None:
    async def story(world: World) -> None:
        await do(world, CreateSwarm("code", coders(3)))
        plan = await world.gate(ADA).plan([GiveObjective("auto", "ship it", **PARTS)])
        assert plan.steps[0].target == "code"
        assert "code takes it: match 1.00 × free 1.00 × success 0.85 = 0.85; no other suits" in plan.steps[0].effect

    live(story)


@pytest.mark.row(61)
def test_a_swarm_whose_members_are_drained_is_degraded_and_says_who_can_work() -> None:
    async def story(world: World) -> None:
        await do(world, CreateSwarm("parser", coders(3)))
        assert in_full(world.state, "parser", 0.0)["health"] == "healthy"
        await do(world, DrainAgent("coder-1"))
        full = in_full(world.state, swarm(world).id, 0.0)
        assert (full["health"], full["evidence"]) == ("degraded", ("2 of 3 members can work",))
        (row,) = await world.gate(ADA).query("swarms")
        assert (row["health"], row["ill"]) == ("degraded", "2 of 3 members can work")
        assert row["fitness"] == pytest.approx(2 / 3 * 0.85)
        await do(world, CreateSwarm("other", coders(2)))
        await do(world, PauseSwarm("other"))
        assert [row["fitness"] for row in await world.gate(ADA).query("swarms")][1] == 0.0  # it takes nothing
        status = await world.gate(ADA).query("status")
        assert status.swarms == {"healthy": 0, "degraded": 2, "unhealthy": 0}
        assert world.status().swarms is None
        await do(world, EndSwarm("parser"), confirm="parser")
        assert (await world.gate(ADA).query("swarms"))[0]["health"] == ""
        assert (await world.gate(ADA).query("status")).swarms == {"healthy": 0, "degraded": 1, "unhealthy": 0}

    live(story)


class Opaque(dict[Any, Any]):
    """A table of which single entries are read, never all of them; counts what is read."""

    reads = 0

    def get(self, key: Any, default: Any = None) -> Any:
        self.reads += 1
        return super().get(key, default)

    def __getitem__(self, key: Any) -> Any:
        self.reads += 1
        return super().__getitem__(key)

    def _all(self) -> Any:
        raise AssertionError("the whole table is read")

    values = items = keys = __iter__ = _all


def test_the_row_of_a_swarm_reads_its_members_and_nothing_else() -> None:
    """A row is made at each change of a member: other swarms' agents, and votes and objectives however many, cost nothing."""

    async def story(world: World) -> None:
        await do(world, CreateSwarm("parser", coders(3)), CreateSwarm("other", coders(8)))
        await do(world, *(GiveObjective("parser", f"ship {number}", **PARTS) for number in range(8)))
        await world.until(lambda: all(session.is_over for session in world.state.swarming.sessions.values()))
        plain = world.state
        row = swarm_row(plain, swarm(world), world.clock.now())
        agents, sessions, of_swarms, rounds = plain.agents, plain.swarming.sessions, plain.swarming.by_swarm, plain.rounds
        plain.agents = seen = Opaque(agents)
        plain.swarming.sessions, plain.swarming.by_swarm, plain.rounds = Opaque(sessions), Opaque(of_swarms), Opaque(rounds)
        try:
            again = swarm_row(plain, swarm(world), world.clock.now())
            assert not any(table.reads for table in (plain.swarming.sessions, plain.swarming.by_swarm, plain.rounds))
        finally:
            plain.agents, plain.swarming.sessions, plain.swarming.by_swarm, plain.rounds = agents, sessions, of_swarms, rounds
        assert again == row
        assert seen.reads <= 10 * row.members

    live(story)


def test_auto_queues_and_ends_nobodys_work_and_a_swarm_that_is_named_does_as_its_inputs_say() -> None:
    async def story(world: World) -> None:
        await do(world, CreateSwarm("brisk", coders(2), inputs="interrupt"), CreateSwarm("calm", ("coordinator",)))
        assert await given_to(world, needs=("coding",)) == "brisk", "nothing is under way there"
        [first] = world.state.swarming.sessions.values()
        assert await given_to(world) == "calm"
        assert await given_to(world) == "calm", "it waits its turn there"
        with pytest.raises(CommandRefused, match="who can do coding"):
            await given_to(world, needs=("coding",))
        assert not world.state.swarming.sessions[first.id].is_over
        await do(world, GiveObjective("brisk", "at once", **PARTS))
        assert world.state.swarming.sessions[first.id].state == "interrupted"

    live(story)
