"""What facts about reviews do to the tasks that they are about."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from engine.model.ids import TaskId
from engine.model.review_events import ReviewMoved, ReviewOpened
from engine.model.reviews import Review, ReviewState
from engine.model.tasks import Task, TaskSpec
from engine.state.tables import Tables


def set_review(tables: Tables, task: Task, review: Review | None) -> None:
    """Have a task's review be this one."""
    task.review = review
    id_ = task.spec.id
    if review is None or review.state is not ReviewState.WAITING:
        tables.reviewing.pop(id_, None)
    else:
        tables.reviewing.setdefault(id_)
    tables.touched.tasks[id_] = None
    tables.touched.reviews[id_] = None


def hand_on(tables: Tables, spec: TaskSpec, at: float) -> None:
    """Have the review of a task whose work another one goes on with wait for nobody."""
    task = tables.tasks.get(spec.follows)
    if task is not None and task.review is not None and task.review.state in (ReviewState.WAITING, ReviewState.RETRIED):
        set_review(tables, task, replace(task.review, state=ReviewState.RETRIED, who=spec.submitted_by, decided_at=at, next=spec.id))


def take_back(tables: Tables, spec: TaskSpec) -> None:
    """Have that review wait again: the task that went on with the work has ended. What this one leaves is another review."""
    task = tables.tasks.get(spec.follows)
    if task is not None and task.review is not None and task.review.state is ReviewState.RETRIED and task.review.next == spec.id:
        set_review(tables, task, replace(task.review, state=ReviewState.WAITING, next=TaskId("")))


def leave(tables: Tables, task: Task) -> None:
    """Forget the review of a task that is forgotten."""
    if task.review is not None:
        tables.reviewing.pop(task.spec.id, None)
        tables.touched.reviews[task.spec.id] = None


def _opened(tables: Tables, event: ReviewOpened, at: float) -> None:
    task = tables.tasks[event.task]
    set_review(tables, task, Review(event.work, at))
    if task.spec.follows:
        hand_on(tables, task.spec, at)


def _moved(tables: Tables, event: ReviewMoved, at: float) -> None:
    task = tables.tasks[event.task]
    assert task.review is not None, f"{event.task} has no review"
    set_review(tables, task, replace(task.review, state=event.state, who=event.who, decided_at=at, how=event.how, onto=event.onto, made=event.made))
    task.note(at, "reopened" if event.state is ReviewState.WAITING else event.state, f"by {event.who}")


TRANSITIONS: dict[type, Callable[[Tables, Any, float], None]] = {ReviewOpened: _opened, ReviewMoved: _moved}
