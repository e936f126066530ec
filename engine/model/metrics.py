"""The one catalogue of metrics: name, unit, help, group and kind of each; and what a look into their history returns.

Owner: nobody; values only. Rates are events a second. A value that was not measured is None (a gap), never 0.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from engine.model.errors import UsageError
from engine.model.wire import nearest


class Group(StrEnum):
    """The six groups of a look at the fleet in real time."""

    SYSTEM = "system"
    SWARMS = "swarms"
    AGENTS = "agents"
    TASKS = "tasks"
    PERFORMANCE = "performance"
    RESOURCES = "resources"


class Kind(StrEnum):
    """How a metric is measured."""

    GAUGE = "gauge"
    """A value of now."""
    COUNTER = "counter"
    """A count that only grows; its history is the rate, events a second."""
    HISTOGRAM = "histogram"
    """Durations by their length; its history is a quantile of those of the time shown."""


class Label(StrEnum):
    """What one series of a metric is about."""

    FLEET = "fleet"
    """One series: the fleet."""
    POOL = "pool"
    """One series a pool, and one (with an empty label) for the fleet."""
    AGENT = "agent"
    """One series an agent."""


class Metric(NamedTuple):
    """One entry of the catalogue."""

    name: str
    unit: str
    group: Group
    kind: Kind
    label: Label
    help: str


def _metrics(group: Group, label: Label, *rows: tuple[str, str, Kind, str]) -> list[Metric]:
    return [Metric(name, unit, group, kind, label, text) for name, unit, kind, text in rows]


_G, _C, _H = Kind.GAUGE, Kind.COUNTER, Kind.HISTOGRAM

_ALL = (
    *_metrics(
        Group.SYSTEM,
        Label.FLEET,
        ("engine_cpu", "cores", _G, "cores that the engine's own process uses"),
        ("engine_rss_mb", "MB", _G, "memory that the engine's own process holds"),
        ("hosts", "count", _G, "processes that carry agents"),
        ("events", "1/s", _C, "events on the bus"),
        ("commits", "1/s", _C, "group commits of the journal"),
        ("commit_ms", "ms", _H, "from an event to its being durable and published"),
        ("listener_ms", "ms", _H, "from an event to the subscribers of the bus that run in the engine"),
        ("events_dropped", "1/s", _C, "events that slow subscribers of the bus lost"),
        ("memory_expired", "1/s", _C, "entries of memory whose time was over"),
        ("memory_purged", "1/s", _C, "tombstones of memory that were old enough to go"),
    ),
    *_metrics(
        Group.SWARMS,
        Label.POOL,
        ("desired", "count", _G, "agents that there should be"),
        ("scale_ups", "1/s", _C, "scalings to more agents, by the autoscaler or by hand"),
        ("scale_downs", "1/s", _C, "scalings to fewer agents, by the autoscaler or by hand"),
        ("scaling_efficiency", "ratio", _G, "demand met with the agents there are: the smaller of both by the larger one"),
        ("prediction_accuracy", "ratio", _G, "1 - MAPE of the best forecast so far"),
        ("foreseen", "count", _G, "demand in agents that was foreseen for this instant; unknown when no policy predicts"),
        ("foreseen_low", "count", _G, "lower end of the 95 % interval of what was foreseen"),
        ("foreseen_high", "count", _G, "upper end of the 95 % interval of what was foreseen"),
        ("savings", "ratio", _G, "agent-seconds not spent, of those of a fixed size at the peak, since the engine began"),
    ),
    *_metrics(
        Group.AGENTS,
        Label.POOL,
        ("agents", "count", _G, "agents registered"),
        ("agents_idle", "count", _G, "agents without work"),
        ("agents_busy", "count", _G, "agents at work, those that leave afterwards included"),
        ("agents_starting", "count", _G, "agents on their way"),
        ("agents_drained", "count", _G, "agents that take no work"),
        ("agents_failed", "count", _G, "agents that cannot start"),
        ("agents_at_risk", "count", _G, "agents that are likely to fail: `fleet-tui risks` says why; judged once a minute at most"),
        ("utilisation", "ratio", _G, "agents at work of those that are idle or at work"),
        ("recovery_ms", "ms", _H, "from an agent's loss to its being ready again"),
    ),
    *_metrics(
        Group.TASKS,
        Label.POOL,
        ("queue_depth", "count", _G, "tasks that could run now and wait for an agent"),
        ("tasks_waiting", "count", _G, "tasks that wait, those that wait on others or for a back-off included"),
        ("tasks_running", "count", _G, "tasks that an agent holds"),
        ("load", "count", _G, "tasks that wait for an agent or a back-off, and those that an agent holds"),
        ("oldest_waiting_s", "s", _G, "age of the task that waits longest; 0 when none does"),
        ("succeeded", "1/s", _C, "tasks that ended well"),
        ("failed", "1/s", _C, "tasks that ended badly and are not tried again"),
        ("dead", "1/s", _C, "tasks that were given up: attempts used up, or agents died of them"),
        ("retried", "1/s", _C, "attempts that ended badly and are made again"),
        ("cancelled", "1/s", _C, "tasks that were cancelled"),
        ("error_rate", "ratio", _G, "attempts that ended badly, of those that ended in this second; unknown when none did"),
    ),
    *_metrics(
        Group.PERFORMANCE,
        Label.POOL,
        ("allocation_ms", "ms", _H, "from the instant a task could run to its hand-over to an agent"),
        ("response_ms", "ms", _H, "from submission to a good end"),
        ("run_ms", "ms", _H, "how long an attempt that ended well held its agent"),
    ),
    *_metrics(
        Group.PERFORMANCE,
        Label.FLEET,
        ("booster_ops", "1/s", _C, "operations in WebAssembly"),
        ("booster_utilisation", "ratio", _G, "share of their time that the booster's instances were at work"),
        ("booster_cache_hits", "1/s", _C, "answers that the booster's cache had"),
        ("booster_cache_misses", "1/s", _C, "questions that it had not"),
        ("memory_l1_hits", "1/s", _C, "reads of memory that the engine's own cache answered"),
        ("memory_l1_misses", "1/s", _C, "reads that it could not"),
        ("memory_l2_hits", "1/s", _C, "large values of memory that Redis had"),
        ("memory_l2_misses", "1/s", _C, "large values that it had not, or not in time"),
        ("memory_l3_hits", "1/s", _C, "reads of memory that the database answered"),
        ("memory_l3_misses", "1/s", _C, "reads of memory for what is not there"),
        ("cache_hit_rate", "ratio", _G, "hits of the booster's cache, of what it was asked in this second; unknown when nothing was"),
    ),
    *_metrics(
        Group.RESOURCES,
        Label.POOL,
        ("cpu", "ratio", _G, "cores that agents use, of those granted to them"),
        ("memory", "ratio", _G, "memory that agents use, of that granted to them"),
        ("cpu_cores", "cores", _G, "cores that agents use"),
        ("rss_mb", "MB", _G, "memory that agents hold"),
        ("cost_per_hour", "cost/h", _G, "cost of the agents there are, in the unit of the configuration; unknown when no cost is set"),
        ("cost", "cost/s", _C, "cost that tasks told of themselves"),
        ("tokens", "1/s", _C, "tokens that tasks told of, those of caches included"),
        ("budget_used", "ratio", _G, "share used of the limit of an hour or a day of which least is left; unknown where there is none"),
    ),
    *_metrics(
        Group.RESOURCES,
        Label.FLEET,
        ("host_cpu", "ratio", _G, "share of the machine's cores at work, whoever uses them"),
        ("host_memory", "ratio", _G, "share of the machine's memory in use, whoever holds it"),
    ),
    *_metrics(
        Group.AGENTS,
        Label.AGENT,
        ("agent_busy", "ratio", _G, "1 while it holds a task"),
        ("agent_health", "level", _G, "2 healthy, 1 slow or suspect, 0 dead; unknown before it started"),
        ("agent_succeeded", "1/s", _C, "its tasks that ended well"),
        ("agent_failed", "1/s", _C, "its tasks that ended badly"),
        ("agent_busy_s", "s/s", _C, "seconds at work a second, counted when a task ends"),
        ("agent_task_s", "s", _G, "moving mean of its tasks' run time"),
        ("agent_tries", "count", _G, "attempts of the task that it holds"),
        ("agent_idle", "ratio", _G, "1 while it could take a task"),
        ("agent_silence_s", "s", _G, "longest time without a beat of its process in the minute, as looked at; unknown of programs, which do not beat"),
        ("agent_cpu", "cores", _G, "cores of its process, children included; unknown when several agents share it"),
        ("agent_rss_mb", "MB", _G, "memory of its process, children included; unknown when several agents share it"),
    ),
)

CATALOGUE: dict[str, Metric] = {metric.name: metric for metric in _ALL}
"""Every metric by its name, in the order of the groups."""

AGENT_METRICS = tuple(metric for metric in _ALL if metric.label is Label.AGENT)

ALIASES = {
    "cpuUsage": "cpu",
    "memoryUsage": "memory",
    "queueLength": "queue_depth",
    "queueDepth": "queue_depth",
    "queue_length": "queue_depth",
    "responseTime": "response_ms",
    "response_time_ms": "response_ms",
    "errorRate": "error_rate",
    "utilization": "utilisation",
}
"""The seeds' spellings."""

QUANTILES = (50, 95, 99)
"""Of durations, in percent, that faces offer."""
RANGES_S = {"1h": 3_600, "24h": 86_400, "7d": 604_800, "30d": 2_592_000}
"""How far back charts go, by their names on screens and in files."""

RECORDED = "recorded."
"""Before the names of metrics that programs record themselves."""


def find_metric(word: str) -> Metric:
    """Return the metric of that name, or of a seed's spelling of it. Raises UsageError with the nearest one."""
    metric = CATALOGUE.get(ALIASES.get(word, word))
    if metric is None and word.startswith(RECORDED):
        return Metric(word, "", Group.PERFORMANCE, Kind.GAUGE, Label.POOL, "recorded by a program; one series a source")
    if metric is None:
        raise UsageError(f"no metric {word!r}{nearest(word, {*CATALOGUE, *ALIASES})}; `fleet-tui metrics` lists all")
    return metric


@dataclass(frozen=True, slots=True)
class Span:
    """Which part of a history is wanted, and how."""

    last_s: float = 3_600.0
    """So many seconds back."""
    ago_s: float = 0.0
    """The same span so many seconds earlier."""
    points: int = 120
    """Most values."""
    quantile: float = 0.95
    """Of durations."""


POINTS_MAX = 2_000


@dataclass(frozen=True, slots=True)
class Trend:
    """The history of one series: one point for each step from `since`, None where nothing was measured.

    A point is the mean over its step (of a histogram: the quantile of all that was observed in it); `lows` and `highs` are the
    least and the greatest sample in it (of a histogram: bounds of the shortest and longest duration).
    """

    metric: str
    label: str
    """Pool or agent; empty = the fleet."""
    unit: str
    quantile: float
    """Of a histogram; 0 for others."""
    since: float
    step_s: float
    values: tuple[float | None, ...]
    lows: tuple[float | None, ...]
    highs: tuple[float | None, ...]
    resolution_s: float
    """Of the samples that the points are made of: 1 s for a day, minutes and hours for 30 days."""
    asked_at: float
    newest_at: float
    """When the newest point's samples end; 0 = there is none."""

    @property
    def times(self) -> list[float]:
        """Return when each step begins."""
        return [self.since + number * self.step_s for number in range(len(self.values))]

    @property
    def age_s(self) -> float:
        """Return the age of the newest figure; infinite without one."""
        return max(0.0, self.asked_at - self.newest_at) if self.newest_at else math.inf

    @property
    def gaps(self) -> list[tuple[float, float]]:
        """Return from when to when nothing was measured."""
        return find_gaps(self.values, self.since, self.step_s)


def find_gaps(values: Sequence[float | None], since: float, step_s: float) -> list[tuple[float, float]]:
    """Return the spans of steps without a value."""
    gaps: list[tuple[float, float]] = []
    for number, value in enumerate(values):
        if value is not None:
            continue
        begin, end = since + number * step_s, since + (number + 1) * step_s
        if gaps and gaps[-1][1] == begin:
            begin = gaps.pop()[0]
        gaps.append((begin, end))
    return gaps


def unit_word(unit: str) -> str:
    """Return what is written behind a value of a unit: `%` for a ratio, nothing for a count."""
    return {"ratio": "%", "count": ""}.get(unit, unit)


def written_value(value: float | None, unit: str) -> str:
    """Write a value with its unit: a ratio in percent, a duration in what suits it; `unknown` when it was not measured."""
    if value is None:
        return "unknown"
    if unit == "count":
        return f"{value:,.0f}" if value == int(value) else f"{value:,.1f}"
    number = f"{100 * value:.3g}" if unit == "ratio" else f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
    return f"{number} {unit_word(unit)}".rstrip()
