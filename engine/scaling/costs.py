"""What pools cost by measured agent-seconds, by hour, and against a fixed size at the peak; pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence

from engine.model.costs import AgentLife, CostReport, HourCost, Lives, PoolCost
from engine.model.scaling import Load

HOUR_S = 3_600.0

Span = tuple[float, float]


def report(lives: Lives, load: Sequence[Load] | None, since: float, until: float, accuracy: Mapping[str, float]) -> CostReport:
    """Return the report of a span; `load` None = how long agents worked is not known."""
    begin = max(since, min((life.begin for life in lives.agents), default=until))
    on = list(_without((begin, until), lives.absences))
    running_s = sum(end - start for start, end in on)
    present: dict[str, list[tuple[float, Span]]] = defaultdict(list)
    for life in lives.agents:
        present[life.pool] += [(life.cost, part) for part in _present(life, since, until, lives.absences)]
    busy = _busy(load, since, until)
    pools = []
    for pool in sorted(present):
        parts = present[pool]
        agent_s = sum(end - start for _, (start, end) in parts)
        cost = sum(rate * (end - start) for rate, (start, end) in parts)
        peak = _peak(span for _, span in parts)
        static_s = peak * running_s
        rate = cost / agent_s if agent_s else 0.0
        ups, downs = (sum(sign * (after - before) > 0 for name, before, after in lives.sizes if name == pool) for sign in (1, -1))
        pools.append(
            PoolCost(
                pool, agent_s, -1.0 if busy is None else busy.get(pool, 0.0), cost, peak, static_s, rate * static_s,
                1 - agent_s / static_s if static_s else 0.0, ups, downs, accuracy.get(pool, -1.0),
            )  # fmt: skip
        )
    return CostReport(since, until, running_s, tuple(pools), tuple(_hours(present)), _total(pools), lives.is_whole)


def _present(life: AgentLife, since: float, until: float, absences: Iterable[Span]) -> list[Span]:
    span = max(life.begin, since), min(life.end or until, until)
    return list(_without(span, absences)) if span[0] < span[1] else []


def _without(span: Span, absences: Iterable[Span]) -> Iterator[Span]:
    """Yield the parts of a span in which an engine ran."""
    start, end = span
    for gone, back in sorted(absences):
        if back <= start or gone >= end:
            continue
        if gone > start:
            yield start, gone
        start = max(start, back)
    if start < end:
        yield start, end


def _busy(load: Sequence[Load] | None, since: float, until: float) -> dict[str, float] | None:
    if load is None:
        return None
    busy: dict[str, float] = defaultdict(float)
    for one in load:
        busy[one.pool] += max(0.0, min(one.service_s, until - max(since, one.at)))
    return busy


def _peak(spans: Iterable[Span]) -> int:
    """Return the most spans that overlap; one that ends when another begins does not."""
    moves = sorted(move for start, end in spans for move in ((start, 1), (end, -1)))
    most = now = 0
    for _at, change in moves:
        now += change
        most = max(most, now)
    return most


def _hours(present: Mapping[str, Sequence[tuple[float, Span]]]) -> Iterator[HourCost]:
    found: dict[tuple[float, str], list[float]] = defaultdict(lambda: [0.0, 0.0])
    for pool, parts in present.items():
        for rate, (start, end) in parts:
            while start < end:
                hour = start // HOUR_S * HOUR_S
                stop = min(end, hour + HOUR_S)
                sums = found[hour, pool]
                sums[0] += stop - start
                sums[1] += rate * (stop - start)
                start = stop
    for (at, pool), (agent_s, cost) in sorted(found.items()):
        yield HourCost(at, pool, agent_s, cost)


def _total(pools: Sequence[PoolCost]) -> PoolCost:
    agent_s, static_s = sum(one.agent_s for one in pools), sum(one.static_s for one in pools)
    known = [one.accuracy for one in pools if one.accuracy >= 0]
    return PoolCost(
        "",
        agent_s,
        -1.0 if any(one.busy_s < 0 for one in pools) else sum(one.busy_s for one in pools),
        sum(one.cost for one in pools),
        sum(one.peak for one in pools),
        static_s,
        sum(one.static_cost for one in pools),
        1 - agent_s / static_s if static_s else 0.0,
        sum(one.ups for one in pools),
        sum(one.downs for one in pools),
        sum(known) / len(known) if known else -1.0,
    )
