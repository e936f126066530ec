"""What learned routing keeps: what was said of a decision, what is known of agents and kinds of tasks, and a model at rest.

All are Structs: a decision has one, and a model at rest goes into the journal.
"""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

import msgspec

from engine.model.ids import AgentId

RULE_CONFIDENCE = 0.8
"""A rule decides when its confidence is above this (seed A 8.2)."""
LEARNED_CONFIDENCE = 0.7
"""What was learned decides when its confidence is above this (seed A 8.2)."""


class RoutingMode(StrEnum):
    """What learned routing may do in a pool."""

    OFF = "off"
    """Nothing is learned."""
    SHADOW = "shadow"
    """It learns and says what it would do; it decides nothing."""
    ON = "on"
    """It decides where it is sure enough."""


class By(StrEnum):
    """What decided."""

    RULE = "rule"
    LEARNED = "learned"
    SCORE = "score"
    EXPLORED = "explored"
    """Chance: to learn of an agent that would not have been chosen."""


class Advice(msgspec.Struct, frozen=True):
    """How one agent was chosen where not the scores alone did it. Rewards are 0..1, as are confidence and propensity."""

    by: By
    reason: str
    """The rule's name; or why what was learned did not decide; empty = it did."""
    learned: AgentId = AgentId("")
    """Whom the learned router would have chosen; empty = it was not asked."""
    learned_expected: float = 0.0
    learned_error: float = 0.0
    """Standard error of the expectation."""
    scored: AgentId = AgentId("")
    """Whom the scores would have chosen."""
    scored_expected: float = 0.0
    scored_error: float = 0.0
    confidence: float = 0.0
    """Probability that the learned choice is the better one of the two."""
    propensity: float = 1.0
    """How probable the agent that was chosen was."""


class Recent(msgspec.Struct):
    """What is known of an agent, of an agent at a kind of task, or of a kind; the older an outcome, the less it weighs."""

    weight: float = 0.0
    """How many outcomes it is worth."""
    reward: float = 0.0
    pace: float = 0.0
    """Mean logarithm of its seconds by the usual ones of the kind; of a kind, of its seconds."""
    timed: float = 0.0
    """How many outcomes the pace is worth: those that ended well."""
    cost: float = 0.0
    at: int = 0
    """Number of the pool's outcome that it was last changed by."""


class LearnedModel(msgspec.Struct, frozen=True):
    """What was learned in one pool, at rest."""

    pool: str
    outcomes: int
    """Learned from, since the beginning or the last reset."""
    precision: tuple[float, ...]
    """Upper triangle of the matrix, row by row."""
    vector: tuple[float, ...]
    noise: tuple[float, float]
    """Weight and sum of squared errors."""
    whole: Recent
    kinds: dict[str, Recent]
    agents: dict[str, Recent]
    pairs: dict[str, Recent]
    """Of `agent kind`."""
    account: float
    """What routing by it has earned beyond the guard's share of what scores would have."""
    is_shut: bool
    features: int


class RouterRecord(msgspec.Struct, frozen=True):
    """Learned routing of one pool, as it is kept."""

    pool: str
    mode: str = ""
    """As an operator set it; empty = as configured."""
    model: LearnedModel | None = None
    forgotten: LearnedModel | None = None
    """What the last reset forgot, until something new is kept."""


class Estimate(NamedTuple):
    """What a way of choosing would earn for a task, 0..1, with its 95 % interval; `support` = share of decisions that say it directly."""

    value: float
    low: float
    high: float
    support: float
    decisions: int
