"""Swarms and votes in the seeds' own shapes, for programs; pure."""

from __future__ import annotations

from engine.gate.swarms import members_of, swarm_row
from engine.model.consensus import Round
from engine.model.swarm_shapes import (
    AgentState,
    ConsensusResult,
    ConsensusState,
    SwarmMetadata,
    SwarmPerformance,
    SwarmState,
    VoteCount,
    WeightDistribution,
)
from engine.model.swarms import Swarm
from engine.model.vote_words import Choice, Standing
from engine.state import FleetState
from engine.swarm.consensus import counted
from engine.swarm.shapes import consensus_of


def vote_count(round_: Round) -> VoteCount:
    """Return how many voters are for and against."""
    choices = list(counted(round_.proposal, round_.all_ballots())[0].values())
    return VoteCount(len(round_.proposal.voters), choices.count(Choice.APPROVE), choices.count(Choice.REJECT))


def weight_distribution(round_: Round) -> WeightDistribution:
    """Return how much weight is for and against."""
    voters = round_.proposal.voters
    choices, _void = counted(round_.proposal, round_.all_ballots())
    of = {choice: sum(voter.weight for voter in voters if choices.get(voter.id) is choice) for choice in Choice}
    return WeightDistribution(of[Choice.APPROVE], of[Choice.REJECT], sum(voter.weight for voter in voters))


def result_of(round_: Round) -> ConsensusResult:
    """Return what came of a round that has ended."""
    reached = round_.standing is Standing.ACCEPTED
    return ConsensusResult(
        round_.proposal.id, reached, vote_count(round_), weight_distribution(round_), round_.proposal.terms.threshold, round_.closed_at, round_.because
    )


def state_of(state: FleetState, swarm: Swarm, now: float) -> SwarmState:
    """Return a swarm."""
    rounds = [round_ for round_ in state.rounds.values() if round_.proposal.swarm == swarm.id]
    going = [session for session in state.swarming.sessions_of(swarm.id) if not session.is_over]
    tally, row = state.swarming.tally_of(swarm.id), swarm_row(state, swarm, now)
    return SwarmState(
        swarm.id,
        swarm.status.value,
        swarm.topology.shape.value,
        tuple(AgentState(**member) for member in members_of(state, swarm)),
        tuple(task for session in going for task in session.open_tasks()),
        ConsensusState(
            consensus_of(swarm.topology, swarm.settings),
            tuple(round_.proposal.id for round_ in rounds if round_.is_open),
            tuple(round_.proposal.id for round_ in rounds if not round_.is_open),
        ),
        SwarmPerformance(tally.sessions_open, tally.won, tally.won + tally.failed, row.sent, row.rate),
        SwarmMetadata(swarm.created_at, swarm.updated_at, swarm.version, next((session.id for session in going), "")),
    )
