"""Facts about tasks; part of the events in engine.model.events."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import msgspec

from engine.model.ids import TaskId
from engine.model.tasks import CANCELLED, Lease, Outcome, TaskSpec


@dataclass(frozen=True, slots=True)
class TasksSubmitted:
    """Tasks were accepted."""

    type: ClassVar[str] = "task.submitted"
    tasks: tuple[TaskSpec, ...]


@dataclass(frozen=True, slots=True)
class TasksLeased:
    """Tasks were handed to agents."""

    type: ClassVar[str] = "task.leased"
    leases: tuple[Lease, ...]


@dataclass(frozen=True, slots=True)
class TasksStarted:
    """Attempts began: (task, token, instant)."""

    type: ClassVar[str] = "task.started"
    tasks: tuple[tuple[TaskId, int, float], ...]


@dataclass(frozen=True, slots=True)
class TasksSucceeded:
    """Attempts ended well and their results are applied."""

    type: ClassVar[str] = "task.succeeded"
    outcomes: tuple[Outcome, ...]


@dataclass(frozen=True, slots=True)
class TaskFailed:
    """An attempt ended badly and no other follows; `dead` = attempts exhausted or poison."""

    type: ClassVar[str] = "task.failed"
    outcome: Outcome
    dead: bool
    death: bool = False
    """Its agent died while running it, once too often."""


@dataclass(frozen=True, slots=True)
class TaskReturned:
    """A leased task waits again: its attempt failed, or was lost with the agent or the engine."""

    type: ClassVar[str] = "task.returned"
    task: TaskId
    token: int
    kind: str
    reason: str
    not_before: float
    death: bool = False
    """Its agent died while running it: counts against tasks.poison_deaths."""
    began: float = 0.0
    """When the attempt began, 0 if it did not; its run counts as work of the agent."""
    counts: bool = True
    """It ended by its own doing: counts against max_attempts."""


class Reroute(msgspec.Struct, frozen=True):
    """One task that is handed on."""

    task: TaskId
    token: int
    """Its attempt; 0 = it only waited."""
    reason: str
    failure: str = ""
    """What its agent failed with, in a word; empty = it was well, and did not take the task."""
    reproducer: str = ""
    """File that the failure can be repeated with."""
    death: bool = False
    """Its agent died while running it: counts against tasks.poison_deaths."""


@dataclass(frozen=True, slots=True)
class TasksRerouted:
    """Tasks go to another pool, and wait there: no attempt is counted."""

    type: ClassVar[str] = "task.rerouted"
    tasks: tuple[Reroute, ...]
    pool: str


@dataclass(frozen=True, slots=True)
class TaskHandedOver:
    """A task is at somebody else's agent, where its next attempt finds it, or is there no more."""

    type: ClassVar[str] = "task.handed_over"
    task: TaskId
    token: int
    remote_task: str
    """What it is called there; empty = nothing can be gone on with."""


@dataclass(frozen=True, slots=True)
class LateResult:
    """An outcome came with an old token: recorded, never applied."""

    type: ClassVar[str] = "task.late"
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class TasksStopping:
    """Running tasks are being stopped; why is cancel, timeout, deadline, halt, or retry: a cancel that was taken back."""

    type: ClassVar[str] = "task.stopping"
    tasks: tuple[TaskId, ...]
    why: str


@dataclass(frozen=True, slots=True)
class TasksCancelled:
    """Tasks ended without running to an end; `kind` is their error's: somebody's wish, or what they depend on."""

    type: ClassVar[str] = "task.cancelled"
    tasks: tuple[TaskId, ...]
    reason: str
    kind: str = CANCELLED


@dataclass(frozen=True, slots=True)
class TasksReplayed:
    """Ended tasks run again."""

    type: ClassVar[str] = "task.replayed"
    tasks: tuple[TaskId, ...]


@dataclass(frozen=True, slots=True)
class TaskPrioritised:
    """A waiting task's priority changed."""

    type: ClassVar[str] = "task.prioritised"
    task: TaskId
    priority: int
