"""Why a swarm or an objective is as it is: the facts lead to the members, votes and tasks that hold it up."""

from __future__ import annotations

from typing import Any

from engine.model.agent_commands import DrainAgent
from engine.model.fleet_commands import HaltFleet
from engine.model.swarm_commands import CreateSwarm, EndSwarm, GiveObjective, PauseSwarm
from engine.simulation.world import World
from tests.unit.test_swarms import ADA, coders, do, live, swarm


async def explained(world: World, kind: str, id_: str) -> Any:
    return await world.gate(ADA).query("explain", kind=kind, id=id_)


def facts(found: Any) -> dict[str, tuple[str, str, str]]:
    return {fact["text"]: (fact["level"], fact["kind"], fact["id"]) for fact in found["evidence"]}


def test_a_swarm_says_who_cannot_work_how_fit_it_is_and_who_paused_it() -> None:
    async def story(world: World) -> None:
        await do(world, CreateSwarm("parser", coders(3)))
        calm = await explained(world, "swarms", "parser")
        assert (calm["id"], calm["name"], calm["headline"], calm["level"]) == (swarm(world).id, "parser", "it is healthy and has nothing to do", "info")
        assert "fitness 0.85 = match 1.00 × free 1.00 × success 0.85" in facts(calm)
        await do(world, DrainAgent("coder-1"))
        ill = await explained(world, "swarms", "parser")
        assert (ill["headline"], ill["level"]) == ("it is degraded: 2 of 3 members can work", "warn")
        drained = world.state.agent_named("coder-1")
        assert drained is not None
        assert facts(ill)["coder-1 is drained"] == ("warn", "agents", drained.spec.id)
        await world.gate(ADA).execute([PauseSwarm("parser")], reason="release day")
        paused = await explained(world, "swarms", "parser")
        assert paused["headline"] == "it is paused: it begins nothing new"
        assert facts(paused)["it was paused by ada: release day"][1] == "plans"
        await do(world, EndSwarm("parser", "merged"), confirm="parser")
        assert (await explained(world, "swarms", swarm(world).id))["headline"] == "it is completed: ended by ada: merged"

    live(story)


def test_an_objective_says_what_it_waits_for_down_to_the_task_and_why_it_failed() -> None:
    async def story(world: World) -> None:
        await do(world, CreateSwarm("parser", coders(2)))
        await do(world, HaltFleet("placing"), confirm="placing")
        given = await do(world, *(GiveObjective("auto", f"ship {number}", work="work", parts=("one", "two", "three"), timeout_s=20.0 * number) for number in (1, 2)))
        first, second = map(str, given.values)
        await world.until(lambda: world.state.swarming.sessions[first].began_at > 0, 5)  # type: ignore[index]
        held = await explained(world, "sessions", first)
        assert held["headline"] == "nothing is placed: ada halted placing"
        task = world.state.swarming.sessions[first].parts[0].task  # type: ignore[index]
        assert ("warn", "tasks", task) in facts(held).values()
        assert any(text.startswith("part 1 waits for coder-") and text.endswith(" is idle") for text in facts(held))
        assert "it has 20 s more" in facts(held)
        waits = await explained(world, "sessions", second)
        assert waits["headline"] == "it waits for its turn: 1 before it"
        assert facts(waits)["'ship 1' is before it and is working"] == ("info", "sessions", first)
        working = await explained(world, "swarms", "parser")
        assert facts(working)["'ship 1' is working"] == ("info", "sessions", first)
        await world.until(lambda: world.state.swarming.sessions[first].is_over, 60)  # type: ignore[index]
        over = await explained(world, "sessions", first)
        assert (over["headline"], over["level"]) == ("it is failed: not done within 20 s", "error")

    live(story)
