"""Agents: the seven seed types, their states and health, and the record the fleet keeps of each."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import NewType

from engine.model.ids import AgentId, AllocationId, HostId, TaskId

SPEED_SMOOTHING = 0.2
"""Weight of the newest task in the moving average of an agent's task time."""

HISTORY_TYPES_MAX = 32
"""Task types an agent remembers its success rate for; the least used is forgotten."""

Capability = NewType("Capability", str)
"""A word for what an agent can do, such as code-review."""


class AgentStatus(StrEnum):
    """Where an agent is in its life; `busy` means that its task has really started."""

    STARTING = "starting"
    IDLE = "idle"
    ASSIGNED = "assigned"
    BUSY = "busy"
    DRAINING = "draining"
    DRAINED = "drained"
    FAILED = "failed"


class Health(StrEnum):
    """What liveness evidence says of an agent's host."""

    HEALTHY = "healthy"
    SLOW = "slow"
    SUSPECT = "suspect"
    LOST = "lost"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Resources:
    """What one agent may use: memory in MB, CPU in cores, storage in MB (0 = not stated)."""

    memory: int = 512
    cpu: float = 0.5
    storage: int = 0
    reserved: bool = False
    """Memory and cores are kept for it on its machine; otherwise they are figures to compare with what it uses."""
    named: dict[str, float] = field(default_factory=dict)
    """What else it takes of its machine, such as {"gpu": 1}."""


@dataclass(frozen=True, slots=True)
class Performance:
    """The seeds' profile of an agent type; reliability is a ratio 0..1 and starts its score."""

    speed: str = "medium"
    accuracy: str = "high"
    reliability: float = 0.9


@dataclass(frozen=True, slots=True)
class AgentType:
    """A kind of agent: what it can do and what it needs."""

    id: str
    name: str
    category: str
    capabilities: tuple[Capability, ...]
    resources: Resources
    performance: Performance


def _type(  # noqa: PLR0913  # one line a type reads as the table it is
    id_: str, name: str, category: str, capabilities: str, cpu: float, memory_gb: int, storage_gb: int, profile: str
) -> AgentType:
    speed, accuracy, reliability = profile.split()
    return AgentType(
        id_,
        name,
        category,
        tuple(Capability(word) for word in capabilities.split()),
        Resources(memory_gb * 1024, cpu, storage_gb * 1024),
        Performance(speed, accuracy, float(reliability)),
    )


AGENT_TYPES: dict[str, AgentType] = {
    kind.id: kind
    for kind in (
        _type("researcher", "Research Agent", "core", "information-gathering analysis documentation", 2, 4, 10, "medium high 0.9"),
        _type("coder", "Development Agent", "core", "coding testing debugging refactoring", 4, 8, 20, "high high 0.85"),
        _type("tester", "Quality Assurance Agent", "core", "testing validation quality-assurance", 2, 4, 10, "medium very-high 0.95"),
        _type("reviewer", "Review Agent", "core", "code-review quality-assessment validation", 2, 4, 5, "medium very-high 0.92"),
        _type("coordinator", "Swarm Coordinator", "coordination", "coordination consensus resource-management", 2, 4, 5, "high high 0.98"),
        _type("security-specialist", "Security Specialist", "specialized", "security-analysis vulnerability-assessment compliance", 3, 6, 10, "medium very-high 0.96"),
        _type("performance-analyst", "Performance Analyst", "specialized", "performance-analysis optimization benchmarking", 4, 8, 15, "high high 0.9"),
    )
}

SEED_AGENT_TYPES = {kind.id.upper().replace("-", "_"): kind for kind in AGENT_TYPES.values()}
"""The same by the seeds' names, such as SECURITY_SPECIALIST."""

TYPE_OF_POOL = {"security": "security-specialist", "performance": "performance-analyst"}
"""Pools whose seed name differs from their agent type's; all others are named alike or have no type."""

POOL_OF_TYPE = {kind: pool for pool, kind in TYPE_OF_POOL.items()}


@dataclass(frozen=True, slots=True)
class AgentSpec:
    """What is fixed when an agent is registered."""

    id: AgentId
    name: str
    pool: str
    type: str = ""
    capabilities: tuple[str, ...] = ()
    resources: Resources = field(default_factory=Resources)
    cost: float = 0.0
    """Cost of one second of work, in the unit of the configuration; 0 = free or unknown."""
    reliability: float = 0.9
    machine: str = ""
    """Where it runs and what it takes is counted: a host that joined, or the engine's own machine; empty = there, and it takes nothing."""
    placed: str = ""
    """Why it runs there; empty = no host that joined could have had it."""


@dataclass(slots=True)
class Agent:
    """The fleet's record of one agent. Owner: FleetState.apply."""

    spec: AgentSpec
    status: AgentStatus = AgentStatus.STARTING
    health: Health = Health.UNKNOWN
    reason: str = ""
    """Why it is failed, draining, slow or suspect; empty when nothing is wrong."""
    host: HostId | None = None
    task: TaskId | None = None
    allocation: AllocationId | None = None
    cordoned: bool = False
    """Takes no new work; an operator drained it."""
    retiring: bool = False
    """Leaves the pool when its task ends."""
    leaves_by: float = 0.0
    """When what it holds is handed back if it has not ended by then; 0 = never."""
    revivable: bool = False
    """It leaves because its pool became smaller, so it stays when the pool grows again."""
    missed: bool = False
    """It failed because its start took too long; it will be replaced."""
    restarting: bool = False
    """Starts anew when its task ends."""
    created_at: float = 0.0
    updated_at: float = 0.0
    idle_since: float = 0.0
    succeeded: int = 0
    failed: int = 0
    busy_s: float = 0.0
    mean_task_s: float = 0.0
    """Moving average of the run time of its tasks, seconds; 0 before the first."""
    by_type: dict[str, tuple[int, int]] = field(default_factory=dict)
    """Task type -> (succeeded, finished)."""
    spent: dict[str, float] = field(default_factory=dict)
    """What its tasks used: cost, tokens, unpriced, turns, and seconds of those that have ended."""
    over: str = ""
    """Why it takes no more work, though nobody drained it: a limit of its budget; empty = it does."""

    def can(self, word: str) -> bool:
        """Tell whether it has a capability; its own id is one that nobody else has."""
        return word in self.spec.capabilities or word == self.spec.id

    def is_free(self) -> bool:
        """Tell whether a task may be placed on it now."""
        return self.status is AgentStatus.IDLE and not self.cordoned and not self.retiring and not self.over and self.allocation is None

    def note_finished(self, task_type: str, seconds: float, *, ok: bool) -> None:
        """Fold one finished task into its record; seconds of run time."""
        self.succeeded += ok
        self.failed += not ok
        self.busy_s += seconds
        self.mean_task_s = seconds if self.mean_task_s == 0.0 else self.mean_task_s + SPEED_SMOOTHING * (seconds - self.mean_task_s)
        won, total = self.by_type.get(task_type, (0, 0))
        if total == 0 and len(self.by_type) >= HISTORY_TYPES_MAX:
            del self.by_type[min(self.by_type, key=lambda kind: self.by_type[kind][1])]
        self.by_type[task_type] = (won + ok, total + 1)


@dataclass(frozen=True, slots=True)
class Allocation:
    """An agent reserved for a caller that runs its task itself (`allocate_agent`)."""

    id: AllocationId
    agent: AgentId
    task_id: str
    pool: str
    at: float
    expires_at: float
    score: float
    reasoning: str
