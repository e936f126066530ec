"""The seeds' managers for programs that embed the engine: AutoScalingManager, AgentBooster.

Each works on a fleet that is given, or on one of its own between initialize() and shutdown(). All acts are verbs
through the gate: authorised, audited, undoable.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self, cast

from engine.fleet import FleetManager
from engine.model import wire
from engine.model.booster_commands import ClearBoosterCache
from engine.model.errors import UsageError
from engine.model.events import Event, Record
from engine.model.ids import TaskId
from engine.model.library import (
    BoosterStatus,
    BoosterTaskRequest,
    BoosterTaskResult,
    PerformanceReport,
    from_caller,
)
from engine.model.policy_text import policy_table
from engine.model.pool_commands import CreatePolicy, DeletePolicy, ScalePool, UpdatePolicy
from engine.model.pools import BOOSTER
from engine.model.rows import BoosterRow, InstanceRow, ScalingRow
from engine.model.scaling import Policy
from engine.model.task_commands import SubmitTask
from engine.model.task_events import TaskFailed, TasksCancelled, TasksSucceeded
from engine.model.tasks import FINISHED, Task, TaskState
from engine.model.verbs import Command
from engine.scaling.policies import find_pool
from engine.scaling.spreading import Room, spread_down, spread_up


@dataclass(frozen=True, slots=True)
class ScalingStatus:
    """The autoscaler in one look. next_at in epoch seconds, 0 = it does not run."""

    enabled: bool
    policies: int
    agents: int
    next_at: float
    pools: tuple[ScalingRow, ...]


class Manager:
    """What works on a fleet: one that is given, or one of its own that it starts and stops."""

    def __init__(self, fleet: FleetManager | None, own_config: Mapping[str, Any]) -> None:
        self._owns = fleet is None
        self.fleet = fleet or FleetManager(own_config)

    async def initialize(self) -> None:
        """Start the fleet when it is one of its own. Raises EngineStartError, JournalError."""
        if self._owns:
            await self.fleet.initialize()

    async def shutdown(self) -> None:
        """Stop the fleet when it is one of its own."""
        if self._owns:
            await self.fleet.shutdown()

    async def __aenter__(self) -> Self:
        """Initialize."""
        await self.initialize()
        return self

    async def __aexit__(self, *_error: object) -> None:
        """Shut down."""
        await self.shutdown()


class AutoScalingManager(Manager):
    """Policies and scaling by hand. `config` is the section autoScaling of a fleet's configuration."""

    def __init__(self, config: Mapping[str, Any] | None = None, *, fleet: FleetManager | None = None) -> None:
        """Take a fleet, or check the configuration of one of its own. Raises ConfigError."""
        if fleet is not None and config:
            raise UsageError("give the policies to the fleet's own configuration, or create_policy() them; not both a fleet and a config")
        super().__init__(fleet, {"auto_scaling": dict(config or {})})

    async def manual_scale_up(self, amount: int, reason: str = "", *, pool: str = "") -> dict[str, int]:
        """Add agents, to a pool or spread by priority and demand; return the new sizes. Raises FleetError."""
        return await self._scale(amount, reason, pool)

    async def manual_scale_down(self, amount: int, reason: str = "", *, pool: str = "") -> dict[str, int]:
        """Let agents go, busy ones when they have finished; return the new sizes. Raises FleetError."""
        return await self._scale(-amount, reason, pool)

    async def get_scaling_status(self) -> ScalingStatus:
        """Return what the autoscaler last decided for every pool, and why."""
        fleet = self.fleet
        rows = [row for pool in fleet.scaler.decisions if isinstance(row := fleet.feed.row("scaling", pool), ScalingRow)]
        state = fleet.coordinator.state
        enabled = fleet.config.auto_scaling.enabled
        return ScalingStatus(enabled, len(state.policies), len(state.agents), fleet.scaler.next_at if enabled else 0.0, tuple(rows))

    async def create_policy(self, policy: Mapping[str, Any] | Policy) -> str:
        """Make a policy, in the seeds' form or ours; return its id. Raises FleetError."""
        table = policy_table(policy) if isinstance(policy, Policy) else dict(policy)
        policy_id = str(table.get("id") or table.get("name") or "")
        if not policy_id:
            raise UsageError("a policy needs an id")
        await self._do([CreatePolicy(policy_id, table)])
        return policy_id

    async def update_policy(self, policy_id: str, updates: Mapping[str, Any]) -> None:
        """Change some keys of a policy; None gives a key its default back. Raises FleetError."""
        await self._do([UpdatePolicy(policy_id, dict(updates))])

    async def delete_policy(self, policy_id: str) -> None:
        """Remove a policy. Raises NotFound."""
        await self._do([DeletePolicy(policy_id)])

    async def list_policies(self) -> tuple[Policy, ...]:
        """Return all policies."""
        return tuple(self.fleet.coordinator.state.policies.values())

    async def _scale(self, amount: int, reason: str, pool: str) -> dict[str, int]:
        state = self.fleet.coordinator.state
        if not amount:
            return {}
        if pool:
            sizes = {pool: find_pool(state, pool).size + amount}
        else:
            spread = spread_up if amount > 0 else spread_down
            sizes = spread(abs(amount), [self._room(name) for name in state.pools])
        await self._do([ScalePool(name, str(size)) for name, size in sizes.items()], reason)
        return sizes

    def _room(self, name: str) -> Room:
        pool = self.fleet.coordinator.state.pools[name]
        busy = pool.agents - pool.by_status.get("idle", 0)
        waiting = self.fleet.coordinator.ready_tasks(name)
        return Room(name, pool.spec.priority, pool.size, pool.spec.min, pool.spec.max, busy, waiting)

    async def _do(self, commands: Sequence[Command], reason: str = "") -> None:
        await self.fleet.operator().execute(commands, reason=reason)


# ---- the booster

ENDS = (TasksSucceeded.type, TaskFailed.type, TasksCancelled.type)
CODE_PREFIX = "code."


class AgentBooster(Manager):
    """Code operations, done by the booster where that is certain. `config` is the section booster of a fleet's configuration."""

    def __init__(self, config: Mapping[str, Any] | None = None, *, fleet: FleetManager | None = None) -> None:
        """Take a fleet, or check the configuration of a small one of its own. Raises ConfigError, UsageError."""
        if fleet is not None and config:
            raise UsageError("give the section booster to the fleet's own configuration, not both a fleet and a config")
        super().__init__(fleet, {"booster": dict(config or {}), "fleet": {"default_pools": {"coder": {"min": 1, "max": 4}}}})
        self._waiting: dict[TaskId, asyncio.Event] = {}
        self._listens = False

    async def initialize(self) -> None:
        """Start the fleet when it is one of its own; a fleet that was given has been started. Raises EngineStartError, JournalError."""
        await super().initialize()
        if not self._listens:
            self._listens = True
            for type_ in ENDS:
                self.fleet.on(type_, self._hear)

    async def shutdown(self) -> None:
        """Stop the fleet when it is one of its own."""
        if self._listens:
            self._listens = False
            for type_ in ENDS:
                self.fleet.off(type_, self._hear)
        await super().shutdown()

    async def execute_task(self, request: BoosterTaskRequest | Mapping[str, Any]) -> BoosterTaskResult:
        """Carry out a code operation and return its end, whoever did it. Safe to cancel: the task goes on. Raises FleetError."""
        if not self._listens:
            raise UsageError("call initialize() before execute_task()")
        wanted = from_caller(BoosterTaskRequest, request)
        type_ = wanted.operation if wanted.operation.startswith(CODE_PREFIX) else CODE_PREFIX + wanted.operation
        command = SubmitTask(
            type_,
            payload=dict(wanted.payload),
            title=wanted.title,
            priority=wanted.priority,
            timeout_s=wanted.timeout_s,
            workspace=wanted.workspace,
            apply=wanted.apply,
        )
        task_id = TaskId(str((await self.fleet.operator().execute([command])).first()))
        ended = self._waiting.setdefault(task_id, asyncio.Event())
        try:
            known = self.fleet.coordinator.state.tasks.get(task_id)
            if known is not None and known.state not in FINISHED:
                await ended.wait()
        finally:
            self._waiting.pop(task_id, None)
        return await self._result(task_id)

    async def get_booster_status(self) -> BoosterStatus:
        """Return the booster as it is now, with its instances."""
        feed = self.fleet.feed
        booster = self._row()
        agents = self.fleet.coordinator.state.agents_in(BOOSTER) if booster is not None else ()
        rows = tuple(row for agent in agents if isinstance(row := feed.row("instances", str(agent.spec.id)), InstanceRow))
        return BoosterStatus(booster is not None, self.fleet.why_no_booster(), booster, rows)

    async def get_performance_report(self) -> PerformanceReport:
        """Return what was measured since the engine began; None for what there was nothing of to measure."""
        row = self._row()
        if row is None:
            return PerformanceReport()
        asked, tasks = row.cache_hits + row.cache_misses, row.answered + row.handed_on
        return PerformanceReport(
            tasks=tasks,
            answered=row.answered,
            handed_on=row.handed_on,
            failures=row.failures,
            ops_per_s=row.ops_per_s,
            mean_execution_s=row.busy_s / row.calls if row.calls else None,
            utilization=_measured(row.utilization),
            cache_hit_rate=row.cache_hits / asked if asked else None,
            memory_efficiency=_measured(row.efficiency),
            speed_up=_measured(row.speed_up),
            samples=row.samples,
            differences=row.differences,
        )

    async def clear_cache(self) -> None:
        """Forget all answers that are kept. Raises FleetError."""
        await self.fleet.operator().execute([ClearBoosterCache()])

    def _row(self) -> BoosterRow | None:
        row = self.fleet.feed.row("boosters", BOOSTER)
        return row if isinstance(row, BoosterRow) else None

    def _hear(self, record: Record) -> None:
        for task_id in _ended(record.event):
            waiting = self._waiting.get(task_id)
            if waiting is not None:
                waiting.set()

    async def _result(self, task_id: TaskId) -> BoosterTaskResult:
        state = self.fleet.coordinator.state
        task = state.tasks.get(task_id) or await self.fleet.journal.find_task(task_id)
        assert task is not None, "a task that was accepted is kept"
        pool = state.pools.get(task.spec.pool)
        notes = [detail for _, what, detail in task.history if what == "handed on"]
        return BoosterTaskResult(
            task_id,
            task.state is TaskState.SUCCEEDED,
            await self._whole_result(task),
            task.error.kind if task.error else "",
            task.error.message if task.error else "",
            pool is not None and pool.spec.kind == BOOSTER,
            notes[-1] if notes else "",
            task.spec.routed,
            max(0.0, task.finished_at - task.started_at) if task.started_at else 0.0,
        )

    async def _whole_result(self, task: Task) -> dict[str, object]:
        """Return the result, also one too large to stay with its task."""
        stored = await self.fleet.journal.artifact(task.artifact) if task.artifact else None
        if stored is None or stored.media != "application/json":
            return task.result
        return cast("dict[str, object]", wire.decode(stored.data))


def _measured(number: float) -> float | None:
    return number if number >= 0 else None


def _ended(event: Event) -> Iterable[TaskId]:
    """Return the tasks that an event ends."""
    if isinstance(event, TasksSucceeded):
        return [outcome.task for outcome in event.outcomes]
    if isinstance(event, TaskFailed):
        return [event.outcome.task]
    return event.tasks if isinstance(event, TasksCancelled) else ()
