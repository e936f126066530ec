"""Rows for faces, built from the state's records; pure."""

from __future__ import annotations

from typing import Any

from engine.agents.runtime import HostSample
from engine.gate.questions import why_waits
from engine.model.agent_events import Cordon, JoinedHost
from engine.model.agents import Agent, AgentStatus
from engine.model.plans import AuditEntry
from engine.model.pools import Pool
from engine.model.rows import (
    AgentCounts,
    AgentRow,
    AuditRow,
    FleetStatus,
    HostRow,
    PlanRow,
    PoolRow,
    TaskCounts,
    TaskRow,
)
from engine.model.tasks import HELD, Task, TaskState
from engine.state import FleetState, Host, KeptPlan

REASON_MAX = 200


def pool_row(state: FleetState, pool: Pool, oldest_pending_at: float) -> PoolRow:
    """Return a pool's row; its counters are kept, the oldest waiting task is given."""
    status, tasks = pool.by_status, pool.by_state
    return PoolRow(
        pool.spec.name,
        pool.spec.kind,
        pool.spec.priority,
        pool.spec.min,
        pool.spec.max,
        pool.size,
        pool.agents,
        status.get(AgentStatus.IDLE, 0),
        sum(status.get(kind, 0) for kind in (AgentStatus.ASSIGNED, AgentStatus.BUSY, AgentStatus.DRAINING)),
        status.get(AgentStatus.STARTING, 0),
        status.get(AgentStatus.DRAINED, 0),
        status.get(AgentStatus.FAILED, 0),
        tasks.get(TaskState.PENDING, 0),
        tasks.get(TaskState.LEASED, 0),
        tasks.get(TaskState.RUNNING, 0),
        pool.succeeded,
        pool.failed,
        pool.dead,
        pool.retried,
        oldest_pending_at,
        pool.paused,
        _pool_reason(state, pool),
        pool.blocked,
        tasks.get(TaskState.NEEDS_INPUT, 0),
    )


def _pool_reason(state: FleetState, pool: Pool) -> str:
    if not pool.by_status.get(AgentStatus.FAILED):
        return "paused" if pool.paused else state.spending.closed(pool.spec.name)[:REASON_MAX] or (pool.waits.text if pool.waits else pool.tasks_wait)
    broken = (agent for agent in state.agents_in(pool.spec.name) if agent.status is AgentStatus.FAILED)
    return next(broken).reason[:REASON_MAX]


def agent_row(state: FleetState, agent: Agent, used: tuple[float, float, float] | None = None, stalled: str = "") -> AgentRow:
    """Return an agent's row; `used` are its cores, megabytes and when that was, None = it has no process of its own, or was not measured.

    `stalled` says on what evidence it does nothing.
    """
    task = state.tasks.get(agent.task) if agent.task else None
    allocation = state.allocations.get(agent.allocation) if agent.allocation else None
    doing = agent.task or (allocation.task_id if allocation else "")
    return AgentRow(
        agent.spec.id,
        agent.spec.name,
        agent.spec.pool,
        agent.spec.type,
        agent.status,
        agent.health,
        doing,
        task.spec.title if task else ("reserved by a caller" if allocation else ""),
        agent.host or "",
        agent.succeeded,
        agent.failed,
        round(agent.busy_s, 3),
        round(agent.mean_task_s, 4),
        agent.created_at,
        agent.updated_at,
        agent.idle_since,
        (stalled or agent.reason or agent.over)[:REASON_MAX],
        *(used or ()),
    )


def task_row(state: FleetState, task: Task, now: float, stalled: str = "") -> TaskRow:
    """Return a task's row; its reason says what holds it up or how it ended; `stalled`, that its program does nothing."""
    return TaskRow(
        task.spec.id,
        task.spec.title,
        task.spec.type,
        task.spec.pool,
        task.state,
        task.priority,
        task.agent_name if task.attempt else "",
        task.attempt,
        task.spec.submitted_at,
        task.leased_at,
        task.started_at,
        task.finished_at,
        stalled or task_reason(state, task, now),
        task.waiting_on,
        task.spec.submitted_by,
        task.tries,
        task.spec.max_attempts,
        task.deaths,
        _told(task, "cost"),
        _told(task, "tokens"),
        _told(task, "turns"),
    )


def _told(task: Task, name: str) -> float | None:
    """Return what a task's attempts told of their use; None = they told nothing of it."""
    if name == "cost" and not task.spent.get("cost") and (task.spent.get("unpriced") or not task.metered):
        return None
    return round(task.spent[name], 9) if name in task.spent else None


def task_reason(state: FleetState, task: Task, now: float) -> str:
    """Return in a few words what holds a task up or how it ended; empty for one that runs or succeeded."""
    if task.stopping:
        return f"stopping: {task.stopping}"
    if task.state is TaskState.PENDING:
        if task.waiting_on:
            return f"waits on {task.waiting_on} task{'s' if task.waiting_on > 1 else ''}"
        if task.not_before > now:
            return f"backs off: {task.error.kind if task.error else ''}"
        if state.is_halted("placing"):
            return "fleet halted"
        pool = state.pools[task.spec.pool]
        return "pool paused" if pool.paused else _over(state, task) or pool.tasks_wait or "waits for an agent"
    if task.questions:
        return why_waits(task)[:REASON_MAX]
    if task.error is None or task.state in HELD:
        return ""
    return f"{task.error.kind}: {task.error.message}"[:REASON_MAX]


def _over(state: FleetState, task: Task) -> str:
    """Return which limit keeps a task waiting, its own or its pool's; empty when none does."""
    return (task.over or state.spending.closed(task.spec.pool))[:REASON_MAX]


def host_row(host: Host, sample: HostSample | None) -> HostRow:
    """Return a host's row with its newest measurement."""
    joined = host.info.joined
    more: tuple[Any, ...] = () if joined is None else (_cordon(host), joined.agents_max, joined.machine, joined.version, _takes(joined))
    return HostRow(
        host.info.id,
        host.info.kind,
        host.info.pid,
        len(host.agents),
        host.health,
        host.evidence,
        round(sample.cpu, 3) if sample else -1.0,
        round(sample.rss_mb, 1) if sample else -1.0,
        sample.beat_at if sample else 0.0,
        *more,
    )


def _cordon(host: Host) -> str:
    is_empty = host.cordon is Cordon.DRAINING and not host.agents
    return "drained" if is_empty else host.cordon


def _takes(joined: JoinedHost) -> str:
    labels = ", ".join(f"{name}={value}" for name, value in joined.labels.items())
    return "; ".join(part for part in (", ".join(joined.kinds), f"pools {', '.join(joined.pools)}" * bool(joined.pools), labels) if part)


def plan_row(kept: KeptPlan) -> PlanRow:
    """Return an applied plan's row."""
    plan = kept.plan
    return PlanRow(
        plan.id, plan.at, plan.who, plan.via, plan.summary, plan.reason, plan.undo_until, kept.undone_by is not None
    )


def audit_row(number: int, entry: AuditEntry) -> AuditRow:
    """Return one line of the audit; the number makes its id."""
    return AuditRow(
        f"aud_{number}",
        entry.at,
        entry.who,
        entry.via,
        entry.address,
        entry.action,
        entry.target,
        entry.reason,
        entry.result,
        entry.plan,
        entry.before,
        entry.after,
        entry.entry,
    )


def fleet_status(  # noqa: PLR0913  # what only the engine's owner knows
    state: FleetState, *, name: str, version: str, started_at: float, now: float, read_only: str, differences: tuple[str, ...] = (), damage: str = ""
) -> FleetStatus:
    """Return the fleet in one look; every count is kept."""
    totals, engine = state.totals, state.engine
    return FleetStatus(
        name,
        engine.engine if engine else "",
        version,
        engine.pid if engine else 0,
        started_at,
        now,
        state.seq,
        read_only,
        tuple(state.pools),
        len(state.hosts),
        AgentCounts(len(state.agents), totals.agents_peak, {key: count for key, count in totals.by_status.items() if count}),
        TaskCounts(
            totals.submitted,
            totals.succeeded,
            totals.failed,
            totals.dead,
            totals.cancelled,
            totals.retried,
            {key: count for key, count in totals.by_state.items() if count},
        ),
        tuple(state.halted.values()),
        differences,
        damage,
    )
