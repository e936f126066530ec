"""Handing tasks on: what the booster does not do for certain, or failed at, goes to regular agents; no attempt is counted."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from engine.config import FleetManagerConfig
from engine.model.events import Event
from engine.model.modules import USER_PREFIX
from engine.model.pools import BOOSTER
from engine.model.task_events import Reroute, TasksRerouted
from engine.model.tasks import Outcome, Task, TaskSpec
from engine.state import FleetState

WORKER_LOST = "worker_lost"
"""Reroute.failure of a task whose worker died while an instance in it did the task."""


def is_boosted(state: FleetState, task: Task) -> bool:
    """Answer whether a task is in a pool of the booster."""
    return state.pools[task.spec.pool].spec.kind == BOOSTER


def fallback_pool(state: FleetState, config: FleetManagerConfig, spec: TaskSpec | None = None) -> str:
    """Return the pool of regular agents that does what the booster does not, for a task if one is named; empty = none may."""
    if spec is not None and spec.type.startswith(USER_PREFIX):
        return ""  # only its module does it
    return regular_pool(state, config, spec) if config.booster.fallback_enabled else ""


def regular_pool(state: FleetState, config: FleetManagerConfig, spec: TaskSpec | None = None) -> str:
    """Return the pool of regular agents that does code tasks which name none; empty = there is none."""
    wanted = set(spec.capabilities) if spec is not None else set()
    named = config.booster.fallback_pool
    for name, pool in state.pools.items():
        if named and name != named:
            continue
        if _is_regular(pool.spec.kind, pool.spec.handler) and pool.spec.max and wanted <= set(pool.spec.capabilities):
            return name
    return ""


def _is_regular(kind: str, handler: str) -> bool:
    return kind == "python" and not handler


def decide_handed_on(state: FleetState, task: Task, outcome: Outcome, config: FleetManagerConfig) -> list[Event] | Outcome:
    """Return the event that hands a task on, or, when nobody is there for it, its outcome as a failure."""
    pool = fallback_pool(state, config, task.spec)
    failure = str(outcome.result.get("failure", ""))
    if pool and pool != task.spec.pool:
        kept = str(outcome.result.get("reproducer", ""))
        return [TasksRerouted((Reroute(task.spec.id, task.attempt, outcome.error, failure, kept),), pool)]
    why = "booster.fallbackEnabled is false" if not config.booster.fallback_enabled else "no pool of regular agents can take it"
    text = f"{outcome.error}; {why}, so nobody else does it"
    return msgspec.structs.replace(outcome, error_kind=failure or "not_certain", error=text, retryable=False)


def decide_lost_worker(state: FleetState, task: Task, reason: str, config: FleetManagerConfig) -> list[Event]:
    """Return what hands on a task whose worker died while an instance did it; nothing where that is not possible."""
    pool = fallback_pool(state, config, task.spec) if is_boosted(state, task) else ""
    if not pool:
        return []
    return [TasksRerouted((Reroute(task.spec.id, task.attempt, reason, WORKER_LOST, death=True),), pool)]


def decide_emptied(state: FleetState, pools: Iterable[str], reason: str, config: FleetManagerConfig) -> list[Event]:
    """Return what hands on all waiting tasks of boosters none of whose agents can work."""
    events: list[Event] = []
    for name in pools:
        by_pool: dict[str, list[Reroute]] = {}
        for task_id in state.pending_of.get(name, ()):
            pool = fallback_pool(state, config, state.tasks[task_id].spec)
            if pool:
                by_pool.setdefault(pool, []).append(Reroute(task_id, 0, reason))
        events += [TasksRerouted(tuple(moved), pool) for pool, moved in by_pool.items()]
    return events
