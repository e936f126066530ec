"""Time-outs, deadlines, back-offs and expiries; the heap holds no more than what can still fall due."""

from __future__ import annotations

import pytest
from engine.model.agent_commands import AllocateAgent
from engine.model.task_commands import CancelTask, RetryTask
from engine.scheduling.timers import STALE_MAX, Timers
from tests.unit.core_fleet import Fleet


@pytest.mark.rule(5, "command", "lines", "claude", "codex", "acp", "openai")
def test_run_time_out_stops_the_attempt_and_tries_again() -> None:
    fleet = Fleet()
    task = fleet.run(timeout_s=5)
    assert fleet.after(4.9) == []
    fleet.after(0.2)
    assert fleet.task(task).stopping == "timeout"
    fleet.end(task, ok=False, error_kind="stopped")
    assert fleet.task(task).state == "pending"
    assert fleet.task(task).error is not None
    assert fleet.task(task).error.message == "ran longer than 5 s"


def test_deadline_while_it_runs_ends_it_for_good() -> None:
    fleet = Fleet()
    task = fleet.run(deadline_s=5)
    child = fleet.submit(depends_on=(task,))
    fleet.after(6)
    assert fleet.task(task).stopping == "deadline"
    fleet.end(task, ok=False, error_kind="stopped")
    assert (fleet.task(task).state, fleet.task(child).state) == ("failed", "cancelled")


def test_deadline_does_not_turn_a_cancellation_into_a_failure() -> None:
    fleet = Fleet()
    task = fleet.run(deadline_s=5)
    fleet.do(CancelTask(task))
    fleet.after(6)
    fleet.end(task, ok=False, error_kind="stopped")
    assert fleet.task(task).state == "cancelled"


def test_deadline_while_it_waits() -> None:
    fleet = Fleet(up=False)
    task = fleet.submit(deadline_s=5)
    child = fleet.submit(depends_on=(task,))
    both = fleet.submit(depends_on=(child,), deadline_s=5)
    fleet.after(5)
    assert fleet.states() == ["failed", "cancelled", "cancelled"]
    assert fleet.task(task).error is not None
    assert fleet.task(task).error.message == "its deadline passed while it waited"
    assert fleet.task(both).error is not None


def test_queue_time_out_counts_only_before_the_first_attempt() -> None:
    fleet = Fleet(up=False)
    waits = fleet.submit(queue_timeout_s=3)
    fleet.after(3)
    assert fleet.task(waits).error is not None
    assert fleet.task(waits).error.message == "no agent took it within 3 s"
    fleet.up()
    tried = fleet.run(queue_timeout_s=3, backoff_s=60)
    fleet.end(tried, ok=False)
    fleet.after(4)
    assert fleet.task(tried).state == "pending"


def test_queue_time_out_begins_anew_with_a_replay() -> None:
    fleet = Fleet(up=False)
    task = fleet.submit(queue_timeout_s=3)
    fleet.after(3)
    assert fleet.task(task).state == "failed"
    fleet.do(RetryTask(task))
    fleet.after(2)
    assert fleet.task(task).state == "pending"
    fleet.after(1)
    assert fleet.task(task).state == "failed"
    fleet.up()
    fleet.do(RetryTask(task))
    assert task in fleet.place()
    fleet.after(9)
    assert fleet.task(task).state == "leased"


def test_reservation_expires() -> None:
    fleet = Fleet()
    [allocation] = fleet.do(AllocateAgent("mine", "coder", expires_s=10))
    fleet.after(10)
    assert fleet.state.allocations == {}
    agent = fleet.state.agents[allocation.agent]
    assert (agent.status, agent.failed) == ("idle", 1)


def test_what_can_no_longer_fall_due_is_swept() -> None:
    fleet = Fleet()
    timers = Timers()
    task = fleet.task(fleet.run(timeout_s=3_600))
    for second in range(2 * STALE_MAX):
        task.started_at = float(second)
        timers.update(task)
    assert len(timers._heap) <= STALE_MAX + 2
    assert timers.take_due(1e12) == [(2 * STALE_MAX - 1 + 3_600.0, "timeout", task.spec.id, 1)]
    assert timers.next_at() is None


def test_same_entry_twice_is_one() -> None:
    timers = Timers()
    timers.add((5.0, "allocation", "alc_1", 0))
    timers.add((5.0, "allocation", "alc_1", 0))
    assert timers.next_at() == 5.0
    assert len(timers.take_due(5.0)) == 1
