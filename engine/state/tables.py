"""The tables of the fleet, the small moves that keep their counters, and check(), which states the invariants."""

from __future__ import annotations

from collections import OrderedDict, deque
from dataclasses import dataclass, field

import msgspec

from engine.model import events as ev
from engine.model.agent_events import Cordon, HostInfo
from engine.model.agents import Agent, AgentSpec, AgentStatus, Allocation, Health
from engine.model.alerts import Alert, Rule, Silence
from engine.model.budgets import Spending
from engine.model.consensus import Round
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
    QuestionId,
    SessionId,
    SwarmId,
    TaskId,
)
from engine.model.learned import RouterRecord
from engine.model.machines import Amounts, Machine, taken_by
from engine.model.modules import UserModule
from engine.model.plans import AppliedPlan, AuditEntry, Halt
from engine.model.pools import Pool
from engine.model.reviews import ReviewState
from engine.model.scaling import Policy
from engine.model.tasks import FINISHED, HELD, Task, TaskState
from engine.state.swarming import Swarming

FINISHED_MAX = 20_000
"""Finished tasks kept in memory; beside them those that others still need."""

AUDIT_MAX = 1_000
PLANS_MAX = 200


@dataclass(slots=True)
class Host:
    """A process that carries agents."""

    info: HostInfo
    health: Health = Health.HEALTHY
    evidence: str = ""
    agents: set[AgentId] = field(default_factory=set)
    cordon: Cordon = Cordon.OPEN
    cordon_why: str = ""


@dataclass(slots=True)
class KeptPlan:
    """An applied plan and whether it was taken back."""

    plan: AppliedPlan
    undone_by: PlanId | None = None
    seq: int = 0
    """Record that applied it last, or took it back: the order of the undo and redo stacks."""


@dataclass(slots=True)
class Totals:
    """Counts since the state began, and how many things are in which state now."""

    submitted: int = 0
    succeeded: int = 0
    failed: int = 0
    dead: int = 0
    cancelled: int = 0
    retried: int = 0
    rerouted: int = 0
    """Tasks handed on to another pool."""
    late: int = 0
    audited: int = 0
    agents_peak: int = 0
    by_state: dict[str, int] = field(default_factory=dict)
    by_status: dict[str, int] = field(default_factory=dict)


@dataclass(slots=True)
class Touched:
    """Ids changed since the coordinator last looked, in order of their first change; it clears them."""

    pools: dict[str, None] = field(default_factory=dict)
    agents: dict[AgentId, None] = field(default_factory=dict)
    working: dict[AgentId, None] = field(default_factory=dict)
    """Agents of which only changed what their task tells: that it was handed to them, or has begun."""
    tasks: dict[TaskId, None] = field(default_factory=dict)
    hosts: dict[HostId, None] = field(default_factory=dict)
    plans: dict[PlanId, None] = field(default_factory=dict)
    policies: dict[str, None] = field(default_factory=dict)
    machines: dict[str, None] = field(default_factory=dict)
    gangs: dict[GangId, None] = field(default_factory=dict)
    modules: dict[str, None] = field(default_factory=dict)
    rounds: dict[ProposalId, None] = field(default_factory=dict)
    swarms: dict[SwarmId, None] = field(default_factory=dict)
    mail: dict[MessageId, None] = field(default_factory=dict)
    traffic: dict[SwarmId, None] = field(default_factory=dict)
    sessions: dict[SessionId, None] = field(default_factory=dict)
    questions: dict[QuestionId, None] = field(default_factory=dict)
    reviews: dict[TaskId, None] = field(default_factory=dict)
    budgets: dict[str, None] = field(default_factory=dict)
    ledgers: dict[str, None] = field(default_factory=dict)
    routers: dict[str, None] = field(default_factory=dict)
    rules: dict[str, None] = field(default_factory=dict)
    alerts: dict[str, None] = field(default_factory=dict)
    silences: dict[str, None] = field(default_factory=dict)
    forgotten_tasks: dict[TaskId, Task] = field(default_factory=dict)
    """As they ended."""
    removed_agents: list[Agent] = field(default_factory=list)
    """As they left."""

    def merge(self, later: Touched) -> None:
        """Add what was touched later; what has left since is only named as left."""
        self.pools.update(later.pools)
        self.agents.update(later.agents)
        self.working.update(later.working)
        self.tasks.update(later.tasks)
        self.hosts.update(later.hosts)
        self.plans.update(later.plans)
        self.policies.update(later.policies)
        self.machines.update(later.machines)
        self.gangs.update(later.gangs)
        self.modules.update(later.modules)
        self.rounds.update(later.rounds)
        self.swarms.update(later.swarms)
        self.mail.update(later.mail)
        self.traffic.update(later.traffic)
        self.sessions.update(later.sessions)
        self.questions.update(later.questions)
        self.reviews.update(later.reviews)
        self.budgets.update(later.budgets)
        self.ledgers.update(later.ledgers)
        self.routers.update(later.routers)
        self.rules.update(later.rules)
        self.alerts.update(later.alerts)
        self.silences.update(later.silences)
        self.forgotten_tasks.update(later.forgotten_tasks)
        self.removed_agents += later.removed_agents
        for agent in later.removed_agents:
            self.agents.pop(agent.spec.id, None)
            self.working.pop(agent.spec.id, None)


@dataclass(slots=True)
class Alerting:
    """Rules, what they found, and silences, each by its id."""

    rules: dict[str, Rule] = field(default_factory=dict)
    alerts: dict[str, Alert] = field(default_factory=dict)
    """Those that are pending or fire, and the newest resolved ones."""
    silences: dict[str, Silence] = field(default_factory=dict)


class Tables:
    """What the fleet knows. Only the transitions and recovery change it."""

    def __init__(self, finished_max: int = FINISHED_MAX) -> None:
        self.finished_max, self.seq, self.at = finished_max, 0, 0.0
        self.engine: ev.EngineTookOver | None = None
        self.pools: dict[str, Pool] = {}
        self.agents: dict[AgentId, Agent] = {}
        self.agent_ids: dict[str, AgentId] = {}
        self.agents_of: dict[str, dict[AgentId, None]] = {}
        self.hosts: dict[HostId, Host] = {}
        self.tasks: dict[TaskId, Task] = {}
        self.finished: OrderedDict[TaskId, None] = OrderedDict()  # the oldest of a plain dict is ever harder to find
        """The newest tasks that have ended, oldest first, at most `finished_max`."""
        self.needed: dict[TaskId, None] = {}
        """Tasks that ended before those, and are kept because others depend on them."""
        self.pending_of: dict[str, dict[TaskId, None]] = {}
        """Pool -> its waiting tasks, longest waiting first."""
        self.dependents: dict[TaskId, dict[TaskId, None]] = {}
        """Task -> those that depend on it and have not succeeded, oldest first: as long as there are any, it is kept."""
        self.keys: dict[str, TaskId] = {}
        self.asking: dict[QuestionId, TaskId] = {}
        """Open questions, oldest first, with the tasks whose agents ask."""
        self.reviewing: dict[TaskId, None] = {}  # tasks whose work waits for a review, longest waiting first
        self.allocations: dict[AllocationId, Allocation] = {}
        self.plans: dict[PlanId, KeptPlan] = {}
        self.policies: dict[str, Policy] = {}
        self.machines: dict[str, Machine] = {}
        self.gangs: dict[GangId, Gang] = {}
        """Those that wait or were granted, in the order in which they were asked for."""
        self.modules: dict[str, UserModule] = {}
        """Modules of operators, by the name under which they were added."""
        self.swarming = Swarming()
        self.rounds: dict[ProposalId, Round] = {}  # votes: the open ones, and the newest ROUNDS_MAX that have ended
        self.routers: dict[str, RouterRecord] = {}  # of pools in which learned routing has learned or was set
        self.alerting, self.spending, self.totals, self.touched = Alerting(), Spending(), Totals(), Touched()
        self.halted: dict[str, Halt] = {}
        """Scope -> who halted it when."""
        self.audit: deque[AuditEntry] = deque(maxlen=AUDIT_MAX)

    def is_halted(self, scope: str) -> bool:
        """Tell whether a halt stops scaling, placing or agents; each scope stops what those before it stop."""
        return any(other in self.halted for other in HALT_SCOPES[HALT_SCOPES.index(scope) :])

    # ---- the small moves that everything is made of; they keep the counters

    def set_status(self, agent: Agent, status: AgentStatus, at: float) -> None:
        """Move an agent to a status."""
        pool = self.pools[agent.spec.pool]
        if agent.status is not status:
            for counts in (pool.by_status, self.totals.by_status):
                counts[agent.status] -= 1
                counts[status] = counts.get(status, 0) + 1
            agent.status = status
            if status is AgentStatus.IDLE:
                agent.idle_since = at
        agent.updated_at = at
        self.touched.agents[agent.spec.id] = None
        self.touched.pools[agent.spec.pool] = None

    def set_to_work(self, agent: Agent, task: Task) -> None:
        """Have an agent show the state of its task, unless something else is more important.

        Nothing of that is stored with the agent: it follows from the task, also at a load.
        """
        agent.task = task.spec.id
        if agent.status in (AgentStatus.IDLE, AgentStatus.ASSIGNED, AgentStatus.BUSY):
            status = AgentStatus.ASSIGNED if task.state is TaskState.LEASED else AgentStatus.BUSY
            pool = self.pools[agent.spec.pool]
            for counts in (pool.by_status, self.totals.by_status):
                counts[agent.status] -= 1
                counts[status] = counts.get(status, 0) + 1
            agent.status = status
            agent.updated_at = max(agent.updated_at, task.leased_at, task.started_at)
        self.touched.working[agent.spec.id] = None
        self.touched.pools[agent.spec.pool] = None

    def set_state(self, task: Task, state: TaskState) -> None:
        """Move a task to a state."""
        pool = self.pools[task.spec.pool]
        for counts in (pool.by_state, self.totals.by_state):
            counts[task.state] -= 1
            counts[state] = counts.get(state, 0) + 1
        if task.state is TaskState.PENDING:
            self.pending_of[task.spec.pool].pop(task.spec.id, None)
        if state is TaskState.PENDING:
            self.pending_of.setdefault(task.spec.pool, {})[task.spec.id] = None
        task.state = state
        self.touched.tasks[task.spec.id] = None
        self.touched.pools[task.spec.pool] = None

    def move_task(self, task: Task, pool: str) -> None:
        """Have a task that has not ended wait in another pool."""
        self.set_waiting_on(task, 0)
        old, new = self.pools[task.spec.pool], self.pools[pool]
        self.set_state(task, TaskState.PENDING)
        self.pending_of[task.spec.pool].pop(task.spec.id, None)
        old.by_state[TaskState.PENDING] -= 1
        task.spec = msgspec.structs.replace(task.spec, pool=pool)
        task.moved, task.remote_task = pool, ""
        new.by_state[TaskState.PENDING] = new.by_state.get(TaskState.PENDING, 0) + 1
        self.pending_of.setdefault(pool, {})[task.spec.id] = None
        self.set_waiting_on(task, len(self.awaited_by(task)))
        self.touched.pools[pool] = None

    def add_agent(self, agent: Agent) -> None:
        """Take an agent into the tables."""
        spec = agent.spec
        self.agents[spec.id] = agent
        take_room(self, spec)
        self.agent_ids[spec.name] = spec.id
        self.agents_of.setdefault(spec.pool, {})[spec.id] = None
        pool = self.pools[spec.pool]
        pool.agents += 1
        for counts in (pool.by_status, self.totals.by_status):
            counts[agent.status] = counts.get(agent.status, 0) + 1
        self.totals.agents_peak = max(self.totals.agents_peak, len(self.agents))
        self.touched.agents[spec.id] = None
        self.touched.pools[spec.pool] = None

    def add_task(self, task: Task) -> None:
        """Take a task into the tables."""
        spec = task.spec
        self.tasks[spec.id] = task
        pool = self.pools[spec.pool]
        for counts in (pool.by_state, self.totals.by_state):
            counts[task.state] = counts.get(task.state, 0) + 1
        self.asking.update(dict.fromkeys(task.questions, spec.id))
        if task.review is not None and task.review.state is ReviewState.WAITING:
            self.reviewing[spec.id] = None
        if spec.idempotency_key:
            self.keys[spec.idempotency_key] = spec.id
        if task.state is TaskState.PENDING:
            self.pending_of.setdefault(spec.pool, {})[spec.id] = None
        if task.state is not TaskState.SUCCEEDED:
            for needed in spec.depends_on:
                self.dependents.setdefault(needed, {})[spec.id] = None
        self.set_waiting_on(task, len(self.awaited_by(task)))
        self.touched.tasks[spec.id] = None
        self.touched.pools[spec.pool] = None

    def set_waiting_on(self, task: Task, count: int) -> None:
        """Have a task wait on so many others."""
        if bool(count) != bool(task.waiting_on):
            self.pools[task.spec.pool].blocked += 1 if count else -1
            self.touched.pools[task.spec.pool] = None
        task.waiting_on = count

    def awaited_by(self, task: Task) -> list[TaskId]:
        """Return the tasks that a task waits on: if it waits, its dependencies that have not ended."""
        if task.state is not TaskState.PENDING or not task.spec.depends_on:
            return []
        return [id_ for id_ in dict.fromkeys(task.spec.depends_on) if id_ in self.tasks and self.tasks[id_].state not in FINISHED]

    def waiting_for(self, task_id: TaskId) -> list[Task]:
        """Return the tasks that wait on a task that has not ended, oldest first."""
        dependents = [self.tasks[id_] for id_ in self.dependents.get(task_id, ())]
        return [task for task in dependents if task.state is TaskState.PENDING]

    @property
    def unfinished(self) -> int:
        """Return how many tasks have not ended."""
        return len(self.tasks) - len(self.finished) - len(self.needed)

    def agent_named(self, word: str) -> Agent | None:
        """Return the agent with that id or name."""
        return self.agents.get(AgentId(word)) or self.agents.get(self.agent_ids.get(word, AgentId("")))

    def is_running(self, agent: str, attempt: str) -> bool:
        """Tell whether an agent runs an attempt, `task/number`, now."""
        task_id, _, number = attempt.partition("/")
        task = self.tasks.get(TaskId(task_id))
        return task is not None and task.state in HELD and task.agent == agent and str(task.attempt) == number

    def agents_in(self, pool: str) -> list[Agent]:
        """Return a pool's agents in order of their registration."""
        return [self.agents[agent_id] for agent_id in self.agents_of.get(pool, ())]

    def check(self) -> None:
        """Raise AssertionError if a table contradicts itself or another."""
        for pool in self.pools.values():
            members = self.agents_in(pool.spec.name)
            assert pool.agents == len(members), f"{pool.spec.name}: {pool.agents} agents counted, {len(members)} there"
            assert pool.size >= 0
            assert sum(pool.by_status.values()) == pool.agents
            assert all(count >= 0 for count in (*pool.by_status.values(), *pool.by_state.values()))
            blocked = sum(self.tasks[task_id].waiting_on > 0 for task_id in self.pending_of.get(pool.spec.name, ()))
            assert pool.blocked == blocked, f"{pool.spec.name}: {pool.blocked} blocked counted, {blocked} there"
        assert sum(self.totals.by_state.values()) == len(self.tasks)
        waiting = {task_id for ids in self.pending_of.values() for task_id in ids}
        assert waiting == {task_id for task_id, task in self.tasks.items() if task.state is TaskState.PENDING}
        assert sum(self.totals.by_status.values()) == len(self.agents)
        for task_id, task in self.tasks.items():
            held = task.state in HELD
            assert held == (task.agent is not None), f"{task_id} is {task.state} with agent {task.agent}"
            assert (task.state in FINISHED) == (task_id in self.finished or task_id in self.needed)
            if held and task.agent is not None:
                assert self.agents[task.agent].task == task_id, f"{task_id} and {task.agent} disagree"
            assert (task.state is TaskState.NEEDS_INPUT) == bool(task.questions), f"{task_id} is {task.state} and asks {len(task.questions)} things"
            assert task.waiting_on == len(self.awaited_by(task)), f"{task_id} waits on {task.waiting_on}"
        assert self.asking == {question: task_id for task_id, task in self.tasks.items() for question in task.questions}
        assert self.reviewing.keys() == {id_ for id_, task in self.tasks.items() if task.review is not None and task.review.state is ReviewState.WAITING}
        self._check_dependents()
        self._check_machines()
        self.swarming.check()
        self.swarming.check_tallies(self.rounds.values())
        for agent_id, agent in self.agents.items():
            if agent.task is not None:
                assert self.tasks[agent.task].agent == agent_id
            if agent.status in (AgentStatus.ASSIGNED, AgentStatus.BUSY):
                assert agent.task is not None or agent.allocation is not None, f"{agent_id} works on nothing"

    def _check_dependents(self) -> None:
        wanted: dict[TaskId, set[TaskId]] = {}
        for task_id, task in self.tasks.items():
            for needed in task.spec.depends_on if task.state is not TaskState.SUCCEEDED else ():
                wanted.setdefault(needed, set()).add(task_id)
        assert {task_id: set(kept) for task_id, kept in self.dependents.items()} == wanted
        assert wanted.keys() <= self.tasks.keys(), "forgotten, though another depends on it"
        assert len(self.finished) <= self.finished_max
        assert not self.finished.keys() & self.needed.keys()
        assert all(task_id in wanted for task_id in self.needed), "kept for nobody"

    def _check_machines(self) -> None:
        taken: dict[str, Amounts] = {id_: {} for id_ in self.machines}
        for agent in self.agents.values():
            for name, amount in taken_by(agent.spec.resources).items() if agent.spec.machine else ():
                counted = taken[agent.spec.machine]
                counted[name] = counted.get(name, 0) + amount
        for id_, machine in self.machines.items():
            assert machine.taken == taken[id_], f"{id_}: {machine.taken} counted as taken, its agents take {taken[id_]}"
        for pool in self.pools.values():
            assert pool.waits is None or pool.waits.agents > 0, f"{pool.spec.name} waits for nobody"


def take_room(tables: Tables, spec: AgentSpec) -> None:
    """Count what an agent takes of its machine."""
    if spec.machine:
        tables.machines[spec.machine].take(taken_by(spec.resources))
        tables.touched.machines[spec.machine] = None


def release_room(tables: Tables, spec: AgentSpec) -> None:
    """Give back what an agent took of its machine."""
    if spec.machine:
        tables.machines[spec.machine].release(taken_by(spec.resources))
        tables.touched.machines[spec.machine] = None
