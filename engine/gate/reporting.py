"""Performance reports put together: what is read from the history, what it is compared with, and what is recommended. Reads only.

Owner: nobody; functions only. Limits: POOLS_MAX pools of their own, the busiest; LAST_MAX_S back. Series are read one after the
other, and reckoned with in a thread.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from engine.gate.history import History
from engine.gate.maintaining import risks
from engine.model import wire
from engine.model.errors import NotFound, UsageError
from engine.model.verb_lines import line_of
from engine.monitoring.archive import Key
from engine.monitoring.baselines import Baseline, Saved
from engine.monitoring.blocks import Block
from engine.monitoring.maintenance import AT_RISK
from engine.monitoring.reports import (
    MEASURED_BY,
    REPORTED,
    SHARE,
    SHOWN_POINTS,
    Compared,
    Series,
    TrendLine,
    comparisons_of,
    is_reported,
    series_of,
    trends_of,
)
from engine.monitoring.trends import Window, points_of
from engine.scaling.optimizer import Recommendation

POOLS_MAX = 32
LAST_MIN_S, LAST_MAX_S = 60, 30 * 86_400
MINUTE_S, HOUR_S = 60, 3_600
AT_ONCE_MAX = 1_000
"""Values that are read in a few milliseconds, without a thread."""
MINUTES_UP_TO_S = 3 * 86_400
"""Spans up to here are made of minutes, longer ones of hours."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which report."""

    last_s: float = 86_400.0
    ago_s: float = 0.0
    """The same span so many seconds earlier."""
    pool: str = ""
    """Only of this pool and the fleet; empty = all."""
    baseline: str = ""
    """Compared with; empty = the span before."""


class Measured(NamedTuple):
    """What was read of a span."""

    window: Window
    series: Sequence[Series]
    left_out: Sequence[str]
    """Pools that are not in it."""


async def report_on(history: History, wanted: Wanted, advice: Sequence[Recommendation]) -> dict[str, Any]:
    """Return how the fleet performed: timeframe, metrics, aggregates, trends, comparisons, risks, recommendations. Raises FleetError."""
    history.require()
    asked = window_of(wanted, history.clock.now())
    before = await _kept(history, wanted.baseline, asked) if wanted.baseline else None
    now = await measured_in(history, wanted)
    if before is None:
        before = await _span_before(history, wanted, now.window)
    at_risk = [] if wanted.ago_s else [one for one in (await risks(history, wanted.pool))["agents"] if one["risk"] >= AT_RISK]
    trends, compared = await asyncio.to_thread(_reckon, now, before)
    return {
        "generated_at": history.clock.now(),
        "timeframe": _timeframe(now, asked),
        "metrics": [_metric(one, now.window) for one in now.series],
        "aggregates": [one.aggregate._asdict() for one in now.series],
        "trends": [one._asdict() for one in trends],
        "baseline": {"name": wanted.baseline, "since": float(before.saved.since), "until": float(before.saved.until)},
        "comparisons": [one._asdict() for one in compared],
        "risks": at_risk,
        "recommendations": [*(_care(one) for one in at_risk), *(_advice(one) for one in advice if wanted.pool in ("", one.pool))],
        "not_measured": _not_measured(now.series),
        "left_out": list(now.left_out),
    }


def window_of(wanted: Wanted, now: float) -> Window:
    """Return which steps a report is made of: whole minutes, or hours. Raises UsageError."""
    if not LAST_MIN_S <= wanted.last_s <= LAST_MAX_S or wanted.ago_s < 0:
        raise UsageError("a report is about the last 1m to 30d")
    step = MINUTE_S if wanted.last_s <= MINUTES_UP_TO_S else HOUR_S
    until = int((now - wanted.ago_s) // step * step)
    return Window(until - -(-int(wanted.last_s) // step) * step, until, step, step)


async def measured_in(history: History, wanted: Wanted) -> Measured:
    """Read a span, without the time before anything was measured. Raises FleetError."""
    return await measure(history, wanted, await _since_measured(history, window_of(wanted, history.clock.now())))


async def _since_measured(history: History, asked: Window) -> Window:
    """Return the same window without the time before anything was measured."""
    blocks = await history.recorder.store.read(MEASURED_BY, asked.step, asked.since, asked.until)
    points, _newest = points_of(blocks, asked, SHARE)
    known = [number for number, point in enumerate(points) if point.value is not None]
    if not known:
        raise NotFound("nothing was measured in that time: a report needs a whole minute at least, of spans beyond 3 days an hour")
    return asked._replace(since=asked.since + known[0] * asked.step)


async def measure(history: History, wanted: Wanted, window: Window) -> Measured:
    """Read what a report is made of. Raises FleetError."""
    store, pools = history.recorder.store, history.state().pools
    if wanted.pool and not any(label == wanted.pool for _name, label in store.keys):
        raise NotFound(f"nothing was measured of pool {wanted.pool!r}{wire.nearest(wanted.pool, pools)}")
    busiest = sorted(pools, key=lambda name: -pools[name].succeeded)
    chosen = [wanted.pool] if wanted.pool else busiest[:POOLS_MAX]
    labels = {label: place for place, label in enumerate(["", *chosen])}
    order = {name: place for place, name in enumerate(REPORTED)}
    keys = sorted((key for key in store.keys if is_reported(key) and key[1] in labels), key=lambda key: (labels[key[1]], order[key[0]]))
    blocks = [(key, await store.read(key, window.step, window.since, window.until)) for key in keys]
    slots = len(blocks) * (window.until - window.since) // window.step
    series = _all_series(blocks, window) if slots <= AT_ONCE_MAX else await asyncio.to_thread(_all_series, blocks, window)
    return Measured(window, series, () if wanted.pool else busiest[POOLS_MAX:])


def _all_series(blocks: Sequence[tuple[Key, Sequence[tuple[int, Block]]]], window: Window) -> list[Series]:
    return [series_of(key, found, window) for key, found in blocks]


def _reckon(now: Measured, before: Baseline) -> tuple[list[TrendLine], list[Compared]]:
    return trends_of(now.series, now.window.step), comparisons_of(before.steps, now.series)


async def _span_before(history: History, wanted: Wanted, window: Window) -> Baseline:
    """Return what was measured in a span as long as a window, just before it."""
    since, until, _wide, step = window
    earlier = await measure(history, wanted, Window(2 * since - until, since, step, step))
    return Baseline(Saved("", 0.0, "", earlier.window.since, since, step), {one.key: one.steps for one in earlier.series})


async def _kept(history: History, name: str, asked: Window) -> Baseline:
    """Return a baseline that was saved. Raises NotFound, UsageError."""
    found = await history.baselines.find(name)
    if found.saved.step_s != asked.step:
        raise UsageError("a baseline has minutes, a report of more than 3 days has hours: compare 3 days at most with it")
    return found


def _timeframe(now: Measured, asked: Window) -> dict[str, Any]:
    window = now.window
    measured = next((one.aggregate.measured for one in now.series if one.key == MEASURED_BY), 0.0)
    return {
        "asked_since": float(asked.since), "since": float(window.since), "until": float(window.until), "step_s": window.step,
        "measured": measured,
    }  # fmt: skip


def _metric(one: Series, window: Window) -> dict[str, Any]:
    metric = one.metric
    wide = window.step * max(1, -(-len(one.steps) // SHOWN_POINTS))
    return {
        "name": metric.name, "label": one.label, "unit": metric.unit, "help": metric.help, "kind": metric.kind, "worse": REPORTED[metric.name],
        "step_s": wide, "values": one.shown,
    }  # fmt: skip


def _advice(one: Recommendation) -> dict[str, Any]:
    what = {"idle": "is idle", "oversized": "is oversized"}.get(one.kind, "has more than it uses")
    return {
        "kind": one.kind, "target": one.pool, "text": f"{one.pool} {what}: {one.current} → {one.recommended}", "why": [one.evidence],
        "verb": line_of(one.call), "call": one.call,
    }  # fmt: skip


def _care(one: Mapping[str, Any]) -> dict[str, Any]:
    why = [sign["text"] for sign in one["signs"]]
    return {"kind": "risk", "target": one["id"], "text": f"{one['name']} is likely to fail", "why": why, "verb": one["verb"], "call": one["call"]}


def _not_measured(series: Sequence[Series]) -> list[str]:
    known = {one.metric.name for one in series if not one.label and one.aggregate.measured}
    return [name for name in REPORTED if name not in known]
