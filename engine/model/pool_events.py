"""Facts about pools and their policies; part of the events in engine.model.events."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from engine.model.pools import PoolSpec
from engine.model.scaling import Hold, Policy


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
