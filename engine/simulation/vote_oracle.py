"""How a vote must end, counted in fractions straight from the definitions: another way than the engine's, to compare with; pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction

from engine.model.consensus import Ballot, Proposal
from engine.model.vote_words import SEED_TWO_THIRDS, TWO_THIRDS, Choice, Rule

COUNTED = frozenset({Rule.QUORUM, Rule.UNANIMOUS, Rule.WEIGHTED})
"""Rules that it counts by."""


def said_by(proposal: Proposal, ballots: Mapping[str, Sequence[Ballot]]) -> list[Choice | None]:
    """Return what counts of each voter: the last word, or the first where votes may not be changed."""
    counts = -1 if proposal.terms.may_change else 0
    return [ballots[voter.id][counts].choice if voter.id in ballots else None for voter in proposal.voters]


def is_accepted(proposal: Proposal, said: Sequence[Choice | None]) -> bool:
    """Tell whether a closed round of one of those rules is accepted; None = a voter that said nothing."""
    terms, voters = proposal.terms, proposal.voters
    share = Fraction(2, 3) if terms.threshold in (SEED_TWO_THIRDS, TWO_THIRDS) and not terms.strict else Fraction(terms.threshold)
    approving = [voter for voter, choice in zip(voters, said, strict=True) if choice is Choice.APPROVE]
    rejecting = [voter for voter, choice in zip(voters, said, strict=True) if choice is Choice.REJECT]
    if sum(choice is not None for choice in said) < Fraction(str(terms.min_turnout)) * len(voters) or any(voter.id in terms.vetoers for voter in rejecting):
        return False
    if terms.rule is Rule.QUORUM:
        return bool(approving) and len(approving) >= share * len(voters)
    if terms.rule is Rule.UNANIMOUS:
        return bool(approving) and None not in said and not rejecting
    weight = Fraction(sum(voter.weight for voter in approving))
    exact = Fraction(str(terms.threshold))
    return weight > exact * Fraction(sum(voter.weight for voter in voters)) and weight > sum(voter.weight for voter in rejecting)
