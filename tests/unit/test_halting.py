"""Emergency stops: what each scope stops, that it holds over a restart, and that one undo ends it."""

from __future__ import annotations

from typing import Any

import pytest
from engine.clock import Rng
from engine.model import commands as c
from engine.model.agent_commands import AllocateAgent
from engine.model.effects import Assignment
from engine.model.errors import CommandRefused, UsageError
from engine.model.fleet_commands import HALT_SCOPES, HaltFleet, ResumeFleet, UndoPlan
from engine.model.pool_commands import ScalePool, UnpausePool
from engine.model.task_commands import CancelTask, SubmitTask
from engine.model.tasks import Outcome
from engine.model.wire import command_of
from engine.simulation.loop import run_virtual
from engine.simulation.world import World
from tests.unit.test_gate import BOB, CONFIG


def for_an_hour(assignment: Assignment, _rng: Rng) -> tuple[float, Outcome]:
    return 3_600.0, Outcome(assignment.task, assignment.token, ok=True)


def live(work: Any) -> None:
    async def story() -> None:
        world = World(CONFIG, 1, hosts=2, work=for_an_hour)
        async with world.running():
            await world.until(lambda: world.state.totals.by_status.get("idle", 0) == 3)
            await work(world)
            world.coordinator.check()

    run_virtual(story())


def states(world: World) -> dict[str, int]:
    return {state: count for state, count in world.state.totals.by_state.items() if count}


async def submit(world: World, count: int, pool: str = "coder") -> list[Any]:
    return list((await world.gate(BOB).execute([SubmitTask("noop", pool, max_attempts=1)] * count)).values)


def test_halt_of_placing_stops_new_leases_at_once_and_lets_what_runs_go_on() -> None:
    async def story(world: World) -> None:
        await submit(world, 1)
        await world.until(lambda: states(world) == {"running": 1})
        await world.gate(BOB).execute([HaltFleet("placing")], confirm="placing")
        waiting = (await submit(world, 2))[0]
        await world.clock.sleep(10)
        assert states(world) == {"running": 1, "pending": 2}
        assert world.feed.row("tasks", waiting).reason == "fleet halted"  # type: ignore[union-attr]
        why: Any = await world.gate(BOB).query("explain", kind="tasks", id=waiting)
        assert why["headline"] == "nothing is placed: bob halted placing"
        with pytest.raises(CommandRefused, match="bob halted placing: nothing is placed until `resume`"):
            await world.gate(BOB).execute([AllocateAgent("mine", "coder")])
        await world.gate(BOB).execute([ResumeFleet()])
        await world.until(lambda: states(world) == {"running": 2, "pending": 1})

    live(story)


def test_halt_of_agents_stops_what_runs_and_counts_no_attempt() -> None:
    async def story(world: World) -> None:
        await submit(world, 3)
        await world.until(lambda: states(world) == {"running": 2, "pending": 1})
        gate = world.gate(BOB)
        halted_at = world.clock.now()
        await gate.execute([HaltFleet()], confirm="agents")
        await world.until(lambda: states(world) == {"pending": 3})
        assert world.clock.now() - halted_at <= 1.0
        await world.clock.sleep(10)
        assert states(world) == {"pending": 3}
        assert {(task.tries, task.deaths, task.stopping) for task in world.state.tasks.values()} == {(0, 0, "")}
        await gate.execute([UndoPlan()])  # one plan, one undo
        assert world.state.halted == {}
        await world.until(lambda: states(world) == {"running": 2, "pending": 1})

    live(story)


def test_halt_spares_what_is_being_cancelled() -> None:
    async def story(world: World) -> None:
        [task] = await submit(world, 1)
        await world.until(lambda: states(world) == {"running": 1})
        await world.gate(BOB).execute([CancelTask(str(task))])
        await world.gate(BOB).execute([HaltFleet()], confirm="agents")
        await world.until(lambda: states(world) == {"cancelled": 1})

    live(story)


def test_host_that_dies_of_a_halt_is_no_death_of_its_tasks() -> None:
    async def story(world: World) -> None:
        await submit(world, 2)
        await world.until(lambda: states(world) == {"running": 2})
        await world.gate(BOB).execute([HaltFleet()], confirm="agents")
        for host in list(world.agents.hosts):
            world.agents.kill_host(host)
        await world.until(lambda: states(world) == {"pending": 2})
        assert {(task.tries, task.deaths) for task in world.state.tasks.values()} == {(0, 0)}

    live(story)


def test_halts_outlive_the_engine() -> None:
    async def story() -> None:
        world = World(CONFIG, 1, hosts=1, work=for_an_hour)
        async with world.running():
            await world.gate(BOB).execute([HaltFleet("placing")], confirm="placing")
            await world.gate(BOB).execute([HaltFleet("scaling")], confirm="scaling")
            await submit(world, 1)
        await world.reborn()
        async with world.running():
            await world.clock.sleep(10)
            assert states(world) == {"pending": 1}
            halts = [(halt.scope, halt.who) for halt in world.status().halted]
            assert halts == [("placing", "bob"), ("scaling", "bob")]
            await world.gate(BOB).execute([ResumeFleet("placing")])
            await world.until(lambda: states(world) == {"running": 1})
            assert list(world.state.halted) == ["scaling"]

    run_virtual(story())


@pytest.mark.parametrize(
    ("halted", "scaling", "placing", "agents"),
    [("", False, False, False), ("scaling", True, False, False), ("placing", True, True, False), ("agents", True, True, True)],
)
def test_each_scope_stops_what_those_before_it_stop(halted: str, *, scaling: bool, placing: bool, agents: bool) -> None:
    async def story(world: World) -> None:
        if halted:
            await world.gate(BOB).execute([HaltFleet(halted)], confirm=halted)
        assert [world.state.is_halted(scope) for scope in HALT_SCOPES] == [scaling, placing, agents]

    live(story)


def test_halted_fleet_still_scales_by_hand() -> None:
    async def story(world: World) -> None:
        gate = world.gate(BOB)
        await gate.execute([HaltFleet("agents")], confirm="agents")
        plan = await gate.plan([ScalePool("coder", "4")])
        assert "the fleet is halted: no agent is given a task until `resume`" in [note.text for note in plan.notes]
        await gate.execute(plan.id)
        assert world.state.pools["coder"].size == 4

    live(story)


def test_plan_of_a_halt_says_what_is_lost() -> None:
    async def story(world: World) -> None:
        await submit(world, 1)
        await world.until(lambda: states(world) == {"running": 1})
        gate = world.gate(BOB)
        plan = await gate.plan([HaltFleet()])
        assert (plan.confirm, plan.danger, plan.undoable) == ("agents", "destructive", True)
        assert plan.steps[0].effect == "1 task at work is stopped and waits again, no attempt counted; nothing is placed or scaled"
        assert [(note.kind, note.text) for note in plan.notes] == [("loss", "work done so far is lost: noop on coder-1")]
        assert [(room.pool, room.before, room.after) for room in plan.capacity] == [("coder", 2, 0), ("ui", 1, 0)]
        await gate.execute(plan.id, confirm="agents")
        again = await gate.plan([HaltFleet()])
        assert not again.steps[0].changes
        end = await gate.plan([ResumeFleet()])
        assert (end.steps[0].target, end.steps[0].before, end.steps[0].after) == ("agents", "halted", "going on")
        assert [(room.pool, room.after) for room in end.capacity] == [("coder", 2), ("ui", 1)]

    live(story)


def test_resume_of_a_pool_is_answered_with_the_verb_for_pools() -> None:
    with pytest.raises(UsageError, match="scope is one of scaling, placing, agents, not 'coder'; a pool takes tasks again by `unpause POOL`"):
        command_of({"name": "fleet.resume", "args": {"scope": "coder"}})
    assert command_of({"name": "fleet.resume", "args": {"scope": ""}}) == ResumeFleet()
    assert (c.VERBS["resume"], c.VERBS["unpause"]) == (ResumeFleet, UnpausePool)
