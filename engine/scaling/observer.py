"""What can be measured of pools: queues and agents from the state, times from results, cores and memory from samples.

Owner: of moving means by pool. Limits: TIMED_MAX results of one commit are timed, so that a storm costs no more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

from engine.model import events as ev
from engine.model.agents import AgentStatus
from engine.model.pools import Pool
from engine.model.scaling import Observation
from engine.model.task_events import TasksSucceeded
from engine.state import FleetState, Touched

TIMED_MAX = 50
WEIGHT = 0.05
"""Of each timed result in the moving means."""
_OLDEST_LOOKED_AT = 64
"""Waiting tasks looked through for the oldest that could run."""


@dataclass(slots=True)
class PoolTimes:
    """Moving means of one pool, in seconds; None = nothing was timed yet."""

    service_s: float | None = None
    response_s: float | None = None


@dataclass(frozen=True, slots=True)
class Usage:
    """Of the agents of one pool: cores and megabytes used now; None = not measured."""

    cores: float | None = None
    rss_mb: float | None = None


class PoolObserver:
    """Measures pools from the state and from what the fleet publishes."""

    def __init__(
        self, state: Callable[[], FleetState], ready: Callable[[str], int], usage: Callable[[], Mapping[str, Usage]]
    ) -> None:
        self._state = state
        self._ready = ready
        self._usage = usage
        self._times: dict[str, PoolTimes] = {}
        self._used: Mapping[str, Usage] = {}
        self._used_at = -1.0
        self.custom: Callable[[str], tuple[tuple[str, float], ...]] = lambda _pool: ()
        """Gives the metrics that plug-ins measure of a pool."""

    def publish(self, records: Sequence[ev.Record], touched: Touched) -> None:  # noqa: ARG002  # a publisher gets both
        """Time the results of one commit."""
        tasks = self._state().tasks
        for record in records:
            if not isinstance(record.event, TasksSucceeded):
                continue
            for outcome in islice(record.event.outcomes, TIMED_MAX):
                task = tasks.get(outcome.task)
                if task is None or not task.started_at or not task.finished_at:
                    continue
                times = self._times.setdefault(task.spec.pool, PoolTimes())
                times.service_s = _moved(times.service_s, task.finished_at - task.started_at)
                times.response_s = _moved(times.response_s, task.finished_at - task.spec.submitted_at)

    def observe(self, pool: Pool, at: float) -> Observation:
        """Return what can be measured of a pool now."""
        state, name, status = self._state(), pool.spec.name, pool.by_status
        leaving = sum(agent.retiring for agent in state.agents_in(name)) if status.get(AgentStatus.DRAINING) else 0
        working = status.get(AgentStatus.ASSIGNED, 0) + status.get(AgentStatus.BUSY, 0) + status.get(AgentStatus.DRAINING, 0)
        busy = max(0, working - leaving)
        waiting = self._ready(name)
        times = self._times.get(name, PoolTimes())
        is_idle = not busy and not waiting
        if at != self._used_at:  # once for all pools
            self._used, self._used_at = self._usage(), at
        usage = self._used.get(name, Usage())
        granted = pool.spec.resources
        return Observation(
            at,
            pool.size,
            status.get(AgentStatus.IDLE, 0) + busy,
            busy,
            waiting,
            0,
            times.service_s,
            oldest_waiting_s(state, name, at) if waiting else 0.0,
            _share(usage.cores, granted.cpu * pool.agents),
            _share(usage.rss_mb, granted.memory * pool.agents),
            0.0 if is_idle else None if times.response_s is None else times.response_s * 1_000,
            self.custom(name),
        )


def measured(seen: Observation) -> dict[str, float | None]:
    """Return what was measured of a pool by name, without its instant and what plug-ins measured."""
    return {name: value for name, value in seen._asdict().items() if name not in ("at", "custom", "arrivals")}


def _moved(mean: float | None, value: float) -> float:
    return value if mean is None else mean + WEIGHT * (value - mean)


def _share(used: float | None, granted: float) -> float | None:
    return used / granted if used is not None and granted else None


def oldest_waiting_s(state: FleetState, pool: str, at: float) -> float | None:
    """Return the age of the task of a pool that waits longest for an agent; None if none is found among the first ones."""
    waiting: Iterable[str] = islice(state.pending_of.get(pool, ()), _OLDEST_LOOKED_AT)
    tasks = (state.tasks[task_id] for task_id in waiting)  # type: ignore[index]
    return next((at - task.spec.submitted_at for task in tasks if not task.waiting_on and task.not_before <= at), None)
