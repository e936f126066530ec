"""Learned routing on agents that change: it beats the scores, is never much worse, and gets over lies; counts, of several seeds."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from engine.model.learned import RoutingMode
from engine.simulation.changing_agents import POOL, ChangingAgents, Shape, Tally

SEEDS = (1, 2, 3)
ALLOWANCE = 4.0
"""Rewards that the guard lets learning cost at the beginning (engine.scheduling.proving.START)."""


def compared(seed: int, **shape: object) -> tuple[Tally, Tally]:
    """Return what came of scores alone, and of learned routing, on the same workload."""
    runs = [ChangingAgents(seed, Shape(mode=mode, **shape)).run() for mode in (RoutingMode.OFF, RoutingMode.ON)]  # type: ignore[arg-type]
    return runs[0], runs[1]


def is_within_guard(scores: Tally, learned: Tally) -> bool:
    """Tell whether learned routing earned at least 95 % of what scores did, all in all, but for the allowance."""
    return sum(learned.rewards) >= 0.95 * sum(scores.rewards) - ALLOWANCE


@pytest.mark.row(158, 160)
def test_learning_beats_the_scores_when_agents_change() -> None:
    runs = [compared(seed) for seed in SEEDS]
    for scores, learned in runs:
        assert learned.regret() < scores.regret()
        assert is_within_guard(scores, learned)
    assert sum(learned.regret() for _, learned in runs) < 0.85 * sum(scores.regret() for scores, _ in runs)


def test_learning_gets_over_a_poisoned_history() -> None:
    """The first 300 outcomes are lies: what is good fails, what is bad succeeds."""
    lies = 300
    runs = [compared(seed, poisoned=lies) for seed in SEEDS]
    for scores, learned in runs:
        assert is_within_guard(scores, learned)
        assert learned.reward(since=2 * lies) >= 0.98 * scores.reward(since=2 * lies)
    assert sum(learned.regret(since=2 * lies) for _, learned in runs) < 0.9 * sum(scores.regret(since=2 * lies) for scores, _ in runs)


@pytest.mark.parametrize("shape", [{"changes": 20}, {"is_even": True}, {"agents": 2}, {"kinds": 40}], ids=str)
def test_learning_is_never_much_worse(shape: dict[str, object]) -> None:
    """Where agents change too fast to learn, or there is nothing to learn."""
    for seed in SEEDS:
        assert is_within_guard(*compared(seed, tasks=1_500, **shape))


class Liar(ChangingAgents):
    """Its router believes the opposite of what it sees, so that what it decides is as bad as can be."""

    def _begin(self) -> None:
        super()._begin()
        course = self.router.course(POOL)
        look = course.model.look

        def turned(sight: object) -> object:
            seen = look(sight)  # type: ignore[arg-type]
            return seen._replace(expected=1.0 - seen.expected)

        course.model.look = turned  # type: ignore[assignment]


@pytest.mark.parametrize("seed", SEEDS)
def test_guard_holds_a_router_back_that_is_always_wrong(seed: int) -> None:
    scores = ChangingAgents(seed, Shape(mode=RoutingMode.OFF)).run()
    liar = Liar(seed, Shape())
    assert is_within_guard(scores, liar.run())
    course = liar.router.courses[POOL]
    assert course.decided, "it was let decide at the beginning"


@pytest.mark.parametrize("made", [lambda: ChangingAgents(7, Shape(tasks=400)), lambda: Liar(7, Shape(tasks=400))])
def test_a_seed_says_it_all(made: Callable[[], ChangingAgents]) -> None:
    assert made().run().rewards == made().run().rewards


def test_shadow_decides_nothing() -> None:
    """Until chance differs, which breaks ties: the two share it."""
    scores, shadow = (ChangingAgents(5, Shape(tasks=800, mode=mode)) for mode in (RoutingMode.OFF, RoutingMode.SHADOW))
    assert scores.run().rewards == shadow.run().rewards
    course = shadow.router.courses[POOL]
    assert course.looked and course.model.outcomes and not course.decided and not course.explored
