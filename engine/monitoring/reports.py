"""How the fleet performed in a span of time: aggregates, trends, and what changed against an earlier one; from the measured history.

Owner: nobody; pure functions. A figure that was not measured is None. What "worse" means is said for each metric in REPORTED.
A series differs when the Mann-Whitney U test of its minutes (of spans beyond 3 days, its hours), corrected for how many series are
compared, says so at ALPHA, the effect is medium, and what is typical changed by CHANGE_MIN.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from statistics import fmean, median
from typing import NamedTuple

from engine.model.metrics import CATALOGUE, Kind, Label, Metric
from engine.monitoring.archive import Key
from engine.monitoring.blocks import SLOTS, Block
from engine.monitoring.comparing import (
    EFFECT_MEDIUM,
    Difference,
    Steps,
    compare,
    correlation_of,
    holm,
    slope,
)
from engine.monitoring.histogram import BUCKETS, bounds, quantile
from engine.monitoring.trends import Window, points_of

ALPHA = 0.01
CHANGE_MIN = 0.1
STEPS_MIN = 10
"""Minutes (or hours) that must be known on both sides before anything is compared."""
SHOWN_POINTS = 120
SLOPE_POINTS = 60
SHARE = 0.95
"""Of durations, where one value stands for a step."""
HOUR_S = 3_600
GRAIN = 1e-4
"""Of a series' range: less is not told apart when it is looked at without its slope."""


class Worse(StrEnum):
    """Which way of a metric is the worse one."""

    UP = "up"
    DOWN = "down"
    NEITHER = "neither"


REPORTED: Mapping[str, Worse] = {
    "succeeded": Worse.DOWN,
    "response_ms": Worse.UP,
    "run_ms": Worse.UP,
    "allocation_ms": Worse.UP,
    "error_rate": Worse.UP,
    "load": Worse.NEITHER,
    "queue_depth": Worse.UP,
    "oldest_waiting_s": Worse.UP,
    "utilisation": Worse.NEITHER,
    "scaling_efficiency": Worse.DOWN,
    "agents": Worse.NEITHER,
    "cpu": Worse.UP,
    "memory": Worse.UP,
    "rss_mb": Worse.UP,
    "cost": Worse.UP,
    "cost_per_hour": Worse.UP,
    "tokens": Worse.UP,
    "commit_ms": Worse.UP,
    "engine_cpu": Worse.UP,
    "engine_rss_mb": Worse.UP,
    "host_cpu": Worse.UP,
    "host_memory": Worse.UP,
    "booster_ops": Worse.NEITHER,
    "cache_hit_rate": Worse.DOWN,
}
"""The metrics of a report, in its order."""
MEASURED_BY = ("agents", "")
"""The series that is known whenever the engine runs."""


class Verdict(StrEnum):
    """What became of a series."""

    REGRESSED = "regressed"
    IMPROVED = "improved"
    CHANGED = "changed"
    """Of a metric that has no worse way."""
    LESS_WORK = "less work"
    """Fewer tasks ended, and fewer were there."""
    SAME = "same"
    UNKNOWN = "unknown"


class Series(NamedTuple):
    """What was measured of one metric for the fleet, or for a pool."""

    metric: Metric
    label: str
    steps: Steps
    """A value for each step."""
    shown: Steps
    """The same as SHOWN_POINTS points at most."""
    aggregate: Aggregate

    @property
    def key(self) -> Key:
        """Return its metric's name and its label."""
        return self.metric.name, self.label


class Aggregate(NamedTuple):
    """A series as a whole. Of durations: quantiles of all of them, and between which limits they lie; else of the steps' means."""

    metric: str
    label: str
    unit: str
    mean: float | None
    least: float | None
    most: float | None
    p50: float | None
    p95: float | None
    p99: float | None
    total: float | None
    """How many events a count or a histogram has seen; None for a value of now."""
    measured: float
    """Share of the steps that are known."""


class TrendLine(NamedTuple):
    """Where a series went: its later half against its first one."""

    metric: str
    label: str
    direction: str
    """rising, falling, steady or unknown."""
    change: float | None
    """Of what is typical, as a share of the first half; None when that was nothing."""
    per_hour: float | None
    """Sen's slope."""
    p: float | None
    is_worse: bool


class Compared(NamedTuple):
    """A series against an earlier one."""

    metric: str
    label: str
    unit: str
    before: float | None
    """What was typical: the median of the steps; where both medians are the same, the mean."""
    now: float | None
    change: float | None
    effect: float | None
    """Cliff's delta."""
    p: float | None
    """Corrected for how many series were compared."""
    verdict: Verdict


def is_reported(key: Key) -> bool:
    """Tell whether a series is part of a report."""
    metric = CATALOGUE.get(key[0])
    return metric is not None and key[0] in REPORTED and metric.label is not Label.AGENT


def series_of(key: Key, blocks: Sequence[tuple[int, Block]], window: Window) -> Series:
    """Return a series of a window whose points are single steps."""
    metric, label = CATALOGUE[key[0]], key[1]
    steps = [point.value for point in points_of(blocks, window, SHARE)[0]]
    wide = window.step * max(1, -(-len(steps) // SHOWN_POINTS))
    shown = [point.value for point in points_of(blocks, window._replace(wide=wide), SHARE)[0]]
    return Series(metric, label, steps, shown, _aggregate(metric, label, steps, blocks, window))


def _aggregate(metric: Metric, label: str, steps: Steps, blocks: Sequence[tuple[int, Block]], window: Window) -> Aggregate:
    known = sorted(value for value in steps if value is not None)
    measured = len(known) / len(steps) if steps else 0.0
    sums = _sums(blocks, window)
    if metric.kind is Kind.HISTOGRAM:
        counts = sums[1:] or [0.0] * BUCKETS
        measured = _looked(blocks, window) / len(steps) if steps else 0.0
        least, most = bounds(counts) or (None, None)
        p50, p95, p99 = (quantile(counts, share) for share in (0.5, 0.95, 0.99))
        return Aggregate(metric.name, label, metric.unit, None, least, most, p50, p95, p99, sum(counts) if measured else None, measured)
    if not known:
        return Aggregate(metric.name, label, metric.unit, None, None, None, None, None, None, None, 0.0)
    whole = points_of(blocks, window._replace(wide=window.until - window.since), SHARE)[0][0]
    p50, p95, p99 = (known[min(len(known) - 1, int(share * len(known)))] for share in (0.5, 0.95, 0.99))
    # A rate's samples are seconds, so that their sum is how many events there were.
    total = whole.value * sums[3] if metric.kind is Kind.COUNTER and whole.value is not None else None
    return Aggregate(metric.name, label, metric.unit, whole.value, whole.low, whole.high, p50, p95, p99, total, measured)


def _slots(blocks: Sequence[tuple[int, Block]], window: Window) -> list[tuple[Block, int, int]]:
    """Return the parts of blocks that are in a window: from which slot to before which."""
    since, until, _wide, step = window
    found = [(block, max(0, (since - start) // step), min(SLOTS[step], (until - start) // step)) for start, block in blocks]
    return [(block, first, last) for block, first, last in found if first < last]


def _sums(blocks: Sequence[tuple[int, Block]], window: Window) -> list[float]:
    """Return the sum of each column over a window, without slots in which nothing was measured."""
    parts = [
        [sum(value for value in column[first:last] if value == value) for column in block.columns]  # noqa: PLR0124  # NaN is not itself
        for block, first, last in _slots(blocks, window)
    ]
    return [sum(column) for column in zip(*parts, strict=True)]


def _looked(blocks: Sequence[tuple[int, Block]], window: Window) -> int:
    """Return in how many steps durations were looked for, whether there were any or not."""
    return sum(value == value for block, first, last in _slots(blocks, window) for value in block.columns[0][first:last])  # noqa: PLR0124  # NaN is not itself


def trends_of(series: Sequence[Series], step_s: int) -> list[TrendLine]:
    """Return where each series went, corrected for how many there are."""
    slopes = [_slope(one.steps) for one in series]
    differences = [_halves_differ(one.steps, each) for one, each in zip(series, slopes, strict=True)]
    chances = _corrected(differences)
    return [_trend(one, difference, p, each * HOUR_S / step_s) for one, difference, p, each in zip(series, differences, chances, slopes, strict=True)]


def _halves(steps: Steps) -> tuple[Steps, Steps]:
    return steps[: len(steps) // 2], steps[len(steps) // 2 :]


def _slope(steps: Steps) -> float:
    """Return Sen's slope, in values a step; 0 where there is none."""
    wide = max(1, -(-len(steps) // SLOPE_POINTS))
    return (slope([_mean(steps[begin : begin + wide]) for begin in range(0, len(steps), wide)]) or 0.0) / wide


def _halves_differ(steps: Steps, each: float) -> Difference | None:
    """Compare the halves of a series. What its neighbours share because all of it rises, or stepped up once, is no correlation.

    A slope is taken off first, as Yue et al. do, Hydrological Processes 16 (2002), 1807-1829; of a step each half keeps its own mean.
    """
    known = [value for value in steps if value is not None]
    grain = (max(known) - min(known)) * GRAIN if known else 0.0  # what is left of a straight line is rounding
    level = [None if value is None or not grain else round((value - each * place) / grain) for place, value in enumerate(steps)]
    stepped = _difference(*_halves(steps))
    return _difference(*_halves(steps), correlation=min(correlation_of(level), stepped.correlation)) if stepped is not None else None


def _trend(one: Series, difference: Difference | None, p: float | None, per_hour: float) -> TrendLine:
    name = one.metric.name
    if difference is None or p is None:
        return TrendLine(name, one.label, "unknown", None, None, None, is_worse=False)
    before, now = typical(*_halves(one.steps))
    steady = not _differs(difference, p, before, now)
    direction = "steady" if steady else "rising" if difference.effect > 0 else "falling"
    is_worse = direction == {Worse.UP: "rising", Worse.DOWN: "falling"}.get(REPORTED[name])
    return TrendLine(name, one.label, direction, _change(before, now), per_hour, p, is_worse)


def comparisons_of(before: Mapping[Key, Steps], now: Sequence[Series]) -> list[Compared]:
    """Return every series against the same one of before, corrected for how many there are."""
    pairs = [(before.get(one.key, ()), one.steps) for one in now]
    differences = [_difference(*pair) for pair in pairs]
    chances = _corrected(differences)
    found = [_compared(*of) for of in zip(now, pairs, differences, chances, strict=True)]
    less = {one.label for one in found if one.metric == "load" and one.verdict is Verdict.CHANGED and (one.effect or 0) < 0}
    return [one._replace(verdict=Verdict.LESS_WORK) if _has_less_to_do(one, less) else one for one in found]


def _has_less_to_do(one: Compared, less: set[str]) -> bool:
    return one.metric == "succeeded" and one.verdict is Verdict.REGRESSED and one.label in less


def _compared(one: Series, pair: tuple[Steps, Steps], difference: Difference | None, p: float | None) -> Compared:
    before, now = typical(*pair)
    name, unit = one.metric.name, one.metric.unit
    if difference is None or p is None:
        return Compared(name, one.label, unit, before, now, None, None, None, Verdict.UNKNOWN)
    verdict = Verdict.SAME
    if _differs(difference, p, before, now):
        worse = REPORTED[name]
        is_worse = (difference.effect > 0) is (worse is Worse.UP)
        verdict = Verdict.CHANGED if worse is Worse.NEITHER else Verdict.REGRESSED if is_worse else Verdict.IMPROVED
    return Compared(name, one.label, unit, before, now, _change(before, now), difference.effect, p, verdict)


def _difference(first: Steps, second: Steps, *, correlation: float | None = None) -> Difference | None:
    if min(sum(value is not None for value in side) for side in (first, second)) < STEPS_MIN:
        return None
    return compare(first, second, correlation=correlation)


def _corrected(differences: Sequence[Difference | None]) -> list[float | None]:
    chances = iter(holm([one.p for one in differences if one is not None]))
    return [next(chances) if one is not None else None for one in differences]


def _differs(difference: Difference, p: float, before: float | None, now: float | None) -> bool:
    assert before is not None
    assert now is not None
    is_large = abs(now - before) >= CHANGE_MIN * abs(before) and now != before
    return p < ALPHA and abs(difference.effect) >= EFFECT_MEDIUM and is_large


def typical(first: Steps, second: Steps) -> tuple[float | None, float | None]:
    """Return the median of each side; where both are the same, their means, for rates that are mostly 0."""
    known = [[value for value in side if value is not None] for side in (first, second)]
    middles = [median(side) if side else None for side in known]
    if middles[0] == middles[1]:
        middles = [fmean(side) if side else None for side in known]
    return middles[0], middles[1]


def _change(before: float | None, now: float | None) -> float | None:
    return now / before - 1 if now is not None and before else None


def _mean(values: Steps) -> float | None:
    known = [value for value in values if value is not None]
    return fmean(known) if known else None
