"""Tasks: what is asked for, its states, leases, placements and outcomes, and the record the fleet keeps.

What is made for every task is a Struct: it is made in a quarter of a dataclass's time, and encoded in half of it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

import msgspec

from engine.model.budgets import Used
from engine.model.ids import AgentId, QuestionId, TaskId
from engine.model.learned import Advice
from engine.model.questions import Answer, Question, Said
from engine.model.reviews import Review, Work

HISTORY_MAX = 32
"""Steps kept in a task's own history; the journal has them all."""
TOLD_MAX = 16


class TaskState(StrEnum):
    """pending -> leased -> running (<-> needs_input) -> succeeded | failed | cancelled | dead."""

    PENDING = "pending"
    LEASED = "leased"
    RUNNING = "running"
    NEEDS_INPUT = "needs_input"
    """It runs, and its agent waits for an answer."""
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    DEAD = "dead"


CANCELLED = "cancelled"
"""TaskError.kind of a task that somebody cancelled."""
FELL = "dependency"
"""TaskError.kind of a task that was cancelled because one that it depends on did not succeed."""

SAMPLER = "booster sampling"
"""TaskSpec.submitted_by of samples."""
HANDED_ON = "handed_on"
"""Outcome.error_kind of an attempt whose agent leaves the task to those of another pool: the booster to regular agents."""

ENGINE_LOST = "engine_restart"
"""Outcome.error_kind of an attempt that ended for want of an engine."""

FINISHED = frozenset({TaskState.SUCCEEDED, TaskState.FAILED, TaskState.CANCELLED, TaskState.DEAD})
HELD = frozenset({TaskState.LEASED, TaskState.RUNNING, TaskState.NEEDS_INPUT})
"""States in which an agent has it."""


class TaskSpec(msgspec.Struct, frozen=True):
    """What is fixed when a task is accepted. Times are seconds, 0 = no limit."""

    id: TaskId
    type: str
    pool: str
    payload: dict[str, object]
    title: str = ""
    priority: int = 5
    capabilities: tuple[str, ...] = ()
    fairness_key: str = ""
    idempotency_key: str = ""
    depends_on: tuple[TaskId, ...] = ()
    take_inputs: bool = False
    """Deliver the results of `depends_on` with the payload, under `inputs`."""
    run_after_failure: bool = False
    """Run even when something in `depends_on` did not succeed."""
    deadline: float = 0.0
    """Instant by which it must have ended, attempts included."""
    timeout_s: float = 0.0
    """Longest run of one attempt."""
    queue_timeout_s: float = 0.0
    """Longest wait for an agent."""
    max_attempts: int = 3
    backoff_s: float = 1.0
    """Wait before the second attempt; doubles with each one, 60 s at most, with jitter."""
    workspace: str = ""
    apply: bool = False
    submitted_by: str = ""
    submitted_at: float = 0.0
    routed: str = ""
    """Why it went to its pool, if that was for the fleet to say."""
    residency: tuple[str, ...] = ()
    """Tags of what it is about: only regions with all of them may keep it."""
    sample_of: str = ""
    """Task of the booster that it does again to compare; empty = it is work. Samples are in no count of work."""
    follows: TaskId = TaskId("")
    """Task whose work it goes on with, as a reviewer asked; empty = it begins anew."""
    work: Work | None = None
    """That work: its branch and worktree."""


class Placement(msgspec.Struct, frozen=True):
    """Why a task went to an agent: the numbers of that decision (seed A 6.2)."""

    value: float
    factors: tuple[float, float, float, float, float]
    """capability match, availability, performance, cost, historical; each 0..1."""
    alternatives: tuple[tuple[AgentId, float], ...] = ()
    candidates: int = 0
    """Free agents that passed every filter."""
    advice: Advice | None = None
    """What a rule or learned routing said; None = they were not asked, or know nothing yet."""


class Lease(msgspec.Struct, frozen=True):
    """A task handed to an agent; the token is the attempt's number and fences late results."""

    task: TaskId
    agent: AgentId
    token: int
    placement: Placement


class Outcome(msgspec.Struct, frozen=True):
    """What an agent reports at the end of one attempt."""

    task: TaskId
    token: int
    ok: bool
    result: dict[str, object] = {}
    """Small; anything larger than the inline limit is in `artifact`."""
    artifact: str = ""
    """sha256 of the full result in the artifacts table, or empty."""
    error_kind: str = ""
    error: str = ""
    retryable: bool = True
    started_at: float = 0.0
    ended_at: float = 0.0
    usage: dict[str, float] = {}
    models: dict[str, dict[str, float]] = {}
    """Of the usage what each model had: `cost` and tokens, by its name; empty = nobody told the models."""


@dataclass(frozen=True, slots=True)
class TaskError:
    """Why a task is not succeeded: a word for machines and a sentence for people."""

    kind: str
    message: str


@dataclass(slots=True)
class Task:
    """The fleet's record of one task. Owner: FleetState.apply."""

    spec: TaskSpec
    state: TaskState = TaskState.PENDING
    priority: int = 0
    """1..10 now; starts as the specification's."""
    attempt: int = 0
    """Leases so far; the current lease's fencing token."""
    uncounted: int = 0
    """Leases that do not count against max_attempts: those before the last replay, and those that were lost with their
    agent or their engine."""
    replayed_at: float = 0.0
    """Instant of its last replay; 0 = none."""
    deaths: int = 0
    """Agents that died while running it, since its last replay."""
    agent: AgentId | None = None
    agent_name: str = ""
    machine: str = ""
    """Host that joined to which its last attempt went; empty = the engine's own."""
    placement: Placement | None = None
    waiting_on: int = 0
    """Dependencies that have not ended."""
    not_before: float = 0.0
    """Instant before which it is not placed (back-off)."""
    leased_at: float = 0.0
    started_at: float = 0.0
    finished_at: float = 0.0
    stopping: str = ""
    """Why the running attempt is being stopped: cancel, timeout, deadline, halt, budget, retry, unanswered; empty = it is not."""
    error: TaskError | None = None
    result: dict[str, object] = field(default_factory=dict)
    artifact: str = ""
    usage: dict[str, float] = field(default_factory=dict)
    history: list[tuple[float, str, str]] = field(default_factory=list)
    """(instant, what, detail), oldest first."""
    retries: int = 0
    """Times that it waited again: after an attempt, a loss or a replay by an operator."""
    questions: dict[QuestionId, Question] = field(default_factory=dict)
    """What its agent asks and nobody has answered yet."""
    asked_at: float = 0.0
    """Since when it waits for an answer; 0 = it does not."""
    told: dict[QuestionId, Answer] = field(default_factory=dict)
    """Answers to what the program of this attempt asked by a verb, the newest TOLD_MAX."""
    said: Said | None = None
    """How far its program said last that it is; None = it did not."""
    asked_s: float = 0.0
    """How long this attempt waited for answers, but for the present one; it does not count as run time."""
    moved: str = ""
    """Pool that it was handed on to; its specification names that one too."""
    metered: dict[int, Used] = field(default_factory=dict)
    """What its newest attempts told of their use, by token."""
    spent: dict[str, float] = field(default_factory=dict)
    """What all its attempts used: cost, tokens, unpriced and turns as told; seconds of those before the last one."""
    over: str = ""
    """Why it may not use any more, so that it waits; empty = it may."""
    review: Review | None = None
    """Of what it left on a branch; None = it left nothing there."""
    remote_task: str = ""
    """What somebody else's agent calls it, as long as the next attempt can go on with it there; empty = it cannot."""

    @property
    def fell(self) -> bool:
        """Tell whether it was cancelled only because of one that it depends on."""
        return self.state is TaskState.CANCELLED and self.error is not None and self.error.kind == FELL

    def run_s(self, now: float) -> float:
        """Return the wall time of all its attempts, seconds."""
        running = max(0.0, (self.finished_at or now) - self.started_at) if self.started_at else 0.0
        return self.spent.get("seconds", 0.0) + running

    @property
    def tries(self) -> int:
        """Return how many of its attempts count against max_attempts, the one under way included."""
        return self.attempt - self.uncounted

    def note(self, at: float, what: str, detail: str = "") -> None:
        """Add a step to its history; the oldest but the first is forgotten when full."""
        if len(self.history) >= HISTORY_MAX:
            del self.history[1]
        self.history.append((at, what, detail))
