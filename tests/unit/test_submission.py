"""Submit, cancel, retry, prioritise: what is accepted, and every refusal with what to do next."""

from __future__ import annotations

from typing import Any

import pytest
from engine.model.errors import CommandRefused, FleetError, NotFound, UsageError
from engine.model.task_commands import CancelTask, PrioritiseTask, RetryTask, SubmitTask
from tests.unit.core_fleet import Fleet

TWO = {"coder": {"min": 2, "max": 9, "priority": 8}, "security": {"min": 1, "max": 3, "priority": 9}}


@pytest.mark.row(154)
def test_accepted_task_keeps_what_was_asked() -> None:
    fleet = Fleet()
    asked = SubmitTask(
        "code.outline", "coder", "look\nclosely", {"path": "a.py"}, priority=8, capabilities=("coding",), deadline_s=30,
        queue_timeout_s=9, max_attempts=2, backoff_s=4, fairness_key="team", workspace="/w", apply=True,
    )  # fmt: skip
    spec = fleet.task(fleet.do(asked)[0]).spec
    assert spec.payload == {"path": "a.py", "prompt": "look\nclosely"}
    assert (spec.title, spec.priority, spec.deadline, spec.timeout_s) == ("look", 8, 1_030.0, 3_600.0)
    assert (spec.submitted_by, spec.submitted_at, spec.capabilities) == ("ada", 1_000.0, ("coding",))


@pytest.mark.parametrize(
    ("fields", "title"),
    [({"title": "mine"}, "mine"), ({"payload": {"path": "x.py"}}, "noop x.py"), ({}, "noop"), ({"title": "x" * 300}, "x" * 120)],
)
def test_title(fields: dict[str, Any], title: str) -> None:
    fleet = Fleet()
    assert fleet.task(fleet.submit(**fields)).spec.title == title


def test_same_key_gives_the_same_task_also_within_one_plan() -> None:
    fleet = Fleet()
    first = fleet.submit(idempotency_key="k")
    again, other, same = fleet.do(*[SubmitTask("noop", "coder", idempotency_key=key) for key in ("k", "j", "j")])
    assert again == first
    assert other == same != first
    assert len(fleet.state.tasks) == 2


def test_pool_by_type_and_by_capabilities() -> None:
    fleet = Fleet(TWO)
    assert fleet.task(fleet.submit(pool="security-specialist")).spec.pool == "security"
    assert fleet.task(fleet.submit(pool="", capabilities=("compliance",))).spec.pool == "security"


@pytest.mark.parametrize(
    ("fields", "error", "text"),
    [
        ({"pool": "nobody"}, NotFound, "no pool or agent type 'nobody'; there are coder"),
        ({"pool": ""}, CommandRefused, "name a pool, or capabilities that tell which pool is meant"),
        ({"pool": "", "capabilities": ("flying",)}, CommandRefused, "no pool has all of flying; `get pools -o wide`"),
        ({"depends_on": ("tsk_x",)}, NotFound, "depends_on: no task 'tsk_x' in memory"),
        ({"apply": True}, UsageError, "apply needs a workspace"),
    ],
)
def test_refused_submissions_say_what_to_do(fields: dict[str, Any], error: type[FleetError], text: str) -> None:
    fleet = Fleet()
    with pytest.raises(error, match=text.replace("(", "\\(")):
        fleet.submit(**fields)
    assert fleet.state.tasks == {}


def test_dependency_that_ended_badly_is_refused_unless_it_may() -> None:
    fleet = Fleet()
    bad = fleet.run()
    fleet.end(bad, ok=False, retryable=False)
    with pytest.raises(CommandRefused, match="is failed; retry it first, or set run_after_failure"):
        fleet.submit(depends_on=(bad,))
    assert fleet.task(fleet.submit(depends_on=(bad,), run_after_failure=True)).waiting_on == 0


def test_full_queue_refuses_more() -> None:
    fleet = Fleet(tasks={"pending_max": 2})
    fleet.submit()
    with pytest.raises(CommandRefused, match="2 tasks are too many: 1 more can wait; cancel some or let them end"):
        fleet.do(SubmitTask("noop", "coder"), SubmitTask("noop", "coder"))
    fleet.submit()


def test_cancel_takes_followers_along_and_counts_once() -> None:
    fleet = Fleet()
    first = fleet.submit()
    second = fleet.submit(depends_on=(first,))
    third = fleet.submit(depends_on=(second,))
    assert fleet.do(CancelTask(first), CancelTask(first), CancelTask(third)) == ["cancelled"] * 3
    assert fleet.states() == ["cancelled"] * 3
    assert fleet.state.totals.cancelled == 3
    assert fleet.do(CancelTask(second)) == ["already cancelled"]
    assert fleet.task(second).error is not None
    assert fleet.task(second).error.message == f"needs {first}, which was cancelled"


def test_cancel_of_an_unknown_task_is_refused() -> None:
    with pytest.raises(NotFound, match="no task 'tsk_x' in memory; `get tasks` lists them, finished ones are kept for a while"):
        Fleet().do(CancelTask("tsk_x"))


def test_retry_gives_a_full_set_of_attempts() -> None:
    fleet = Fleet()
    task = fleet.run(max_attempts=1)
    fleet.end(task, ok=False)
    assert fleet.task(task).state == "dead"
    assert fleet.do(RetryTask(task), RetryTask(task)) == [task, task]
    assert task in fleet.place()
    assert (fleet.task(task).attempt, fleet.task(task).tries, fleet.task(task).deaths) == (2, 1, 0)
    fleet.end(task, ok=False)
    assert fleet.task(task).state == "dead"


@pytest.mark.parametrize("state", ["pending", "running", "succeeded"])
def test_retry_of_what_has_not_ended_badly_is_refused(state: str) -> None:
    fleet = Fleet()
    task = fleet.submit() if state == "pending" else fleet.run()
    if state == "succeeded":
        fleet.end(task)
    with pytest.raises(CommandRefused, match=f"is {state}; only failed, cancelled and dead tasks can be run again"):
        fleet.do(RetryTask(task))


def test_replayed_dependent_waits_for_its_replayed_dependency() -> None:
    fleet = Fleet()
    first = fleet.submit()
    second = fleet.submit(depends_on=(first,))
    fleet.do(CancelTask(first))
    with pytest.raises(CommandRefused, match=f"needs {first}, which is cancelled; retry that one, and this one with it"):
        fleet.do(RetryTask(second))
    fleet.do(RetryTask(second), RetryTask(first))
    assert fleet.task(second).waiting_on == 1
    assert set(fleet.place()) == {first}
    fleet.end(first)
    assert set(fleet.place()) == {second}


def test_priority_changes_only_while_it_waits() -> None:
    fleet = Fleet()
    task = fleet.submit()
    assert fleet.do(PrioritiseTask(task, 9), PrioritiseTask(task, 9)) == [9, 9]
    assert fleet.task(task).priority == 9
    assert fleet.task(task).spec.priority == 5
    fleet.place()
    with pytest.raises(CommandRefused, match="is leased; only a waiting task has a place in the queue"):
        fleet.do(PrioritiseTask(task, 1))
