"""The row of a review that waits; part of the rows in engine.model.rows."""

from __future__ import annotations

from typing import NamedTuple


class ReviewRow(NamedTuple):
    """What a task left on a branch, and somebody is to decide about. Counts since its base; instants in epoch seconds."""

    id: str
    """Of the task."""
    title: str
    pool: str
    ended: str
    """How the task did: succeeded, failed or dead."""
    branch: str
    onto: str
    """Branch at which it began; empty = it began at none."""
    commits: int
    files: int
    insertions: int
    deletions: int
    check: str
    """How the pool's check ended: passed, or how it failed; empty = there is none."""
    opened_at: float
    agent: str
    follows: str
    """Task whose work it went on with, by feedback; empty = it began anew."""
    host: str
    """Host that joined, and has the branch; empty = the engine's own machine."""
