"""Random but valid lives of a fleet, for the journal's tests: every event that a state can take, in any order it can."""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Callable
from typing import Any

from engine.memory.contract import JournalBatch, StoredArtifact
from engine.model import events as ev
from engine.model import room_events as room
from engine.model.agent_events import (
    AgentAllocated,
    AgentReleased,
    AgentsBroken,
    AgentsCordoned,
    AgentsReady,
    AgentsReconfigured,
    AgentsRegistered,
    AgentsRemoved,
    AgentsRetiring,
    AgentsRevived,
    AgentsStarting,
    HostHealth,
    HostInfo,
    HostLost,
)
from engine.model.agents import AgentSpec, AgentStatus, Allocation, Health, Resources
from engine.model.consensus import Ballot, Proposal, Terms, Voter
from engine.model.consensus_events import (
    BallotsCast,
    ProposalChanged,
    ProposalClosed,
    ProposalOpened,
)
from engine.model.fleet_commands import HALT_SCOPES
from engine.model.gangs import Gang
from engine.model.ids import (
    AgentId,
    AllocationId,
    GangId,
    HostId,
    MessageId,
    PlanId,
    ProposalId,
    SessionId,
    SwarmId,
    TaskId,
)
from engine.model.machines import Waits
from engine.model.plans import AppliedPlan, AuditEntry, Call
from engine.model.pool_events import PoolConfigured, PoolPaused, PoolScaled
from engine.model.pools import CommandSpec, PoolSpec
from engine.model.swarm_events import (
    DeadForgotten,
    MailGivenUp,
    MessageSent,
    MessagesTaken,
    SessionChanged,
    SwarmChanged,
    SwarmCreated,
    SwarmMoved,
)
from engine.model.swarm_mail import CoordinationMessage
from engine.model.swarm_sessions import Part, Session, SessionPlan
from engine.model.swarm_words import AUTO, PartState, SessionState, SwarmStatus
from engine.model.swarms import SwarmSettings
from engine.model.task_events import (
    LateResult,
    TaskFailed,
    TaskPrioritised,
    TaskReturned,
    TasksCancelled,
    TasksLeased,
    TasksReplayed,
    TasksStarted,
    TasksStopping,
    TasksSubmitted,
    TasksSucceeded,
)
from engine.model.tasks import (
    CANCELLED,
    FELL,
    FINISHED,
    HELD,
    Lease,
    Outcome,
    Placement,
    TaskSpec,
    TaskState,
)
from engine.model.vote_words import Choice, Standing
from engine.state import FleetState, Touched
from engine.swarm.topologies import build, heal

WORDS = ("", "plain", 'quo"ted', "zero\x00byte", "fünf €", "new\nline", "🦀", "\\back\u2028")


class Life:
    """A live state, driven by a seed; takes batches off it as the coordinator would."""

    def __init__(self, seed: int, finished_max: int = 1_000) -> None:
        self.rng = random.Random(seed)
        self.state = FleetState(finished_max)
        self.records: list[ev.Record] = []
        self.artifacts: list[StoredArtifact] = []
        self.all_records: list[ev.Record] = []
        self.at = 1_700_000_000.0
        self.count = 0
        self.forgot = False
        self.acts: list[Callable[[], None]] = [
            getattr(self, name) for name in sorted(dir(self)) if name.startswith("act_")
        ]

    def new_id(self, prefix: str) -> str:
        self.count += 1
        return f"{prefix}_{self.count:05d}"

    def do(self, event: ev.Event, cause: str = "") -> None:
        self.at += self.rng.random() * 3
        record = ev.Record(self.state.seq + 1, self.at, cause or self.word().replace("\x00", ""), event)
        self.state.apply(record)
        self.forgot = self.forgot or bool(self.state.touched.forgotten_tasks or self.state.needed)
        self.records.append(record)
        self.all_records.append(record)

    def step(self) -> None:
        self.rng.choice(self.acts)()

    def batch(self) -> JournalBatch:
        """Return what has gathered, and start anew."""
        taken = JournalBatch(self.records, self.state, self.state.touched, artifacts=self.artifacts)
        self.records, self.artifacts, self.state.touched = [], [], Touched()
        return taken

    # ---- chance

    def word(self) -> str:
        return self.rng.choice(WORDS)

    def some(self, things: Any, most: int = 3) -> list[Any]:
        things = list(things)
        return self.rng.sample(things, min(len(things), self.rng.randint(1, most)))

    def json(self) -> dict[str, object]:
        return {
            "n": self.rng.choice([0, -1, 2**63 - 1, 10**18, None, True]),
            "x": self.rng.choice([0.1, 1e300, -0.0, 5e-324, self.rng.random()]),
            self.word(): [self.word(), {"deep": [[], {}, self.word()]}],
        }

    def pool(self) -> str | None:
        return self.rng.choice(list(self.state.pools) or [None])

    def agents(self, *statuses: AgentStatus, free: bool = False) -> list[AgentId]:
        return [
            agent_id
            for agent_id, agent in self.state.agents.items()
            if (not statuses or agent.status in statuses)
            and (not free or (agent.task is None and agent.allocation is None))
        ]

    def tasks(self, *states: TaskState) -> list[TaskId]:
        return [task_id for task_id, task in self.state.tasks.items() if task.state in states]

    # ---- pools

    def act_pool(self) -> None:
        name = self.rng.choice(("coder", "tester", "ui"))
        command = CommandSpec(("prog", self.word()), env={"A": self.word()}) if self.rng.random() < 0.3 else None
        spec = PoolSpec(name, 0, self.rng.randint(1, 9), capabilities=("a", self.word()), cost=self.rng.random(), command=command)
        self.do(PoolConfigured(spec, 2))

    def act_scale(self) -> None:
        if pool := self.pool():
            self.do(PoolScaled(pool, self.rng.randint(0, 9)))
            self.do(PoolPaused(pool, self.rng.random() < 0.5))

    # ---- agents and hosts

    def act_register(self) -> None:
        if pool := self.pool():
            specs = []
            for _ in range(self.rng.randint(1, 4)):
                id_ = self.new_id("agt")
                machine = self.rng.choice(("", *self.state.machines))
                resources = Resources(1, 0.3, reserved=bool(machine), named={"gpu": 0.1} if machine else {})
                specs.append(AgentSpec(AgentId(id_), f"{pool}-{id_}", pool, self.word(), (self.word(),), resources, 0.1, machine=machine))
            self.do(AgentsRegistered(tuple(specs)))

    def act_machine(self) -> None:
        self.do(room.MachineSeen(self.rng.choice(("local", "other")), {"cpu": self.rng.randint(0, 9), "gpu": 7}))

    def act_wait(self) -> None:
        if pool := self.pool():
            waits = Waits(self.at, self.rng.randint(1, 9), "memory", self.word()) if self.rng.random() < 0.7 else None
            self.do(room.PoolWaits(pool, waits))

    def act_gang(self) -> None:
        if pool := self.pool():
            gang = Gang(GangId(self.new_id("gng")), pool, 2, 5, self.at, self.at + 9, 60.0, self.word())
            self.do(room.GangAsked(gang))

    def act_vote(self) -> None:
        voters = tuple(Voter(voter) for voter in (*list(self.state.agents)[:3], "@ada"))
        self.do(ProposalOpened(Proposal(ProposalId(self.new_id("prp")), self.word(), self.word(), voters, Terms(), "ada", self.at, self.at + 9)))

    def act_vote_goes_on(self) -> None:
        for id_ in self.some(self.state.rounds):
            round_ = self.state.rounds[id_]
            ballot = Ballot(round_.proposal.voters[-1].id, self.rng.choice(list(Choice)), len(round_.all_ballots()) + 1, self.rng.random(), self.word(), self.at)
            self.do(self.rng.choice([BallotsCast(id_, (ballot,)), ProposalChanged(round_.proposal, self.word()), ProposalClosed(id_, Standing.EXPIRED, self.word(), "")]))

    def act_swarm(self) -> None:
        if members := list(self.state.agents)[:4]:
            name = self.word()
            self.do(SwarmCreated(SwarmId(self.new_id("swm")), name, "ada", SwarmSettings(), build(AUTO, members), SwarmStatus.INITIALIZING))

    def act_swarm_goes_on(self) -> None:
        for id_ in self.some(self.state.swarming.swarms):
            swarm = self.state.swarming.swarms[id_]
            if not swarm.is_over:
                changed = SwarmChanged(id_, swarm.settings, heal(swarm.topology, {swarm.topology.leader}, lambda _: 0.5), self.word())
                self.do(self.rng.choice([changed, SwarmMoved(id_, self.rng.choice(list(SwarmStatus)), self.word())]))

    def act_session(self) -> None:
        for id_ in self.some(self.state.swarming.swarms):
            tasks = list(self.state.tasks)[-2:]
            parts = tuple(Part(number, {"prompt": self.word()}, PartState.WORKING, 1, self.word(), task) for number, task in enumerate(tasks, 1) if task not in self.state.swarming.session_of)
            session = Session(SessionId(self.new_id("ssn")), id_, self.word(), "ada", SessionPlan(self.word()), self.at, parts=parts, state=SessionState.WORKING)
            self.do(SessionChanged(session))

    def act_session_goes_on(self) -> None:
        for id_ in self.some(self.state.swarming.sessions):
            session = self.state.swarming.sessions[id_]
            if not session.is_over:
                self.do(SessionChanged(dataclasses.replace(session, state=SessionState.SUCCEEDED, because=self.word(), ended_at=self.at)))

    def act_message(self) -> None:
        for id_ in self.some(self.state.swarming.swarms):
            members = self.state.swarming.swarms[id_].topology.members
            if members and not self.state.swarming.swarms[id_].is_over:
                message = CoordinationMessage(MessageId(self.new_id("msg")), self.word(), members[0], members[-1], {"a": self.word()}, self.at)
                self.do(MessageSent(id_, message, {members[-1]: 1}, ((members[0], members[-1]),)))

    def act_message_goes_on(self) -> None:
        for id_ in self.some(self.state.swarming.mailboxes.mail):
            mail = self.state.swarming.mailboxes.mail[id_]
            waiting = next(iter(mail.waiting), "")
            if waiting:
                self.do(self.rng.choice([MessagesTaken((id_,), waiting), MailGivenUp(id_, (waiting,), self.word())]))
            else:
                self.do(DeadForgotten(id_))

    def act_gang_goes_on(self) -> None:
        for gang in self.some(self.state.gangs):
            waits = room.GangWaits(gang, "memory", self.word())
            self.do(self.rng.choice([waits, room.GangGranted(gang), room.GangEnded(gang, self.state.gangs[gang].pool, 2, self.word())]))

    def act_reconfigure(self) -> None:
        for agent in self.some(self.agents(AgentStatus.STARTING)):
            spec = dataclasses.replace(self.state.agents[agent].spec, capabilities=(self.word(),), cost=self.rng.random(), type=self.word())
            spec = dataclasses.replace(spec, resources=dataclasses.replace(spec.resources, memory=self.rng.randint(0, 9)))
            self.do(AgentsReconfigured((spec,)))

    def act_ready(self) -> None:
        if agents := self.some(self.agents(AgentStatus.STARTING), 5):
            hosts = [host.info for host in self.state.hosts.values()]
            new = HostInfo(HostId(self.new_id("hst")), "light", self.rng.randint(2, 99), self.rng.random())
            self.do(AgentsReady(self.rng.choice([new, *hosts]), tuple(agents)))

    act_ready_again = act_ready

    def act_broken(self) -> None:
        if self.rng.random() < 0.2 and (agents := self.some(self.agents(AgentStatus.STARTING))):
            self.do(AgentsBroken(tuple(agents), self.word()))

    def act_starting(self) -> None:
        rest = (AgentStatus.IDLE, AgentStatus.FAILED, AgentStatus.DRAINED)
        if self.rng.random() < 0.3 and (agents := self.some(self.agents(*rest, free=True))):
            self.do(AgentsStarting(tuple(agents), self.word()))

    def act_cordon(self) -> None:
        if agents := self.some(self.agents()):
            self.do(AgentsCordoned(tuple(agents), self.rng.random() < 0.3, self.word()))

    def act_retire(self) -> None:
        if self.rng.random() < 0.3 and (agents := self.some(self.agents())):
            self.do(AgentsRetiring(tuple(agents), self.word(), self.rng.random() < 0.5))

    def act_revive(self) -> None:
        back = [agent for agent in self.agents() if self.state.agents[agent].retiring and self.state.agents[agent].task]
        if self.rng.random() < 0.3 and (agents := self.some(back)):
            self.do(AgentsRevived(tuple(agents)))

    def act_remove(self) -> None:
        leaving = [agent for agent in self.agents(free=True) if self.state.agents[agent].retiring]
        if agents := self.some(leaving):
            self.do(AgentsRemoved(tuple(agents), self.word()))
        back = [agent for agent in self.agents(free=True) if self.state.agents[agent].restarting]
        if back:
            self.do(AgentsStarting(tuple(back), "restart"))

    def act_host_lost(self) -> None:
        if self.rng.random() < 0.2 and self.state.hosts:
            host = self.rng.choice(list(self.state.hosts))
            agents = sorted(self.state.hosts[host].agents)
            for agent in agents:
                if task := self.state.agents[agent].task:
                    self._return(task, death=True)
            self.do(HostLost(host, self.word()))
            free = [agent for agent in agents if self.state.agents[agent].allocation is None]
            if free and self.rng.random() < 0.5:
                self.do(AgentsStarting(tuple(free), "its host was lost"))

    def act_health(self) -> None:
        if self.state.hosts:
            host = self.rng.choice(list(self.state.hosts))
            self.do(HostHealth(host, self.rng.choice(list(Health)), self.word()))

    # ---- tasks

    def act_submit(self) -> None:
        if not self.state.pools:
            return
        specs = []
        for _ in range(self.rng.randint(1, 4)):
            id_ = TaskId(self.new_id("tsk"))
            needed = tuple(self.some(self.state.tasks)) if self.rng.random() < 0.4 and self.state.tasks else ()
            specs.append(
                TaskSpec(
                    id_,
                    self.word(),
                    self.pool() or "",
                    self.json(),
                    title=self.word(),
                    priority=self.rng.randint(1, 10),
                    capabilities=(self.word(),),
                    idempotency_key=self.rng.choice(["", f"key {id_}"]),
                    depends_on=needed,
                    deadline=self.rng.choice([0.0, self.at + 5]),
                    submitted_at=self.at,
                )
            )
        self.do(TasksSubmitted(tuple(specs)))

    act_submit_again = act_submit

    def act_lease(self) -> None:
        ready = [task for task in self.tasks(TaskState.PENDING) if not self.state.tasks[task].waiting_on]
        free = [agent for agent, kept in self.state.agents.items() if kept.is_free()]
        leases = []
        for task, agent in zip(self.some(ready, 5), self.some(free, 5), strict=False):
            placement = Placement(self.rng.random(), (0.1, 0.2, 0.3, 0.4, self.rng.random()), ((agent, 0.5),), 3)
            leases.append(Lease(task, agent, self.state.tasks[task].attempt + 1, placement))
        if leases:
            self.do(TasksLeased(tuple(leases)))

    act_lease_again = act_lease

    def act_start(self) -> None:
        if tasks := self.some(self.tasks(TaskState.LEASED), 5):
            self.do(TasksStarted(tuple((task, self.state.tasks[task].attempt, self.at + 0.1) for task in tasks)))

    def outcome(self, task: TaskId, *, ok: bool) -> Outcome:
        artifact = ""
        if self.rng.random() < 0.3:
            data = self.rng.randbytes(self.rng.randint(0, 99))
            artifact = f"sha_{data.hex()[:8]}"
            self.artifacts.append(StoredArtifact(artifact, "application/octet-stream", data, task))
        return Outcome(
            task,
            self.state.tasks[task].attempt,
            ok,
            self.rng.choice([{}, self.json()]),
            artifact,
            "" if ok else "crash",
            "" if ok else self.word(),
            started_at=self.rng.choice([0.0, self.at - 1.3]),
            ended_at=self.rng.choice([0.0, self.at + 0.7]),
            usage=self.rng.choice([{}, {"tokens": 7.0, self.word(): self.rng.random()}]),
        )

    def act_succeed(self) -> None:
        if tasks := self.some(self.tasks(*HELD), 5):
            self.do(TasksSucceeded(tuple(self.outcome(task, ok=True) for task in tasks)))

    def act_fail(self) -> None:
        for task in self.some(self.tasks(*HELD), 1):
            self.do(TaskFailed(self.outcome(task, ok=False), self.rng.random() < 0.5, self.rng.random() < 0.1))

    def act_return(self) -> None:
        for task in self.some(self.tasks(*HELD), 2):
            self._return(task, death=self.rng.random() < 0.3)

    def _return(self, task: TaskId, *, death: bool) -> None:
        kept = self.state.tasks[task]
        self.do(TaskReturned(task, kept.attempt, "lost", self.word(), self.at + 1, death, kept.started_at, not death))

    def act_late(self) -> None:
        for task in self.some(self.tasks(*TaskState), 1):
            self.do(LateResult(self.outcome(task, ok=True)))

    def act_stop(self) -> None:
        if tasks := self.some(self.tasks(TaskState.RUNNING)):
            self.do(TasksStopping(tuple(tasks), "cancel"))

    def act_cancel(self) -> None:
        if self.rng.random() < 0.4 and (tasks := self.some(self.tasks(TaskState.PENDING, *HELD))):
            self.do(TasksCancelled(tuple(tasks), self.word(), self.rng.choice((CANCELLED, FELL))))

    def act_replay(self) -> None:
        # A replay makes room among the finished; a load fills it with one that was forgotten, a live state does not.
        if not self.forgot and (tasks := self.some(self.tasks(*FINISHED - {TaskState.SUCCEEDED}))):
            self.do(TasksReplayed(tuple(tasks)))

    def act_prioritise(self) -> None:
        for task in self.some(self.tasks(*TaskState), 1):
            self.do(TaskPrioritised(task, self.rng.randint(1, 10)))

    # ---- the rest

    def act_allocate(self) -> None:
        free = [agent for agent, kept in self.state.agents.items() if kept.is_free() and kept.task is None]
        for agent in self.some(free, 1):
            pool = self.state.agents[agent].spec.pool
            id_ = AllocationId(self.new_id("alc"))
            self.do(AgentAllocated(Allocation(id_, agent, self.word(), pool, self.at, self.at + 9, 0.5, self.word())))

    def act_release(self) -> None:
        for allocation in self.some(self.state.allocations, 1):
            self.do(AgentReleased(allocation, self.rng.random() < 0.5, self.rng.random(), self.word()))

    def act_plan(self) -> None:
        id_ = PlanId(self.new_id("pln"))
        calls = (Call("pool.scale", {"pool": "coder", "size": self.word()}),)
        self.do(ev.PlanApplied(AppliedPlan(id_, self.at, self.word(), "cli", "", self.word(), calls, calls, self.at + 600, (("a", "b", "c"),))))
        if self.rng.random() < 0.5:
            plan = self.rng.choice(list(self.state.plans))
            self.do(ev.PlanUndone(plan, id_, self.rng.random() < 0.7))

    def act_halt(self) -> None:
        self.do(ev.FleetHalted(self.rng.choice(HALT_SCOPES), self.rng.random() < 0.6, self.word()))

    def act_audit(self) -> None:
        self.do(ev.Audited(AuditEntry(self.at, self.word(), "cli", self.word(), "pool.scale", self.word(), self.word(), "done")))

    def act_engine(self) -> None:
        self.do(ev.EngineTookOver(self.new_id("eng"), "0.1", self.rng.randint(2, 9_999)))


# Tables whose order says something; the others are compared as sets of entries.
ORDERED = ("pools", "agents", "tasks", "finished", "allocations", "plans")


def as_plain(value: Any) -> Any:
    """Return a value with its dataclasses as (class, fields), so that a difference can be read."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return (type(value).__name__, {f.name: as_plain(getattr(value, f.name)) for f in dataclasses.fields(value)})
    if isinstance(value, dict):
        return {key: as_plain(kept) for key, kept in value.items()}
    if isinstance(value, set | frozenset):
        return sorted(value)
    if isinstance(value, list | tuple) or type(value).__name__ == "deque":
        return [as_plain(kept) for kept in value]
    return repr(value) if isinstance(value, float) else value


def plain_state(state: FleetState) -> dict[str, Any]:
    """Return all that two equal states have in common; empty entries of an index mean nothing."""
    plain = {name: as_plain(value) for name, value in vars(state).items() if name not in ("touched", "finished_max")}
    for name in ("dependents", "pending_of", "agents_of"):
        plain[name] = {key: list(kept) for key, kept in plain[name].items() if kept}
    for name in ORDERED:
        plain[f"{name} in order"] = list(plain[name])
    return plain


def assert_same(found: FleetState, expected: FleetState) -> None:
    """Fail with the first table that differs."""
    one, other = plain_state(found), plain_state(expected)
    assert one.keys() == other.keys()
    for name, value in other.items():
        assert one[name] == value, name
