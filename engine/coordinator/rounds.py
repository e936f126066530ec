"""Votes: opened, cast, extended, settled, and closed by their rule or their time.

A round is judged anew whenever somebody votes, a voter leaves the fleet, or its deadline comes; `engine.swarm.consensus` says how it
stands. Operators vote as `@name`, an agent's program as the agent, by its token. Nobody votes for somebody else; a program in the
engine's own process names its agent.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace

from engine.coordinator.attempts import require_running
from engine.model.consensus import Ballot, Proposal, Round, Terms, Voter
from engine.model.consensus_commands import (
    CastVote,
    ExtendProposal,
    OpenProposal,
    SettleProposal,
    WithdrawProposal,
)
from engine.model.consensus_events import (
    BallotsCast,
    ProposalChanged,
    ProposalClosed,
    ProposalOpened,
)
from engine.model.errors import CommandRefused, Denied, NotFound, UsageError
from engine.model.events import Audited, Event
from engine.model.ids import PROPOSAL_PREFIX, AgentId, ProposalId, TaskId
from engine.model.plans import AuditEntry, Origin
from engine.model.vote_words import (
    BALLOTS_MAX,
    HALF,
    OPEN_MAX,
    REASONING_MAX,
    TWO_THIRDS,
    VOTERS_MAX,
    Choice,
    Rule,
    Standing,
)
from engine.scheduling.timers import Due
from engine.state import FleetState, Touched
from engine.state.deciding import Deciding, Decision
from engine.swarm.consensus import escalated, judge

OPERATOR = "@"
"""Begins the id of a voter who is an operator."""
DUE = "proposal"
"""Kind of the timers of rounds."""
_IN_PROCESS = "library"
"""The face of programs that embed the engine; rules of alerts act through the engine, and vote for nobody."""
SETTLED = {"accept": Standing.ACCEPTED, "reject": Standing.REJECTED, "veto": Standing.VETOED}


def decide_open(state: FleetState, commands: Sequence[OpenProposal], deciding: Deciding) -> Decision:
    """Open rounds. Raises FleetError for voters that are not there, terms that could never be met, and too many open rounds."""
    check_room(state, len(commands))
    proposals = [
        proposal_of(state, command, ProposalId(deciding.ids.new(PROPOSAL_PREFIX)), deciding.origin.actor, deciding.now) for command in commands
    ]
    return Decision([ProposalOpened(proposal) for proposal in proposals], [proposal.id for proposal in proposals])


def check_room(state: FleetState, more: int) -> None:
    """Raise CommandRefused if so many more rounds than are open were too many."""
    found = state.swarming.tally_of("").votes_open
    if found + more > OPEN_MAX:
        raise CommandRefused(f"{found:,} votes are open and {OPEN_MAX:,} may be; vote on them, settle or withdraw some, or wait for their deadlines")


def proposal_of(state: FleetState, command: OpenProposal, id_: ProposalId, who: str, now: float) -> Proposal:
    """Return what a command puts to the vote. Raises NotFound, UsageError, CommandRefused."""
    check_room(state, 1)
    ids = list(dict.fromkeys(voter for word in command.voters for voter in voters_named(state, word)))
    if not ids:
        raise UsageError("nobody may vote: name agents, pools that have agents, or operators as @name")
    if len(ids) > VOTERS_MAX:
        raise UsageError(f"{len(ids)} voters are more than the {VOTERS_MAX} of one proposal; name fewer")
    weights = {_voter(state, word, ids): _weight(word, value) for word, value in command.weights.items()}
    delegates = {_voter(state, word, ids): _voter(state, str(other), ids) for word, other in command.delegates.items()}
    groups = {_voter(state, word, ids): str(group) for word, group in command.groups.items()}
    center = _voter(state, command.center, ids) if command.center else ""
    if not center and (command.escalates or command.rule == Rule.CENTRALIZED):
        raise UsageError("name the voter that decides as center")
    rule = Rule(command.rule)
    terms = Terms(
        rule,
        command.threshold or (HALF if rule is Rule.WEIGHTED else TWO_THIRDS),
        command.min_turnout,
        command.timeout_s,
        command.may_change,
        tuple(_voter(state, word, ids) for word in command.vetoers),
        center,
        command.depth,
        command.escalates,
        command.strict,
    )
    if command.task and TaskId(command.task) not in state.tasks:
        raise NotFound(f"no task {command.task!r}")
    voters = tuple(Voter(voter, weights.get(voter, 1.0), delegates.get(voter, ""), groups.get(voter, "")) for voter in ids)
    if terms.rule is Rule.WEIGHTED and not sum(voter.weight for voter in voters):
        raise UsageError("no voter has any weight, so it could never be accepted")
    return Proposal(id_, command.subject, command.text, voters, terms, who, now, now + command.timeout_s, task=TaskId(command.task) if command.task else None)


def voters_named(state: FleetState, word: str) -> list[str]:
    """Return the voters that a word means: `@name`, an agent's id or name, or a pool's agents. Raises NotFound."""
    if word.startswith(OPERATOR) and len(word) > 1:
        return [word]
    agent = state.agents.get(AgentId(word)) or state.agents.get(state.agent_ids.get(word, AgentId("")))
    if agent is not None:
        return [agent.spec.id]
    if word in state.pools:
        return list(state.agents_of.get(word, {}))
    raise NotFound(f"no agent or pool {word!r}; operators are written as @name")


def _voter(state: FleetState, word: str, voters: Sequence[str]) -> str:
    """Return the one voter that a word means. Raises NotFound, UsageError."""
    found = voters_named(state, word)
    if len(found) != 1 or found[0] not in voters:
        raise UsageError(f"{word!r} is not one of the voters")
    return found[0]


def _weight(word: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < float("inf"):
        raise UsageError(f"the weight of {word!r} is {value!r}; give a number that is not below 0")
    return float(value)


def decide_vote(state: FleetState, commands: Sequence[CastVote], deciding: Deciding) -> Decision:
    """Cast votes. Raises NotFound, CommandRefused."""
    decision = Decision([], [])
    rounds: dict[ProposalId, Round] = {}
    for command in commands:
        round_ = rounds.setdefault(ProposalId(command.proposal), _copy(find_round(state, command.proposal)))
        ballot = ballot_of(state, round_, command, deciding)
        round_.ballots.setdefault(ballot.voter, []).append(ballot)
        decision.events.append(BallotsCast(round_.proposal.id, (ballot,)))
        decision.values = [*decision.values, ballot.number]
    for round_ in rounds.values():
        decision.events += _judged(state, round_, deciding.now)
    return decision


def ballot_of(state: FleetState, round_: Round, command: CastVote, deciding: Deciding) -> Ballot:
    """Return the ballot that a command casts. Raises CommandRefused."""
    proposal = round_.proposal
    voter = _who_votes(state, proposal, command.voter, deciding)
    if not round_.is_open:
        raise CommandRefused(f"{proposal.id} is {round_.standing}: {round_.because}")
    cast = round_.ballots.get(voter, [])
    if cast and not proposal.terms.may_change:
        raise CommandRefused(f"{voter} has voted {cast[0].choice} on {proposal.id}, and votes may not be changed there")
    if len(cast) >= BALLOTS_MAX:
        raise CommandRefused(f"{voter} has voted {len(cast)} times on {proposal.id}; the last one counts")
    return Ballot(voter, Choice(command.choice), len(cast) + 1, command.confidence, command.reasoning[:REASONING_MAX], deciding.now)


def _who_votes(state: FleetState, proposal: Proposal, named: str, deciding: Deciding) -> str:
    origin = deciding.origin
    voter = voter_of(origin)
    require_running(state, origin)
    found = voters_named(state, named) if named else [voter]
    if found != [voter]:
        if origin.via != _IN_PROCESS or origin.agent:
            raise CommandRefused("one votes as oneself; only a program in the engine's own process names the agent that it runs")
        voter = found[0] if len(found) == 1 else named
    if all(one.id != voter for one in proposal.voters):
        raise CommandRefused(f"{voter} may not vote on {proposal.id}; {len(proposal.voters)} others may")
    return voter


def voter_of(origin: Origin) -> str:
    """Return as whom somebody votes: an agent's program as the agent, anybody else as operator."""
    return origin.agent or f"{OPERATOR}{origin.who}"


def decide_extend(state: FleetState, commands: Sequence[ExtendProposal], deciding: Deciding) -> Decision:
    """Give rounds more time. Raises NotFound, CommandRefused."""
    decision = Decision([], [])
    for command in commands:
        round_ = find_round(state, command.proposal)
        if not round_.may_be_settled:
            raise CommandRefused(f"{round_.proposal.id} is {round_.standing}: {round_.because}")
        if not round_.is_open:
            check_room(state, 1)
        proposal = replace(round_.proposal, deadline=max(round_.proposal.deadline, deciding.now + command.for_s))
        decision.events.append(ProposalChanged(proposal, f"extended by {deciding.origin.who}"))
        decision.values = [*decision.values, proposal.deadline]
    return decision


def decide_settle(state: FleetState, commands: Sequence[SettleProposal], deciding: Deciding) -> Decision:
    """Decide rounds by a casting vote. Raises NotFound, CommandRefused, Denied."""
    decision = Decision([], [])
    for command in commands:
        round_ = find_round(state, command.proposal)
        if not round_.may_be_settled:
            raise CommandRefused(f"{round_.proposal.id} is {round_.standing}: {round_.because}")
        standing = SETTLED[command.choice]
        because = command.why[:REASONING_MAX] or f"{command.choice} by {deciding.origin.who}"
        if standing is Standing.ACCEPTED and _wants(round_.proposal) == voter_of(deciding.origin):
            raise Denied(f"{round_.proposal.id} is a plan of yours, so that others decide; nothing was changed")
        decision.events += _closing(round_.proposal, standing, because, deciding.now, by=deciding.origin.who)
        decision.values = [*decision.values, standing.value]
    return decision


def decide_withdraw(state: FleetState, commands: Sequence[WithdrawProposal], deciding: Deciding) -> Decision:
    """Take proposals back; an agent's program its own alone. Raises NotFound, CommandRefused, Denied."""
    who = deciding.origin.actor
    rounds = [find_round(state, command.proposal) for command in commands]
    other = next((round_.proposal for round_ in rounds if deciding.origin.agent and round_.proposal.by != who), None)
    if other is not None:
        raise Denied(f"{other.id} was proposed by {other.by}, not by {who}, whose program withdraws what it proposed alone; nothing was changed")
    ended = next((round_ for round_ in rounds if not round_.is_open), None)
    if ended is not None:
        raise CommandRefused(f"{ended.proposal.id} is {ended.standing}: {ended.because}")
    closing = (_closing(round_.proposal, Standing.WITHDRAWN, f"withdrawn by {who}", deciding.now, by=who) for round_ in rounds)
    return Decision([event for events in closing for event in events], [round_.proposal.id for round_ in rounds])


def find_round(state: FleetState, word: str) -> Round:
    """Return the round with that id. Raises NotFound."""
    round_ = state.rounds.get(ProposalId(word))
    if round_ is None:
        raise NotFound(f"no proposal {word!r}; `get proposals` lists those that are known")
    return round_


def decide_due(state: FleetState, ids: Iterable[str], now: float) -> list[Event]:
    """Return what closes the rounds among some whose time is over, or whose voters are gone."""
    rounds = [state.rounds.get(ProposalId(id_)) for id_ in dict.fromkeys(ids)]
    return [event for round_ in rounds if round_ is not None and round_.is_open for event in _judged(state, round_, now)]


def dues(state: FleetState, touched: Touched, now: float) -> Iterator[Due]:
    """Return when open rounds are to be judged: at their deadline, and now where a voter left the fleet."""
    for id_ in touched.rounds:
        round_ = state.rounds.get(id_)
        if round_ is not None and round_.is_open:
            yield (round_.proposal.deadline, DUE, id_, 0)
    gone = {str(agent.spec.id) for agent in touched.removed_agents}
    if gone:
        for id_, round_ in state.rounds.items():
            if round_.is_open and not gone.isdisjoint(voter.id for voter in round_.proposal.voters):
                yield (now, DUE, id_, 0)


def lost_voters(state: FleetState, proposal: Proposal) -> set[str]:
    """Return the voters that are no more: agents that left the fleet."""
    return {voter.id for voter in proposal.voters if not voter.id.startswith(OPERATOR) and AgentId(voter.id) not in state.agents}


def cast(state: FleetState, id_: ProposalId, voter: str, choice: Choice, said: tuple[float, str], now: float) -> list[Event]:  # noqa: PLR0913  # a ballot has these
    """Return what a member's review comes to as its ballot, with its confidence and reasoning; nothing where the round has ended."""
    round_ = state.rounds.get(id_)
    if round_ is None or not round_.is_open or all(one.id != voter for one in round_.proposal.voters):
        return []
    confidence, reasoning = said
    number = len(round_.ballots.get(voter, [])) + 1
    return [BallotsCast(id_, (Ballot(voter, choice, number, confidence, reasoning[:REASONING_MAX], now),))]


def hastened(state: FleetState, id_: ProposalId, because: str, now: float) -> list[Event]:
    """Return what has a round end now, for nobody else will vote; its timer closes it once what was cast has been applied."""
    round_ = state.rounds.get(id_)
    return [ProposalChanged(replace(round_.proposal, deadline=now), because)] if round_ is not None and round_.is_open else []


def withdrawn(state: FleetState, id_: ProposalId, because: str, now: float) -> list[Event]:
    """Return what takes a round back, if it is still open."""
    round_ = state.rounds.get(id_)
    return _closing(round_.proposal, Standing.WITHDRAWN, because, now) if round_ is not None and round_.is_open else []


def _judged(state: FleetState, round_: Round, now: float) -> list[Event]:
    verdict = judge(round_.proposal, round_.all_ballots(), now, lost_voters(state, round_.proposal))
    if verdict.escalate:
        again = escalated(round_.proposal, now)
        decided = judge(again, round_.all_ballots(), now, lost_voters(state, again))
        changed = ProposalChanged(again, verdict.because)
        # What the center said before counts; where it abstained, it is asked again.
        has_decided = decided.standing in (Standing.ACCEPTED, Standing.REJECTED)
        return [changed, *(_closing(again, decided.standing, decided.because, now) if has_decided else [])]
    if verdict.standing is Standing.OPEN:
        return []
    return _closing(round_.proposal, verdict.standing, verdict.because, now)


def _closing(proposal: Proposal, standing: Standing, because: str, now: float, *, by: str = "") -> list[Event]:
    """Return what ends a round; who wanted a plan that is not accepted finds in the audit what became of it."""
    closed = ProposalClosed(proposal.id, standing, because, by)
    plan = proposal.plan
    if plan is None or standing is Standing.ACCEPTED:
        return [closed]
    origin = plan.origin
    result = f"not done: the vote {proposal.id} ended {standing}: {because}"
    return [closed, Audited(AuditEntry(now, origin.actor, origin.via, origin.address, plan.calls[0].name, plan.steps[0].target, plan.reason, result, plan.id))]


def _wants(proposal: Proposal) -> str:
    """Return who wants the plan that is voted on, as a voter; empty where there is none."""
    return voter_of(proposal.plan.origin) if proposal.plan else ""


def _copy(round_: Round) -> Round:
    """Return a round that a decision may try ballots on."""
    return replace(round_, ballots={voter: list(cast) for voter, cast in round_.ballots.items()})


DECIDE: dict[type, Callable[..., Decision]] = {
    OpenProposal: decide_open,
    CastVote: decide_vote,
    ExtendProposal: decide_extend,
    SettleProposal: decide_settle,
    WithdrawProposal: decide_withdraw,
}
