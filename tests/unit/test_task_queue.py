"""Whose turn it is: priority, fairness by key, aging, and tasks that hold up nobody."""

from __future__ import annotations

from typing import Any

import pytest
from engine.model.ids import TaskId
from engine.model.tasks import Task, TaskSpec, TaskState
from engine.scheduling.task_queue import STALE_MAX, TaskQueue

NOW = 100.0


def make(name: str, **fields: Any) -> Task:
    fields.setdefault("submitted_at", NOW)
    spec = TaskSpec(TaskId(name), "noop", "coder", {}, **fields)
    return Task(spec, priority=spec.priority)


def queue_of(*tasks: Task, aging_s: float = 60.0) -> TaskQueue:
    queue = TaskQueue(aging_s)
    for task in tasks:
        queue.update(task, NOW)
    return queue


def drain(queue: TaskQueue, now: float = NOW, **wanted: Any) -> str:
    names = []
    while (task := queue.next("coder", now, **wanted)) is not None:
        names.append(task.spec.id)
    return " ".join(names)


@pytest.mark.row(153)
def test_higher_priority_first_then_by_age() -> None:
    assert drain(queue_of(make("a", priority=2), make("b", priority=8), make("c", priority=8), make("d"))) == "b c d a"


def test_keys_take_turns() -> None:
    tasks = [make(f"a{n}", fairness_key="a") for n in range(3)] + [make("b0", fairness_key="b"), make("c0")]
    assert drain(queue_of(*tasks)) == "a0 b0 c0 a1 a2"


def test_waiting_raises_a_task_above_newer_ones() -> None:
    old, new = make("old", priority=2, submitted_at=NOW - 200), make("new", priority=5)
    assert drain(queue_of(old, new, aging_s=60.0)) == "old new"
    assert drain(queue_of(old, new, aging_s=100.0)) == "new old"


def test_only_what_could_run_is_queued() -> None:
    waits, backs_off = make("waits"), make("backs-off")
    waits.waiting_on, backs_off.not_before = 1, NOW + 5
    queue = queue_of(waits, backs_off)
    assert (len(queue), queue.pools_waiting()) == (0, [])
    queue.update(backs_off, NOW + 5)
    assert drain(queue) == "backs-off"


def test_cancelled_task_loses_its_place() -> None:
    task = make("a")
    queue = queue_of(task, make("b"))
    task.state = TaskState.CANCELLED
    queue.update(task, NOW)
    assert drain(queue) == "b"


def test_changed_priority_is_one_place() -> None:
    task = make("a", priority=2)
    queue = queue_of(task, make("b", priority=5))
    for priority in (9, 2, 9):
        task.priority = priority
        queue.update(task, NOW)
    assert drain(queue) == "a b"


def test_task_put_back_is_next_again() -> None:
    queue = queue_of(make("a", fairness_key="a"), make("b", fairness_key="b"), make("c", fairness_key="a"))
    task = queue.next("coder", NOW)
    assert task is not None
    queue.put_back(task)
    assert drain(queue) == "a b c"


def test_what_no_free_agent_has_holds_up_nobody() -> None:
    rare = [make(f"r{n}", priority=9, capabilities=("rare",)) for n in range(600)]
    queue = queue_of(*rare, make("a"))
    assert drain(queue, unfit={("rare",)}) == "a"
    assert len(queue) == 600
    assert drain(queue).split()[:2] == ["r0", "r1"]


def test_equal_priorities_of_two_demands_take_turns() -> None:
    tasks = [make(f"a{n}") for n in range(3)] + [make(f"b{n}", capabilities=("x",)) for n in range(3)]
    assert drain(queue_of(*tasks)) == "a0 b0 a1 b1 a2 b2"


def test_stale_places_are_swept() -> None:
    task = make("a")
    queue = queue_of(task)
    for n in range(4 * STALE_MAX):
        task.priority = 1 + n % 10
        queue.update(task, NOW)
    assert queue._places <= STALE_MAX + 3
    assert drain(queue) == "a"
