"""Plans that a guardrail puts to the vote: who votes on them, and what that asks; pure."""

from __future__ import annotations

from dataclasses import replace

from engine.coordinator.rounds import proposal_of, voter_of
from engine.gate.votes import voter_name
from engine.model.consensus import Proposal, VotedPlan
from engine.model.consensus_commands import OpenProposal
from engine.model.errors import FleetError, NotFound
from engine.model.guardrails import Guardrail
from engine.model.ids import ProposalId
from engine.model.plans import Demand, Origin
from engine.state import FleetState
from engine.swarm.consensus import judge

NAMED_MAX = 5
"""Voters that a plan names; the others are counted."""


def round_of(state: FleetState, guardrail: Guardrail, origin: Origin, now: float) -> Proposal:
    """Return the vote that a rule demands of somebody, without the plan. Raises NotFound when nobody else may vote."""
    vote = guardrail.rule.vote
    assert vote is not None
    command = OpenProposal(
        "", vote.voters, rule=vote.rule, threshold=vote.threshold, min_turnout=vote.min_turnout, timeout_s=vote.timeout_s
    )
    proposal = proposal_of(state, command, ProposalId(""), origin.actor, now)
    voters = tuple(voter for voter in proposal.voters if vote.proposer_votes or voter.id != voter_of(origin))
    if not voters:
        raise NotFound(f"nobody but {voter_of(origin)} may vote on it")
    return replace(proposal, voters=voters)


def demand_of(state: FleetState, guardrail: Guardrail, origin: Origin, now: float) -> tuple[Demand, bool]:
    """Return what a rule's vote asks of a plan, and whether that refuses it: where nobody could vote."""
    try:
        proposal = round_of(state, guardrail, origin, now)
    except FleetError as error:
        return Demand("vote", guardrail.name, f"others must vote on it, and {error}"), True
    names = [voter_name(state, voter.id) for voter in proposal.voters]
    more = f" and {len(names) - NAMED_MAX} more" if len(names) > NAMED_MAX else ""
    found = judge(proposal, (), now).tally
    because = f" ({guardrail.rule.because})" if guardrail.rule.because else ""
    text = f"needs {found.needed:g} of {len(names)} votes: {', '.join(names[:NAMED_MAX])}{more}; within {proposal.terms.timeout_s:g} s{because}"
    return Demand("vote", guardrail.name, text), False


def with_plan(proposal: Proposal, plan: VotedPlan, id_: ProposalId, subject: str) -> Proposal:
    """Return the vote with what is done if it is accepted."""
    return replace(proposal, id=id_, subject=subject, text=plan.reason, plan=plan)
