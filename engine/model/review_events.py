"""Facts about reviews; part of the events in engine.model.events."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from engine.model.ids import TaskId
from engine.model.reviews import ReviewState, Work


@dataclass(frozen=True, slots=True)
class ReviewOpened:
    """A task ended, and left work on a branch that somebody is to look at."""

    type: ClassVar[str] = "review.opened"
    task: TaskId
    work: Work


@dataclass(frozen=True, slots=True)
class ReviewMoved:
    """Somebody accepted, discarded or reopened a review."""

    type: ClassVar[str] = "review.moved"
    task: TaskId
    state: ReviewState
    who: str
    how: str = ""
    onto: str = ""
    made: str = ""
    """`OLD..NEW` of the branch that took it over."""
