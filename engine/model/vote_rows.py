"""Votes as rows; part of the rows in engine.model.rows."""

from __future__ import annotations

from typing import NamedTuple


class ProposalRow(NamedTuple):
    """Something put to the vote. Counts are in voters, groups or weight, by its rule. Instants in epoch seconds, 0 = not yet."""

    id: str
    subject: str
    state: str
    """open, accepted, rejected, vetoed, deadlocked, expired or withdrawn."""
    rule: str
    approve: float
    reject: float
    abstain: float
    outstanding: float
    """Of those who can still vote."""
    needed: float
    eligible: float
    turnout: int
    """Voters who took part."""
    projected: str
    """How it would end if it ended now."""
    opened_at: float
    deadline: float
    closed_at: float
    who: str
    """Who proposed it."""
    reason: str
    """How it stands, in a line."""
    task: str
    swarm: str
