"""Sessions: an objective on its way through a swarm: split, worked on, reviewed, voted on, and put together or tried again.

Owner: FleetState.apply; a session is a value. Instants are seconds of the fleet clock, 0 = not yet.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from engine.model.ids import ProposalId, SessionId, SwarmId, TaskId
from engine.model.swarm_words import SESSION_OVER, PartState, SessionState


@dataclass(frozen=True, slots=True)
class SessionPlan:
    """How an objective is to be worked on. Types are those of tasks, empty = that step is left out."""

    work: str
    split: str = ""
    """Done by the leader; its result names the `parts`."""
    review: str = ""
    """Done by each reviewer; its result holds `vote`, `confidence` and `reasoning`. Empty = what is done is accepted."""
    integrate: str = ""
    """Done by the leader, with the results of all parts."""
    reviewers: int = 3
    attempts: int = 3
    """Times that a part is worked on, or the objective split or put together."""
    timeout_s: float = 3_600.0
    """From when it begins."""
    patience_s: float = 60.0
    """How long a vote that ended undecided waits for an operator who breaks it."""
    budget_tasks: int = 100
    budget_cost: float = 0.0
    """In the unit of the agents' cost; 0 = any."""


@dataclass(frozen=True, slots=True)
class Part:
    """A part of the objective."""

    number: int
    payload: dict[str, object]
    state: PartState = PartState.WAITING
    attempt: int = 0
    """Times that somebody was given it, but for those who were lost."""
    worker: str = ""
    task: TaskId | None = None
    """The newest that works on it."""
    proposal: ProposalId | None = None
    """Whether its result is accepted."""
    reviews: dict[str, TaskId] = field(default_factory=dict)
    """Reviewer -> the task of its review, as long as that has not ended."""
    reasons: tuple[str, ...] = ()
    """What was said against it last; whoever works on it next is told."""


@dataclass(frozen=True, slots=True)
class Session:
    """An objective and how far it is."""

    id: SessionId
    swarm: SwarmId
    objective: str
    who: str
    plan: SessionPlan
    asked_at: float
    payload: dict[str, object] = field(default_factory=dict)
    """What every task of it is given."""
    parts: tuple[Part, ...] = ()
    state: SessionState = SessionState.QUEUED
    because: str = ""
    """Why it has ended."""
    began_at: float = 0.0
    deadline: float = 0.0
    ended_at: float = 0.0
    task: TaskId | None = None
    """What splits it or puts it together."""
    tries: int = 0
    """Of that."""
    tasks: int = 0
    """Tasks that it was given so far."""
    cost: float = 0.0
    """Of those of them that have ended."""
    chosen: str = ""
    """Why this swarm took it, if the fleet chose one."""

    @property
    def is_over(self) -> bool:
        """Tell whether it has ended."""
        return self.state in SESSION_OVER

    def open_tasks(self) -> Iterator[TaskId]:
        """Return the tasks whose end it waits for."""
        if self.is_over:
            return
        if self.task is not None:
            yield self.task
        for part in self.parts:
            if part.state is PartState.WORKING and part.task is not None:
                yield part.task
            yield from part.reviews.values()

    def open_votes(self) -> Iterator[ProposalId]:
        """Return the votes whose end it waits for."""
        for part in self.parts if not self.is_over else ():
            if part.state is PartState.REVIEWING and part.proposal is not None:
                yield part.proposal
