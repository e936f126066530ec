"""Votes as rows; part of the rows in engine.model.rows."""

from __future__ import annotations

from typing import NamedTuple

OPERATORS_SHOWN = 50


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
    plan: str
    """The plan that is carried out if it is accepted; empty = none."""
    acted: str
    """What came of that plan: done, refused, or empty: nothing yet."""
    waits_for: str
    """Operators who may vote and have not, with commas between them; at most OPERATORS_SHOWN."""
