"""Whether two samples differ, by the Mann-Whitney U test, how much they do, and what remains when many pairs are compared.

Owner: nobody; pure functions. Sources:

- U, its normal approximation and the correction for ties: Mann & Whitney, Annals of Mathematical Statistics 18 (1947), 50-60;
  Siegel & Castellan, Nonparametric Statistics for the Behavioral Sciences, 2nd ed. (1988), 6.4.
- Neighbouring minutes are alike, and the test believes them to be independent. The variance is therefore multiplied by
  (1 + r) / (1 - r), r the correlation of neighbours: Bayley & Hammersley, Supplement to the Journal of the Royal Statistical
  Society 8 (1946), 184-197; r corrected for short series: Marriott & Pope, Biometrika 41 (1954), 390-402.
- Effect size: Cliff's delta, Psychological Bulletin 114 (1993), 494-509; its levels: Romano et al., Florida Association of
  Institutional Research (2006).
- Many comparisons: Holm, Scandinavian Journal of Statistics 6 (1979), 65-70.
- Slope: Sen, Journal of the American Statistical Association 63 (1968), 1379-1389.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import median
from typing import NamedTuple

EFFECT_MEDIUM = 0.33
"""Cliff's delta from which an effect is called medium."""
CORRELATION_MAX = 0.98
PAIR, SHORT = 2, 3


Steps = Sequence[float | None]


class Difference(NamedTuple):
    """How the second of two samples differs from the first."""

    u: float
    """Pairs in which the second is greater, ties half."""
    p: float
    """Two-sided: how often a U so far from the middle is seen when nothing differs."""
    effect: float
    """Cliff's delta: -1 = all of the second are less, 0 = neither, 1 = all are greater."""
    correlation: float
    """Of neighbours, by ranks; 0 = independent."""


def compare(first: Steps, second: Steps, *, correlation: float | None = None) -> Difference | None:
    """Compare two samples, None in them for what was not measured; None when one of them has no value.

    `correlation` is that of neighbours in time, found in the samples when it is not given; 0 = they know nothing of each other.
    """
    known = [value for sample in (first, second) for value in sample if value is not None]
    one = sum(value is not None for value in first)
    two = len(known) - one
    if not one or not two:
        return None
    ranks, ties = ranked(known)
    u = sum(ranks[one:]) - two * (two + 1) / 2
    middle, total = one * two / 2, one + two
    if correlation is None:
        correlation = _of_neighbours((first, second), ranks)
    variance = one * two / 12 * (total + 1 - ties / (total * (total - 1))) if total > 1 else 0.0
    variance *= (1 + correlation) / (1 - correlation)
    distance = max(0.0, abs(u - middle) - 0.5)
    p = math.erfc(distance / math.sqrt(2 * variance)) if variance > 0 else 1.0
    return Difference(u, p, u / middle - 1, correlation)


def ranked(values: Sequence[float]) -> tuple[list[float], float]:
    """Return the rank of each value, the mean rank for ties, and the sum of t³ - t over groups of t ties."""
    order = sorted(range(len(values)), key=values.__getitem__)
    ranks, ties, begin = [0.0] * len(values), 0.0, 0
    while begin < len(order):
        end = begin
        while end < len(order) and values[order[end]] == values[order[begin]]:
            end += 1
        for place in order[begin:end]:
            ranks[place] = (begin + end + 1) / 2
        size = end - begin
        ties += size**3 - size
        begin = end
    return ranks, ties


def correlation_of(sample: Steps) -> float:
    """Return the correlation of neighbours in one sample, by ranks; 0 when there is none, or a negative one."""
    return _of_neighbours((sample,), ranked([value for value in sample if value is not None])[0])


def _of_neighbours(samples: Sequence[Steps], ranks: Sequence[float]) -> float:
    """Return the correlation of values beside each other, each sample about its own mean; 0 when there is none, or a negative one."""
    place, products, squares, pairs, count = 0, 0.0, 0.0, 0, 0
    for sample in samples:
        known = sum(value is not None for value in sample)
        middle = sum(ranks[place : place + known]) / max(1, known)
        before: float | None = None
        for value in sample:
            now = None
            if value is not None:
                now = ranks[place] - middle
                place, squares, count = place + 1, squares + now * now, count + 1
                if before is not None:
                    products, pairs = products + before * now, pairs + 1
            before = now
    if not pairs or not squares:
        return 0.0
    length, seen = count / len(samples), products / pairs * count / squares
    # What is seen in a short series is less than what there is, by (1 + 3 r) / length.
    there = (seen + 1 / length) / (1 - 3 / length) if length > 2 * SHORT else seen
    return min(max(0.0, there), CORRELATION_MAX)


def holm(chances: Sequence[float]) -> list[float]:
    """Return p values corrected for how many of them there are, in the same order."""
    found, greatest = [0.0] * len(chances), 0.0
    for number, place in enumerate(sorted(range(len(chances)), key=chances.__getitem__)):
        greatest = max(greatest, min(1.0, chances[place] * (len(chances) - number)))
        found[place] = greatest
    return found


def slope(values: Steps) -> float | None:
    """Return the median slope of all pairs, in values a step; None with fewer than two values."""
    known = [(place, value) for place, value in enumerate(values) if value is not None]
    if len(known) < PAIR:
        return None
    return median((later - value) / (then - place) for number, (place, value) in enumerate(known) for then, later in known[number + 1 :])
