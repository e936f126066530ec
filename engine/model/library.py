"""What programs that embed the engine pass and get: the seeds' names, in Python spelling, from dicts or dataclasses."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, TypeVar

from engine.model.agents import Resources
from engine.model.errors import UsageError
from engine.model.ids import AgentId
from engine.model.quantities import cores, megabytes
from engine.model.rows import BoosterRow, InstanceRow
from engine.model.wire import nearest

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class AgentConfig:
    """An agent to register."""

    type: str
    priority: int = 5
    """Accepted as in the seeds; what counts is its pool's priority."""
    capabilities: tuple[str, ...] = ()
    resources: Resources = field(default_factory=Resources)
    pool: str = ""


@dataclass(frozen=True, slots=True)
class AgentFilter:
    """Which agents to list; empty fields match everything."""

    pool: str = ""
    type: str = ""
    status: str = ""
    capabilities: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class TaskRequirements:
    """What work of the caller's own needs (`allocate_agent`)."""

    task_id: str
    pool_type: str
    capabilities: tuple[str, ...] = ()
    expires_s: float = 3_600.0


@dataclass(frozen=True, slots=True)
class TaskResult:
    """How work on a reserved agent went; seconds of 0 count from the reservation."""

    success: bool = True
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class RoutingContext:
    """A task of which somebody asks where it would go (seed A 8.2). Without a pool its capabilities tell which is meant."""

    type: str
    pool: str = ""
    capabilities: tuple[str, ...] = ()
    priority: int = 5
    payload: Mapping[str, Any] = field(default_factory=dict)
    fairness_key: str = ""


@dataclass(frozen=True, slots=True)
class AgentScore:
    """How well an agent fits: the weighted sum of the seeds' five factors, each 0..1 (seed A 6.2)."""

    value: float
    factors: Mapping[str, float]
    reasoning: str


@dataclass(frozen=True, slots=True)
class ScoredAgent:
    """An agent and how well it fits."""

    agent: AgentId
    score: AgentScore


@dataclass(frozen=True, slots=True)
class RoutingResult:
    """Where a task would go now (seed A 6.2): success is False when no free agent fits."""

    success: bool
    target: AgentId | None
    routing_score: float
    alternatives: tuple[tuple[AgentId, float], ...]
    reasoning: str


@dataclass(frozen=True, slots=True)
class RoutingDecision:
    """Who would take a task, and what decided (seed A 8.2). Confidence is the rule's, what was learned's, or the score."""

    target_agent: AgentId
    confidence: float
    reasoning: str
    routing_method: str
    """rule-based, ml-based, performance-based or exploration."""


@dataclass(frozen=True, slots=True)
class RoutingStats:
    """The router's six counters of the seeds (A6.1)."""

    total_tasks: int
    successful_tasks: int
    failed_tasks: int
    """Failed and dead."""
    rerouted_tasks: int
    """Attempts that were handed on: after the one before them failed or lost its agent, or from the booster."""
    avg_task_duration: float
    """Mean run time of an attempt in seconds; 0 before the first has ended."""
    wasm_utilization: float | None
    """Busy seconds of the booster's instances by the seconds that they have been there, 0..1; None without a booster."""


@dataclass(frozen=True, slots=True)
class BoosterTaskRequest:
    """A code operation to carry out. Seconds of 0 = the booster's own limit."""

    operation: str
    """Such as `code.rename`, or just `rename`."""
    payload: Mapping[str, Any] = field(default_factory=dict)
    """What the operation takes: `path` or `source`, `language`, and its arguments."""
    title: str = ""
    priority: int = 5
    timeout_s: float = 0.0
    workspace: str = ""
    apply: bool = False


@dataclass(frozen=True, slots=True)
class BoosterTaskResult:
    """How a code operation ended."""

    task_id: str
    success: bool
    result: dict[str, object]
    error_kind: str
    error: str
    boosted: bool
    """The booster did it; else a regular agent."""
    handed_on: str
    """Where the booster handed it on to, and why; empty = it did not."""
    routed: str
    """Why it went where it began."""
    seconds: float
    """Run time of its last attempt, on the agent's clock."""


@dataclass(frozen=True, slots=True)
class BoosterStatus:
    """The booster now."""

    enabled: bool
    reason: str
    """Why there is none; empty = there is."""
    booster: BoosterRow | None
    instances: tuple[InstanceRow, ...]


@dataclass(frozen=True, slots=True)
class PerformanceReport:
    """What was measured of the booster since the engine began. Ratios 0..1; None = nothing to measure yet."""

    tasks: int = 0
    answered: int = 0
    handed_on: int = 0
    failures: int = 0
    ops_per_s: float = 0.0
    mean_execution_s: float | None = None
    utilization: float | None = None
    cache_hit_rate: float | None = None
    memory_efficiency: float | None = None
    speed_up: float | None = None
    """A regular agent's time by the booster's, median of live samples with equal answers."""
    samples: int = 0
    differences: int = 0


def from_caller(kind: type[_T], value: _T | Mapping[str, Any]) -> _T:
    """Return the dataclass, made from a dict with snake_case or camelCase keys if need be. Raises UsageError."""
    if isinstance(value, kind):
        return value
    if not isinstance(value, Mapping):
        raise UsageError(f"{kind.__name__} wanted, or a dict with its fields; got {type(value).__name__}")
    known = {spec.name for spec in fields(kind)}  # type: ignore[arg-type]
    found: dict[str, Any] = {}
    for key, given in value.items():
        name = "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in key)
        if name not in known:
            raise UsageError(f"{kind.__name__} has no field {key!r}{nearest(name, known)}")
        if name == "resources" and isinstance(given, Mapping):
            found[name] = _resources(given)
        else:
            found[name] = tuple(given) if isinstance(given, list) else given
    try:
        return kind(**found)
    except TypeError as error:
        raise UsageError(f"{kind.__name__}: {error}") from error


def _resources(given: Mapping[str, Any]) -> Resources:
    read: dict[str, Callable[[object], Any]] = {"memory": megabytes, "cpu": cores, "storage": megabytes}
    for key in given:
        if key not in read:
            raise UsageError(f"resources have no field {key!r}{nearest(key, set(read))}")
    try:
        return Resources(**{key: read[key](value) for key, value in given.items()})
    except ValueError as error:
        raise UsageError(f"resources: {error}") from error
