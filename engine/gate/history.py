"""The measured history of a fleet as faces ask for it: which metrics there are, how they read now, and how they came about.

Owner: `History`, of the meter, the reader of figures and the recorder, which it puts together.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from engine.clock import Clock
from engine.gate.figures import Around, FigureReader
from engine.model import wire
from engine.model.errors import NotFound, UsageError
from engine.model.events import Record
from engine.model.ids import AGENT_PREFIX
from engine.model.metrics import (
    CATALOGUE,
    RECORDED,
    Group,
    Kind,
    Label,
    Metric,
    Span,
    Trend,
    find_metric,
)
from engine.monitoring import agents as agent_columns
from engine.monitoring.agents import AgentColumns
from engine.monitoring.archive import Archive, Files, Key
from engine.monitoring.baselines import Baselines
from engine.monitoring.exposition import Newest, exposition
from engine.monitoring.histogram import BUCKETS, quantile
from engine.monitoring.meter import Meter
from engine.monitoring.recorded import Recorded, Value
from engine.monitoring.recorder import Recorder
from engine.monitoring.trends import (
    Window,
    check_span,
    newest_at,
    points_of,
    points_of_samples,
    wider_step,
    window_of,
)
from engine.scaling.autoscaler import policies_of
from engine.state import FleetState, Touched
from engine.supervisor import keep_running

LOAD_STEP_S = 2
"""A column of a pool's sparkline."""
SWITCHED_OFF = "no figures are kept: monitoring.enabled is false in the configuration"


class History:
    """What was measured."""

    def __init__(self, files: Files, state: Callable[[], FleetState], clock: Clock, *, enabled: bool) -> None:
        self.enabled = enabled
        self.state = state
        self.clock = clock
        self.meter = Meter(state, clock)
        self._reader: FigureReader | None = None
        self.agents = AgentColumns()
        self.baselines = Baselines(files)
        self.judged: dict[str, tuple[int, Any]] = {}
        """What `engine.gate.maintaining` found of the agents of a pool (empty = all), and of which minute that is."""
        self.at_risk: Mapping[Key, float] = {}
        """Agents at risk by pool, as `engine.gate.maintaining.watch` found them last."""
        self.recorded = Recorded()
        self.recorder = Recorder(Archive(files), self.meter, self._read, clock, self.agents)

    def connect(self, around: Around) -> None:
        """Say where figures come from; before start()."""
        self._reader = FigureReader(around)

    def publish(self, records: Sequence[Record], touched: Touched) -> None:
        """Count one commit."""
        if self.enabled:
            self.meter.publish(records, touched)
            self.agents.note(touched)
            if not records:
                self.agents.forget()

    def heard(self, records: Sequence[Record]) -> None:
        """Take note of a batch that a subscriber in the engine got."""
        if self.enabled:
            self.meter.heard(records)

    def start(self, group: asyncio.TaskGroup) -> list[asyncio.Task[None]]:
        """Begin to sample and to save."""
        if not self.enabled:
            return []
        self.meter.sized({name: pool.size for name, pool in self.state().pools.items()})
        return [
            group.create_task(keep_running("recorder", self.recorder.run, self.clock), name="recorder"),
            group.create_task(keep_running("archivist", self.recorder.keep, self.clock), name="archivist"),
        ]

    async def close(self) -> None:
        """Save what is left."""
        if self.enabled:
            await self.recorder.close()

    def _read(self, now: float, elapsed_s: float) -> tuple[dict[tuple[str, str], float], dict[tuple[str, str], float]]:
        assert self._reader is not None, "connect() comes before start()"
        found = self._reader.read(now, elapsed_s)
        self.agents.sample(self.state(), found.looked, now)
        return {**found.gauges, **self.at_risk, **self.recorded.gauges(now)}, found.counts

    def record(self, name: str, value: float, source: str = "", *, at: float = 0.0, metadata: Mapping[str, object] | None = None) -> str:
        """Take a figure of a program; return its metric. Raises UsageError, CommandRefused."""
        self.require()
        now = self.clock.now()
        return self.recorded.put(name, source, Value(value, at or now, dict(metadata or {})), now)[0]

    # ---- questions

    def current(self) -> dict[str, object]:
        """Return every metric with how it reads now, by the six groups; None = unknown."""
        self.require()
        groups: dict[str, dict[str, object]] = {group.value: {} for group in Group}
        for metric in CATALOGUE.values():
            if metric.label is not Label.AGENT:
                groups[metric.group][metric.name] = self._now(metric)
        return {"timestamp": self.recorder.sampled_at or None, "metrics": groups}

    def _now(self, metric: Metric) -> object:
        labels = [""] if metric.label is Label.FLEET else ["", *self.state().pools]
        values = {label: self.now_of(metric, label) for label in labels}
        return {"unit": metric.unit, "value": values.pop(""), **({"pools": values} if values else {})}

    def now_of(self, metric: Metric, label: str) -> float | None:
        """Return how a metric reads now; of a histogram the 95th percentile since the engine began."""
        key, recorder = (metric.name, label), self.recorder
        if metric.kind is Kind.HISTOGRAM:
            return quantile(recorder.totals.get(key, ())[:BUCKETS], Span().quantile)
        return recorder.newest.get(key)

    def agent_now(self, word: str) -> dict[str, float | None]:
        """Return how an agent's metrics read now. Raises NotFound, UsageError."""
        self.require()
        agent = self.state().agent_named(word)
        if agent is None:
            raise NotFound(f"no agent {word!r}; `get agents` lists them")
        found = {}
        for name in agent_columns.NAMES:
            newest = agent_columns.as_measured(name, self.agents.seconds(agent.spec.id, name)[-2:], 1)
            found[name] = newest[-1][1] if newest and newest[-1][0] == int(self.recorder.sampled_at) else None
        return found

    def listed(self) -> list[dict[str, object]]:
        """Return the catalogue with how each metric of the fleet reads now, then those that programs recorded, with their sources."""
        rows = [{**metric._asdict(), "now": self.now_of(metric, "") if self.enabled else None, "sources": []} for metric in CATALOGUE.values()]
        return rows + [self._recorded_row(name, sources) for name, sources in sorted(self._sources_of_recorded().items())]

    def _sources_of_recorded(self) -> dict[str, list[str]]:
        """Return what each metric that programs recorded is about: of all that a history is kept of."""
        found: dict[str, list[str]] = {}
        for name, source in sorted({*self.recorder.store.keys, *self.recorded.values}):
            if name.startswith(RECORDED):
                found.setdefault(name, []).append(source)
        return found

    def _recorded_row(self, name: str, sources: list[str]) -> dict[str, object]:
        metric = find_metric(name)
        named = [source for source in sources if source]
        if named:
            metric = metric._replace(help=f"recorded for {', '.join(named)}")
        return {**metric._asdict(), "now": self.now_of(metric, sources[0]) if len(sources) == 1 else None, "sources": sources}

    async def loads(self) -> dict[str, object]:
        """Return the load of every pool in the last minute: when it began, seconds of a step, and a list of values a pool. Raises FleetError."""
        self.require()
        now = self.clock.now()
        until = int(now // LOAD_STEP_S + 1) * LOAD_STEP_S
        window = Window(until - 60, until, LOAD_STEP_S, 1)
        found = {}
        for pool in self.state().pools:
            points, _newest = points_of(await self.recorder.store.read(("load", pool), 1, window.since, until), window, 0.0)
            found[pool] = [point.value for point in points]
        return {"since": window.since, "step_s": LOAD_STEP_S, "pools": found}

    def foreseen(self, pool: str) -> dict[str, object]:
        """Return what is foreseen for a pool from now on, and whether one of its policies predicts. Raises NotFound, UsageError."""
        self.require()
        state = self.state()
        if pool not in state.pools:
            raise NotFound(f"no pool {pool!r}{wire.nearest(pool, state.pools)}")
        predicting = {one.id: one.prediction for one in policies_of(state.policies, pool) if one.enabled and one.prediction is not None}
        ahead = self._reader.ahead.of_pool(pool) if self._reader is not None else []
        return {
            "pool": pool, "error_max": {id_: one.error_max for id_, one in predicting.items()}, "ahead": ahead,
            "is_measured": ("foreseen", pool) in self.recorder.store.keys, "asked_at": self.clock.now(),
        }  # fmt: skip

    def scraped(self, info: Mapping[str, str]) -> str:
        """Return the newest figures as Prometheus reads them; what is not known is left out."""
        self.require()
        recorder = self.recorder
        return exposition(Newest(recorder.sampled_at, recorder.newest, recorder.counts, recorder.totals, info, self.state().alerting.alerts.values()))

    async def trend(self, word: str, label: str = "", span: Span = Span()) -> Trend:  # noqa: B008  # frozen
        """Return the history of one series. Raises FleetError."""
        self.require()
        metric = find_metric(word)
        check_span(span)
        if metric.label is Label.AGENT:
            return await self._trend_of_agent(metric, label, span)
        if label and metric.label is Label.FLEET:
            raise UsageError(f"{metric.name} is a figure of the fleet, not of a pool: leave out {label!r}")
        if label and (metric.name, label) not in self.recorder.store.keys:
            raise NotFound(f"nothing was measured of {metric.name} for {label!r}{wire.nearest(label, self.state().pools)}")
        now = self.clock.now()
        window = window_of(span, now)
        blocks = await self.recorder.store.read((metric.name, label), window.step, window.since, window.until)
        found, newest = points_of(blocks, window, span.quantile)
        values, lows, highs = zip(*found, strict=True)
        share = span.quantile if metric.kind is Kind.HISTOGRAM else 0.0
        seen_at = newest_at(newest, span, now, self.recorder.sampled_at)
        return Trend(metric.name, label, metric.unit, share, window.since, window.wide, values, lows, highs, window.step, now, seen_at)

    async def _trend_of_agent(self, metric: Metric, word: str, span: Span) -> Trend:
        agent = self.state().agent_named(word)
        if not word:
            raise UsageError(f"{metric.name} is a figure of one agent: say which one")
        if agent is None and not word.startswith(f"{AGENT_PREFIX}_"):
            raise NotFound(f"no agent {word!r}; one that has left is found by its id")
        id_ = agent.spec.id if agent is not None else word
        now = self.clock.now()
        end = now - span.ago_s
        step = 1 if span.ago_s + span.last_s <= agent_columns.SECONDS else agent_columns.MINUTE_S
        wide = wider_step(span.last_s, step, span.points)
        until = int(end // wide + 1) * wide
        window = Window(until - max(1, round(span.last_s / wide)) * wide, until, wide, step)
        samples = self.agents.seconds(id_, metric.name)
        if step != 1:
            # A count's rate needs the minute before the first one.
            rows = await self.recorder.archive.agents(metric.name, window.since - step, until)
            samples = agent_columns.minutes_of(id_, *rows)
        found, newest = points_of_samples(agent_columns.as_measured(metric.name, samples, step), window)
        values, lows, highs = zip(*found, strict=True)
        return Trend(metric.name, word, metric.unit, 0.0, window.since, wide, values, lows, highs, step, now, min(newest, now))

    def require(self) -> None:
        """Raise UsageError when nothing is measured."""
        if not self.enabled:
            raise UsageError(SWITCHED_OFF)
