"""The autoscaler on a whole engine in virtual time: it follows load, keeps its hands off held pools, and never takes a busy agent."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from engine.clock import Rng
from engine.model.agent_events import AgentsRemoved
from engine.model.effects import Assignment
from engine.model.errors import CommandRefused, NotFound, UsageError
from engine.model.fleet_commands import UndoPlan
from engine.model.pool_commands import CreatePolicy, DeletePolicy, HoldPool, ScalePool, UpdatePolicy
from engine.model.pool_events import PoolScaled
from engine.model.task_commands import SubmitTask
from engine.model.task_events import TaskReturned
from engine.model.tasks import Outcome
from engine.model.verbs import Command
from engine.simulation.loop import run_virtual
from engine.simulation.world import World

POOLS = {"coder": {"min": 2, "max": 20, "priority": 8}, "ui": {"min": 1, "max": 20, "priority": 3}}
DEMAND = {"pool": "coder", "target": 0.85, "scale_down": {"stabilization_s": 5.0}}


def five_seconds(assignment: Assignment, _rng: Rng) -> tuple[float, Outcome]:
    return 5.0, Outcome(assignment.task, assignment.token, ok=True)


def live(work: Callable[[World], Awaitable[Any]], *, policies: dict[str, Any] | None = None, max_agents: int = 40) -> Any:
    """Run a story on a fresh engine whose agents are up."""

    async def story() -> Any:
        config = {"fleet": {"default_pools": POOLS, "max_agents": max_agents}, "auto_scaling": {"policies": policies or {}}}
        world = World(config, 1, hosts=2, work=five_seconds)
        async with world.running():
            await world.until(lambda: world.state.totals.by_status.get("idle", 0) == 3)
            found = await work(world)
            world.coordinator.check()
            return found

    return run_virtual(story())


async def submit(world: World, count: int, pool: str = "coder") -> None:
    await world.gate().execute([SubmitTask("noop", pool) for _ in range(count)])


def size(world: World, pool: str = "coder") -> int:
    return world.state.pools[pool].size


def scalings(world: World) -> list[PoolScaled]:
    return [record.event for record in world.journal.kept if isinstance(record.event, PoolScaled)]


@pytest.mark.row(94, 102)
def test_a_burst_brings_agents_and_quiet_takes_them_away_idle_ones_only() -> None:
    async def story(world: World) -> None:
        began = world.clock.now()
        await submit(world, 12)
        await world.until(lambda: size(world) >= 14)
        assert world.clock.now() - began <= 2.1, "seen and decided within two looks"
        await world.until(lambda: world.state.totals.succeeded == 12)
        await world.until(lambda: size(world) == 2)
        removed = [record.event for record in world.journal.kept if isinstance(record.event, AgentsRemoved)]
        assert removed
        assert not [record for record in world.journal.kept if isinstance(record.event, TaskReturned)], "no task lost its agent"
        assert all(event.reason for event in scalings(world))
        assert "demand" in scalings(world)[0].reason

    live(story, policies={"coder-demand": DEMAND})


def test_without_a_policy_nothing_moves() -> None:
    async def story(world: World) -> None:
        await submit(world, 12)
        await world.until(lambda: world.state.totals.succeeded == 12)
        assert scalings(world) == []

    live(story)


@pytest.mark.row(66)
def test_a_held_pool_is_left_alone_until_the_time_is_over() -> None:
    async def story(world: World) -> None:
        await world.gate().execute([HoldPool("coder", 30.0)])
        held_at = world.clock.now()
        await submit(world, 60)
        await world.until(lambda: size(world) > 2)
        assert world.clock.now() - held_at >= 30.0

    live(story, policies={"coder-demand": DEMAND})


def test_scaling_by_hand_under_a_policy_warns_that_it_will_be_changed() -> None:
    async def story(world: World) -> None:
        plan = await world.gate().plan([ScalePool("coder", "10")])
        assert "coder-demand" in plan.steps[0].warning
        await world.gate().execute([HoldPool("coder")])
        plan = await world.gate().plan([ScalePool("coder", "10")])
        assert plan.steps[0].warning == ""

    live(story, policies={"coder-demand": DEMAND})


def test_the_fleet_has_room_for_the_most_important_pool_first() -> None:
    async def story(world: World) -> None:
        await submit(world, 30, "ui")
        await submit(world, 30, "coder")
        await world.until(lambda: len(world.state.agents) == 8)
        assert size(world, "coder") > size(world, "ui")
        await world.clock.sleep(5.0)
        assert len(world.state.agents) <= 8

    live(story, policies={"all": {"target": 0.85}}, max_agents=8)


@pytest.mark.row(68)
def test_policies_are_made_changed_removed_and_all_of_it_undone() -> None:
    async def story(world: World) -> None:
        gate = world.gate()
        policies = world.state.policies
        await gate.execute([CreatePolicy("mine", {"pool": "ui", "target": 0.5})])
        made = policies["mine"]
        await gate.execute([UpdatePolicy("mine", {"target": 0.7, "panic": {"threshold": 3.0}})])
        assert (policies["mine"].target, policies["mine"].panic.threshold) == (0.7, 3.0)
        await gate.execute([UndoPlan()])
        assert policies["mine"] == made
        await gate.execute([DeletePolicy("mine")])
        assert "mine" not in policies
        await gate.execute([UndoPlan()])
        assert policies["mine"] == made
        rows = await gate.query("policies")
        assert [(row["id"], row["pool"], row["pools"], row["rules"]) for row in rows] == [("mine", "ui", 1, "target 0.5")]

    live(story)


@pytest.mark.parametrize(
    ("command", "error", "words"),
    [
        (CreatePolicy("coder-demand", {"target": 1}), CommandRefused, "is there already"),
        (CreatePolicy("new", {}), UsageError, "neither a target nor a trigger"),
        (CreatePolicy("new", {"pool": "codr", "target": 1}), NotFound, "did you mean 'coder'"),
        (UpdatePolicy("coder-demnd", {}), NotFound, "did you mean 'coder-demand'"),
        (UpdatePolicy("coder-demand", {"target": "much"}), UsageError, "target"),
        (DeletePolicy("none"), NotFound, "no policy"),
        (HoldPool("codr"), NotFound, "did you mean 'coder'"),
    ],
)
def test_what_cannot_be_done_is_refused_and_changes_nothing(command: Command, error: type[Exception], words: str) -> None:
    async def story(world: World) -> None:
        before = dict(world.state.policies)
        with pytest.raises(error, match=words):
            await world.gate().execute([command])
        assert world.state.policies == before

    live(story, policies={"coder-demand": DEMAND})


def test_policies_and_holds_outlive_the_engine_and_the_configuration_makes_only_missing_ones() -> None:
    async def story(world: World) -> None:
        await world.gate().execute([UpdatePolicy("coder-demand", {"target": 0.5})])
        await world.gate().execute([HoldPool("coder", 100.0)])

    async def whole() -> None:
        config = {"fleet": {"default_pools": POOLS}, "auto_scaling": {"policies": {"coder-demand": DEMAND}}}
        world = World(config, 1, hosts=2, work=five_seconds)
        async with world.running():
            await story(world)
        await world.reborn()
        async with world.running():
            assert world.state.policies["coder-demand"].target == 0.5
            hold = world.state.pools["coder"].hold
            assert hold is not None
            assert hold.who == "ada"

    run_virtual(whole())


@pytest.mark.row(67)
def test_every_decision_says_why_in_rows() -> None:
    async def story(world: World) -> None:
        await submit(world, 12)
        await world.until(lambda: bool(scalings(world)))
        row = next(row for row in await world.gate().query("scaling") if row["id"] == "coder")
        assert row["policy"] == "coder-demand"
        assert "demand" in row["reason"]
        assert row["demand"] > 2

    live(story, policies={"coder-demand": DEMAND})
