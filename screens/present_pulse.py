"""The home screen in words: what needs somebody, how pools stand, and what the last minute was like; pure.

`History` is owned by the screen that fills it; it holds what was seen, and a gap where nothing was seen.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from engine.model.rows import FleetStatus, HostRow, PoolRow, TaskRow
from screens.present import (
    HEALTH_BADGES,
    POOL_BADGES,
    TASK_BADGES,
    age,
    badge,
    count,
    megabytes,
    meter_cell,
    number_cell,
    plural,
    unknown,
)
from screens.present_rows import METER_WIDTH, Sorted, pool_state_cell, size_cell
from screens.widgets.bars import draw_sparkline
from screens.widgets.cells import Cell, Glyphs
from screens.widgets.cells import Row as Cells
from screens.widgets.columns import Column

SAMPLE_S = 2.0
"""One column of a sparkline."""
SAMPLES = 30
SPAN_S = SAMPLE_S * SAMPLES
RATE_S = 10.0
TASKS_SHOWN = 50

# ---- the last minute


@dataclass(slots=True)
class History:
    """Loads of pools and successes of the fleet in the last minute, as far as they were seen."""

    loads: dict[int, dict[str, int]] = field(default_factory=dict)
    """Number of the interval of SAMPLE_S seconds to pool to tasks waiting and running."""
    successes: deque[tuple[float, int]] = field(default_factory=deque)
    """(instant, tasks succeeded since the state began)."""

    def see(self, status: FleetStatus, pools: Iterable[PoolRow]) -> None:
        """Take what a frame says, at the frame's own instant; what is older than the span is forgotten."""
        number = int(status.now // SAMPLE_S)
        self.loads[number] = {pool.id: pool.pending + pool.leased + pool.running for pool in pools}
        for old in [at for at in self.loads if at <= number - SAMPLES]:
            del self.loads[old]
        if not self.successes or status.now > self.successes[-1][0]:
            self.successes.append((status.now, status.tasks.succeeded))
        while self.successes and self.successes[0][0] < status.now - RATE_S - SAMPLE_S:
            self.successes.popleft()

    def load_of(self, pool: str, now: float) -> list[int | None]:
        """Return a pool's load, oldest first; None where nothing was seen."""
        last = int(now // SAMPLE_S)
        return [self.loads.get(number, {}).get(pool) for number in range(last - SAMPLES + 1, last + 1)]

    def succeeded_per_s(self) -> float | None:
        """Return tasks succeeded a second over the last ten seconds at most; None before there are two looks."""
        if len(self.successes) < 2:
            return None
        (began, first), (ended, last) = self.successes[0], self.successes[-1]
        return (last - first) / (ended - began) if last >= first else None


def spark_cell(values: Sequence[int | None], glyphs: Glyphs) -> Cell:
    """Return a load as bars, scaled from 0 to its own greatest; blank where it was not seen."""
    known = [value for value in values if value is not None]
    if not known or not any(known):
        return Cell("".join(" " if value is None else glyphs.spark[1] for value in values), "dim")
    bars = iter(draw_sparkline(known, len(known), scale=(0, max(known)), spark=glyphs.spark)[0])
    return Cell("".join(" " if value is None else next(bars) for value in values), "accent")


# ---- what needs somebody


class Need(NamedTuple):
    """One thing that needs somebody, and the command line that shows it."""

    id: str
    what: Cell
    why: str
    at: float
    """Since when, in epoch seconds; 0 = not known."""
    view: str
    """`task`, `agents`, `pool`, `host` or `audit`: where Enter leads."""
    thing: str = ""


NEED_COLUMNS: tuple[Column, ...] = (
    Column("what", "needs somebody", width_min=30, width_max=48, flex=2),
    Column("why", "why", width_min=20, flex=3),
    Column("since", "for", width_min=4, align="right"),
)


def find_needs(status: FleetStatus, tables: Mapping[str, Mapping[str, object]], glyphs: Glyphs) -> list[Need]:
    """Return what needs somebody, the most pressing first; of failed tasks the newest TASKS_SHOWN."""
    needs: list[Need] = []
    if status.read_only:
        needs.append(Need("engine", Cell("✕ engine is read-only" if not glyphs.is_ascii else "x engine is read-only", "bad"), status.read_only, 0.0, "audit"))
    for host in tables["hosts"].values():
        if isinstance(host, HostRow) and host.health not in ("healthy", "unknown"):
            look = badge(HEALTH_BADGES, host.health, glyphs)
            needs.append(Need(host.id, Cell(f"{look.text} host {host.id}", look.role), host.evidence or plural(host.agents, "agent"), host.beat_at, "host", host.id))
    for pool in tables["pools"].values():
        if isinstance(pool, PoolRow):
            needs += _pool_needs(pool, glyphs)
    return needs + _task_needs(tables["tasks"].values(), glyphs)


def _pool_needs(pool: PoolRow, glyphs: Glyphs) -> list[Need]:
    needs = []
    if pool.failed_agents:
        look = badge(POOL_BADGES, "broken", glyphs)
        what = Cell(f"{look.text} {plural(pool.failed_agents, 'agent')} of {pool.id}", look.role)
        needs.append(Need(f"broken {pool.id}", what, pool.reason, 0.0, "agents", pool.id))
    if pool.paused:
        look = badge(POOL_BADGES, "paused", glyphs)
        why = f"{plural(pool.pending, 'task')} waiting; f on the pool resumes it"
        needs.append(Need(f"paused {pool.id}", Cell(f"{look.text} pool {pool.id}", look.role), why, pool.oldest_pending_at, "pool", pool.id))
    return needs


def _task_needs(tasks: Iterable[object], glyphs: Glyphs) -> list[Need]:
    bad = [task for task in tasks if isinstance(task, TaskRow) and task.state in ("failed", "dead")]
    bad.sort(key=lambda task: -task.finished_at)
    needs = []
    for task in bad[:TASKS_SHOWN]:
        look = badge(TASK_BADGES, task.state, glyphs)
        needs.append(Need(task.id, Cell(f"{look.text} {task.title or task.id}", look.role), task.reason, task.finished_at, "task", task.id))
    return needs


def need_cells(need: Need, now: float, glyphs: Glyphs) -> Cells:
    """Return the cells of one need."""
    return need.what, need.why, age(now - need.at) if need.at else unknown(glyphs)


def health_parts(status: FleetStatus, needs: int, more: int) -> list[Cell | str]:
    """Return the fleet's health in words; `more` are failed tasks that are not in the list."""
    idle = status.agents.by_status.get("idle", 0)
    agents = f"{plural(status.agents.total, 'agent')}, {idle:,} idle"
    if not needs:
        return [agents, Cell("nothing needs you", "good")]
    total = needs + more
    return [agents, Cell(f"{count(total)} {'thing needs' if total == 1 else 'things need'} you", "bad")]


# ---- pools

PULSE_COLUMNS: tuple[Sorted, ...] = (
    (Column("pool", "pool", width_min=14), lambda r: r.id),
    (Column("ready", "ready", width_min=7, align="right"), lambda r: r.idle),
    (Column("queue", "queue", width_min=5, align="right"), lambda r: r.pending),
    (Column("use", "in use", width_min=METER_WIDTH), lambda r: r.busy / r.agents if r.agents else -1.0),
    (Column("load", f"waiting+running, {SPAN_S:.0f} s", width_min=SAMPLES, priority=1), lambda r: r.pending + r.running),
    (Column("done", "done", width_min=5, align="right", priority=3), lambda r: r.succeeded),
    (Column("failed", "failed", width_min=6, align="right", priority=2), lambda r: r.failed + r.dead),
    (Column("state", "state", width_min=10, flex=1, priority=4), lambda r: r.reason),
)


def pulse_cells(row: PoolRow, load: Sequence[int | None], glyphs: Glyphs) -> Cells:
    """Return a pool in short: ready of size, queue, use, the last minute, totals, state."""
    return (
        row.id,
        f"{row.idle}/{row.size}" if row.agents == row.size else Cell(f"{row.idle}/{size_cell(row, glyphs).text}", "accent"),
        number_cell(row.pending),
        meter_cell(row.busy, row.agents, METER_WIDTH, glyphs),
        spark_cell(load, glyphs),
        number_cell(row.succeeded),
        number_cell(row.failed + row.dead, "bad"),
        pool_state_cell(row, glyphs),
    )


# ---- hosts


def hosts_parts(hosts: Sequence[HostRow], glyphs: Glyphs) -> list[Cell | str]:
    """Return the processes that carry agents in one line: how many, cores and memory in use, as far as measured."""
    if not hosts:
        return [Cell("no process carries agents", "dim")]
    measured = [host for host in hosts if host.cpu >= 0]
    parts: list[Cell | str] = [plural(len(hosts), "host")]
    if measured:
        parts.append(f"cpu {sum(host.cpu for host in measured):.2f} cores")
        parts.append(f"memory {megabytes(sum(host.rss_mb for host in measured))}")
    else:
        parts.append(Cell("cpu and memory not measured yet", "dim"))
    if measured and len(measured) < len(hosts):
        parts.append(Cell(f"{len(hosts) - len(measured)} not measured", "dim"))
    return parts
