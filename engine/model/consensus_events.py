"""Facts about votes; part of the events in engine.model.events."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from engine.model.consensus import Acted, Ballot, Proposal
from engine.model.ids import ProposalId
from engine.model.vote_words import Standing


@dataclass(frozen=True, slots=True)
class ProposalOpened:
    """Something was put to the vote."""

    type: ClassVar[str] = "consensus.opened"
    proposal: Proposal


@dataclass(frozen=True, slots=True)
class BallotsCast:
    """Some voted."""

    type: ClassVar[str] = "consensus.cast"
    proposal: ProposalId
    ballots: tuple[Ballot, ...]


@dataclass(frozen=True, slots=True)
class ProposalChanged:
    """A round goes on by other terms: it was extended, or went to its center."""

    type: ClassVar[str] = "consensus.changed"
    proposal: Proposal
    note: str


@dataclass(frozen=True, slots=True)
class ProposalClosed:
    """A round ended, or one that had ended undecided was settled."""

    type: ClassVar[str] = "consensus.closed"
    proposal: ProposalId
    standing: Standing
    because: str
    by: str
    """Who decided it; empty = the rule did."""


@dataclass(frozen=True, slots=True)
class ProposalActed:
    """The plan of an accepted proposal was carried out, or turned out not to be possible any more."""

    type: ClassVar[str] = "consensus.acted"
    proposal: ProposalId
    acted: Acted
