"""What a verb would do, in before, after and effect, and what takes it back."""

from __future__ import annotations

import pytest
from engine.gate.plans import STEPS_MAX, describe, shown
from engine.gate.undo import inverse_of, inverse_of_value
from engine.model.agent_commands import (
    AllocateAgent,
    DrainAgent,
    RegisterAgent,
    ReleaseAgent,
    RestartAgent,
    UndrainAgent,
    UnregisterAgent,
)
from engine.model.errors import NotFound
from engine.model.fleet_commands import HaltFleet, ResumeFleet, StopEngine
from engine.model.plans import Call, PlanStep
from engine.model.pool_commands import PausePool, ScalePool, UnpausePool
from engine.model.task_commands import CancelTask, PrioritiseTask, RetryTask, SubmitTask
from engine.model.verbs import Command
from tests.unit.core_fleet import Fleet


def step(fleet: Fleet, command: Command) -> PlanStep:
    [only] = describe(fleet.state, [command], fleet.deciding)
    return only


def told(found: PlanStep) -> tuple[str, str, str, str, str, bool]:
    return found.target, found.before, found.after, found.effect, found.warning, found.changes


def test_scale_counts_who_goes_now_and_who_finishes() -> None:
    fleet = Fleet({"coder": {"min": 1, "max": 9}})
    fleet.do(ScalePool("coder", "4"))
    fleet.up("hst_2")
    for _ in range(3):
        fleet.run()
    assert told(step(fleet, ScalePool("coder", "+1"))) == ("coder", "4", "5", "starts 1 agent", "", True)
    assert told(step(fleet, ScalePool("coder", "=min"))) == ("coder", "4", "1", "removes 1 now, 2 busy when they finish", "", True)
    assert told(step(fleet, ScalePool("coder", "4"))) == ("coder", "4", "4", "no change", "", False)
    assert step(fleet, ScalePool("coder", "50%")).call == Call("pool.scale", {"pool": "coder", "size": "2"})


def test_pause_and_resume() -> None:
    fleet = Fleet()
    fleet.submit()
    assert told(step(fleet, PausePool("coder"))) == ("coder", "placing", "paused", "1 waiting task keeps waiting", "", True)
    assert told(step(fleet, UnpausePool("coder")))[5] is False


def test_agents_idle_and_busy() -> None:
    fleet = Fleet()
    busy = fleet.task(fleet.run()).agent_name
    idle = next(agent.spec.name for agent in fleet.state.agents.values() if agent.spec.name != busy)
    assert told(step(fleet, UnregisterAgent(idle))) == (idle, "idle", "gone", "leaves now", "coder falls below its min of 2", True)
    assert told(step(fleet, RestartAgent(busy))) == (busy, "busy", "starting", "starts anew when its task ends", "", True)
    assert told(step(fleet, DrainAgent(busy)))[3] == "finishes its task, then takes no more"
    assert told(step(fleet, UndrainAgent(idle)))[5] is False
    fleet.do(DrainAgent(idle))
    assert told(step(fleet, DrainAgent(idle)))[5] is False
    assert told(step(fleet, RegisterAgent("coder", count=2))) == ("coder", "2 agents", "4 agents", "starts 2", "", True)


def test_reservations() -> None:
    fleet = Fleet()
    assert told(step(fleet, AllocateAgent("mine", "coder")))[1:4] == ("2 idle", "1 idle", "reserved for 3600 s at most")
    assert told(step(fleet, ReleaseAgent("alc_1")))[1:3] == ("reserved", "free")


def test_tasks() -> None:
    fleet = Fleet()
    first = fleet.run(title="one", idempotency_key="k")
    second = fleet.submit(title="two", depends_on=(first,))
    assert told(step(fleet, CancelTask(first)))[3:5] == (
        f"stopped on {fleet.task(first).agent_name}; its work is lost", "1 task that needs it is cancelled too",
    )  # fmt: skip
    assert told(step(fleet, CancelTask(second))) == ("two", "pending", "cancelled", "never runs", "", True)
    assert told(step(fleet, PrioritiseTask(second, 9))) == ("two", "5", "9", "", "", True)
    assert told(step(fleet, SubmitTask("noop", "coder"))) == ("noop", "", "pending", "1 task waits in coder", "", True)
    assert told(step(fleet, SubmitTask("noop", "coder", idempotency_key="k")))[3] == f"is {first} already"
    fleet.end(first)
    assert told(step(fleet, CancelTask(first)))[5] is False
    fleet.do(CancelTask(second))
    assert told(step(fleet, RetryTask(second)))[2:4] == ("pending", "runs again, 3 attempts")


def test_warnings_of_a_submission() -> None:
    fleet = Fleet({"coder": {"min": 0, "max": 2}})
    assert step(fleet, SubmitTask("noop", "coder")).warning == "pool has no agents"
    fleet.do(PausePool("coder"))
    assert step(fleet, SubmitTask("noop", "coder")).warning == "pool is paused"


def test_stop_tells_what_waits_for_the_next_start() -> None:
    fleet = Fleet()
    fleet.run()
    fleet.submit()
    assert step(fleet, StopEngine()).effect == "1 running task runs again at the next start, 1 more waits"


def test_many_verbs_are_counted_in_the_last_step() -> None:
    fleet = Fleet()
    fleet.run()
    waiting = [fleet.submit() for _ in range(STEPS_MAX + 4)]
    steps = describe(fleet.state, [CancelTask(task) for task in fleet.state.tasks if task not in waiting] + [CancelTask(task) for task in waiting], fleet.deciding)
    told = shown(steps)
    assert (len(steps), len(told)) == (STEPS_MAX + 5, STEPS_MAX + 1)
    assert (told[-1].target, told[-1].after) == ("5 more", "5 pending → cancelled")
    assert shown(steps[:3]) == tuple(steps[:3])


def test_unknown_targets_are_refused_as_executing_would() -> None:
    for command in (ScalePool("x", "1"), DrainAgent("x"), CancelTask("x"), SubmitTask("noop", "x")):
        fleet = Fleet()
        with pytest.raises(NotFound):
            describe(fleet.state, [command], fleet.deciding)


def test_inverses_come_from_the_state_before() -> None:
    fleet = Fleet()
    task = fleet.submit()
    state = fleet.state
    for command, calls in (
        (ScalePool("coder", "5"), [Call("pool.scale", {"pool": "coder", "size": "2"})]),
        (ScalePool("coder", "2"), []),
        (PausePool("coder"), [Call("pool.unpause", {"pool": "coder"})]),
        (UnpausePool("coder"), []),
        (DrainAgent("coder-1"), [Call("agent.undrain", {"agent": "coder-1"})]),
        (UndrainAgent("coder-1"), []),
        (PrioritiseTask(task, 9), [Call("task.prioritise", {"task": task, "priority": 5})]),
        (PrioritiseTask(task, 5), []),
        (CancelTask(task), [Call("task.retry", {"task": task, "lenient": True})]),
        (RetryTask(task), [Call("task.cancel", {"task": task})]),
        (UnregisterAgent("coder-1"), []),
        (HaltFleet("placing"), [Call("fleet.resume", {"scope": "placing"})]),
        (ResumeFleet(), []),
    ):
        assert inverse_of(state, command) == calls, command


def test_inverses_that_only_the_answer_tells() -> None:
    fleet = Fleet()
    [held] = fleet.do(AllocateAgent("mine", "coder"))
    assert inverse_of_value(SubmitTask("noop"), "tsk_1") == [Call("task.cancel", {"task": "tsk_1"})]
    assert [call.args for call in inverse_of_value(RegisterAgent("coder"), ["a", "b"])] == [{"agent": "a"}, {"agent": "b"}]
    assert inverse_of_value(AllocateAgent("mine", "coder"), held) == [Call("agent.release", {"allocation": held.id})]
    assert inverse_of_value(PausePool("coder"), "coder") == []
