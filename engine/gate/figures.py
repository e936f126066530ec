"""What is read once a second for the history: gauges of now, and counts that only grow, by metric and pool.

Owner: of what the savings are reckoned from since the engine began. Every value comes from the state, from what hosts and booster
were last measured at, or from the kernel; what is not known is left out. Costs: some microseconds a pool.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from engine.agents.liveness import Usage as ProcessUsage
from engine.agents.liveness import read_usage
from engine.booster.book import BoosterBook
from engine.gate.budgets import most_used
from engine.gate.forecasts_ahead import ForecastsAhead
from engine.gate.usage import Used
from engine.memory.store import Tidied
from engine.model.agents import AgentStatus
from engine.model.budget_words import scope_of
from engine.model.cache_layers import CacheLayer
from engine.model.pools import Pool
from engine.model.tasks import HELD, TaskState
from engine.monitoring.agents import Looked
from engine.monitoring.machine import Machine
from engine.scaling.autoscaler import AutoScaler
from engine.scaling.observer import Usage, oldest_waiting_s
from engine.state import FleetState

Key = tuple[str, str]
HOUR_S = 3_600.0
_HERE = (TaskState.PENDING, TaskState.LEASED, TaskState.RUNNING, TaskState.NEEDS_INPUT)
_AT_WORK = (AgentStatus.ASSIGNED, AgentStatus.BUSY, AgentStatus.DRAINING)


class Figures(NamedTuple):
    """One sample: by (metric, pool), the fleet's under an empty pool."""

    gauges: dict[Key, float]
    counts: dict[Key, float]
    """Since whenever they began; they only grow, or begin anew."""
    looked: Looked | None
    """What was seen of agents' processes; None = they were not looked at anew."""


@dataclass(frozen=True, slots=True)
class Around:
    """Where figures come from."""

    state: Callable[[], FleetState]
    ready: Callable[[str], int]
    """How many waiting tasks of a pool could run now."""
    used: Callable[[], Used]
    """What agents use, as last measured."""
    scaler: AutoScaler
    book: BoosterBook
    has_booster: Callable[[], bool]
    bus: Callable[[], tuple[int, int]]
    """Records published, and dropped by slow subscribers."""
    commits: Callable[[], int]
    counts: Mapping[Key, float]
    """What the meter counts since the engine began."""
    tidied: Callable[[], Tidied]
    """What was tidied of memory."""
    layers: Callable[[], Mapping[str, CacheLayer]] = dict
    """How the layers of memory answered since the engine began."""


@dataclass(slots=True)
class _Spent:
    """Agent-seconds of a pool, and what a fixed size at its peak would have come to."""

    agent_s: float = 0.0
    watched_s: float = 0.0
    peak: int = 0

    def savings(self) -> float | None:
        fixed = self.peak * self.watched_s
        return 1 - self.agent_s / fixed if fixed else None


@dataclass(slots=True)
class FigureReader:
    """Reads one sample after the other."""

    around: Around
    machine: Machine = field(default_factory=Machine)
    ahead: ForecastsAhead = field(default_factory=ForecastsAhead)
    _spent: dict[str, _Spent] = field(default_factory=dict)
    _process: ProcessUsage | None = None
    _cache: tuple[int, int] | None = None
    _used_at: float = -1.0
    _ended: dict[str, tuple[int, int]] = field(default_factory=dict)

    def read(self, now: float, elapsed_s: float) -> Figures:
        """Return what is known now; `elapsed_s` since the last call, 0 at the first one."""
        around = self.around
        state = around.state()
        used = around.used()
        looked = Looked(used.agents, used.silences) if used.at != self._used_at else None
        self._used_at = used.at
        known: dict[Key, float | None] = {}
        counts = dict(around.counts)
        self.ahead.note(state, around.scaler, now)
        for pool in state.pools.values():
            self._pool(pool, known, counts)
            waits = bool(known["queue_depth", pool.spec.name])
            known["oldest_waiting_s", pool.spec.name] = oldest_waiting_s(state, pool.spec.name, now) if waits else 0.0
            self._resources(pool, used.pools.get(pool.spec.name), known)
            _spending(state, pool.spec.name, known, counts, now)
            self._scaling(pool, known, elapsed_s)
            self._foreseen(pool.spec.name, known, now)
        for gone in self._spent.keys() - state.pools.keys():
            del self._spent[gone]
        self._fleet(state, known, counts, elapsed_s)
        known["budget_used", ""] = most_used(state, "", now)
        self._booster(known, counts)
        return Figures({key: value for key, value in known.items() if value is not None and math.isfinite(value)}, counts, looked)

    def _pool(self, pool: Pool, known: dict[Key, float | None], counts: dict[Key, float]) -> None:
        name, status, tasks = pool.spec.name, pool.by_status, pool.by_state
        idle, busy = status.get(AgentStatus.IDLE, 0), sum(status.get(one, 0) for one in _AT_WORK)
        known["desired", name] = pool.size
        known["agents", name] = pool.agents
        known["agents_idle", name] = idle
        known["agents_busy", name] = busy
        known["agents_starting", name] = status.get(AgentStatus.STARTING, 0)
        known["agents_drained", name] = status.get(AgentStatus.DRAINED, 0)
        known["agents_failed", name] = status.get(AgentStatus.FAILED, 0)
        known["load", name] = sum(tasks.get(one, 0) for one in _HERE) - pool.blocked
        known["utilisation", name] = busy / (idle + busy) if idle + busy else None
        known["queue_depth", name] = self.around.ready(name)
        known["tasks_waiting", name] = tasks.get(TaskState.PENDING, 0)
        known["tasks_running", name] = sum(tasks.get(one, 0) for one in HELD)
        for metric in ("succeeded", "failed", "dead", "retried", "cancelled"):
            counts[metric, name] = getattr(pool, metric)
        bad = pool.failed + pool.dead + pool.retried
        known["error_rate", name] = self._error_rate(name, pool.succeeded, bad)
        for metric in ("scale_ups", "scale_downs"):
            counts.setdefault((metric, name), 0)

    def _error_rate(self, name: str, succeeded: int, bad: int) -> float | None:
        before = self._ended.get(name)
        self._ended[name] = (succeeded, bad)
        if before is None or succeeded < before[0] or bad < before[1]:
            return None
        ended = succeeded - before[0] + bad - before[1]
        return (bad - before[1]) / ended if ended else None

    def _resources(self, pool: Pool, used: Usage | None, known: dict[Key, float | None]) -> None:
        spec, name = pool.spec, pool.spec.name
        if used is not None:
            known["cpu_cores", name], known["rss_mb", name] = used.cores, used.rss_mb
            known["cpu", name] = _share(used.cores, spec.resources.cpu * pool.agents)
            known["memory", name] = _share(used.rss_mb, spec.resources.memory * pool.agents)
        if spec.cost:
            known["cost_per_hour", name] = spec.cost * pool.agents * HOUR_S

    def _scaling(self, pool: Pool, known: dict[Key, float | None], elapsed_s: float) -> None:
        name = pool.spec.name
        demand = known["agents_busy", name] or 0.0
        demand += known["queue_depth", name] or 0.0
        there = (known["agents_idle", name] or 0.0) + (known["agents_busy", name] or 0.0)
        known["scaling_efficiency", name] = min(demand, there) / max(demand, there) if demand or there else None
        best = min((one.mape for one in self.around.scaler.forecasts(name).values()), default=math.inf)
        known["prediction_accuracy", name] = max(0.0, 1 - best) if math.isfinite(best) else None
        spent = self._spent.setdefault(name, _Spent())
        spent.agent_s += pool.agents * elapsed_s
        spent.watched_s += elapsed_s
        spent.peak = max(spent.peak, pool.agents)
        known["savings", name] = spent.savings()

    def _foreseen(self, name: str, known: dict[Key, float | None], now: float) -> None:
        forecast = self.ahead.of_now(name, now)
        if forecast is not None:
            known["foreseen", name], known["foreseen_low", name], known["foreseen_high", name] = forecast.demand, forecast.low, forecast.high

    def _fleet(self, state: FleetState, known: dict[Key, float | None], counts: dict[Key, float], elapsed_s: float) -> None:
        for metric in _SUMMED:
            known[metric, ""] = _sum(known, metric, state.pools)
        idle, busy = known["agents_idle", ""] or 0.0, known["agents_busy", ""] or 0.0
        known["utilisation", ""] = busy / (idle + busy) if idle + busy else None
        demand, there = busy + (known["queue_depth", ""] or 0.0), idle + busy
        known["scaling_efficiency", ""] = min(demand, there) / max(demand, there) if demand or there else None
        ages = [age for pool in state.pools if (age := known["oldest_waiting_s", pool]) is not None]
        known["oldest_waiting_s", ""] = max(ages, default=None)
        totals = state.totals
        for metric in ("succeeded", "failed", "dead", "retried", "cancelled"):
            counts[metric, ""] = getattr(totals, metric)
        known["error_rate", ""] = self._error_rate("", totals.succeeded, totals.failed + totals.dead + totals.retried)
        for metric in ("scale_ups", "scale_downs", "cost", "tokens"):
            told = [value for (name, pool), value in counts.items() if name == metric and pool]
            if told:
                counts[metric, ""] = sum(told)
        fixed = sum(spent.peak * spent.watched_s for spent in self._spent.values())
        known["savings", ""] = 1 - sum(spent.agent_s for spent in self._spent.values()) / fixed if fixed else None
        granted = [sum(getattr(pool.spec.resources, kind) * pool.agents for pool in state.pools.values()) for kind in ("cpu", "memory")]
        for metric, used, total in (("cpu", "cpu_cores", granted[0]), ("memory", "rss_mb", granted[1])):
            whole = known[used, ""]
            known[metric, ""] = _share(whole, total) if whole is not None else None
        self._system(state, known, counts, elapsed_s)

    def _system(self, state: FleetState, known: dict[Key, float | None], counts: dict[Key, float], elapsed_s: float) -> None:
        process, before = read_usage(os.getpid()), self._process
        self._process = process
        if process is not None:
            known["engine_rss_mb", ""] = process.rss_mb
            known["engine_cpu", ""] = (process.cpu_s - before.cpu_s) / elapsed_s if before is not None and elapsed_s else None
        known["host_cpu", ""], known["host_memory", ""] = self.machine.cpu(), self.machine.memory()
        known["hosts", ""] = len(state.hosts)
        counts["events", ""], counts["events_dropped", ""] = self.around.bus()
        counts["commits", ""] = self.around.commits()
        tidied = self.around.tidied()
        counts["memory_expired", ""], counts["memory_purged", ""] = tidied.expired, tidied.purged
        for name, layer in self.around.layers().items():
            word = f"memory_{name.lower()}"
            counts[f"{word}_hits", ""], counts[f"{word}_misses", ""] = layer.hits, layer.misses

    def _booster(self, known: dict[Key, float | None], counts: dict[Key, float]) -> None:
        if not self.around.has_booster():
            return
        sums, before = self.around.book.sums(), self._cache
        utilisation = self.around.book.utilization()
        known["booster_utilisation", ""] = utilisation if utilisation >= 0 else None
        counts["booster_ops", ""] = sums.calls
        counts["booster_cache_hits", ""], counts["booster_cache_misses", ""] = sums.cache_hits, sums.cache_misses
        self._cache = (sums.cache_hits, sums.cache_misses)
        if before is not None:
            hits, misses = sums.cache_hits - before[0], sums.cache_misses - before[1]
            known["cache_hit_rate", ""] = hits / (hits + misses) if hits + misses > 0 else None


def _spending(state: FleetState, name: str, known: dict[Key, float | None], counts: dict[Key, float], now: float) -> None:
    """Note what a pool's tasks told that they used since the state began, and how much of its budget that is."""
    ledger = state.spending.ledgers.get(scope_of("pools", name))
    known["budget_used", name] = most_used(state, name, now)
    if ledger is not None:
        counts.update({(metric, name): used for metric in ("cost", "tokens") if (used := ledger.total.of(metric))})


_SUMMED = (
    "desired",
    "agents",
    "agents_idle",
    "agents_busy",
    "agents_starting",
    "agents_drained",
    "agents_failed",
    "queue_depth",
    "tasks_waiting",
    "tasks_running",
    "load",
    "cpu_cores",
    "rss_mb",
    "cost_per_hour",
)


def _sum(known: Mapping[Key, float | None], metric: str, pools: Iterable[str]) -> float | None:
    values = [value for pool in pools if (value := known.get((metric, pool))) is not None]
    return sum(values) if values else None


def _share(used: float | None, granted: float) -> float | None:
    return used / granted if used is not None and granted else None
