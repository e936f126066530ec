"""The test of differences: against published values, against all arrangements, with ties, and on series whose neighbours are alike."""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Sequence

import pytest
from engine.monitoring.comparing import Difference, compare, holm, ranked, slope


def found(first: Sequence[float | None], second: Sequence[float | None], *, in_order: bool = False) -> Difference:
    difference = compare(first, second, correlation=None if in_order else 0.0)
    assert difference is not None
    return difference


def exact(first: Sequence[float], second: Sequence[float]) -> float:
    """Return the two-sided p value by all arrangements of the same values."""
    both = [*first, *second]
    middle = len(first) * len(second) / 2
    far = abs(found(first, second).u - middle)
    every = list(itertools.combinations(range(len(both)), len(second)))
    ranks, _ties = ranked(both)
    least = len(second) * (len(second) + 1) / 2
    return sum(abs(sum(ranks[place] for place in chosen) - least - middle) >= far for chosen in every) / len(every)


def test_it_gives_what_is_published() -> None:
    # The ages of Howard's example in SciPy's documentation of mannwhitneyu: U = 17, asymptotic p = 0.11134688653314041, exact 1/9.
    males, females = [19.0, 22.0, 16.0, 29.0, 24.0], [20.0, 11.0, 17.0, 12.0]
    difference = found(females, males)
    assert difference.u == 17
    assert difference.p == pytest.approx(0.11134688653314041, rel=1e-12)
    assert exact(females, males) == pytest.approx(1 / 9)
    # Mann & Whitney's table of 1947 for n = m = 5: U = 2 has a one-sided chance of 0.016.
    assert exact([1, 2, 3, 4, 7], [5, 6, 8, 9, 10]) / 2 == pytest.approx(0.016, abs=5e-4)


@pytest.mark.parametrize("seed", range(4))
def test_it_is_near_all_arrangements_with_and_without_ties(seed: int) -> None:
    rng = random.Random(seed)
    values = [float(rng.randrange(6) if seed % 2 else rng.random()) for _ in range(13)]
    assert found(values[:6], values[6:]).p == pytest.approx(exact(values[:6], values[6:]), abs=0.04)


def test_effect_and_direction_are_of_the_second() -> None:
    assert found([1, 2, 3], [4, 5, 6]).effect == 1
    assert found([4, 5, 6], [1, 2, 3]).effect == -1
    assert found([1, 2, 3], [1, 2, 3]).effect == 0
    same = found([5.0] * 20, [5.0] * 20)
    assert (same.effect, same.p) == (0, 1), "nothing but ties says nothing"
    assert compare([1.0, None], [None, None]) is None
    assert found([1, None, 2, 3], [4, None, 5, 6]) == found([1, 2, 3], [4, 5, 6]), "a gap is no value"


def wandering(rng: random.Random, length: int, share: float) -> list[float]:
    """Return a series whose neighbours are correlated by a share."""
    value, values = rng.gauss(0, 1), []
    for _ in range(length):
        value = share * value + math.sqrt(1 - share * share) * rng.gauss(0, 1)
        values.append(value)
    return values


def test_series_that_wander_are_not_taken_for_different() -> None:
    rng = random.Random(7)
    pairs = [(wandering(rng, 60, 0.8), wandering(rng, 60, 0.8)) for _ in range(120)]
    naive = sum(found(*pair).p < 0.01 for pair in pairs)
    minded = sum(found(*pair, in_order=True).p < 0.01 for pair in pairs)
    assert naive > 20, "the plain test believes that minutes know nothing of each other"
    assert minded <= 4
    assert found(*wandering_apart(rng), in_order=True).p < 1e-6, "a real shift is still seen"


def wandering_apart(rng: random.Random) -> tuple[list[float], list[float]]:
    return wandering(rng, 240, 0.5), [value + 2 for value in wandering(rng, 240, 0.5)]


def test_many_comparisons_are_corrected_as_holm_says() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.6, 0.9]) == [1.0, 1.0]
    assert holm([]) == []


def test_the_slope_minds_neither_gaps_nor_a_spike() -> None:
    assert slope([0, 2, None, 6, 8]) == 2
    assert slope([0, 1, 2, 300, 4, 5]) == 1
    assert slope([None, 1]) is None
