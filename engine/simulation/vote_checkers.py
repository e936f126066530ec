"""What must hold of votes and swarms in a simulated fleet, at every instant and once it is left alone. All raise AssertionError."""

from __future__ import annotations

from collections.abc import Iterable

from engine.model import events as ev
from engine.model.consensus import Ballot, Proposal
from engine.model.consensus_events import (
    BallotsCast,
    ProposalChanged,
    ProposalClosed,
    ProposalOpened,
)
from engine.model.ids import ProposalId, TaskId
from engine.model.swarm_events import SessionChanged
from engine.model.swarm_words import PartState, SwarmStatus
from engine.model.task_events import (
    TaskFailed,
    TasksCancelled,
    TasksStopping,
    TasksSubmitted,
    TasksSucceeded,
)
from engine.model.vote_words import Standing
from engine.simulation.vote_oracle import COUNTED, is_accepted, said_by
from engine.state import FleetState

LATE_S = 8.0
"""After its deadline, as long as the simulation keeps a disk full, and what the engine takes to come back."""


class VoteReader:
    """Reads votes from the records as they become durable: each ends as an oracle counts it, in time, and no ballot counts twice."""

    def __init__(self) -> None:
        self._rounds: dict[ProposalId, tuple[Proposal, dict[str, list[Ballot]]]] = {}
        self.open: dict[ProposalId, None] = {}
        self.judged = 0
        """Rounds that ended by a rule that the oracle counts by."""
        self._work: dict[str, set[TaskId]] = {}
        """Session -> its tasks that go on."""

    def judge(self, event: ev.Event, at: float) -> None:
        """Judge one record that is new."""
        match event:
            case ProposalOpened(proposal):
                self._rounds[proposal.id] = (proposal, {})
                self.open[proposal.id] = None
            case ProposalChanged(proposal):
                self._rounds[proposal.id] = (proposal, self._rounds[proposal.id][1])
                self.open[proposal.id] = None
            case BallotsCast(id_, ballots):
                self._cast(id_, ballots)
            case ProposalClosed():
                self._close(event, at)
            case _:
                self._judge_work(event)

    def _judge_work(self, event: ev.Event) -> None:
        """Judge a record about the tasks of sessions: none goes on when its session has ended."""
        match event:
            case TasksSubmitted(tasks):
                for spec in tasks:
                    self._work.setdefault(spec.fairness_key, set()).add(spec.id)
            case TasksCancelled(tasks=ended) | TasksStopping(tasks=ended):
                self._end(ended)
            case TasksSucceeded(outcomes):
                self._end([outcome.task for outcome in outcomes])
            case TaskFailed(outcome):
                self._end([outcome.task])
            case SessionChanged(session) if session.is_over:
                left = self._work.pop(session.id, set())
                assert not left, f"{session.id} is {session.state} ({session.because}), and its {', '.join(sorted(left))} go on"

    def _end(self, tasks: Iterable[TaskId]) -> None:
        for going in self._work.values():
            going.difference_update(tasks)

    def _cast(self, id_: ProposalId, ballots: tuple[Ballot, ...]) -> None:
        proposal, said = self._rounds[id_]
        assert id_ in self.open, f"{id_} had ended and was voted on"
        for ballot in ballots:
            own = said.setdefault(ballot.voter, [])
            assert ballot.voter in {voter.id for voter in proposal.voters}, f"{ballot.voter} may not vote on {id_}"
            assert ballot.number not in {one.number for one in own}, f"{ballot.voter} voted twice under number {ballot.number} on {id_}"
            own.append(ballot)

    def _close(self, event: ProposalClosed, at: float) -> None:
        proposal, said = self._rounds[event.proposal]
        was_open = event.proposal in self.open
        self.open.pop(event.proposal, None)
        if event.by:
            return
        assert was_open, f"{event.proposal} ended twice"
        assert at <= proposal.deadline + LATE_S, f"{event.proposal} ended {at - proposal.deadline:.1f} s late"
        if proposal.terms.rule in COUNTED and event.standing is not Standing.WITHDRAWN:
            wanted = is_accepted(proposal, said_by(proposal, said))
            assert (event.standing is Standing.ACCEPTED) == wanted, f"{event.proposal} is {event.standing} ({event.because}); accepted by the oracle: {wanted}"
            self.judged += 1


def check_swarms(state: FleetState) -> None:
    """Swarms are led by members, and what they accepted was accepted by those who were asked."""
    for swarm in state.swarming.swarms.values():
        topology = swarm.topology
        assert len(set(topology.members)) == len(topology.members), f"{swarm.name} has a member twice"
        if not swarm.is_over:
            assert topology.leader in topology.members, f"{swarm.name} is led by {topology.leader!r}, who is no member"
    for session in state.swarming.sessions.values():
        for part in session.parts:
            round_ = state.rounds.get(part.proposal) if part.proposal else None
            if part.state is PartState.ACCEPTED and round_ is not None:
                assert round_.standing is Standing.ACCEPTED, f"part {part.number} of {session.id} counts and its vote is {round_.standing}"


def check_decided(state: FleetState) -> None:
    """Once nobody acts: every vote and objective has ended, and nobody is in a swarm who is not in the fleet."""
    for round_ in state.rounds.values():
        assert not round_.is_open, f"{round_.proposal.id} is still open; its deadline was {round_.proposal.deadline}"
    for session in state.swarming.sessions.values():
        assert session.is_over, f"{session.id} of {session.swarm} is still {session.state}"
    for swarm in state.swarming.swarms.values():
        if not swarm.is_over:
            gone = [member for member in swarm.topology.members if member not in state.agents]
            assert not gone, f"{swarm.name} still has {', '.join(gone)}"
            assert swarm.status is SwarmStatus.ACTIVE, f"{swarm.name} is still {swarm.status}: {swarm.because}"
