"""What events about votes do to the tables."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from engine.model.consensus import Round
from engine.model.consensus_events import (
    BallotsCast,
    ProposalActed,
    ProposalChanged,
    ProposalClosed,
    ProposalOpened,
)
from engine.model.vote_words import ROUNDS_MAX, Standing
from engine.state.tables import Tables


def _opened(tables: Tables, event: ProposalOpened, _at: float) -> None:
    tables.rounds[event.proposal.id] = Round(event.proposal)
    tables.swarming.count_vote(event.proposal.swarm, was_open=None, is_open=True)
    tables.touched.rounds[event.proposal.id] = None


def _cast(tables: Tables, event: BallotsCast, _at: float) -> None:
    ballots = tables.rounds[event.proposal].ballots
    for ballot in event.ballots:
        ballots.setdefault(ballot.voter, []).append(ballot)
    tables.touched.rounds[event.proposal] = None


def _changed(tables: Tables, event: ProposalChanged, at: float) -> None:
    round_ = tables.rounds[event.proposal.id]
    tables.swarming.count_vote(event.proposal.swarm, was_open=round_.is_open, is_open=True)
    round_.proposal, round_.standing, round_.because, round_.closed_at = event.proposal, Standing.OPEN, "", 0.0
    round_.notes.append((at, event.note))
    tables.touched.rounds[event.proposal.id] = None


def _closed(tables: Tables, event: ProposalClosed, at: float) -> None:
    round_ = tables.rounds[event.proposal]
    tables.swarming.count_vote(round_.proposal.swarm, was_open=round_.is_open, is_open=False)
    round_.standing, round_.because, round_.closed_at, round_.closed_by = event.standing, event.because, at, event.by
    tables.touched.rounds[event.proposal] = None
    ended = [round_ for round_ in tables.rounds.values() if not round_.is_open and not round_.is_to_be_done]
    if len(ended) > ROUNDS_MAX:
        oldest = min(ended, key=lambda round_: (round_.closed_at, round_.proposal.id)).proposal
        del tables.rounds[oldest.id]
        tables.swarming.count_vote(oldest.swarm, was_open=False, is_open=None)
        tables.touched.rounds[oldest.id] = None


def _acted(tables: Tables, event: ProposalActed, _at: float) -> None:
    tables.rounds[event.proposal].acted = event.acted
    tables.touched.rounds[event.proposal] = None


TRANSITIONS: dict[type, Callable[[Tables, Any, float], None]] = {
    ProposalOpened: _opened,
    BallotsCast: _cast,
    ProposalChanged: _changed,
    ProposalClosed: _closed,
    ProposalActed: _acted,
}
