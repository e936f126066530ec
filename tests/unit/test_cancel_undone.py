"""Cancelling and taking it back: exactly what fell with the plan comes back, and what cannot is named."""

from __future__ import annotations

import random
from typing import Any

import pytest
from engine.gate.plans import describe
from engine.gate.undo import inverse_of
from engine.model import reports as r
from engine.model.errors import CommandRefused
from engine.model.ids import TaskId
from engine.model.task_commands import CancelTask, RetryTask
from engine.model.wire import command_of
from engine.scheduling.submission import revived_with
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.examples import examples
from tests.unit.core_fleet import Fleet


class Plan:
    """A cancel as the gate does it, with the calls that take it back."""

    def __init__(self, fleet: Fleet, *tasks: TaskId) -> None:
        self.fleet = fleet
        commands = [CancelTask(task) for task in tasks]
        self.inverse = [call for command in reversed(commands) for call in inverse_of(fleet.state, command)]
        fleet.do(*commands)

    def undo(self) -> None:
        if self.inverse:
            self.fleet.do(*[command_of(call) for call in self.inverse])


def stop_all(fleet: Fleet) -> None:
    """Have every program that is being stopped end."""
    for task in list(fleet.state.tasks.values()):
        if task.stopping:
            fleet.end(task.spec.id, ok=False, error_kind="stopped", error="TERM")


def what_waits(fleet: Fleet) -> dict[str, tuple[str, int]]:
    return {id_: ("pending" if task.state in ("leased", "running") else task.state, task.waiting_on) for id_, task in fleet.state.tasks.items()}


def test_what_fell_with_a_task_comes_back_with_it() -> None:
    fleet = Fleet()
    top = fleet.submit()
    left, right = fleet.submit(depends_on=(top,)), fleet.submit(depends_on=(top,))
    bottom = fleet.submit(depends_on=(left, right))
    fleet.do(CancelTask(right))
    before = what_waits(fleet)
    assert before[bottom] == ("cancelled", 0)
    plan = Plan(fleet, top)
    assert fleet.states() == ["cancelled"] * 4
    plan.undo()
    assert what_waits(fleet) == before, "what an earlier plan had cancelled stays so"
    fleet.do(RetryTask(right))
    assert what_waits(fleet) == {top: ("pending", 0), left: ("pending", 1), right: ("pending", 1), bottom: ("pending", 2)}


def test_what_needs_two_comes_back_with_the_second() -> None:
    fleet = Fleet()
    one, two = fleet.submit(), fleet.submit()
    both = fleet.submit(depends_on=(one, two))
    first, second = Plan(fleet, one), Plan(fleet, two)
    first.undo()
    assert fleet.states() == ["pending", "cancelled", "cancelled"]
    second.undo()
    assert fleet.states() == ["pending"] * 3
    assert fleet.task(both).waiting_on == 2


def test_retry_of_a_failed_task_brings_back_what_fell_with_it() -> None:
    fleet = Fleet()
    task = fleet.run()
    after = fleet.submit(depends_on=(task,))
    fleet.end(task, ok=False, retryable=False)
    assert fleet.task(after).error is not None
    assert (fleet.task(after).fell, fleet.task(after).error.kind) == (True, "dependency")
    assert revived_with(fleet.state, [task], fleet.now) == [after]
    assert describe(fleet.state, [RetryTask(task)], fleet.deciding)[0].effect == "runs again, 3 attempts, and 1 more that fell with it"
    fleet.do(RetryTask(task))
    assert (fleet.states(), fleet.task(after).waiting_on) == (["pending", "pending"], 1)


def test_undo_while_the_program_is_being_stopped() -> None:
    fleet = Fleet()
    task = fleet.run(max_attempts=1)
    after = fleet.submit(depends_on=(task,))
    Plan(fleet, task).undo()
    assert fleet.task(task).stopping == "retry"
    assert fleet.types()[-1] == "task.stopping"
    fleet.end(task, ok=False, error_kind="stopped", error="TERM")
    assert (fleet.task(task).state, fleet.task(task).tries) == ("pending", 0)
    assert fleet.task(after).waiting_on == 1
    assert task in fleet.place()


@pytest.mark.parametrize("how", ["ok", "lost", "engine"])
def test_undo_while_it_is_being_stopped_and_it_ends_otherwise(how: str) -> None:
    fleet = Fleet()
    task = fleet.run(max_attempts=1)
    Plan(fleet, task).undo()
    if how == "ok":
        fleet.end(task)
    elif how == "lost":
        fleet.down()
    else:
        fleet.report(r.EngineStarted("eng_2", "1", 2))
    assert fleet.task(task).state == ("succeeded" if how == "ok" else "pending")
    assert fleet.task(task).deaths == 0


def test_what_ended_by_itself_meanwhile_does_not_keep_the_others_from_coming_back() -> None:
    fleet = Fleet()
    running, waiting = fleet.run(), fleet.submit()
    plan = Plan(fleet, running, waiting)
    fleet.end(running)
    plan.undo()
    assert fleet.states() == ["succeeded", "pending"]
    with pytest.raises(CommandRefused, match="is succeeded; only failed, cancelled and dead tasks can be run again"):
        fleet.do(RetryTask(running))


def test_what_came_too_late_is_refused_and_left_out() -> None:
    fleet = Fleet()
    task = fleet.submit()
    late = fleet.submit(depends_on=(task,), deadline_s=10)
    Plan(fleet, task)
    fleet.after(11)
    with pytest.raises(CommandRefused, match=f"the deadline of {late} has passed; submit it anew"):
        fleet.do(RetryTask(late))
    fleet.do(RetryTask(task))
    assert fleet.states() == ["pending", "cancelled"]
    fleet.do(RetryTask(late, lenient=True))
    assert fleet.states() == ["pending", "cancelled"]


def test_retry_makes_sure_of_room() -> None:
    fleet = Fleet(tasks={"pending_max": 2})
    task = fleet.submit()
    fleet.submit(depends_on=(task,))
    Plan(fleet, task)
    fleet.submit()
    with pytest.raises(CommandRefused, match="2 tasks are too many: 1 more can wait"):
        fleet.do(RetryTask(task))


def test_plan_of_a_cancel_counts_all_that_fall() -> None:
    fleet = Fleet()
    task = fleet.submit()
    second = fleet.submit(depends_on=(task,))
    fleet.submit(depends_on=(second,))
    fleet.submit(depends_on=(task,), run_after_failure=True)
    assert describe(fleet.state, [CancelTask(task)], fleet.deciding)[0].warning == "2 tasks that need it are cancelled too"
    assert describe(fleet.state, [CancelTask(second)], fleet.deciding)[0].warning == "1 task that needs it is cancelled too"


@settings(max_examples=examples(200), deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_undo_gives_back_what_a_cancel_took(seed: int) -> None:
    chance = random.Random(seed)
    fleet = Fleet({"coder": {"min": 2, "max": 9}})
    tasks: list[TaskId] = []
    for _ in range(chance.randint(1, 12)):
        alive = [task for task in tasks if fleet.task(task).state not in ("cancelled", "failed", "dead")]
        fields: dict[str, Any] = {"depends_on": tuple(chance.sample(alive, min(len(alive), chance.choice((0, 1, 1, 2)))))}
        tasks.append(fleet.submit(**fields))
        if chance.random() < 0.3:
            fleet.place()
        if chance.random() < 0.1:
            Plan(fleet, chance.choice(tasks))
            stop_all(fleet)
    before = what_waits(fleet)
    plans = [Plan(fleet, *chance.sample(tasks, chance.randint(1, len(tasks)))) for _ in range(chance.randint(1, 3))]
    if chance.random() < 0.5:
        stop_all(fleet)
    for plan in reversed(plans):
        plan.undo()
    stop_all(fleet)
    assert what_waits(fleet) == before


def test_undone_before_what_it_depends_on_it_comes_back_together_with_that() -> None:
    fleet = Fleet()
    task = fleet.run()
    after = fleet.submit(depends_on=(task,))
    first, second = Plan(fleet, task), Plan(fleet, after)
    stop_all(fleet)
    second.undo()
    assert fleet.states() == ["cancelled", "cancelled"]
    assert fleet.task(after).error is not None
    assert fleet.task(after).error.message == f"needs {task}, which did not succeed"
    first.undo()
    assert fleet.states() == ["pending", "pending"]
