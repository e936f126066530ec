"""What the engine's own parts tell the coordinator: outcomes of effects, liveness, time. Never sent by an operator."""

from __future__ import annotations

from dataclasses import dataclass

from engine.model.agent_events import HostInfo
from engine.model.agents import Health
from engine.model.alerts import Alert
from engine.model.budgets import Used
from engine.model.ids import AgentId, HostId, TaskId
from engine.model.learned import LearnedModel
from engine.model.questions import TaskAsked
from engine.model.tasks import Outcome, TaskSpec


@dataclass(frozen=True, slots=True)
class HostUp:
    """A host of agents is ready to take work."""

    host: HostInfo
    agents: tuple[AgentId, ...]


@dataclass(frozen=True, slots=True)
class HostJoined:
    """A worker on its own joined, with what it has for agents in thousandths."""

    host: HostInfo
    capacity: dict[str, int]


@dataclass(frozen=True, slots=True)
class HostDown:
    """A host is gone; its agents lost what they held."""

    host: HostId
    reason: str


@dataclass(frozen=True, slots=True)
class AgentsUp:
    """Agents are ready on a host that was already up."""

    host: HostId
    agents: tuple[AgentId, ...]


@dataclass(frozen=True, slots=True)
class AgentsFailed:
    """Agents cannot start; the reason says what to do."""

    agents: tuple[AgentId, ...]
    reason: str


@dataclass(frozen=True, slots=True)
class LaunchesLate:
    """Agents were too long in a state of their start."""

    agents: tuple[AgentId, ...]
    launch: str
    limit_s: float


@dataclass(frozen=True, slots=True)
class LaunchesDue:
    """Agents that did not start in time have waited long enough to be replaced."""

    agents: tuple[AgentId, ...]


@dataclass(frozen=True, slots=True)
class AgentsMissing:
    """Agents that should run are not known to what runs agents, or their process is gone and their host is not."""

    agents: tuple[AgentId, ...]
    reason: str = "it should have run and did not"


@dataclass(frozen=True, slots=True)
class HealthSeen:
    """The health of a host's agents changed, with the evidence."""

    host: HostId
    health: Health
    evidence: str


@dataclass(frozen=True, slots=True)
class Sizing:
    """One pool's size as the autoscaler saw it and would have it, and why in one line."""

    pool: str
    seen: int
    size: int
    reason: str


@dataclass(frozen=True, slots=True)
class PoolsSized:
    """The autoscaler wants other sizes, the most important pool first."""

    pools: tuple[Sizing, ...]


@dataclass(frozen=True, slots=True)
class RoomSeen:
    """There may be room for what waits for it, or the machine has other amounts than before."""


@dataclass(frozen=True, slots=True)
class GangsDue:
    """Gangs have waited, or were kept, as long as was asked for."""


@dataclass(frozen=True, slots=True)
class TasksBegan:
    """Leased tasks really started: (task, token, instant)."""

    tasks: tuple[tuple[TaskId, int, float], ...]


@dataclass(frozen=True, slots=True)
class TasksEnded:
    """Attempts ended."""

    outcomes: tuple[Outcome, ...]


@dataclass(frozen=True, slots=True)
class TasksUsed:
    """Attempts that go on told what they have used so far."""

    used: tuple[Used, ...]


@dataclass(frozen=True, slots=True)
class HandedOver:
    """An attempt's task is at somebody else's agent, or no attempt can go on with what is there."""

    task: TaskId
    token: int
    remote_task: str
    """What the task is called there; empty = the next attempt hands it over anew."""


@dataclass(frozen=True, slots=True)
class AlertsSeen:
    """Alerts are not as they were, and silences are over."""

    alerts: tuple[Alert, ...]
    over: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SampleDue:
    """A task of the booster is to be done again by a regular agent, to compare."""

    task: TaskSpec


@dataclass(frozen=True, slots=True)
class RoutingLearnt:
    """Learned routing has learned; what it knows now is to be kept."""

    models: tuple[LearnedModel, ...]
    set_aside: bool = False
    """It was forgotten just now; it is kept to be recalled."""


@dataclass(frozen=True, slots=True)
class TimePassed:
    """The clock moved on: back-offs, time-outs, expiries and windows are due."""


@dataclass(frozen=True, slots=True)
class EngineStarted:
    """A new engine took over this state: of what was running, nothing still is but the survivors."""

    engine: str
    version: str
    pid: int
    survivors: tuple[tuple[TaskId, int], ...] = ()
    """Leases (task, token) whose programs outlived the former engine, or ended after it: they stay as they are."""
    epoch: int = 0
    """Of its leadership, where engines share a fleet."""
    has_hosts: bool = False
    """Hosts that joined go on with it, and what runs on them."""


Report = HostUp | HostJoined | HostDown | AgentsUp | AgentsFailed | LaunchesLate | LaunchesDue | AgentsMissing | HealthSeen | PoolsSized | RoomSeen | GangsDue | TasksBegan | TasksEnded | TasksUsed | HandedOver | TaskAsked | SampleDue | AlertsSeen | RoutingLearnt | TimePassed | EngineStarted
