"""Points of a chart from blocks: the means, or a histogram's quantiles, of equal steps; what was not measured is a gap.

Owner: nobody; pure functions.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from engine.model.errors import UsageError
from engine.model.metrics import POINTS_MAX, Span
from engine.monitoring.blocks import HISTOGRAM, ROLLUP, SLOTS, VALUE, Block
from engine.monitoring.histogram import bounds, quantile
from engine.monitoring.series import step_for


class Point(NamedTuple):
    """One step."""

    value: float | None = None
    low: float | None = None
    high: float | None = None


class Window(NamedTuple):
    """What is shown: from `since` to before `until`, a point for each `wide` seconds, of samples `step` seconds apart."""

    since: int
    until: int
    wide: int
    step: int


def wider_step(span_s: float, step: int, points_max: int) -> int:
    """Return the least multiple of a step that cuts a span into so many points at most."""
    factor = 1
    while span_s / (step * factor) > points_max:
        factor += 1
    return step * factor


def check_span(span: Span) -> None:
    """Raise UsageError for a part of a history that cannot be asked for."""
    if not 0 < span.points <= POINTS_MAX or span.last_s < 1 or span.ago_s < 0 or not 0 < span.quantile < 1:
        raise UsageError(f"a history takes last_s from 1, ago_s from 0, points 1 to {POINTS_MAX}, and a quantile above 0 and below 100 percent")


def window_of(span: Span, now: float) -> Window:
    """Return the steps of a part of a history, whole ones, so that points do not wander as time goes by."""
    end = now - span.ago_s
    step = step_for(end - span.last_s, end, now)
    wide = wider_step(span.last_s, step, span.points)
    # The step that goes on now is among them.
    until = int(end // wide + 1) * wide
    return Window(until - max(1, round(span.last_s / wide)) * wide, until, wide, step)


def newest_at(newest: float, span: Span, now: float, sampled_at: float) -> float:
    """Return when the newest sample ended, given the end of its step, which may be yet to come."""
    return min(newest, max(now if span.ago_s else 0.0, sampled_at))


def points_of(blocks: Iterable[tuple[int, Block]], window: Window, share: float) -> tuple[list[Point], int]:
    """Return the points of a window, and when the newest sample in it ended (0 = there is none)."""
    since, until, wide, step = window
    parts: list[list[Sequence[float]]] = [[] for _ in range(-(-(until - since) // wide))]
    newest = 0
    for start, block in blocks:
        first = max(0, -(-(since - start) // step))
        last = min(SLOTS[step], -(-(until - start) // step))
        columns = block.columns
        for slot in range(first, last):
            value = columns[0][slot]
            if value == value:  # noqa: PLR0124  # NaN is not itself
                at = start + slot * step
                newest = max(newest, at + step)
                parts[(at - since) // wide].append([column[slot] for column in columns] if len(columns) > 1 else (value,))
    return [_point(part, share) for part in parts], newest


def points_of_samples(samples: Iterable[tuple[int, float]], window: Window) -> tuple[list[Point], int]:
    """Return the points of a window from single samples, and when the newest one in it ended (0 = there is none)."""
    parts: list[list[Sequence[float]]] = [[] for _ in range(-(-(window.until - window.since) // window.wide))]
    newest = 0
    for at, value in samples:
        if window.since <= at < window.until:
            newest = at + window.step
            parts[(at - window.since) // window.wide].append((value,))
    return [_point(part, 0.0) for part in parts], newest


def _point(samples: list[Sequence[float]], share: float) -> Point:
    if not samples:
        return Point()
    if len(samples[0]) == HISTOGRAM:
        counts = [sum(column) for column in zip(*samples, strict=True)][1:]
        limits = bounds(counts)
        return Point(quantile(counts, share), *limits) if limits else Point()
    if len(samples[0]) == VALUE:
        values = [sample[0] for sample in samples]
        return Point(sum(values) / len(values), min(values), max(values))
    assert len(samples[0]) == ROLLUP
    weight = sum(sample[3] for sample in samples)
    mean = sum(sample[0] * sample[3] for sample in samples) / weight
    return Point(mean, min(sample[1] for sample in samples), max(sample[2] for sample in samples))
