"""What outcomes teach about the agents of a pool: a discounted linear model of the reward and of its uncertainty; pure.

Each agent has, for each kind of task, a recent mean reward that its neighbours' fill up while it has few outcomes of its own. A
ridge regression corrects it by the features of task and agent. The formulas:
LinUCB: Li, Chu, Langford, Schapire, "A contextual-bandit approach to personalized news article recommendation", WWW 2010, algorithm 1.
Discount: Russac, Vernade, Cappé, "Weighted linear bandits for non-stationary environments", NeurIPS 2019, equation 4:
V <- g V + x x' + (1 - g) l I, b <- g b + y x, and the expectation is x' V^-1 b.
Owner: of itself; the router keeps one for each pool. Limits: AGENTS_MAX, KINDS_MAX, PAIRS_MAX; what was least in use is forgotten.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from operator import mul, sub
from typing import NamedTuple

from engine.model.ids import AgentId
from engine.model.learned import LearnedModel, Recent

FEATURES = ("always", "kind", "score", "agent", "pair", "pace", "cheap", "warm", "load", "size", "size, pace", "priority", "hour, east", "hour, north")
SIZE = len(FEATURES)
DISCOUNT = 0.99
"""Weight that an outcome of the pool keeps with each one after it, in the regression."""
OWN_DISCOUNT = 0.9
"""Weight that an outcome of an agent keeps with each one of its own after it: ten are remembered."""
IDLE_DISCOUNT = 0.998
"""Weight that it keeps with each outcome of another: what nobody looked at for long is uncertain again."""
RIDGE = 2.0
FILL = 4.0
"""Outcomes that the expectation before the first own one is worth."""
NOISE = (4.0, 0.25)
"""Weight and sum of squared errors before the first outcome."""
ERROR_MIN = 0.05
CLIP = 3.0
"""An outcome further from what was expected, in standard errors, counts as if it were so far: one lie moves little."""
REFRESH = 8
"""Outcomes between two inversions of the matrix."""
AGENTS_MAX = 512
KINDS_MAX = 64
PAIRS_MAX = 512

Features = tuple[float, ...]


class Lesson(NamedTuple):
    """How an attempt ended."""

    reward: float
    seconds: float
    cost: float


class Prospect(NamedTuple):
    """What is expected of an agent with a task."""

    features: Features
    base: float
    """The recent mean, filled up."""
    expected: float
    error: float
    """Standard error of the expectation."""
    ignorance: float
    """Part of its variance that is the agent's own, in mean squared errors."""


class Sight(NamedTuple):
    """What is seen of a task and an agent before the decision; all about 0..1."""

    kind: str
    agent: AgentId
    score: float
    warm: float
    load: float
    size: float
    priority: float
    hour: float
    """0..24."""


def reward_of(seconds: float, cost: float, *, ok: bool, usual: tuple[float, float], weights: tuple[float, float, float]) -> float:
    """Return what an outcome is worth, 0..1: nothing for a failure; else success, time and cost, each by the usual of the kind.

    As long as usual earns half of the part for time and for cost, twice as long a third, half as long two thirds.
    """
    if not ok:
        return 0.0
    success, time, cheap = weights
    usual_s, usual_cost = usual
    return (success + time * _against(seconds, usual_s) + cheap * _against(cost, usual_cost)) / (success + time + cheap)


def _against(value: float, usual: float) -> float:
    return usual / (usual + value) if usual + value > 0 else 0.5


class PoolModel:
    """What was learned in one pool."""

    def __init__(self, pool: str) -> None:
        self.pool = pool
        self.outcomes = 0
        self.account = 0.0
        self.is_shut = False
        self.whole = Recent()
        self.kinds: dict[str, Recent] = {}
        self.agents: dict[str, Recent] = {}
        self.pairs: dict[str, Recent] = {}
        self._noise = NOISE
        self._precision = [[RIDGE * (row == column) for column in range(SIZE)] for row in range(SIZE)]
        self._vector = [0.0] * SIZE
        self._stale = 0
        self._invert()

    # ---- what is expected

    def look(self, sight: Sight) -> Prospect:
        """Return what is expected of an agent with a task."""
        kind = self.kinds.get(sight.kind)
        agent = self.agents.get(sight.agent)
        pair = self.pairs.get(f"{sight.agent} {sight.kind}")
        usual = self.whole.reward if self.whole.weight else 0.5
        of_kind = self._filled(kind, usual)
        of_agent = self._filled(agent, usual)
        weight = self._weight(pair)
        base = self._filled(pair, min(1.0, max(0.0, of_kind + of_agent - usual)))
        pace = math.tanh(-pair.pace * pair.timed / (pair.timed + FILL)) if pair else 0.0
        cheap = 1.0 / (1.0 + (agent.cost if agent else 0.0))
        angle = sight.hour * math.pi / 12
        features = (
            1.0, of_kind, sight.score, of_agent, base, pace, cheap, sight.warm, sight.load, sight.size, sight.size * pace,
            sight.priority, math.sin(angle), math.cos(angle),
        )  # fmt: skip
        ignorance = 1.0 / (weight + FILL)
        error = math.sqrt(self.variance * (self._spread(features) + ignorance))
        return Prospect(features, base, base + sum(map(mul, self.weights, features)), error, ignorance)

    def confidence(self, one: Prospect, other: Prospect, margin: float) -> float:
        """Return the probability that one is at most a margin worse than another; what both have in common is no doubt."""
        apart = tuple(map(sub, one.features, other.features))
        error = math.sqrt(self.variance * (self._spread(apart) + one.ignorance + other.ignorance))
        return 0.5 * (1.0 + math.erf((one.expected - other.expected + margin) / error / math.sqrt(2.0)))

    def _spread(self, features: Features) -> float:
        return max(0.0, float(sum(map(mul, features, [sum(map(mul, row, features)) for row in self._inverse]))))

    @property
    def variance(self) -> float:
        """Return the mean squared error of its expectations."""
        return max(ERROR_MIN**2, self._noise[1] / self._noise[0])

    def usual(self, kind: str) -> tuple[float, float]:
        """Return the usual seconds and cost of a kind of task; zeros before the first has ended well."""
        known = self.kinds.get(kind)
        return (math.exp(known.pace), known.cost) if known is not None and known.timed else (0.0, 0.0)

    def _weight(self, recent: Recent | None) -> float:
        return recent.weight * IDLE_DISCOUNT ** (self.outcomes - recent.at) if recent is not None else 0.0

    def _filled(self, recent: Recent | None, filling: float) -> float:
        weight = self._weight(recent)
        return (weight * recent.reward + FILL * filling) / (weight + FILL) if recent is not None else filling

    # ---- what is learned

    def learn(self, sight_of: tuple[str, AgentId], prospect: Prospect, lesson: Lesson) -> None:
        """Take how an attempt ended, of which this was expected."""
        kind, agent = sight_of
        self.outcomes += 1
        reward = min(1.0, max(0.0, lesson.reward))
        reach = CLIP * math.sqrt(self.variance)
        error = min(reach, max(-reach, reward - prospect.expected))
        weight, squares = self._noise
        self._noise = (DISCOUNT * weight + 1.0, DISCOUNT * squares + error * error)
        self._regress(prospect.features, prospect.expected + error - prospect.base)
        _fold(self.whole, reward, 0.0, lesson.cost, keep=DISCOUNT, at=self.outcomes)
        usual_s, _ = self.usual(kind)
        ended_well = reward > 0 and lesson.seconds > 0
        pace = min(3.0, max(-3.0, math.log(lesson.seconds / usual_s))) if ended_well and usual_s > 0 else None
        seconds = math.log(lesson.seconds) if ended_well else None
        _fold(_kept(self.kinds, kind, KINDS_MAX), reward, seconds, lesson.cost, keep=DISCOUNT, at=self.outcomes)
        for table, key, most in ((self.agents, str(agent), AGENTS_MAX), (self.pairs, f"{agent} {kind}", PAIRS_MAX)):
            recent = _kept(table, key, most)
            recent.weight = self._weight(recent)
            _fold(recent, reward, pace, lesson.cost, keep=OWN_DISCOUNT, at=self.outcomes)

    def forget_agent(self, agent: AgentId) -> None:
        """Forget an agent that has left."""
        if self.agents.pop(str(agent), None) is not None:
            head = f"{agent} "
            for key in [key for key in self.pairs if key.startswith(head)]:
                del self.pairs[key]

    def _regress(self, features: Features, target: float) -> None:
        for number, value in enumerate(features):
            row = self._precision[number]
            self._precision[number] = [DISCOUNT * old + value * other for old, other in zip(row, features, strict=True)]
            self._precision[number][number] += (1.0 - DISCOUNT) * RIDGE
            self._vector[number] = DISCOUNT * self._vector[number] + target * value
        self._stale += 1
        if self._stale >= REFRESH or self.outcomes <= REFRESH:
            self._invert()

    def _invert(self) -> None:
        self._stale = 0
        self._inverse = inverted(self._precision)
        self.weights = tuple(sum(map(mul, row, self._vector)) for row in self._inverse)

    # ---- at rest

    def at_rest(self) -> LearnedModel:
        """Return it as it is kept; numbers to nine digits."""
        upper = tuple(_short(value) for number, row in enumerate(self._precision) for value in row[number:])
        vector = tuple(map(_short, self._vector))
        kinds, agents, pairs = ({key: _copied(recent) for key, recent in table.items()} for table in (self.kinds, self.agents, self.pairs))
        return LearnedModel(self.pool, self.outcomes, upper, vector, self._noise, _copied(self.whole), kinds, agents, pairs, _short(self.account), self.is_shut, SIZE)


def restored(model: LearnedModel) -> PoolModel:
    """Return a model from how it was kept; what another version with other features learned of them is left out."""
    made = PoolModel(model.pool)
    made.outcomes, made.account, made.is_shut, made.whole = model.outcomes, model.account, model.is_shut, _copied(model.whole)
    made.kinds, made.agents, made.pairs = ({key: _copied(recent) for key, recent in table.items()} for table in (model.kinds, model.agents, model.pairs))
    if model.features == SIZE:
        values = iter(model.precision)
        for row in range(SIZE):
            for column in range(row, SIZE):
                made._precision[row][column] = made._precision[column][row] = next(values)  # noqa: SLF001  # made here
        made._vector, made._noise = list(model.vector), model.noise  # noqa: SLF001
        made._invert()  # noqa: SLF001
    return made


def inverted(matrix: Sequence[Sequence[float]]) -> list[list[float]]:
    """Return the inverse of a symmetric positive definite matrix, by elimination without pivots."""
    size = len(matrix)
    rows = [[*row, *(1.0 * (number == column) for column in range(size))] for number, row in enumerate(matrix)]
    for number in range(size):
        lead = rows[number][number]
        rows[number] = pivot = [value / lead for value in rows[number]]
        for other in range(size):
            if other != number and (factor := rows[other][number]) != 0.0:
                rows[other] = [value - factor * one for value, one in zip(rows[other], pivot, strict=True)]
    return [row[size:] for row in rows]


def _fold(recent: Recent, reward: float, pace: float | None, cost: float, *, keep: float, at: int) -> None:  # noqa: PLR0913  # what is folded in
    weight = keep * recent.weight + 1.0
    recent.reward += (reward - recent.reward) / weight
    if pace is not None:
        recent.timed = keep * recent.timed + 1.0
        recent.pace += (pace - recent.pace) / recent.timed
    recent.cost += (cost - recent.cost) / weight
    recent.weight, recent.at = weight, at


def _kept(table: dict[str, Recent], key: str, most: int) -> Recent:
    recent = table.get(key)
    if recent is None:
        if len(table) >= most:
            del table[min(table, key=lambda known: table[known].at)]
        recent = table[key] = Recent()
    return recent


def _copied(recent: Recent) -> Recent:
    return Recent(_short(recent.weight), _short(recent.reward), _short(recent.pace), _short(recent.timed), _short(recent.cost), recent.at)


def _short(value: float) -> float:
    return float(f"{value:.9g}")
