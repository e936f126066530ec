"""Sessions: objectives that swarms take, and what their steps come to in tasks, votes and messages.

`engine.swarm.session` says what follows; here it is done. A session is looked at whenever a task or vote that it waits for has ended,
its swarm has changed, or its time has come; after a start all of them are. Assignments are messages of the leader that go over the
swarm's links and arrive as tasks that only their receiver may take.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import msgspec

from engine.coordinator import rounds
from engine.coordinator.distributing import placed
from engine.coordinator.mail import hops_of
from engine.coordinator.rounds import cast, hastened, withdrawn
from engine.coordinator.swarms import find_running, is_lost, ranked
from engine.model.consensus import Proposal, Terms, Voter
from engine.model.consensus_events import ProposalClosed, ProposalOpened
from engine.model.errors import CommandRefused, NotFound, UsageError
from engine.model.events import Event
from engine.model.ids import (
    MESSAGE_PREFIX,
    SESSION_PREFIX,
    AgentId,
    MessageId,
    ProposalId,
    SessionId,
    SwarmId,
    TaskId,
)
from engine.model.plain import NOT_JSON, plain_object
from engine.model.swarm_commands import GiveObjective, StopSession
from engine.model.swarm_events import MessageSent, SessionChanged
from engine.model.swarm_mail import CoordinationMessage, MessageMetadata
from engine.model.swarm_sessions import Part, Session, SessionPlan
from engine.model.swarm_words import (
    PARTS_MAX,
    SESSIONS_WAITING_MAX,
    Inputs,
    Priority,
    SessionState,
    Shape,
    SwarmStatus,
)
from engine.model.swarms import Swarm
from engine.model.task_events import TasksCancelled, TasksStopping, TasksSubmitted
from engine.model.tasks import FINISHED, HELD, Task, TaskSpec, TaskState
from engine.model.vote_words import Choice, Rule, Standing
from engine.scheduling.timers import Due
from engine.state import FleetState, Touched
from engine.state.deciding import Deciding, Decision
from engine.swarm.session import (
    Assign,
    Close,
    Drop,
    Effect,
    Ended,
    Propose,
    Seen,
    Vote,
    VoteSeen,
    step,
    stop,
)
from engine.swarm.shapes import consensus_of

DUE = "session"
"""Kind of the timers of sessions."""
OBJECTIVE_MAX = 500
_STOPS = {Inputs.INTERRUPT: SessionState.INTERRUPTED, Inputs.ROLLBACK: SessionState.ROLLED_BACK}


def decide_give(state: FleetState, commands: Sequence[GiveObjective], deciding: Deciding) -> Decision:
    """Give swarms objectives. Raises FleetError."""
    decision = Decision([], [])
    asked: dict[SwarmId, int] = {}
    for command in commands:
        given, why = placed(state, command, asked)
        session = session_of(state, given, SessionId(deciding.ids.new(SESSION_PREFIX)), deciding.origin.who, deciding.now)
        swarm = state.swarming.swarms[session.swarm]
        before = [one for one in state.swarming.sessions_of(swarm.id) if not one.is_over]
        asked[swarm.id] = asked.get(swarm.id, 0) + 1
        number = len(before) + asked[swarm.id]
        if swarm.settings.inputs is Inputs.REJECT and number > 1:
            raise CommandRefused(f"swarm {swarm.name} works on {before[0].objective!r} and takes one objective at a time" if before else "give it one objective")
        if number > SESSIONS_WAITING_MAX:
            raise CommandRefused(f"{SESSIONS_WAITING_MAX} objectives wait for swarm {swarm.name}; stop some, or wait")
        if swarm.settings.inputs in _STOPS:
            for one in before:
                decision.events += _stopped(state, one, _STOPS[swarm.settings.inputs], f"another objective came: {session.objective}", deciding.now)
        decision.events.append(SessionChanged(replace(session, chosen=why)))
        decision.values = [*decision.values, session.id]
    return decision


def session_of(state: FleetState, command: GiveObjective, id_: SessionId, who: str, now: float) -> Session:
    """Return what a command gives. Raises FleetError."""
    swarm = find_running(state, command.swarm)
    objective = command.objective.strip()
    if not objective or len(objective) > OBJECTIVE_MAX:
        raise UsageError(f"an objective is a line of at most {OBJECTIVE_MAX} characters")
    if not command.parts and not command.split:
        raise UsageError("name its parts, or the type of task that splits it with --split")
    if len(command.parts) > PARTS_MAX:
        raise UsageError(f"{len(command.parts)} parts are more than the {PARTS_MAX} of one session")
    plan = SessionPlan(
        command.work, command.split, command.review, command.integrate, command.reviewers, command.attempts,
        command.timeout_s, command.patience_s, command.budget_tasks, command.budget_cost,
    )  # fmt: skip
    try:
        payload = plain_object(command.payload)
    except NOT_JSON as error:
        raise UsageError(f"the payload is no JSON: {error}") from error
    parts = tuple(Part(number, _payload_of(word)) for number, word in enumerate(command.parts, 1))
    return Session(id_, swarm.id, objective, who, plan, now, payload, parts)


def _payload_of(word: str) -> dict[str, object]:
    """Return the payload of a part: a JSON object, or a text as `prompt`."""
    if not word.lstrip().startswith("{"):
        return {"prompt": word}
    try:
        found: Any = msgspec.json.decode(word)
    except msgspec.DecodeError as error:
        raise UsageError(f"the part {word[:60]!r} is no JSON: {error}") from error
    return plain_object(found)


def decide_stop(state: FleetState, commands: Sequence[StopSession], deciding: Deciding) -> Decision:
    """Stop sessions; their tasks are cancelled, their votes withdrawn. Raises NotFound, CommandRefused."""
    events: list[Event] = []
    for session in {command.session: find_open(state, command.session) for command in commands}.values():
        events += _stopped(state, session, SessionState.CANCELLED, f"stopped by {deciding.origin.who}", deciding.now)
    return Decision(events, [command.session for command in commands])


def find_session(state: FleetState, word: str) -> Session:
    """Return the session with that id. Raises NotFound."""
    session = state.swarming.sessions.get(SessionId(word))
    if session is None:
        raise NotFound(f"no session {word!r}; `get sessions` lists those that are known")
    return session


def find_open(state: FleetState, word: str) -> Session:
    """Return the session with that id. Raises NotFound, CommandRefused for one that has ended."""
    session = find_session(state, word)
    if session.is_over:
        raise CommandRefused(f"session {session.id} is {session.state}: {session.because}")
    return session


def _stopped(state: FleetState, session: Session, to: SessionState, because: str, now: float) -> list[Event]:
    ended, effects = stop(session, to, because, now)
    doing = _Doing(state, session, now)
    return [*(event for effect in effects for event in doing.events_of(effect)), SessionChanged(ended)]


# ---- what happens by itself


def decide_due(state: FleetState, ids: Iterable[str], deciding: Deciding) -> list[Event]:
    """Return what follows in some sessions."""
    events: list[Event] = []
    for id_ in dict.fromkeys(ids):
        session = state.swarming.sessions.get(SessionId(id_))
        if session is not None and not session.is_over:
            events += _stepped(state, session, deciding)
    return events


def _stepped(state: FleetState, session: Session, deciding: Deciding) -> list[Event]:
    swarm = state.swarming.swarms.get(session.swarm)
    if swarm is None or swarm.is_over:
        why = swarm.because if swarm is not None else "it is no more known"
        return _stopped(state, session, SessionState.CANCELLED, f"its swarm is over: {why}", deciding.now)
    made: set[str] = set()

    def new_id(prefix: str) -> str:
        id_ = deciding.ids.new(prefix)
        made.add(id_)
        return id_

    members = ranked(state, [member for member in swarm.topology.members if not is_lost(state, member)])
    seen = Seen(
        deciding.now,
        members,
        swarm.topology.leader if swarm.topology.leader in members else next(iter(members), ""),
        swarm.status is SwarmStatus.ACTIVE,
        next((one.id for one in state.swarming.sessions_of(swarm.id) if not one.is_over), "") == session.id,
        lambda task: None if task in made else _ended(state, task),
        lambda proposal: VoteSeen(Standing.OPEN) if proposal in made else _vote_seen(state, proposal),
        new_id,
    )
    after, effects = step(session, seen)
    doing = _Doing(state, after, deciding.now, deciding, swarm, seen.leader)
    events = [event for effect in effects for event in doing.events_of(effect)]
    return [*events, SessionChanged(after)] if after != session else events


def _ended(state: FleetState, id_: TaskId) -> Ended | None:
    task = state.tasks.get(id_)
    if task is None:
        return Ended(ok=False, error="its task is no longer known")
    if task.state not in FINISHED:
        return None
    agent = state.agents.get(task.agent) if task.agent else state.agent_named(task.agent_name)
    cost = (agent.spec.cost if agent else 0.0) * max(0.0, task.finished_at - task.started_at) if task.started_at else 0.0
    return Ended(task.state is TaskState.SUCCEEDED, _said(task), task.error.message if task.error else str(task.state), cost)


def _said(task: Task) -> dict[str, object]:
    """Return a task's result; of a program the JSON object that it printed last."""
    printed = task.result.get("stdout")
    lines = printed.strip().splitlines() if isinstance(printed, str) else []
    if not lines or not lines[-1].lstrip().startswith("{"):
        return task.result
    try:
        found = msgspec.json.decode(lines[-1])
    except msgspec.DecodeError:
        return task.result
    return found if isinstance(found, dict) else task.result


def _vote_seen(state: FleetState, id_: ProposalId) -> VoteSeen:
    round_ = state.rounds.get(id_)
    if round_ is None:
        return VoteSeen(Standing.WITHDRAWN, because="its vote is no longer known")
    last = [cast[-1] for cast in round_.ballots.values() if cast]
    against = tuple(ballot.reasoning or f"{ballot.voter} is against it" for ballot in last if ballot.choice is Choice.REJECT)
    return VoteSeen(round_.standing, round_.closed_at, round_.because, against)


class _Doing:
    """Turns the effects of one session into events."""

    def __init__(self, state: FleetState, session: Session, now: float, deciding: Deciding | None = None, swarm: Swarm | None = None, leader: str = "") -> None:  # noqa: PLR0913  # a step has these
        self._state, self._session, self._now = state, session, now
        self._deciding, self._swarm, self._leader = deciding, swarm, leader
        self._given: set[TaskId] = set()
        self._opened: set[ProposalId] = set()
        """By this step, so the state does not know them yet."""

    def events_of(self, effect: Effect) -> list[Event]:
        """Return what an effect comes to."""
        match effect:
            case Assign():
                return self._assign(effect)
            case Propose():
                return self._propose(effect)
            case Vote():
                return self._vote(effect)
            case Close():
                return self._close(effect)
            case Drop():
                return self._drop(effect)

    def _assign(self, effect: Assign) -> list[Event]:
        assert self._deciding is not None
        assert self._swarm is not None
        self._given.add(effect.task)
        agent = self._state.agents[AgentId(effect.agent)]
        spec = TaskSpec(
            effect.task,
            effect.type,
            agent.spec.pool,
            effect.payload,
            title=effect.title[:120],
            capabilities=(str(agent.spec.id),),
            fairness_key=str(self._session.id),
            depends_on=effect.needs,
            take_inputs=bool(effect.needs),
            deadline=self._session.deadline,
            timeout_s=self._deciding.config.tasks.timeout_s,
            submitted_by=self._session.who,
            submitted_at=self._now,
        )
        payload: dict[str, object] = {"taskId": effect.task, "taskType": effect.type, "objective": self._session.objective, "priority": spec.priority, "deadline": spec.deadline}
        metadata = MessageMetadata(session_id=self._session.id, correlation_id=effect.task)
        id_ = MessageId(self._deciding.ids.new(MESSAGE_PREFIX))
        message = CoordinationMessage(id_, "task_assignment", self._leader, effect.agent, payload, self._now, Priority.HIGH, metadata)
        return [MessageSent(self._swarm.id, message, {}, tuple(hops_of(self._swarm, message))), TasksSubmitted((spec,))]

    def _propose(self, effect: Propose) -> list[Event]:
        assert self._swarm is not None
        terms, voters = votes_of(self._swarm, effect.voters)
        proposal = Proposal(effect.proposal, effect.subject, "", voters, terms, self._session.who, self._now, self._now + terms.timeout_s, swarm=self._swarm.id, task=effect.task)
        self._opened.add(effect.proposal)
        return [ProposalOpened(proposal)]

    def _vote(self, effect: Vote) -> list[Event]:
        return cast(self._state, effect.proposal, effect.voter, effect.choice, (effect.confidence, effect.reasoning), self._now)

    def _close(self, effect: Close) -> list[Event]:
        return hastened(self._state, effect.proposal, effect.because, self._now)

    def _drop(self, effect: Drop) -> list[Event]:
        tasks = [task for id_ in effect.tasks if (task := self._state.tasks.get(id_)) is not None and task.state not in FINISHED]
        waiting = (*(task.spec.id for task in tasks if task.state is TaskState.PENDING), *(id_ for id_ in effect.tasks if id_ in self._given))
        running = tuple(task.spec.id for task in tasks if task.state in HELD and task.stopping != "cancel")
        events: list[Event] = [TasksCancelled(waiting, effect.because)] if waiting else []
        if running:
            events.append(TasksStopping(running, "cancel"))
        events += [ProposalClosed(id_, Standing.WITHDRAWN, effect.because, "") for id_ in effect.votes if id_ in self._opened]
        return events + [event for id_ in effect.votes for event in withdrawn(self._state, id_, effect.because, self._now)]


def votes_of(swarm: Swarm, voters: Sequence[str]) -> tuple[Terms, tuple[Voter, ...]]:
    """Return how a swarm's members vote: by its rule, coordinators speaking for who is silent below them, the leader as center."""
    topology = swarm.topology
    found = consensus_of(topology, swarm.settings)
    rule = Rule(found.type)
    above = dict(topology.above) if rule is Rule.DELEGATED else {}
    group_of = dict(topology.above) if topology.shape is Shape.HIERARCHICAL and rule is Rule.DISTRIBUTED else {}
    center = topology.leader if topology.leader in voters else voters[0]
    needs_center = rule in (Rule.CENTRALIZED, Rule.DELEGATED)
    if rule is Rule.CENTRALIZED and len(voters) == 1:
        rule, needs_center = Rule.QUORUM, False
    terms = Terms(rule, found.threshold, timeout_s=found.timeout, center=center if needs_center else "", depth=found.delegation_depth or 3, escalates=rule is Rule.DELEGATED)
    delegates = {voter: above.get(voter, "") for voter in voters}
    return terms, tuple(Voter(voter, delegate=delegates[voter] if delegates[voter] in voters else "", group=group_of.get(voter, "")) for voter in voters)


def dues(state: FleetState, touched: Touched, now: float) -> Iterator[Due]:
    """Return which sessions are to be looked at, and when; the votes that they wait for are counted as soon as reviews came."""
    swarming = state.swarming
    if not swarming.sessions:
        return
    for id_ in touched.sessions:
        yield from _dues_of(state, id_, now)
    for task_id in (*touched.tasks, *touched.forgotten_tasks):
        waiting = swarming.session_of.get(task_id)
        task = state.tasks.get(task_id)
        if waiting is not None and (task is None or task.state in FINISHED):
            yield (now, DUE, waiting, 0)
    yield from _dues_of_votes(state, touched.rounds, now)
    for swarm in touched.swarms:
        yield from ((now, DUE, session.id, 0) for session in swarming.sessions_of(swarm) if not session.is_over)


def _dues_of_votes(state: FleetState, proposals: Iterable[ProposalId], now: float) -> Iterator[Due]:
    for proposal in proposals:
        waiting = state.swarming.session_of.get(proposal)
        if waiting is None:
            continue
        round_ = state.rounds.get(proposal)
        if round_ is not None and round_.is_open:
            yield (now, rounds.DUE, proposal, 0)
        else:
            yield (now, DUE, waiting, 0)
            yield from _dues_of(state, waiting, now)


def dues_of_all(state: FleetState, now: float) -> Iterator[Due]:
    """Return that every session is to be looked at now, and when its time comes."""
    for session in state.swarming.sessions.values():
        if not session.is_over:
            yield (now, DUE, session.id, 0)
            yield from _dues_of(state, session.id, now)


def _dues_of(state: FleetState, id_: SessionId, now: float) -> Iterator[Due]:
    """Return when a session's time comes; of one that has ended or waits, that the first of its swarm is looked at now."""
    session = state.swarming.sessions.get(id_)
    if session is None:
        return
    if session.is_over or session.state is SessionState.QUEUED:
        first = next((one for one in state.swarming.sessions_of(session.swarm) if not one.is_over), None)
        if first is not None and first.state is SessionState.QUEUED:
            yield (now, DUE, first.id, 0)
        return
    yield (session.deadline, DUE, id_, 0)
    for proposal in session.open_votes():
        round_ = state.rounds.get(proposal)
        if round_ is not None and not round_.is_open:
            yield (round_.closed_at + session.plan.patience_s, DUE, id_, 0)


DECIDE: dict[type, Callable[..., Decision]] = {GiveObjective: decide_give, StopSession: decide_stop}
