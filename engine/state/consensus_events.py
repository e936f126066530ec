"""What events about votes do to the tables."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from engine.model.consensus import Round
from engine.model.consensus_events import (
    BallotsCast,
    ProposalChanged,
    ProposalClosed,
    ProposalOpened,
)
from engine.model.vote_words import ROUNDS_MAX, Standing
from engine.state.tables import Tables


def _opened(tables: Tables, event: ProposalOpened, _at: float) -> None:
    tables.rounds[event.proposal.id] = Round(event.proposal)
    tables.touched.rounds[event.proposal.id] = None


def _cast(tables: Tables, event: BallotsCast, _at: float) -> None:
    ballots = tables.rounds[event.proposal].ballots
    for ballot in event.ballots:
        ballots.setdefault(ballot.voter, []).append(ballot)
    tables.touched.rounds[event.proposal] = None


def _changed(tables: Tables, event: ProposalChanged, at: float) -> None:
    round_ = tables.rounds[event.proposal.id]
    round_.proposal, round_.standing, round_.because, round_.closed_at = event.proposal, Standing.OPEN, "", 0.0
    round_.notes.append((at, event.note))
    tables.touched.rounds[event.proposal.id] = None


def _closed(tables: Tables, event: ProposalClosed, at: float) -> None:
    round_ = tables.rounds[event.proposal]
    round_.standing, round_.because, round_.closed_at, round_.closed_by = event.standing, event.because, at, event.by
    tables.touched.rounds[event.proposal] = None
    ended = [round_ for round_ in tables.rounds.values() if not round_.is_open]
    if len(ended) > ROUNDS_MAX:
        oldest = min(ended, key=lambda round_: (round_.closed_at, round_.proposal.id)).proposal.id
        del tables.rounds[oldest]
        tables.touched.rounds[oldest] = None


TRANSITIONS: dict[type, Callable[[Tables, Any, float], None]] = {
    ProposalOpened: _opened,
    BallotsCast: _cast,
    ProposalChanged: _changed,
    ProposalClosed: _closed,
}
