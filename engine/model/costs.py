"""What agents cost: their lives as they were measured, and the report made of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple


class AgentLife(NamedTuple):
    """From when to when (0 = still) a pool had an agent, and its cost of a second."""

    pool: str
    begin: float
    end: float
    cost: float


@dataclass(frozen=True, slots=True)
class Lives:
    """What the journal knows of a span of time."""

    agents: tuple[AgentLife, ...]
    absences: tuple[tuple[float, float], ...]
    """When no engine ran: from the last record before each start to that start."""
    sizes: tuple[tuple[str, int, int], ...]
    """(pool, size before, size after) of every scaling."""
    is_whole: bool = True
    """False = there were more agents than are counted."""


@dataclass(frozen=True, slots=True)
class PoolCost:
    """One pool over the span. Seconds and costs; -1 = unknown. The cost is in the unit of the pool's `cost`."""

    pool: str
    agent_s: float
    """Seconds that agents were there."""
    busy_s: float
    """Of them those with a task."""
    cost: float
    peak: int
    """The most agents at once."""
    static_s: float
    """Agent-seconds of a fixed size at the peak."""
    static_cost: float
    saved: float
    """Of the fixed size's agent-seconds, the share that was not spent."""
    ups: int
    """Scalings to more agents."""
    downs: int
    accuracy: float
    """Of the prediction so far: 1 - MAPE."""


@dataclass(frozen=True, slots=True)
class HourCost:
    """One pool in one hour (from `at`)."""

    at: float
    pool: str
    agent_s: float
    cost: float


@dataclass(frozen=True, slots=True)
class CostReport:
    """What the pools of a fleet cost over a span of time."""

    since: float
    until: float
    running_s: float
    """Seconds of the span in which an engine ran and pools were known."""
    pools: tuple[PoolCost, ...]
    hours: tuple[HourCost, ...]
    total: PoolCost
    """All pools; its peak is the sum of theirs."""
    is_whole: bool = True
