"""What could be smaller, and the verb that makes it so; pools edited beside their configuration."""

from __future__ import annotations

from typing import Any, cast

import pytest
from engine.coordinator.reports import decide_pools
from engine.model.agents import Resources
from engine.model.errors import CommandRefused, UsageError
from engine.model.pool_commands import EditPool, ScalePool
from engine.model.pools import Pool, PoolSpec
from engine.model.scaling import Observation
from engine.model.wire import command_of, to_plain
from engine.scaling.optimizer import SAMPLES_MIN, Optimizer
from engine.simulation.loop import run_virtual
from engine.simulation.world import World, instant_success
from fleet_tui.optimizing import lines_of
from tests.unit.core_fleet import Fleet


def watched(pool: Pool, minutes: int = SAMPLES_MIN, **values: Any) -> list[Any]:
    optimizer = Optimizer()
    for minute in range(minutes):
        figures = {"ready": pool.size, "busy": 0, "waiting": 0, **values}
        optimizer.see({pool.spec.name: Observation(minute * 60.0, pool.size, **figures)}, {pool.spec.name: pool})
    return optimizer.recommend({pool.spec.name: pool})


def pool(size: int = 10, low: int = 1, memory: int = 2_048, cpu: float = 1.0, cost: float = 0.0) -> Pool:
    return Pool(PoolSpec("coder", low, 50, resources=Resources(memory, cpu), cost=cost), size, agents=size)


@pytest.mark.row(63, 93)
def test_an_allocation_that_is_not_used_is_recommended_smaller() -> None:
    (found,) = watched(pool(), busy=10, memory=0.25, cpu=0.9)
    assert (found.kind, found.recommended, found.efficiency) == ("resize_allocation", "640 MB, 1 core", 0.25)
    assert found.saves_memory_mb == (2_048 - 640) * 10
    assert found.call.args == {"pool": "coder", "changes": {"memory": 640}}
    assert "at most 25% of the memory" in found.evidence


def test_what_was_carried_out_is_not_recommended_again_for_what_was_seen_before() -> None:
    optimizer, before = Optimizer(), pool()
    for minute in range(SAMPLES_MIN):
        optimizer.see({"coder": Observation(minute * 60.0, 10, 10, 10, 0, memory=0.25, cpu=0.9)}, {"coder": before})
    (found,) = optimizer.recommend({"coder": before})
    after = pool(memory=found.call.args["changes"]["memory"])  # type: ignore[index]
    assert optimizer.recommend({"coder": after}) == []


@pytest.mark.row(277)
def test_agents_without_work_are_found_with_what_they_cost() -> None:
    (found,) = watched(pool(cost=0.001), busy=2, cpu=0.9, memory=0.9)
    assert (found.kind, found.recommended, found.saves_agents) == ("oversized", "3 agents", 7)
    assert found.saves_cost_per_hour == pytest.approx(7 * 3.6)
    (idle,) = watched(pool(), cpu=0.9, memory=0.9)
    assert (idle.kind, idle.recommended) == ("idle", "1 agent")


@pytest.mark.parametrize(
    ("values", "minutes"),
    [({"busy": 10, "memory": 0.8, "cpu": 0.8}, SAMPLES_MIN), ({"busy": 10}, SAMPLES_MIN), ({"busy": 1, "memory": 0.1}, SAMPLES_MIN - 1)],
)
def test_nothing_is_recommended_when_it_is_used_unknown_or_too_new(values: dict[str, Any], minutes: int) -> None:
    assert watched(pool(), minutes, **values) == []


@pytest.mark.row(93)
def test_a_pool_is_edited_beside_its_configuration_and_taken_back() -> None:
    fleet = Fleet()
    fleet.do(EditPool("coder", {"min": 4, "memory": 64, "cpu": 0.25}))
    state_pool = fleet.state.pools["coder"]
    assert (state_pool.size, state_pool.spec.min, state_pool.spec.resources.memory) == (4, 4, 64)
    assert {agent.spec.resources.memory for agent in fleet.state.agents.values()} == {64}
    fleet.apply(decide_pools(fleet.state, fleet.config.pool_specs(), fleet.deciding))
    assert state_pool.overrides == {"min": 4, "memory": 64, "cpu": 0.25}, "a new start of the engine keeps it"
    fleet.do(EditPool("coder", dict.fromkeys(("min", "memory", "cpu"))))
    assert (state_pool.spec, state_pool.overrides, state_pool.configured) == (fleet.config.pool_specs()[0], {}, None)


def test_a_change_that_a_new_configuration_contradicts_is_dropped() -> None:
    fleet = Fleet()
    fleet.do(EditPool("coder", {"min": 8}))
    (spec,) = Fleet({"coder": {"min": 1, "max": 5}}).config.pool_specs()
    fleet.apply(decide_pools(fleet.state, (spec,), fleet.deciding))
    assert (fleet.state.pools["coder"].spec, fleet.state.pools["coder"].overrides) == (spec, {})


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"handler": "x:y"}, "cannot be changed while it runs"),
        ({"min": 99}, "min 99 would be above max 9"),
        ({"min": 1.5}, "whole number"),
        ({"priority": 11}, "must be a number 1..10"),
        ({"memory": "much"}, "memory is 'much'"),
        ({"cpu": True}, "cpu is True"),
    ],
)
def test_an_edit_that_makes_no_sense_is_refused(changes: dict[str, Any], words: str) -> None:
    fleet = Fleet()
    with pytest.raises(UsageError, match=words):
        fleet.do(EditPool("coder", changes))
    with pytest.raises(CommandRefused, match="named twice"):
        fleet.do(EditPool("coder", {"min": 1}), EditPool("coder", {"min": 1}))


@pytest.mark.row(63, 95, 277)
def test_recommendations_of_a_living_fleet_are_carried_out_as_a_plan() -> None:
    async def story() -> None:
        world = World({"fleet": {"default_pools": {"coder": {"min": 2, "max": 9, "cost": 0.01}}}}, 1, hosts=1, work=instant_success)
        async with world.running():
            gate, began = world.gate(), world.clock.now()
            await gate.execute([ScalePool("coder", "9")])
            await world.until(lambda: world.clock.now() > began + 660)
            [found] = cast("list[dict[str, Any]]", to_plain(await gate.query("recommendations")))
            what, saves, why = lines_of(found)
            assert what == "coder is idle: 9 agents -> 2 agents"
            assert saves == "    saves 7 agents, 3,584 MB, 3.5 cores, 252.00 an hour"
            assert why.startswith("    at most 0 of 9 agents had work in 1")
            plan = await gate.plan([command_of(found["call"])])
            assert (plan.steps[0].before, plan.steps[0].after) == ("9", "2")
            await gate.execute(plan.id)
            await world.until(lambda: len(world.state.agents) == 2)
            assert await gate.query("recommendations") == []

    run_virtual(story())
