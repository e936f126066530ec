"""Scaling policies, what they look at, and what was decided.

Semantics follow the field's best: sustained conditions as Prometheus' `for`, stabilization windows and rates over scaling
events as the Kubernetes HPA, panic as Knative's KPA, activation and fallback as KEDA, prediction only as a floor.
Durations are seconds, instants the fleet's clock.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple


class Metric(StrEnum):
    """What a policy can look at, of one pool. Ratios are 0..1 and may exceed 1 where the thing itself may."""

    CPU = "cpu"
    """Cores used by the agents / cores granted to them."""
    MEMORY = "memory"
    """Megabytes used / granted."""
    QUEUE_LENGTH = "queue_length"
    """Tasks that could run now and wait."""
    RESPONSE_TIME = "response_time_ms"
    """Mean time from submission to result, milliseconds."""
    UTILISATION = "utilisation"
    """Busy agents / agents that accept work."""
    DEMAND = "demand"
    """Agents that the present work needs: those that are busy, and those that would empty the queue in drain_s."""
    OLDEST_WAITING = "oldest_waiting_s"
    """Age of the task that waits longest, seconds."""


METRIC_NAMES = {
    **{metric.value: metric.value for metric in Metric},
    "queueLength": Metric.QUEUE_LENGTH.value,
    "queueDepth": Metric.QUEUE_LENGTH.value,
    "responseTime": Metric.RESPONSE_TIME.value,
    "cpuUsage": Metric.CPU.value,
    "memoryUsage": Metric.MEMORY.value,
    "utilization": Metric.UTILISATION.value,
    "oldestWaiting": Metric.OLDEST_WAITING.value,
}
"""Every accepted spelling -> the metric's name; a plug-in's metric keeps its own."""


class Observation(NamedTuple):
    """One pool at one instant; agents that leave are in none of the figures, and neither are the tasks they finish.

    None = not measured; a value that is not finite counts as not measured.
    """

    at: float
    size: int
    """Agents it should have."""
    ready: int
    """Agents that accept work or are at work."""
    busy: int
    waiting: int
    """Tasks that could run now."""
    arrivals: int = 0
    """Tasks that became ready since the observation before."""
    service_s: float | None = None
    """Mean time that a task occupies an agent."""
    oldest_waiting_s: float | None = 0.0
    cpu: float | None = None
    memory: float | None = None
    response_time_ms: float | None = None
    custom: tuple[tuple[str, float], ...] = ()
    """Values of plug-in metrics, by name."""


@dataclass(frozen=True, slots=True)
class Trigger:
    """A condition: the metric is beyond the threshold for so long without a break."""

    metric: str
    threshold: float
    sustained_s: float = 0.0
    step: int = 0
    """Agents more (or fewer); 0 = in proportion to metric / threshold."""


@dataclass(frozen=True, slots=True)
class Rate:
    """At most so many agents, or percent of the size at the period's start, in any period."""

    period_s: float
    agents: int = 0
    percent: float = 0.0


class Select(StrEnum):
    """Which of several rates counts."""

    MAX = "max"
    MIN = "min"
    DISABLED = "disabled"
    """No scaling in this direction."""


@dataclass(frozen=True, slots=True)
class Direction:
    """How fast a pool may move one way."""

    stabilization_s: float = 0.0
    """Up: the lowest, down: the highest recommendation of this window counts."""
    rates: tuple[Rate, ...] = ()
    """Empty = no limit of rate."""
    select: Select = Select.MAX
    cooldown_s: float = 0.0
    """After a move this way, none of the same way for so long."""
    step_max: int = 0
    """Agents in one decision; 0 = no limit."""


@dataclass(frozen=True, slots=True)
class Panic:
    """A short window that overrules the stable one when load jumps."""

    window_s: float = 6.0
    threshold: float = 2.0
    """Demand of the short window / ready agents that begins it."""
    stable_s: float = 60.0
    """It ends when the threshold has not been crossed for so long; until then nothing is scaled down."""


class FallbackSize(StrEnum):
    """What to aim for while a metric cannot be measured."""

    STATIC = "static"
    CURRENT = "current"
    CURRENT_IF_HIGHER = "current_if_higher"
    CURRENT_IF_LOWER = "current_if_lower"


@dataclass(frozen=True, slots=True)
class Fallback:
    """After so many observations in a row without the metric, aim for a size."""

    failures: int = 3
    size: int = 0
    behaviour: FallbackSize = FallbackSize.CURRENT


class Algorithm(StrEnum):
    """How demand is foreseen."""

    LINEAR = "linear_regression"
    SEASONAL = "seasonal"
    """Holt-Winters, additive season."""


@dataclass(frozen=True, slots=True)
class Prediction:
    """A floor under the reactive target from the foreseen demand; it never lowers a target."""

    algorithm: Algorithm = Algorithm.LINEAR
    window: int = 60
    """Samples looked at."""
    sample_s: float = 60.0
    """Between two samples."""
    horizon_s: float = 900.0
    season_s: float = 86_400.0
    """Length of the season of SEASONAL."""
    error_max: float = 0.3
    """Running MAPE above which it is off by itself."""


@dataclass(frozen=True, slots=True)
class Policy:
    """How pools follow their load. Several may hold for one pool: the highest target counts."""

    id: str
    name: str
    pool: str = ""
    """Empty = every pool."""
    enabled: bool = True
    up: Trigger | None = None
    down: Trigger | None = None
    target: float = 0.0
    """Goal for `metric`, tracked; 0 = none."""
    safety: float = 0.0
    """Agents kept free above the goal, times the square root of the demand (square-root staffing, Halfin and Whitt 1981): 1 makes
    about one task in six wait under random arrivals, 2 one in forty. DEMAND only."""
    metric: str = Metric.DEMAND.value
    average_s: float = 0.0
    """The tracked metric is a mean over this window while nothing waits, so that noise does not move the pool; 0 = as it is now."""
    drain_s: float = 5.0
    """DEMAND counts the agents that would empty the queue in this time."""
    tolerance: float = 0.1
    """Relative distance from the goal that is left alone."""
    scale_up: Direction = Direction()
    scale_down: Direction = Direction(stabilization_s=300.0)
    activation: int = 1
    """Waiting tasks that bring a pool back from zero."""
    zero_after_s: float = 0.0
    """Scale to zero (where min allows) after so long without work; 0 = never."""
    panic: Panic | None = None
    fallback: Fallback = Fallback()
    hold_on_missing: bool = False
    """A missing sample does not break a sustained condition."""
    prediction: Prediction | None = None
    cost_per_hour_max: float = 0.0
    """Of the pool, in the unit of its agents' cost; 0 = no limit."""


class Load(NamedTuple):
    """One task as load: when it could first run (epoch seconds, or seconds from a trace's begin), and how long it held an agent."""

    at: float
    pool: str
    service_s: float


class Why(StrEnum):
    """The reasons of a decision, most decisive last; the first eight name the recommendation, the rest what bounded it."""

    STEADY = "steady"
    TARGET = "target"
    TRIGGER_UP = "trigger_up"
    TRIGGER_DOWN = "trigger_down"
    PANIC = "panic"
    ACTIVATED = "activated"
    TO_ZERO = "to_zero"
    FALLBACK = "fallback"
    PREDICTED = "predicted"
    SUSTAINING = "sustaining"
    TOLERATED = "tolerated"
    UNKNOWN = "unknown"
    STABILIZED_UP = "stabilized_up"
    STABILIZED_DOWN = "stabilized_down"
    PANIC_HOLDS = "panic_holds"
    COOLING = "cooling"
    RATE = "rate"
    STEP = "step"
    DISABLED = "disabled"
    BUDGET = "budget"
    MIN = "min"
    MAX = "max"
    FLEET_FULL = "fleet_full"
    HELD = "held"
    NO_POLICY = "no_policy"


class Reason(NamedTuple):
    """One step of a decision: why, whose policy, and the figures that mattered, by name."""

    why: Why
    policy: str = ""
    figures: tuple[tuple[str, float], ...] = ()


class Decision(NamedTuple):
    """What a pool's size should be now."""

    at: float
    size: int
    """As it is."""
    recommended: int
    """By the policies alone."""
    target: int
    """After stabilization, rates, steps and limits."""
    reasons: tuple[Reason, ...]
    waits_until: float = math.inf
    """When waiting alone can change the decision; inf = it cannot."""
    advised: tuple[tuple[str, int], ...] = ()
    """Policy -> the size that it recommends."""


@dataclass(frozen=True, slots=True)
class Hold:
    """An operator keeps a pool's size: the autoscaler leaves it alone until then."""

    until: float
    """0 = until it is released."""
    who: str
    reason: str = ""

    def holds(self, at: float) -> bool:
        """Tell whether it still holds."""
        return not self.until or at < self.until


def is_known(value: float | None) -> bool:
    """Tell whether a value was measured: not None, not NaN, not infinite."""
    return value is not None and math.isfinite(value)


@dataclass(frozen=True, slots=True)
class Limits:
    """What bounds a pool, whatever its policies say."""

    min: int
    max: int
    cost_per_agent_s: float = 0.0
    hold: Hold | None = None


@dataclass(slots=True)
class PolicyProblems:
    """What is wrong with a policy (it is refused) and what is odd about it (it is explained)."""

    errors: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
