"""Votes as operators see them: rows, a vote in full, what the verbs about them would do, and their events in words; pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from itertools import islice
from typing import Any

from engine.coordinator.rounds import OPERATOR, SETTLED, find_round, lost_voters, proposal_of
from engine.model.consensus import Acted, Proposal, Round, Verdict
from engine.model.consensus_commands import (
    CastVote,
    ExtendProposal,
    OpenProposal,
    SettleProposal,
    WithdrawProposal,
)
from engine.model.consensus_events import (
    BallotsCast,
    ProposalActed,
    ProposalChanged,
    ProposalClosed,
    ProposalOpened,
)
from engine.model.ids import AgentId, ProposalId
from engine.model.plans import PlanStep
from engine.model.verbs import Command
from engine.model.vote_rows import OPERATORS_SHOWN, ProposalRow
from engine.model.vote_words import Standing
from engine.model.wire import call_of
from engine.state import FleetState
from engine.swarm.consensus import counted, judge

Line = tuple[str, str, str]
"""Level, id of what it is about, and the words for an event."""


def proposal_row(state: FleetState, round_: Round, now: float) -> ProposalRow:
    """Return the row of a vote."""
    return _row(round_, _verdict(state, round_, now))


def _row(round_: Round, verdict: Verdict) -> ProposalRow:
    proposal, tally = round_.proposal, verdict.tally
    return ProposalRow(
        proposal.id,
        proposal.subject,
        round_.standing.value,
        proposal.terms.rule.value,
        tally.approve,
        tally.reject,
        tally.abstain,
        tally.outstanding if round_.is_open else 0.0,
        tally.needed,
        tally.eligible,
        tally.turnout,
        verdict.projected.value if round_.is_open else round_.standing.value,
        proposal.opened_at,
        proposal.deadline,
        round_.closed_at,
        proposal.by,
        _how_it_stands(round_, verdict),
        str(proposal.task or ""),
        proposal.swarm,
        proposal.plan.id if proposal.plan else "",
        _acted_word(round_.acted),
        _silent_operators(round_) if round_.is_open else "",
    )


def _acted_word(acted: Acted | None) -> str:
    return "" if acted is None or acted.vote else "done" if acted.is_done else "refused"


def _silent_operators(round_: Round) -> str:
    names = (voter.id for voter in round_.proposal.voters if voter.id.startswith(OPERATOR) and voter.id not in round_.ballots)
    return ", ".join(name.removeprefix(OPERATOR) for name in islice(names, OPERATORS_SHOWN))


def _how_it_stands(round_: Round, verdict: Verdict) -> str:
    """Return it in a line: the votes while they count, why it ended, and what came of its plan."""
    if round_.acted:
        return f"{round_.because}; {_how(round_.acted)}{round_.acted.told}"
    return verdict.because if round_.is_open else round_.because


def in_full(state: FleetState, id_: str, now: float) -> dict[str, Any]:
    """Return a vote with its terms, its voters with what they said, and what was counted. Raises NotFound."""
    round_ = find_round(state, id_)
    proposal, verdict = round_.proposal, _verdict(state, round_, now)
    lost = lost_voters(state, proposal)
    choices, void = counted(proposal, round_.all_ballots())
    voters = [
        {
            **asdict(voter),
            "name": voter_name(state, voter.id),
            "choice": choices[voter.id].value if voter.id in choices else "",
            "is_void": voter.id in void,
            "is_lost": voter.id in lost,
            "ballots": [asdict(ballot) for ballot in round_.ballots.get(voter.id, [])],
        }
        for voter in proposal.voters
    ]
    return {**_row(round_, verdict)._asdict(), "text": proposal.text, "terms": asdict(proposal.terms), "voters": voters, "tally": asdict(verdict.tally), "notes": round_.notes, "closed_by": round_.closed_by, "because": round_.because or verdict.because, "does": _does(proposal), "acted": asdict(round_.acted) if round_.acted else None}


def _does(proposal: Proposal) -> dict[str, Any] | None:
    """Return what is done if it is accepted, by which rule it is voted on."""
    plan = proposal.plan
    return {"id": plan.id, "rule": plan.rule, "who": plan.origin.actor, "via": plan.origin.via, "reason": plan.reason, "passed": plan.passed, "steps": [asdict(step) for step in plan.steps]} if plan else None


def voter_name(state: FleetState, voter: str) -> str:
    """Return what people call a voter."""
    agent = state.agents.get(AgentId(voter))
    return agent.spec.name if agent else voter


def _verdict(state: FleetState, round_: Round, now: float) -> Verdict:
    """Return how a round stands, or stood when it closed."""
    at = now if round_.is_open else round_.closed_at
    return judge(round_.proposal, round_.all_ballots(), at, lost_voters(state, round_.proposal))


def _open(state: FleetState, command: OpenProposal) -> PlanStep:
    proposal = proposal_of(state, command, ProposalId(""), "", 0.0)
    found = judge(proposal, [], 0.0).tally
    voters = len(proposal.voters)
    people = sum(voter.id.startswith(OPERATOR) for voter in proposal.voters)
    who = " and ".join(f"{number} {word}{'' if number == 1 else 's'}" for number, word in ((voters - people, "agent"), (people, "operator")) if number)
    effect = f"{who} may vote for {command.timeout_s:g} s; {command.rule}: {found.needed:g} of {found.eligible:g} must approve, {found.turnout_needed} take part"
    return PlanStep(call_of(command), command.subject, "", "put to the vote", effect)


def _vote(state: FleetState, command: CastVote) -> PlanStep:
    round_ = find_round(state, command.proposal)
    proposal = round_.proposal
    effect = "the last vote of a voter counts" if proposal.terms.may_change else "it cannot be changed afterwards"
    effect += _if_accepted(proposal)
    return PlanStep(call_of(command), proposal.id, proposal.subject, command.choice, effect)


def _extend(state: FleetState, command: ExtendProposal) -> PlanStep:
    round_ = find_round(state, command.proposal)
    effect = "" if round_.is_open else "it opens again, with the votes that were cast"
    return PlanStep(call_of(command), round_.proposal.id, round_.standing.value, f"open for {command.for_s:g} s", effect)


def _settle(state: FleetState, command: SettleProposal) -> PlanStep:
    round_ = find_round(state, command.proposal)
    after = SETTLED[command.choice]
    warning = "" if not round_.is_open else "it is still open: this goes over the heads of those who may vote"
    return PlanStep(call_of(command), round_.proposal.id, round_.standing.value, after.value, f"who waits for the verdict goes on with it{_if_accepted(round_.proposal)}", warning)


def _if_accepted(proposal: Proposal) -> str:
    return f"; the engine does what is proposed once it is accepted: {proposal.subject}" if proposal.plan else ""


def _withdraw(state: FleetState, command: WithdrawProposal) -> PlanStep:
    round_ = find_round(state, command.proposal)
    return PlanStep(call_of(command), round_.proposal.id, round_.standing.value, Standing.WITHDRAWN.value, "nobody can vote on it any more")


DESCRIBE: dict[type[Command], Callable[[FleetState, Any], PlanStep]] = {
    OpenProposal: _open,
    CastVote: _vote,
    ExtendProposal: _extend,
    SettleProposal: _settle,
    WithdrawProposal: _withdraw,
}


def _opened(_state: FleetState, event: ProposalOpened) -> Line:
    return "info", event.proposal.id, f"{event.proposal.by} proposes: {event.proposal.subject}"


def _cast(state: FleetState, event: BallotsCast) -> Line:
    votes = ", ".join(f"{voter_name(state, ballot.voter)} votes {ballot.choice}" for ballot in event.ballots)
    return "info", event.proposal, f"{votes} on {_subject(state, event.proposal)}"


def _closed(state: FleetState, event: ProposalClosed) -> Line:
    level = "warn" if event.standing in (Standing.DEADLOCKED, Standing.EXPIRED) else "info"
    return level, event.proposal, f"{_subject(state, event.proposal)} is {event.standing}: {event.because}"


def _acted(state: FleetState, event: ProposalActed) -> Line:
    return "info" if event.acted.is_done else "warn", event.proposal, f"{_subject(state, event.proposal)} was accepted; {_how(event.acted)}{event.acted.told}"


def _how(acted: Acted) -> str:
    return "" if acted.vote else "done: " if acted.is_done else "not done: "


def _subject(state: FleetState, proposal: ProposalId) -> str:
    round_ = state.rounds.get(proposal)
    return repr(round_.proposal.subject) if round_ else str(proposal)


WORDS: dict[type, Callable[[FleetState, Any], Line]] = {
    ProposalOpened: _opened,
    BallotsCast: _cast,
    ProposalChanged: lambda _state, event: ("warn", event.proposal.id, f"{event.proposal.subject!r} goes on: {event.note}"),
    ProposalClosed: _closed,
    ProposalActed: _acted,
}
