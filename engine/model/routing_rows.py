"""Learned routing as rows; part of the rows in engine.model.rows."""

from __future__ import annotations

from typing import NamedTuple


class RouteRow(NamedTuple):
    """Learned routing of a pool. Rewards are 0..1; None = nothing is known yet. Estimates are of the newest logged decisions."""

    id: str
    """The pool."""
    mode: str
    """off, shadow or on."""
    state: str
    """off, learning, watching, deciding or held back."""
    outcomes: int
    """That it has learned from."""
    looked: int
    """Decisions that it has looked at since the engine started; so are the three after it."""
    agreed: int
    decided: int
    explored: int
    learned: float | None
    """What choosing by it would have earned."""
    scored: float | None
    """What choosing by scores would have earned."""
    gain: float | None
    """The first less the second, decision by decision, with its 95 % interval."""
    gain_low: float | None
    gain_high: float | None
    regret: float | None
    """What the decisions taken earned less than the best agents would have, as it expects it now; for 100 decisions."""
    scored_regret: float | None
    account: float
    """What is left of what the guard lets it lose."""
    poisoned: int
    """Failed attempts that were no fault of their agents: the task failed on others, too."""
    last_at: float
    """Of its newest decision; 0 = none since the engine started."""
    reason: str
    """How it stands, in a line."""
