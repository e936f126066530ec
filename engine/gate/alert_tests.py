"""A rule tried on the past: the figures that it needs, from the history, and what it would have done. Reads only."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence

from engine.gate.history import History
from engine.model.alert_checks import check_rule
from engine.model.alert_expressions import comparisons, parse
from engine.model.alerts import Rule
from engine.model.errors import CommandRefused, UsageError
from engine.monitoring.alerts.backtest import Backtest, Sample, check_replayable, replay
from engine.monitoring.alerts.lifecycle import Watched
from engine.monitoring.alerts.windows import Key
from engine.monitoring.blocks import HISTOGRAM, Block

FINE_S = 2 * 3_600.0
"""As far back figures are read by the second."""
LAST_MAX_S = 30 * 86_400.0
SERIES_MAX = 400
REPLAY_S = 60.0
"""A replay that takes longer is given up."""


async def try_rule(history: History, rule: Rule, last_s: float, pools: Sequence[str], now: float) -> dict[str, object]:
    """Return when a rule would have fired. Raises FleetError."""
    history.require()
    condition = parse(rule.expr)
    check_rule(rule)
    check_replayable(condition)
    if not 1 <= last_s <= LAST_MAX_S:
        raise UsageError("a rule is tried on the last 1s to 30d")
    step = 1 if last_s <= FINE_S else 60
    since, until = int((now - last_s) // step * step), int(now // step * step)
    metrics = {one.operand.metric for one in comparisons(condition)}
    keys = sorted(key for key in history.recorder.store.keys if key[0] in metrics)
    if len(keys) > SERIES_MAX:
        raise CommandRefused(f"{rule.expr!r} looks at {len(keys)} series, {SERIES_MAX} at most can be read at once; pick some by {{pool=...}}")
    blocks = [(key, await history.recorder.store.read(key, step, since, until)) for key in keys]
    work = asyncio.to_thread(lambda: replay(Watched(rule, condition), samples_of(blocks, since, until, step), pools, step))
    try:
        async with asyncio.timeout(REPLAY_S):
            found = await work
    except TimeoutError as error:
        raise CommandRefused(f"the replay took longer than {REPLAY_S:g} s; try a shorter span") from error
    return _told(rule, found, since, until, step)


def samples_of(blocks: Iterable[tuple[Key, Sequence[tuple[int, Block]]]], since: int, until: int, step: int) -> Iterable[Sample]:
    """Give the samples of a span, oldest first: what was not measured is missing."""
    columns = [(key, {start: block.columns for start, block in found}) for key, found in blocks]
    slots = next((block.slots for _key, found in blocks for _start, block in found), 1)
    for at in range(since, until, step):
        start = at // (step * slots) * step * slots
        slot = (at - start) // step
        values: dict[Key, float] = {}
        durations: dict[Key, Sequence[float]] = {}
        for key, by_start in columns:
            kept = by_start.get(start)
            if kept is None or (first := kept[0][slot]) != first:  # NaN: nothing was measured
                continue
            if len(kept) != HISTOGRAM:
                values[key] = first
            elif first:
                durations[key] = [column[slot] for column in kept[1:]]
        if values or durations:
            yield Sample(float(at), values, durations)


def _told(rule: Rule, found: Backtest, since: int, until: int, step: int) -> dict[str, object]:
    return {
        "id": rule.id, "expr": rule.expr, "for_s": rule.for_s, "since": float(since), "until": float(until), "resolution_s": step,
        "fired": found.fired, "total": found.total, "samples": found.samples, "known": found.known, "held": found.held,
    }  # fmt: skip
