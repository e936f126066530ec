"""Reviews: what a task did in its git worktree, and what somebody made of it; bounded with the task that they are about."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from engine.model.ids import TaskId

MERGE, CHERRY_PICK, SQUASH, PATCH = "merge", "cherry-pick", "squash", "patch"
HOWS = (MERGE, CHERRY_PICK, SQUASH, PATCH)
"""Ways to take work over: a merge commit, its commits one by one, one commit, or changes that nobody has committed yet."""
SHORT_COMMIT = 10
"""Digits of a commit's name that people are shown."""


class ReviewState(StrEnum):
    """waiting -> accepted | discarded | retried; all of them can wait again."""

    WAITING = "waiting"
    ACCEPTED = "accepted"
    DISCARDED = "discarded"
    RETRIED = "retried"
    """Another task goes on with its branch."""


@dataclass(frozen=True, slots=True)
class Work:
    """What was done in a worktree, on a branch of its own. Commits by their full names, counts since `base`."""

    repository: str
    """Path on the machine of the host."""
    branch: str
    base: str
    head: str
    """What is reviewed: whatever comes onto the branch later is not."""
    onto: str = ""
    """Branch at which it began, and into which it goes; empty = it began at none."""
    commits: int = 0
    files: int = 0
    insertions: int = 0
    deletions: int = 0
    check: str = ""
    """How the pool's check ended: passed, or how it failed; empty = there is none."""
    tree: str = ""
    """Path of the worktree."""
    host: str = ""
    """Host that joined, and has the repository; empty = the engine's own machine."""


@dataclass(frozen=True, slots=True)
class Review:
    """What somebody is to decide about a task's work, or has decided."""

    work: Work
    opened_at: float
    state: ReviewState = ReviewState.WAITING
    who: str = ""
    """Who decided last; empty = nobody yet."""
    decided_at: float = 0.0
    how: str = ""
    onto: str = ""
    """Branch that took it over."""
    made: str = ""
    """`OLD..NEW`: where that branch was before and after; empty = it had the work already."""
    next: TaskId = TaskId("")
    """Task that goes on with it."""


@dataclass(frozen=True, slots=True)
class Taking:
    """How a branch takes work over."""

    how: str
    onto: str = ""
    """The branch; empty = the one at which the work began. Changes in no commit have none."""
    made: str = ""
    """`OLD..NEW`: where it is before and after; empty = it has the work already."""


def ends_of(made: str) -> tuple[str, str]:
    """Return both ends of `OLD..NEW`, empty when it names none."""
    old, _, new = made.partition("..")
    return old, new
