"""Which verb a key means for one row, None where it means none; pure."""

from __future__ import annotations

from typing import cast

from engine.model.fleet_commands import UndoPlan
from engine.model.rows import PlanRow, Row, TaskRow
from engine.model.task_commands import CancelTask, PrioritiseTask, RetryTask
from engine.model.tasks import FINISHED
from engine.model.verbs import Command

PRIORITY_MIN, PRIORITY_MAX = 1, 10
BAD_STATES = frozenset({"failed", "dead", "cancelled"})
"""States from which a task can be run again."""


def cancel_of(row: Row) -> Command | None:
    """Return the verb that stops a task, None when it has ended."""
    return None if cast("TaskRow", row).state in FINISHED else CancelTask(row.id)


def retry_of(row: Row) -> Command | None:
    """Return the verb that runs a task again, None when it did not end badly."""
    return RetryTask(row.id) if cast("TaskRow", row).state in BAD_STATES else None


def priority_of(row: Row, step: int) -> Command | None:
    """Return the verb that moves a waiting task's priority, None when it does not wait or is at the end already."""
    task = cast("TaskRow", row)
    priority = min(PRIORITY_MAX, max(PRIORITY_MIN, task.priority + step))
    return PrioritiseTask(task.id, priority) if task.state == "pending" and priority != task.priority else None


def undo_of(row: Row, now: float) -> Command | None:
    """Return the verb that takes a plan back, None when it cannot be taken back any more."""
    plan = cast("PlanRow", row)
    return UndoPlan(plan.id) if not plan.undone and plan.undo_until > now else None
