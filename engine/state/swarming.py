"""The tables of swarms.

Owner: FleetState, which changes them only in apply(). Limits: SWARMS_MAX that run, the newest ENDED_MAX that have ended.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from engine.model.consensus import Round
from engine.model.ids import AgentId, SessionId, SwarmId
from engine.model.swarm_sessions import Session
from engine.model.swarm_words import SessionState
from engine.model.swarms import Swarm
from engine.state.mailboxes import Mailboxes


@dataclass(slots=True)
class Tally:
    """How many votes and objectives of one swarm are kept, so that its row is made without looking at any."""

    votes_open: int = 0
    votes_ended: int = 0
    sessions_open: int = 0
    won: int = 0
    """Objectives that succeeded."""
    failed: int = 0

    def add_vote(self, by: int, *, is_open: bool) -> None:
        """Count a vote that is kept, or with -1 one that is no longer."""
        if is_open:
            self.votes_open += by
        else:
            self.votes_ended += by

    def add_session(self, session: Session, by: int) -> None:
        """Count an objective that is kept, or with -1 one that is no longer; one that somebody stopped says nothing."""
        if not session.is_over:
            self.sessions_open += by
        elif session.state is SessionState.SUCCEEDED:
            self.won += by
        elif session.state is SessionState.FAILED:
            self.failed += by


@dataclass(slots=True)
class Swarming:
    """Swarms by their id, and who is in which."""

    swarms: dict[SwarmId, Swarm] = field(default_factory=dict)
    """In the order in which they were made."""
    of: dict[AgentId, dict[SwarmId, None]] = field(default_factory=dict)
    """Agent -> the swarms that have not ended in which it is."""
    mailboxes: Mailboxes = field(default_factory=Mailboxes)
    sessions: dict[SessionId, Session] = field(default_factory=dict)
    """In the order in which they were asked for."""
    by_swarm: dict[SwarmId, dict[SessionId, Session]] = field(default_factory=dict)
    """The same by swarm."""
    session_of: dict[str, SessionId] = field(default_factory=dict)
    """Task or vote that a session waits for -> that session."""
    tallies: dict[str, Tally] = field(default_factory=dict)
    """By swarm; of no swarm, under the empty id, are the votes that people, programs and guardrails opened."""

    def tally_of(self, swarm: str) -> Tally:
        """Return what is counted of a swarm, to read it."""
        return self.tallies.get(swarm) or Tally()

    def count_vote(self, swarm: str, *, was_open: bool | None, is_open: bool | None) -> None:
        """Count a vote that opened, ended, opened again or was forgotten; None = it is not kept before, or after."""
        tally = self.tallies.setdefault(swarm, Tally())
        if was_open is not None:
            tally.add_vote(-1, is_open=was_open)
        if is_open is not None:
            tally.add_vote(1, is_open=is_open)
        self._drop_empty(swarm)

    def _count_session(self, before: Session | None, after: Session | None) -> None:
        for session, by in ((before, -1), (after, 1)):
            if session is not None:
                self.tallies.setdefault(session.swarm, Tally()).add_session(session, by)
                self._drop_empty(session.swarm)

    def _drop_empty(self, swarm: str) -> None:
        if self.tallies[swarm] == Tally():
            del self.tallies[swarm]

    def add(self, swarm: Swarm) -> None:
        """Take a swarm in."""
        self.swarms[swarm.id] = swarm
        self.join(swarm)

    def join(self, swarm: Swarm) -> None:
        """Note who is in a swarm, unless it has ended."""
        if not swarm.is_over:
            for member in swarm.topology.members:
                self.of.setdefault(AgentId(member), {})[swarm.id] = None

    def leave(self, swarm: Swarm) -> None:
        """Note that nobody is in a swarm."""
        for member in swarm.topology.members:
            swarms = self.of.get(AgentId(member), {})
            swarms.pop(swarm.id, None)
            if not swarms:
                self.of.pop(AgentId(member), None)

    def put_session(self, session: Session) -> None:
        """Take in a session as it is now."""
        before = self.sessions.get(session.id)
        for id_ in (*before.open_tasks(), *before.open_votes()) if before is not None else ():
            self.session_of.pop(id_, None)
        self._count_session(before, session)
        self.sessions[session.id] = session
        self.by_swarm.setdefault(session.swarm, {})[session.id] = session
        for id_ in (*session.open_tasks(), *session.open_votes()):
            self.session_of[id_] = session.id

    def sessions_of(self, swarm: SwarmId) -> list[Session]:
        """Return a swarm's sessions, in the order in which they were asked for."""
        return list(self.by_swarm.get(swarm, {}).values())

    def forget_session(self, id_: SessionId) -> None:
        """Forget a session that has ended."""
        session = self.sessions.pop(id_)
        self._count_session(session, None)
        of_swarm = self.by_swarm[session.swarm]
        del of_swarm[id_]
        if not of_swarm:
            del self.by_swarm[session.swarm]

    def named(self, word: str) -> Swarm | None:
        """Return the swarm with that id, or the one of that name that has not ended, or else the newest that has."""
        found = self.swarms.get(SwarmId(word))
        if found is not None:
            return found
        alike = [swarm for swarm in self.swarms.values() if swarm.name == word]
        return next((swarm for swarm in alike if not swarm.is_over), alike[-1] if alike else None)

    def check(self) -> None:
        """Raise AssertionError if the index differs from the swarms."""
        wanted = {(member, swarm.id) for swarm in self.swarms.values() if not swarm.is_over for member in swarm.topology.members}
        assert {(str(agent), id_) for agent, ids in self.of.items() for id_ in ids} == wanted
        assert all(self.of.values())
        self.mailboxes.check()
        waited = {id_: session.id for session in self.sessions.values() for id_ in (*session.open_tasks(), *session.open_votes())}
        assert self.session_of == waited
        assert {id_: session for sessions in self.by_swarm.values() for id_, session in sessions.items()} == self.sessions
        assert all(self.by_swarm.values())

    def check_tallies(self, rounds: Iterable[Round]) -> None:
        """Raise AssertionError if what is counted differs from the votes and the sessions that are kept."""
        wanted: dict[str, Tally] = {}
        for round_ in rounds:
            wanted.setdefault(round_.proposal.swarm, Tally()).add_vote(1, is_open=round_.is_open)
        for session in self.sessions.values():
            wanted.setdefault(session.swarm, Tally()).add_session(session, 1)
        assert self.tallies == {swarm: tally for swarm, tally in wanted.items() if tally != Tally()}
