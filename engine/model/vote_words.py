"""Votes: the words and limits that verbs need, without the records that only the engine makes.

Owner: nobody; values only.
"""

from __future__ import annotations

from enum import StrEnum

VOTERS_MAX = 1_000
"""Voters of one proposal."""
REASONING_MAX = 2_000
"""Characters of a ballot's reasoning that are kept."""
BALLOTS_MAX = 20
"""Ballots of one voter in one round."""
OPEN_MAX = 1_000
"""Open rounds that people, programs and guardrails opened; those of swarms' objectives are bounded by these."""
ROUNDS_MAX = 500
"""Rounds that have ended, of which the newest are kept in memory; the journal has the others as long as it is kept."""
DEPTH_MAX = 16
"""Delegations that a vote may pass."""
HALF = 0.5
TWO_THIRDS = 2 / 3
SEED_TWO_THIRDS = 0.67
"""The seeds' threshold; it means two thirds (C23)."""


class Choice(StrEnum):
    """What a ballot says."""

    APPROVE = "approve"
    REJECT = "reject"
    ABSTAIN = "abstain"


class Rule(StrEnum):
    """How ballots make a verdict."""

    QUORUM = "quorum"
    """Approvals reach a share of all who may vote."""
    UNANIMOUS = "unanimous"
    """Everybody voted, nobody against, somebody for."""
    WEIGHTED = "weighted"
    """Approving weight is above a share of the weight of all who may vote, and above the rejecting weight."""
    DELEGATED = "delegated"
    """A quorum in which who does not vote is spoken for by the voter that it names."""
    DISTRIBUTED = "distributed"
    """Every group decides by quorum; then a quorum of the groups."""
    CENTRALIZED = "centralized"
    """One decides; the others' votes are feedback, and a share of them against holds its approval back."""


class Standing(StrEnum):
    """How a proposal stands; all but `open` are verdicts."""

    OPEN = "open"
    ACCEPTED = "accepted"
    REJECTED = "rejected"
    VETOED = "vetoed"
    DEADLOCKED = "deadlocked"
    """Enough took part, and neither side is decided: a tie, or votes are missing. Somebody may break it."""
    EXPIRED = "expired"
    """Too few took part by the deadline."""
    WITHDRAWN = "withdrawn"
