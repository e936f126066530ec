"""Whether learned routing earns more than the scores: judged by what was logged, and guarded while it decides; pure.

Doubly robust: Dudík, Langford, Li, "Doubly robust policy evaluation and learning", ICML 2011, equation 2: what the model expects of
the agent that a way of choosing names, corrected by what was seen where just that agent was taken, by how probable that was.
Guard: Wu, Shariff, Lattimore, Szepesvári, "Conservative bandits", ICML 2016: an account of what was earned beyond a share of what
the scores would have; what was learned decides only while there is something in it.
Owner: of itself; the router keeps one log and one guard for each pool.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterable
from typing import NamedTuple

from engine.model.ids import AgentId
from engine.model.learned import Estimate

LOGGED_MAX = 500
"""Decisions of a pool with their outcome that are kept: estimates are of these."""
WEIGHT_MAX = 40.0
GUARD_WEIGHT_MAX = 20.0
"""Most that one outcome counts for others like it: bounds the variance, at the price of a small bias."""
SUPPORT_MIN = 0.005
"""Below this propensity an agent counts as not tried."""
START = 4.0
"""What is in the account at the beginning: rewards that learning may cost."""
REOPEN = 1.0
"""What must be in it before what was learned decides again."""
MOST = 12.0
"""What fits in it: a good past pays for no longer spell of bad decisions than this."""
MEMORY = 0.99
"""Weight that a decision keeps with each one after it, in what scores earn."""


class Logged(NamedTuple):
    """A decision and its outcome. Expectations are those from before it."""

    taken: AgentId
    propensity: float
    reward: float
    expected: float
    learned: AgentId
    learned_expected: float
    scored: AgentId
    scored_expected: float
    best_expected: float
    """The highest expectation of any agent that was looked at."""


def worth(one: Logged, named: AgentId, expected: float) -> float:
    """Return the doubly robust estimate of what an agent would have earned in one decision."""
    if one.taken != named or one.propensity < SUPPORT_MIN:
        return expected
    return expected + min(WEIGHT_MAX, 1.0 / one.propensity) * (one.reward - expected)


def inverse_propensity(log: Iterable[Logged], named: Callable[[Logged], AgentId]) -> float | None:
    """Return the self-normalised inverse propensity estimate of a way of choosing; None when it was never followed."""
    weights = [(min(WEIGHT_MAX, 1.0 / one.propensity), one.reward) for one in log if one.taken == named(one) and one.propensity >= SUPPORT_MIN]
    whole = sum(weight for weight, _ in weights)
    return sum(weight * reward for weight, reward in weights) / whole if whole else None


def replay(log: Iterable[Logged], *, learned: bool) -> Estimate | None:
    """Return what choosing by what was learned, or by scores, would have earned in logged decisions; None when there are none."""
    decisions = list(log)
    if not decisions:
        return None
    named = [(one.learned, one.learned_expected) if learned else (one.scored, one.scored_expected) for one in decisions]
    values = [worth(one, *choice) for one, choice in zip(decisions, named, strict=True)]
    followed = sum(one.taken == agent for one, (agent, _) in zip(decisions, named, strict=True))
    return _estimate(values, followed / len(values))


def replayed_gain(log: Iterable[Logged]) -> Estimate | None:
    """Return by how much what was learned would have earned more than scores, decision by decision; None when there are none."""
    decisions = list(log)
    if not decisions:
        return None
    values = [worth(one, one.learned, one.learned_expected) - worth(one, one.scored, one.scored_expected) for one in decisions]
    return _estimate(values, sum(one.taken == one.learned for one in decisions) / len(values))


def _estimate(values: list[float], support: float) -> Estimate:
    number = len(values)
    mean = sum(values) / number
    spread = math.sqrt(sum((value - mean) ** 2 for value in values) / max(1, number - 1) / number)
    return Estimate(mean, mean - 1.96 * spread, mean + 1.96 * spread, support, number)


class Guard:
    """The account of one pool."""

    def __init__(self, tolerance: float, account: float = START, *, is_shut: bool = False) -> None:
        self.account = account
        self.is_shut = is_shut
        self._tolerance = tolerance
        self._seen = 0.0
        self._earned = 0.0
        """Weight and sum of the rewards of the scores' choices, where they were taken, by how probable that was: no model has a
        say in it, for it may be the model that is wrong."""

    def see(self, one: Logged) -> None:
        """Take an outcome, whoever decided."""
        self._seen *= MEMORY
        self._earned *= MEMORY
        if one.taken == one.scored:
            weight = min(GUARD_WEIGHT_MAX, 1.0 / one.propensity)
            self._seen += weight
            self._earned += weight * one.reward
        if self._seen:
            self.account = min(MOST, self.account + one.reward - (1.0 - self._tolerance) * self._earned / self._seen)
        self.is_shut = self.account < REOPEN if self.is_shut else self.account <= 0.0


def new_log() -> deque[Logged]:
    """Return an empty log."""
    return deque(maxlen=LOGGED_MAX)
