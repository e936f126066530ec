"""What programs that embed the engine pass and get: the seeds' names, in Python spelling, from dicts or dataclasses."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, TypeVar

from engine.model.agents import Resources
from engine.model.errors import UsageError
from engine.model.quantities import cores, megabytes
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
