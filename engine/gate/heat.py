"""What a heat map shows: one metric of all pools over time, or of all agents at once.

Owner: nobody; it reads a History. Limits: POOLS_MAX pools, LOOKS looks at the agents, and no more agents than columns have places.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Sequence

from engine.gate.history import History
from engine.model.errors import UsageError
from engine.model.metrics import Kind, Label, Metric, Span, find_metric
from engine.monitoring.agents import MINUTE_S, column_of, ids_of
from engine.monitoring.trends import check_span, newest_at, points_of, window_of

POOLS_MAX = 256
"""Pools in an answer; how many more there are is said."""
LOOKS = 12
"""Instants whose mean an agent's value is."""
LOOK_SPACING_S = 5
"""Seconds between them in the last minute."""
SHORT_S = LOOKS * LOOK_SPACING_S
DIGITS = 5
"""Decimals of an agent's value."""


async def heat_of_pools(history: History, word: str, span: Span) -> dict[str, object]:
    """Return the history of one metric for every pool, all of the same steps. Raises FleetError."""
    history.require()
    metric = find_metric(word)
    if metric.label is not Label.POOL:
        raise UsageError(f"{metric.name} is no figure of pools; `fleet-tui metrics` says which are")
    check_span(span)
    now = history.clock.now()
    window = window_of(span, now)
    names = list(history.state().pools)
    pools: dict[str, list[float | None]] = {}
    newest = 0
    for pool in names[:POOLS_MAX]:
        blocks = await history.recorder.store.read((metric.name, pool), window.step, window.since, window.until)
        points, newest_of_pool = points_of(blocks, window, span.quantile)
        newest = max(newest, newest_of_pool)
        pools[pool] = [None if point.value is None else float(f"{point.value:.{DIGITS}g}") for point in points]
    return {
        "metric": metric.name, "unit": metric.unit, "quantile": span.quantile if metric.kind is Kind.HISTOGRAM else 0.0,
        "since": window.since, "step_s": window.wide, "pools": pools, "left_out": max(0, len(names) - POOLS_MAX),
        "asked_at": now, "newest_at": newest_at(newest, span, now, history.recorder.sampled_at),
    }  # fmt: skip


async def heat_of_agents(history: History, word: str, *, last_s: int, ago_s: int, roster: str) -> dict[str, object]:
    """Return one metric of every agent: the mean of LOOKS looks, of a count how much it grew. Raises FleetError.

    `ids` and `values` run in parallel; ids are left out when they are those whose `roster` the asker names.
    """
    history.require()
    metric = find_metric(word)
    if metric.label is not Label.AGENT:
        raise UsageError(f"{metric.name} is no figure of single agents; those begin with `agent_`")
    if last_s < SHORT_S:
        raise UsageError(f"agents are looked at over {SHORT_S} seconds at least, not {last_s}")
    now = history.clock.now()
    looks = Looks(metric)
    if last_s <= SHORT_S and not ago_s:
        found_at = await _look_by_second(history, looks, metric)
    else:
        found_at = await _look_by_minute(history, looks, metric, (now - ago_s - last_s, now - ago_s))
    ids = list(looks.values)
    told = f"{zlib.crc32(' '.join(ids).encode()):08x}"
    return {
        "metric": metric.name, "unit": metric.unit, "is_count": metric.kind is Kind.COUNTER, "agents": len(ids), "roster": told,
        "ids": None if told == roster else ids, "values": looks.reduce(), "looks": len(found_at),
        "since": min(found_at, default=0.0), "newest_at": max(found_at, default=0.0), "asked_at": now,
    }  # fmt: skip


class Looks:
    """What agents read at some instants."""

    def __init__(self, metric: Metric) -> None:
        self._is_count = metric.kind is Kind.COUNTER
        self.values: dict[str, list[float]] = {}
        """Agent to what it read, oldest first, without gaps."""

    def add(self, ids: Iterable[str], column: Sequence[float]) -> None:
        """Take one look, newer than those before."""
        values = self.values
        for id_, value in zip(ids, column, strict=False):
            held = values.get(id_)
            if held is None:
                held = values[id_] = []
            if value == value:  # noqa: PLR0124  # NaN is not itself
                held.append(value)

    def reduce(self) -> list[float | None]:
        """Return a value for each agent, None where nothing was measured."""
        if self._is_count:
            return [held[-1] - held[0] if held else None for held in self.values.values()]
        return [round(sum(held) / len(held), DIGITS) if held else None for held in self.values.values()]


async def _look_by_second(history: History, looks: Looks, metric: Metric) -> list[float]:
    columns = history.agents
    newest, places = columns.newest_at, dict(columns.places)
    found: list[float] = []
    for number in range(LOOKS):
        at = newest - (LOOKS - 1 - number) * LOOK_SPACING_S
        column = columns.at_second(metric.name, at)
        if column is not None:
            looks.add(places, [column[place] for place in places.values()])
            found.append(at + 1.0)
        await history.clock.sleep(0)  # others first
    return found


async def _look_by_minute(history: History, looks: Looks, metric: Metric, window: tuple[float, float]) -> list[float]:
    """Look at minutes that end within a window, the last one at its end; what was never saved is no look."""
    since, until = window
    minutes = max(1, round((until - since) / MINUTE_S))
    spacing = max(1, minutes // LOOKS) * MINUTE_S
    last = (int(until) // MINUTE_S - 1) * MINUTE_S
    found: list[float] = []
    for number in reversed(range(min(LOOKS, minutes))):
        at = last - number * spacing
        lists, columns = await history.recorder.archive.agents(metric.name, at, at + MINUTE_S)
        if lists and columns:
            looks.add(ids_of(lists[-1][1]), column_of(columns[-1][1]))
            found.append(float(at + MINUTE_S))
    # Places without an agent have no id.
    looks.values.pop("", None)
    return found
