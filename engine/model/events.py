"""Every fact the fleet records: one frozen dataclass each. A fact about many things of a kind is one event.

A `Record` wraps an event with its sequence number, instant and cause; the journal holds records.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

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
    HostCordoned,
    HostHealth,
    HostLost,
)
from engine.model.alert_events import (
    AlertAcked,
    AlertRuleRemoved,
    AlertRulesSet,
    AlertsMoved,
    AlertsSilenced,
    SilenceEnded,
)
from engine.model.budget_events import BudgetMoved, BudgetsConfigured, BudgetSet, TasksSpent
from engine.model.consensus_events import (
    BallotsCast,
    ProposalActed,
    ProposalChanged,
    ProposalClosed,
    ProposalOpened,
)
from engine.model.ids import PlanId, TaskId
from engine.model.memory_events import (
    MemoryChanged,
    MemoryConflicted,
    MemoryExchanged,
    MemoryPermitted,
    MemoryPurged,
)
from engine.model.modules import UserModule
from engine.model.plans import AppliedPlan, AuditEntry
from engine.model.pool_events import (
    PolicyRemoved,
    PolicySet,
    PoolConfigured,
    PoolEdited,
    PoolHeld,
    PoolPaused,
    PoolScaled,
)
from engine.model.question_events import (
    AnswerRuleForgotten,
    AnswerRuleSet,
    QuestionAnswered,
    QuestionAsked,
    TaskProgressed,
)
from engine.model.review_events import ReviewMoved, ReviewOpened
from engine.model.room_events import (
    GangAsked,
    GangEnded,
    GangGranted,
    GangWaits,
    MachineGone,
    MachineSeen,
    PoolWaits,
    TasksWaitForRoom,
)
from engine.model.routing_events import (
    RoutingForgotten,
    RoutingLearned,
    RoutingModeSet,
    RoutingRecalled,
)
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
from engine.model.task_events import (
    LateResult,
    TaskFailed,
    TaskHandedOver,
    TaskPrioritised,
    TaskReturned,
    TasksCancelled,
    TasksLeased,
    TasksReplayed,
    TasksRerouted,
    TasksStarted,
    TasksStopping,
    TasksSubmitted,
    TasksSucceeded,
)


@dataclass(frozen=True, slots=True)
class EngineTookOver:
    """An engine started on this state, and adopted tasks whose programs outlived the former one."""

    type: ClassVar[str] = "engine.started"
    engine: str
    version: str
    pid: int
    adopted: tuple[TaskId, ...] = ()
    epoch: int = 0
    """Of its leadership, where engines share a fleet."""


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
    | TasksWaitForRoom
    | MachineSeen
    | MachineGone
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
    | HostCordoned
    | TasksSubmitted
    | TasksLeased
    | TasksStarted
    | TasksSucceeded
    | TaskFailed
    | TaskReturned
    | TasksRerouted
    | TaskHandedOver
    | LateResult
    | TasksStopping
    | TasksCancelled
    | TasksReplayed
    | TaskPrioritised
    | ReviewOpened
    | ReviewMoved
    | TasksSpent
    | BudgetsConfigured
    | BudgetSet
    | BudgetMoved
    | QuestionAsked
    | QuestionAnswered
    | TaskProgressed
    | AnswerRuleSet
    | AnswerRuleForgotten
    | AgentAllocated
    | AgentReleased
    | FleetHalted
    | BoosterCacheCleared
    | MemoryChanged
    | MemoryPermitted
    | MemoryPurged
    | MemoryConflicted
    | MemoryExchanged
    | ProposalOpened
    | BallotsCast
    | ProposalChanged
    | ProposalClosed
    | ProposalActed
    | SwarmCreated
    | SwarmChanged
    | SwarmMoved
    | MessageSent
    | MessagesTaken
    | MailGivenUp
    | DeadForgotten
    | SessionChanged
    | ModuleAdded
    | ModuleRemoved
    | AlertRulesSet
    | AlertRuleRemoved
    | AlertsMoved
    | AlertAcked
    | AlertsSilenced
    | SilenceEnded
    | RoutingModeSet
    | RoutingLearned
    | RoutingForgotten
    | RoutingRecalled
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
