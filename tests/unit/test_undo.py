"""Undo and redo: what they restore, when they are refused, and that they are a stack."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from engine.model.agent_commands import AllocateAgent, DrainAgent, RegisterAgent, UnregisterAgent
from engine.model.errors import CommandRefused, PlanChanged, ReadOnly
from engine.model.fleet_commands import HaltFleet, RedoPlan, UndoPlan
from engine.model.plans import Origin
from engine.model.pool_commands import CreatePolicy, PausePool, ScalePool, UpdatePolicy
from engine.model.task_commands import CancelTask, PrioritiseTask, SubmitTask
from engine.model.verbs import Danger
from engine.simulation.world import World
from tests.unit.test_gate import BOB, live

EVE = Origin("eve", "cli", "", 1)


def live_halted(story: Callable[[World], Awaitable[Any]]) -> None:
    """Run a story on an engine that places nothing, so that tasks wait."""

    async def whole(world: World) -> None:
        await world.gate().execute([HaltFleet("placing")], confirm="placing")
        await story(world)

    live(whole)


def test_plan_is_refused_when_it_would_do_something_else_and_can_be_made_again() -> None:
    async def story(world: World) -> None:
        gate = world.gate(BOB)
        plan = await gate.plan([ScalePool("coder", "+2")])
        await world.gate(EVE).execute([ScalePool("coder", "3")])
        with pytest.raises(PlanChanged, match=r"coder was 2 → 4, now 3 → 4; starts 1 agent; nothing was changed, look at the new plan"):
            await gate.execute(plan.id)
        assert world.state.pools["coder"].size == 3
        await world.gate(EVE).execute([ScalePool("coder", "2")])
        await gate.execute(plan.id)  # all is as it was, so it does what it said
        assert world.state.pools["coder"].size == 4

    live(story)


def test_plan_stays_good_while_agents_only_come_and_go_from_work() -> None:
    async def story(world: World) -> None:
        gate = world.gate(BOB)
        plan = await gate.plan([DrainAgent("coder-1")])
        await world.gate(EVE).execute([AllocateAgent("a", "coder"), AllocateAgent("b", "coder")])
        await gate.execute(plan.id)
        assert world.state.agents[world.state.agent_ids["coder-1"]].status == "draining"

    live(story)


def test_plan_is_refused_when_more_would_be_cancelled_than_it_said() -> None:
    async def story(world: World) -> None:
        gate = world.gate(BOB)
        [task] = (await gate.execute([SubmitTask("noop", "ui", title="one")])).values
        plan = await gate.plan([CancelTask(str(task))])
        await world.gate(EVE).execute([SubmitTask("noop", "ui", depends_on=(str(task),))])
        with pytest.raises(PlanChanged, match="now pending → cancelled; never runs; 1 task that needs it is cancelled too"):
            await gate.execute(plan.id)
        assert world.state.tasks[task].state == "pending"  # type: ignore[index]

    live_halted(story)


def test_plan_survives_a_full_disk() -> None:
    async def story(world: World) -> None:
        gate = world.gate(BOB)
        plan = await gate.plan([ScalePool("coder", "4")])
        world.journal.broken = "disk full"
        for _ in range(2):  # the first finds out, the second is told
            with pytest.raises(ReadOnly):
                await gate.execute(plan.id)
        world.journal.broken = ""
        await world.until(lambda: not world.coordinator.read_only)
        await gate.execute(plan.id)
        assert world.state.pools["coder"].size == 4

    live(story)


def test_plan_foresees_what_executing_would_refuse() -> None:
    async def story(world: World) -> None:
        gate = world.gate(BOB)
        await gate.execute([ScalePool("coder", "=max")])
        for command in (ScalePool("ui", "=max"), RegisterAgent("ui", count=3)):
            with pytest.raises(CommandRefused, match=r"10 agents \+ 3 is above fleet.max_agents 12"):
                await gate.plan([command])
        await gate.plan([AllocateAgent("mine", "ui")])
        await gate.execute([AllocateAgent("mine", "ui")])  # looking at a plan reserved nobody
        with pytest.raises(CommandRefused, match="no free agent in ui"):
            await gate.plan([AllocateAgent("mine", "ui")])

    live(story)


def test_undo_goes_back_to_a_size_below_min() -> None:
    async def story(world: World) -> None:
        gate = world.gate(BOB)
        await gate.execute([UnregisterAgent("coder-1")])
        assert world.state.pools["coder"].size == 1
        scaled = await gate.execute([ScalePool("coder", "5")])
        plan = await gate.plan([UndoPlan()])
        assert [(step.before, step.after) for step in plan.steps] == [("5", "1")]
        await gate.execute(plan.id)
        assert world.state.pools["coder"].size == 1
        await gate.execute([RedoPlan(scaled.plan)])
        assert world.state.pools["coder"].size == 5
        with pytest.raises(CommandRefused, match="holds 2..9 agents, 1 is outside"):
            await gate.execute([ScalePool("coder", "1")])

    live(story)


def test_undo_is_refused_when_somebody_changed_the_same_thing_since() -> None:
    async def story(world: World) -> None:
        gate = world.gate(BOB)
        await gate.execute([ScalePool("coder", "4")])
        await world.gate(EVE).execute([ScalePool("coder", "8")])
        text = r"coder is 8 now, not 4 as it was left by 'scale coder 2 → 4' \(eve, pool.scale by cli\): to undo it would take that back too"
        for ask in (gate.plan, gate.execute):
            with pytest.raises(CommandRefused, match=text):
                await ask([UndoPlan()])
        assert world.state.pools["coder"].size == 8
        await world.gate(EVE).execute([UndoPlan()])
        await gate.execute([UndoPlan()])
        assert world.state.pools["coder"].size == 2

    live(story)


def test_redo_is_refused_when_somebody_changed_the_same_thing_since() -> None:
    async def story(world: World) -> None:
        gate = world.gate(BOB)
        await gate.execute([ScalePool("coder", "4")])
        await gate.execute([UndoPlan()])
        await world.gate(EVE).execute([ScalePool("coder", "8")])
        with pytest.raises(CommandRefused, match="coder is 8 now, not 2 as it was found by"):
            await gate.execute([RedoPlan()])

    live(story)


def test_undo_and_redo_are_stacks() -> None:
    async def story(world: World) -> None:
        gate = world.gate(BOB)
        sizes = lambda: (world.state.pools["coder"].size, world.state.pools["ui"].size)  # noqa: E731
        await gate.execute([ScalePool("coder", "4")])
        await gate.execute([ScalePool("ui", "3")])
        seen = [sizes()]
        for command in (UndoPlan(), UndoPlan(), RedoPlan(), RedoPlan(), UndoPlan()):
            await gate.execute([command])
            seen.append(sizes())
        assert seen == [(4, 3), (4, 1), (2, 1), (4, 1), (4, 3), (4, 1)]

    live(story)


def test_undo_by_a_plans_id_means_the_plan_that_was_shown() -> None:
    async def story(world: World) -> None:
        gate = world.gate(BOB)
        first = await gate.execute([PausePool("ui")])
        plan = await gate.plan([UndoPlan()])
        await gate.execute([PausePool("coder")])
        await gate.execute(plan.id)
        assert world.state.plans[first.plan].undone_by == plan.id
        assert (world.state.pools["ui"].paused, world.state.pools["coder"].paused) == (False, True)

    live(story)


def test_undo_of_a_cancellation_brings_back_what_was_cancelled_along() -> None:
    async def story(world: World) -> None:
        gate = world.gate(BOB)
        [first] = (await gate.execute([SubmitTask("noop", "ui")])).values
        [second] = (await gate.execute([SubmitTask("noop", "ui", depends_on=(str(first),))])).values
        [third] = (await gate.execute([SubmitTask("noop", "ui", depends_on=(str(second),))])).values
        cancelled = await gate.execute([CancelTask(str(first)), CancelTask(str(second))])
        assert {task.state for task in world.state.tasks.values()} == {"cancelled"}
        await gate.execute([UndoPlan(cancelled.plan)])
        states = {id_: (task.state, task.waiting_on) for id_, task in world.state.tasks.items()}
        assert states == {first: ("pending", 0), second: ("pending", 1), third: ("pending", 1)}

    live_halted(story)


def test_undo_leaves_out_what_needs_none_and_says_when_nothing_is_left() -> None:
    async def story(world: World) -> None:
        gate = world.gate(BOB)
        tasks = [str(task) for task in (await gate.execute([SubmitTask("noop", "ui")] * 3)).values]
        await world.gate(EVE).execute([CancelTask(tasks[0])])
        plan = await gate.plan([UndoPlan()])
        assert [step.call.args["task"] for step in plan.steps] == [tasks[2], tasks[1]]
        await world.gate(EVE).execute([CancelTask(task) for task in tasks[1:]])
        with pytest.raises(CommandRefused, match="nothing is left to undo of 'submit noop and 2 more'"):
            await gate.execute([UndoPlan()])
        await gate.execute([PrioritiseTask((str(await submit(world))), 9)])
        [task] = [task for task in world.state.tasks.values() if task.state == "pending"]
        await world.gate(EVE).execute([PrioritiseTask(task.spec.id, 3)])
        with pytest.raises(CommandRefused, match="is 3 now, not 9"):
            await gate.execute([UndoPlan()])

    async def submit(world: World) -> object:
        return (await world.gate(EVE).execute([SubmitTask("noop", "ui")])).values[0]

    live_halted(story)


def test_undo_of_a_submission_that_runs_is_as_dangerous_as_a_cancellation() -> None:
    async def story(world: World) -> None:
        gate = world.gate(BOB)
        await gate.execute([SubmitTask("noop", "ui")])
        plan = await gate.plan([UndoPlan()])
        assert (plan.danger, plan.undoable) == (Danger.DESTRUCTIVE, True)
        assert plan.undo_note == SubmitTask.undo_note

    live_halted(story)


def test_undo_keeps_what_somebody_else_changed_in_a_policy() -> None:
    async def story(world: World) -> None:
        gate, eve = world.gate(), world.gate(Origin("eve", "cli", "", 2))
        await gate.execute([CreatePolicy("mine", {"pool": "ui", "target": 0.5})])
        await eve.execute([UpdatePolicy("mine", {"target": 0.7})])
        with pytest.raises(CommandRefused, match=r"mine is version \w+ now, not version \w+ as it was left by .* \(eve, policy.update by cli\)"):
            await gate.execute([UndoPlan()])
        await eve.execute([UndoPlan()])
        await gate.execute([UndoPlan()])
        assert "mine" not in world.state.policies

    live(story)
