"""Tables of each kind of row: the columns, what they sort by, and the cells of a row; pure.

A column's priority says which columns leave first on a narrow terminal (the greatest number first).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from engine.model.budget_words import say_amount
from engine.model.rows import AgentRow, AuditRow, EventRow, HostRow, PlanRow, PoolRow, Row, TaskRow
from screens.present import (
    AGENT_BADGES,
    HEALTH_BADGES,
    HOST_BADGES,
    LEVEL_BADGES,
    POOL_BADGES,
    TASK_BADGES,
    age,
    arrow,
    badge,
    clock_text,
    count,
    duration,
    megabytes,
    meter_cell,
    number_cell,
    rest_age,
    unknown,
)
from screens.widgets.cells import Cell, Glyphs
from screens.widgets.cells import Row as Cells
from screens.widgets.columns import Column, right

Sorted = tuple[Column, Callable[[Any], Any]]
"""A column and what a row is sorted by in it."""

METER_WIDTH = 10
AT_REST = frozenset({"idle", "drained", "failed"})
"""Agents that wait for somebody: nobody counts the seconds."""
CPU_REST = 0.02
"""Below this share of a core a process is at rest; its exact share flickers."""
STATE_ORDER = {"needs_input": -1, "running": 0, "leased": 1, "dead": 2, "failed": 3, "pending": 4, "cancelled": 5, "succeeded": 6}
STATUS_ORDER = {"failed": 0, "draining": 1, "drained": 2, "starting": 3, "busy": 4, "assigned": 5, "idle": 6}


def columns_over(columns: Sequence[Sorted], rows: Callable[[], Mapping[str, Row]]) -> list[Column]:
    """Return the columns with sort keys that read the current rows; a row that is gone sorts before all others."""

    def key_of(value: Callable[[Any], Any]) -> Callable[[str], Any]:
        def key(row_id: str) -> tuple[Any, ...]:
            row = rows().get(row_id)
            return (0,) if row is None else (1, value(row))

        return key

    return [dataclasses.replace(column, key=key_of(value)) for column, value in columns]


# ---- pools

POOL_COLUMNS: tuple[Sorted, ...] = (
    (Column("pool", "pool", width_min=14), lambda r: r.id),
    (right("size", "size", 5, 0), lambda r: r.agents),
    (right("free", "free", 4, 0), lambda r: r.idle),
    (right("busy", "busy", 4, 5), lambda r: r.busy),
    (right("range", "min..max", 8, 6), lambda r: r.max),
    (right("queue", "queue", 5, 0), lambda r: r.pending - r.blocked),
    (right("blocked", "blocked", 7, 8), lambda r: r.blocked),
    (right("oldest", "oldest", 6, 2), lambda r: -r.oldest_pending_at if r.oldest_pending_at else float("-inf")),
    (Column("use", "in use", width_min=METER_WIDTH, priority=1), lambda r: r.busy / r.agents if r.agents else -1.0),
    (right("done", "done", 5, 3), lambda r: r.succeeded),
    (right("failed", "failed", 6, 0), lambda r: r.failed),
    (right("dead", "dead", 4, 4), lambda r: r.dead),
    (right("retried", "retried", 7, 7), lambda r: r.retried),
    (Column("state", "state", width_min=10, flex=1), lambda r: (pool_state(r), r.reason)),
)


def pool_state(row: PoolRow) -> str:
    """Return the word for what a pool is about; what needs somebody comes first."""
    if row.failed_agents:
        return "broken"
    if row.paused:
        return "paused"
    if row.reason:
        return "waiting"
    if row.agents < row.size or row.starting:
        return "starting"
    if row.agents > row.size:
        return "draining"
    if row.busy:
        return "busy"
    return "idle" if row.agents else "empty"


def pool_state_cell(row: PoolRow, glyphs: Glyphs) -> Cell:
    """Return a pool's state with its reason."""
    word = pool_state(row)
    cell = badge(POOL_BADGES, word, glyphs)
    if word == "broken":
        return Cell(f"{cell.text}: {row.failed_agents} of {row.agents}, {row.reason}", cell.role)
    if word == "waiting":
        return Cell(f"{cell.text} {row.reason.removeprefix('waits ')}", cell.role)
    if word == "starting" and row.agents < row.size:
        return Cell(f"{cell.text} {row.size - row.agents} more", cell.role)
    return cell


def size_cell(row: PoolRow, glyphs: Glyphs, staged: int = 0) -> Cell:
    """Return a pool's size: `5`; `5 → 7` while it grows; `5 → 7*` when that is staged and not asked for yet."""
    if staged:
        return Cell(f"{row.size}{arrow(glyphs)}{row.size + staged}*", "warn")
    if row.agents != row.size:
        return Cell(f"{row.agents}{arrow(glyphs)}{row.size}", "accent")
    return number_cell(row.size)


def pool_cells(row: PoolRow, now: float, glyphs: Glyphs, staged: int = 0) -> Cells:
    """Return a pool's cells."""
    return (
        row.id,
        size_cell(row, glyphs, staged),
        number_cell(row.idle),
        number_cell(row.busy),
        f"{row.min}..{row.max}",
        number_cell(row.pending - row.blocked),
        number_cell(row.blocked),
        Cell(age(now - row.oldest_pending_at)) if row.oldest_pending_at else unknown(glyphs),
        meter_cell(row.busy, row.agents, METER_WIDTH, glyphs),
        number_cell(row.succeeded),
        number_cell(row.failed, "bad"),
        number_cell(row.dead, "bad"),
        number_cell(row.retried, "warn"),
        pool_state_cell(row, glyphs),
    )


# ---- agents

AGENT_COLUMNS: tuple[Sorted, ...] = (
    (Column("agent", "agent", width_min=16, width_max=28, flex=1), lambda r: natural(r.name)),
    (Column("status", "status", width_min=10), lambda r: (STATUS_ORDER.get(r.status, 9), natural(r.name))),
    (right("for", "for", 4, 1), lambda r: -r.updated_at),
    (Column("pool", "pool", width_min=12, priority=4), lambda r: r.pool),
    (Column("task", "task", width_min=16, flex=4), lambda r: r.task_title or r.reason),
    (Column("health", "health", width_min=9, priority=3), lambda r: r.health),
    (right("done", "done", 5, 2), lambda r: r.succeeded),
    (right("failed", "failed", 6, 5), lambda r: r.failed),
    (right("mean", "mean", 6, 6), lambda r: r.mean_task_s),
    (right("worked", "worked", 6, 8), lambda r: r.busy_s),
    (right("age", "age", 4, 9), lambda r: -r.created_at),
    (Column("host", "host", width_min=12, priority=7, cut="middle"), lambda r: r.host),
)


def natural(name: str) -> tuple[str, int]:
    """Sort `coder-2` before `coder-10`."""
    head = name.rstrip("0123456789")
    tail = name[len(head) :]
    return head, int(tail) if tail else -1


def agent_cells(row: AgentRow, now: float, glyphs: Glyphs) -> Cells:
    """Return an agent's cells."""
    return (
        row.name,
        badge(AGENT_BADGES, row.status, glyphs),
        (rest_age if row.status in AT_REST else age)(now - row.updated_at) if row.updated_at else unknown(glyphs),
        row.pool,
        Cell(row.reason, "warn") if row.reason else row.task_title or Cell(row.task, "dim"),
        badge(HEALTH_BADGES, row.health, glyphs),
        number_cell(row.succeeded),
        number_cell(row.failed, "bad"),
        duration(row.mean_task_s) if row.succeeded + row.failed else unknown(glyphs),
        duration(row.busy_s) if row.succeeded + row.failed else unknown(glyphs),
        rest_age(now - row.created_at) if row.created_at else unknown(glyphs),
        row.host or unknown(glyphs),
    )


# ---- tasks

TASK_COLUMNS: tuple[Sorted, ...] = (
    (Column("task", "task", width_min=20, flex=3), lambda r: r.title or r.id),
    (Column("state", "state", width_min=11), lambda r: (STATE_ORDER.get(r.state, 9), -r.submitted_at)),
    (Column("pool", "pool", width_min=12, priority=2), lambda r: r.pool),
    (Column("agent", "agent", width_min=14, priority=6), lambda r: natural(r.agent)),
    (right("priority", "pri", 3, 3), lambda r: r.priority),
    (right("attempt", "try", 3, 7), lambda r: r.attempt),
    (right("wait", "wait", 6, 5), lambda r: (r.leased_at or float("inf")) - r.submitted_at),
    (right("run", "run", 6, 1), lambda r: r.finished_at - r.started_at if r.finished_at and r.started_at else -1.0),
    (right("age", "age", 4, 4), lambda r: -r.submitted_at),
    (Column("why", "why", width_min=22, flex=2), lambda r: r.reason),
    (right("cost", "cost", 8, 8), lambda r: -1.0 if r.cost is None else r.cost),
    (right("tokens", "tokens", 9, 9), lambda r: -1.0 if r.tokens is None else r.tokens),
    (Column("type", "type", width_min=14, priority=8), lambda r: r.type),
    (Column("by", "by", width_min=8, priority=9), lambda r: r.submitted_by),
    (Column("id", "id", width_min=12, priority=10), lambda r: r.id),
)


def waited_s(row: TaskRow, now: float) -> float:
    """Return how long a task waited for its latest agent, or has waited until now, in seconds."""
    return (row.leased_at or row.finished_at or now) - row.submitted_at


def ran_s(row: TaskRow, now: float) -> float | None:
    """Return how long the latest attempt ran or has run, in seconds; None when it has not started."""
    if not row.started_at:
        return None
    if row.state in ("running", "needs_input"):
        return now - row.started_at
    return row.finished_at - row.started_at if row.finished_at >= row.started_at else None


def task_cells(row: TaskRow, now: float, glyphs: Glyphs) -> Cells:
    """Return a task's cells."""
    ran = ran_s(row, now)
    role = "bad" if row.state in ("failed", "dead") else "dim"
    return (
        row.title or row.id,
        badge(TASK_BADGES, row.state, glyphs),
        row.pool,
        row.agent or unknown(glyphs),
        str(row.priority),
        number_cell(row.attempt, "warn" if row.attempt > 1 else ""),
        age(waited_s(row, now)) if row.state != "pending" or not row.waiting_on else rest_age(waited_s(row, now)),
        unknown(glyphs) if ran is None else age(ran) if row.state in ("running", "needs_input") else duration(ran),
        rest_age(now - row.submitted_at),
        Cell(row.reason, role),
        unknown(glyphs) if row.cost is None else say_amount("cost", row.cost),
        unknown(glyphs) if row.tokens is None else f"{row.tokens:,.0f}",
        Cell(row.type, "dim"),
        row.submitted_by or unknown(glyphs),
        Cell(row.id, "dim"),
    )


# ---- hosts

HOST_COLUMNS: tuple[Sorted, ...] = (
    (Column("host", "host", width_min=14, width_max=20, flex=1, cut="middle"), lambda r: r.id),
    (Column("kind", "kind", width_min=8), lambda r: r.kind),
    (right("pid", "pid", 7, 4), lambda r: r.pid),
    (right("agents", "agents", 6, 1), lambda r: r.agents),
    (right("cpu", "cpu", 5, 0), lambda r: r.cpu),
    (right("memory", "memory", 7, 0), lambda r: r.rss_mb),
    (Column("health", "health", width_min=9), lambda r: r.health),
    (right("beat", "beat", 7, 2), lambda r: -r.beat_at),
    (Column("evidence", "evidence", width_min=10, flex=3, priority=3), lambda r: r.evidence),
)


def beat_cell(row: HostRow, now: float, glyphs: Glyphs) -> Cell:
    """Return how long ago a host was heard of, once that is late: until then the seconds say nothing, and cost bytes."""
    if not row.beat_at:
        return unknown(glyphs)
    return Cell("on time", "dim") if row.health == "healthy" else Cell(age(now - row.beat_at), "warn")


def host_cells(row: HostRow, now: float, glyphs: Glyphs) -> Cells:
    """Return the cells of a process that carries agents; cpu is of one core."""
    return (
        row.id,
        row.kind,
        str(row.pid),
        f"{row.agents}/{row.agents_max}" if row.agents_max else number_cell(row.agents),
        unknown(glyphs) if row.cpu < 0 else f"{row.cpu * 100:.0f}%" if row.cpu >= CPU_REST else f"<{CPU_REST * 100:.0f}%",
        megabytes(row.rss_mb) if row.rss_mb >= 0 else unknown(glyphs),
        host_badge(row, glyphs),
        beat_cell(row, now, glyphs),
        Cell("; ".join(part for part in (row.evidence, joined_text(row)) if part), "dim"),
    )


def host_badge(row: HostRow, glyphs: Glyphs) -> Cell:
    """Return how a host is, or that it takes no agents where nothing worse is known."""
    is_told = row.health == "healthy" and row.state in HOST_BADGES
    return badge(HOST_BADGES, row.state, glyphs) if is_told else badge(HEALTH_BADGES, row.health, glyphs)


def joined_text(row: HostRow) -> str:
    """Return what a host that joined is; empty for a process of the engine's own."""
    return f"{row.version} on {row.machine}; {row.takes}" if row.state else ""


# ---- plans

PLAN_COLUMNS: tuple[Sorted, ...] = (
    (Column("plan", "plan", width_min=24, flex=3), lambda r: r.summary),
    (Column("undo", "undo", width_min=13), lambda r: r.undo_until),
    (right("ago", "ago", 4, 0), lambda r: -r.at),
    (Column("who", "who", width_min=8), lambda r: r.who),
    (Column("via", "via", width_min=7, priority=1), lambda r: r.via),
    (Column("reason", "reason", width_min=10, flex=2, priority=2), lambda r: r.reason),
    (Column("id", "id", width_min=12, priority=3), lambda r: r.id),
)


def undo_cell(row: PlanRow, now: float) -> Cell:
    """Return whether and how long a plan can be undone."""
    if row.undone:
        return Cell("undone", "warn")
    if not row.undo_until:
        return Cell("not undoable", "dim")
    left = row.undo_until - now
    return Cell(f"{rest_age(left)} left", "good") if left > 0 else Cell("window closed", "dim")


def plan_cells(row: PlanRow, now: float, glyphs: Glyphs) -> Cells:
    """Return the cells of a plan that was carried out."""
    return (
        row.summary,
        undo_cell(row, now),
        rest_age(now - row.at),
        row.who or unknown(glyphs),
        row.via,
        row.reason or unknown(glyphs),
        Cell(row.id, "dim"),
    )


# ---- audit

AUDIT_COLUMNS: tuple[Sorted, ...] = (
    (Column("at", "UTC", width_min=8), lambda r: (r.at, natural(r.id))),
    (Column("who", "who", width_min=7), lambda r: r.who),
    (Column("via", "via", width_min=7, priority=2), lambda r: r.via),
    (Column("address", "from", width_min=12, priority=4), lambda r: r.address),
    (Column("action", "action", width_min=13), lambda r: r.action),
    (Column("target", "target", width_min=12, flex=2), lambda r: r.target),
    (Column("change", "before → after", width_min=14, flex=2, priority=1), lambda r: (r.before, r.after)),
    (Column("reason", "reason", width_min=10, flex=2, priority=3), lambda r: r.reason),
    (Column("result", "result", width_min=8, flex=2), lambda r: r.result),
    (Column("plan", "plan", width_min=12, priority=5), lambda r: r.plan),
)


def audit_cells(row: AuditRow, glyphs: Glyphs) -> Cells:
    """Return the cells of one line of the audit."""
    change = f"{row.before} {arrow(glyphs)} {row.after}" if row.before or row.after else ""
    return (
        clock_text(row.at),
        row.who or unknown(glyphs),
        row.via,
        row.address or unknown(glyphs),
        Cell(row.action, "accent"),
        row.target,
        change or unknown(glyphs),
        row.reason or unknown(glyphs),
        Cell(row.result, "good" if row.result == "done" else "bad"),
        Cell(row.plan, "dim"),
    )


# ---- events

LEVEL_WIDTH = 7


def event_cells(row: EventRow, glyphs: Glyphs) -> Cells:
    """Return one event as a line: time of day (UTC), level, words."""
    level = badge(LEVEL_BADGES, row.level, glyphs)
    return (
        Cell(clock_text(row.at), "dim"),
        Cell(level.text.ljust(LEVEL_WIDTH), level.role),
        Cell(row.text, level.role if row.level != "info" else ""),
    )


def kept_text(kept: int, submitted: int) -> str:
    """Return how much of all tasks the console has: `10,000 of 23,412 kept here`."""
    return f"{kept:,} of {submitted:,} kept here" if submitted > kept else count(kept)
