"""Facts about agents and the hosts that carry them; part of the events in engine.model.events."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import ClassVar

from engine.model.agents import AgentSpec, Allocation, Health
from engine.model.ids import AgentId, AllocationId, HostId

JOINED = "joined"
"""Kind of a host that is a worker on its own, here or on another machine."""


@dataclass(frozen=True, slots=True)
class JoinedHost:
    """What a worker that joined said of itself."""

    run: str
    """This life of it: another worker of the same name has another."""
    machine: str
    version: str
    agents_max: int
    cores: float
    memory_mb: float
    kinds: tuple[str, ...]
    pools: tuple[str, ...] = ()
    """Pools whose agents it takes; empty = all."""
    labels: dict[str, str] = field(default_factory=dict)
    keys: tuple[str, ...] = ()
    """Names of its environment's variables that have keys, as far as their names say so; what they hold stays there."""


@dataclass(frozen=True, slots=True)
class HostInfo:
    """A process (or machine) that carries agents. `started` is its start time by the kernel, for the ledger."""

    id: HostId
    kind: str
    pid: int
    started: float = 0.0
    joined: JoinedHost | None = None
    """None = a process of the engine's own; otherwise the id is the name that it goes by."""


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


class Cordon(StrEnum):
    """Whether a host that joined takes agents."""

    OPEN = "open"
    CORDONED = "cordoned"
    """None are started there; those that are there go on."""
    DRAINING = "draining"
    """Those that are there leave when their task ends."""


@dataclass(frozen=True, slots=True)
class HostCordoned:
    """A host that joined takes no agents, gives up those that it has, or takes agents again."""

    type: ClassVar[str] = "host.cordoned"
    host: HostId
    cordon: Cordon
    reason: str


@dataclass(frozen=True, slots=True)
class HostHealth:
    """The health of a host's agents changed."""

    type: ClassVar[str] = "host.health"
    host: HostId
    health: Health
    evidence: str


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
