"""Every fact the fleet records: one frozen dataclass each. A fact about many things of a kind is one event.

A `Record` wraps an event with its sequence number, instant and cause; the journal holds records.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import msgspec

from engine.model.agents import AgentSpec, Allocation, Health
from engine.model.ids import AgentId, AllocationId, HostId, PlanId, TaskId
from engine.model.memory_events import ABOUT_MEMORY as ABOUT_MEMORY
from engine.model.memory_events import MemoryChanged as MemoryChanged
from engine.model.memory_events import MemoryPermitted as MemoryPermitted
from engine.model.memory_events import MemoryPurged as MemoryPurged
from engine.model.modules import UserModule
from engine.model.plans import AppliedPlan, AuditEntry
from engine.model.pools import PoolSpec
from engine.model.room_events import (
    GangAsked,
    GangEnded,
    GangGranted,
    GangWaits,
    MachineSeen,
    PoolWaits,
)
from engine.model.scaling import Hold, Policy
from engine.model.tasks import CANCELLED, Lease, Outcome, TaskSpec


@dataclass(frozen=True, slots=True)
class HostInfo:
    """A process (or machine) that carries agents. `started` is its start time by the kernel, for the ledger."""

    id: HostId
    kind: str
    pid: int
    started: float = 0.0


@dataclass(frozen=True, slots=True)
class EngineTookOver:
    """An engine started on this state, and adopted tasks whose programs outlived the former one."""

    type: ClassVar[str] = "engine.started"
    engine: str
    version: str
    pid: int
    adopted: tuple[TaskId, ...] = ()


@dataclass(frozen=True, slots=True)
class PoolConfigured:
    """A pool was created or its specification changed; size only counts when it is new."""

    type: ClassVar[str] = "pool.configured"
    spec: PoolSpec
    size: int


@dataclass(frozen=True, slots=True)
class PoolEdited:
    """What operators changed of a pool beside its configuration: all that differs, by key, and what it is laid over."""

    type: ClassVar[str] = "pool.edited"
    pool: str
    overrides: dict[str, float]
    configured: PoolSpec


@dataclass(frozen=True, slots=True)
class PoolScaled:
    """A pool's desired size changed."""

    type: ClassVar[str] = "pool.scaled"
    pool: str
    size: int
    reason: str = ""
    """Why the autoscaler did it; empty when an operator did."""


@dataclass(frozen=True, slots=True)
class PoolPaused:
    """A pool takes no tasks, or takes them again."""

    type: ClassVar[str] = "pool.paused"
    pool: str
    paused: bool


@dataclass(frozen=True, slots=True)
class PoolHeld:
    """The autoscaler leaves a pool alone, or follows its load again (no hold)."""

    type: ClassVar[str] = "pool.held"
    pool: str
    hold: Hold | None


@dataclass(frozen=True, slots=True)
class PolicySet:
    """A scaling policy was made or changed."""

    type: ClassVar[str] = "policy.set"
    policy: Policy


@dataclass(frozen=True, slots=True)
class PolicyRemoved:
    """A scaling policy is gone."""

    type: ClassVar[str] = "policy.removed"
    policy: str


@dataclass(frozen=True, slots=True)
class AgentsRegistered:
    """Agents joined."""

    type: ClassVar[str] = "agent.registered"
    agents: tuple[AgentSpec, ...]


@dataclass(frozen=True, slots=True)
class AgentsReconfigured:
    """Agents that are starting got other figures with their pool: capabilities, resources, cost, type."""

    type: ClassVar[str] = "agent.configured"
    agents: tuple[AgentSpec, ...]


@dataclass(frozen=True, slots=True)
class AgentsReady:
    """Agents are able to work on a host."""

    type: ClassVar[str] = "agent.ready"
    host: HostInfo
    agents: tuple[AgentId, ...]


@dataclass(frozen=True, slots=True)
class AgentsBroken:
    """Agents cannot start."""

    type: ClassVar[str] = "agent.failed"
    agents: tuple[AgentId, ...]
    reason: str
    missed: bool = False
    """They missed the time for their start, so they are replaced after a wait."""


@dataclass(frozen=True, slots=True)
class AgentsStarting:
    """Agents start anew."""

    type: ClassVar[str] = "agent.starting"
    agents: tuple[AgentId, ...]
    reason: str


@dataclass(frozen=True, slots=True)
class AgentsCordoned:
    """Agents take no new work, or take it again."""

    type: ClassVar[str] = "agent.cordoned"
    agents: tuple[AgentId, ...]
    cordoned: bool
    reason: str


@dataclass(frozen=True, slots=True)
class AgentsRetiring:
    """Agents leave, or restart, when their task ends."""

    type: ClassVar[str] = "agent.retiring"
    agents: tuple[AgentId, ...]
    reason: str
    restart: bool = False
    leaves_by: float = 0.0
    """When what they hold is handed back; 0 = never."""
    revivable: bool = False
    """They stay if their pool grows again before they have left."""


@dataclass(frozen=True, slots=True)
class AgentsRevived:
    """Agents that were leaving stay: their pool wants as many again."""

    type: ClassVar[str] = "agent.revived"
    agents: tuple[AgentId, ...]


@dataclass(frozen=True, slots=True)
class AgentsRemoved:
    """Agents left the fleet."""

    type: ClassVar[str] = "agent.removed"
    agents: tuple[AgentId, ...]
    reason: str


@dataclass(frozen=True, slots=True)
class HostLost:
    """A host is gone; its agents start anew elsewhere."""

    type: ClassVar[str] = "host.lost"
    host: HostId
    reason: str


@dataclass(frozen=True, slots=True)
class HostHealth:
    """The health of a host's agents changed."""

    type: ClassVar[str] = "host.health"
    host: HostId
    health: Health
    evidence: str


@dataclass(frozen=True, slots=True)
class TasksSubmitted:
    """Tasks were accepted."""

    type: ClassVar[str] = "task.submitted"
    tasks: tuple[TaskSpec, ...]


@dataclass(frozen=True, slots=True)
class TasksLeased:
    """Tasks were handed to agents."""

    type: ClassVar[str] = "task.leased"
    leases: tuple[Lease, ...]


@dataclass(frozen=True, slots=True)
class TasksStarted:
    """Attempts began: (task, token, instant)."""

    type: ClassVar[str] = "task.started"
    tasks: tuple[tuple[TaskId, int, float], ...]


@dataclass(frozen=True, slots=True)
class TasksSucceeded:
    """Attempts ended well and their results are applied."""

    type: ClassVar[str] = "task.succeeded"
    outcomes: tuple[Outcome, ...]


@dataclass(frozen=True, slots=True)
class TaskFailed:
    """An attempt ended badly and no other follows; `dead` = attempts exhausted or poison."""

    type: ClassVar[str] = "task.failed"
    outcome: Outcome
    dead: bool
    death: bool = False
    """Its agent died while running it, once too often."""


@dataclass(frozen=True, slots=True)
class TaskReturned:
    """A leased task waits again: its attempt failed, or was lost with the agent or the engine."""

    type: ClassVar[str] = "task.returned"
    task: TaskId
    token: int
    kind: str
    reason: str
    not_before: float
    death: bool = False
    """Its agent died while running it: counts against tasks.poison_deaths."""
    began: float = 0.0
    """When the attempt began, 0 if it did not; its run counts as work of the agent."""
    counts: bool = True
    """It ended by its own doing: counts against max_attempts."""


class Reroute(msgspec.Struct, frozen=True):
    """One task that is handed on."""

    task: TaskId
    token: int
    """Its attempt; 0 = it only waited."""
    reason: str
    failure: str = ""
    """What its agent failed with, in a word; empty = it was well, and did not take the task."""
    reproducer: str = ""
    """File that the failure can be repeated with."""
    death: bool = False
    """Its agent died while running it: counts against tasks.poison_deaths."""


@dataclass(frozen=True, slots=True)
class TasksRerouted:
    """Tasks go to another pool, and wait there: no attempt is counted."""

    type: ClassVar[str] = "task.rerouted"
    tasks: tuple[Reroute, ...]
    pool: str


@dataclass(frozen=True, slots=True)
class LateResult:
    """An outcome came with an old token: recorded, never applied."""

    type: ClassVar[str] = "task.late"
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class TasksStopping:
    """Running tasks are being stopped; why is cancel, timeout, deadline, halt, or retry: a cancel that was taken back."""

    type: ClassVar[str] = "task.stopping"
    tasks: tuple[TaskId, ...]
    why: str


@dataclass(frozen=True, slots=True)
class TasksCancelled:
    """Tasks ended without running to an end; `kind` is their error's: somebody's wish, or what they depend on."""

    type: ClassVar[str] = "task.cancelled"
    tasks: tuple[TaskId, ...]
    reason: str
    kind: str = CANCELLED


@dataclass(frozen=True, slots=True)
class TasksReplayed:
    """Ended tasks run again."""

    type: ClassVar[str] = "task.replayed"
    tasks: tuple[TaskId, ...]


@dataclass(frozen=True, slots=True)
class TaskPrioritised:
    """A waiting task's priority changed."""

    type: ClassVar[str] = "task.prioritised"
    task: TaskId
    priority: int


@dataclass(frozen=True, slots=True)
class AgentAllocated:
    """An agent was reserved for a caller."""

    type: ClassVar[str] = "agent.allocated"
    allocation: Allocation


@dataclass(frozen=True, slots=True)
class AgentReleased:
    """A reserved agent is free again."""

    type: ClassVar[str] = "agent.released"
    allocation: AllocationId
    ok: bool
    seconds: float
    reason: str


@dataclass(frozen=True, slots=True)
class FleetHalted:
    """An emergency stop of scaling, placing or agents began, or ended."""

    type: ClassVar[str] = "fleet.halted"
    scope: str
    halted: bool
    by: str


@dataclass(frozen=True, slots=True)
class BoosterCacheCleared:
    """The booster's workers forget the answers that they keep."""

    type: ClassVar[str] = "booster.cache_cleared"
    by: str


@dataclass(frozen=True, slots=True)
class ModuleAdded:
    """The booster has a module of an operator, in place of one of the same name if there was one."""

    type: ClassVar[str] = "booster.module_added"
    module: UserModule


@dataclass(frozen=True, slots=True)
class ModuleRemoved:
    """The booster has a module no longer; its bytes are kept."""

    type: ClassVar[str] = "booster.module_removed"
    name: str
    sha256: str
    by: str


@dataclass(frozen=True, slots=True)
class PlanApplied:
    """A plan was carried out."""

    type: ClassVar[str] = "plan.applied"
    plan: AppliedPlan


@dataclass(frozen=True, slots=True)
class PlanUndone:
    """A plan was taken back, or applied again."""

    type: ClassVar[str] = "plan.undone"
    plan: PlanId
    by: PlanId
    undone: bool


@dataclass(frozen=True, slots=True)
class Audited:
    """Somebody did, or was refused, something."""

    type: ClassVar[str] = "audit"
    entry: AuditEntry


Event = (
    EngineTookOver
    | PoolConfigured
    | PoolEdited
    | PoolScaled
    | PoolPaused
    | PoolHeld
    | PoolWaits
    | MachineSeen
    | GangAsked
    | GangWaits
    | GangGranted
    | GangEnded
    | PolicySet
    | PolicyRemoved
    | AgentsRegistered
    | AgentsReconfigured
    | AgentsReady
    | AgentsBroken
    | AgentsStarting
    | AgentsCordoned
    | AgentsRetiring
    | AgentsRevived
    | AgentsRemoved
    | HostLost
    | HostHealth
    | TasksSubmitted
    | TasksLeased
    | TasksStarted
    | TasksSucceeded
    | TaskFailed
    | TaskReturned
    | TasksRerouted
    | LateResult
    | TasksStopping
    | TasksCancelled
    | TasksReplayed
    | TaskPrioritised
    | AgentAllocated
    | AgentReleased
    | FleetHalted
    | BoosterCacheCleared
    | MemoryChanged
    | MemoryPermitted
    | MemoryPurged
    | ModuleAdded
    | ModuleRemoved
    | PlanApplied
    | PlanUndone
    | Audited
)

EVENTS: dict[str, type] = {kind.type: kind for kind in Event.__args__}


class Record(NamedTuple):
    """One event of the journal."""

    seq: int
    at: float
    cause: str
    event: Event
