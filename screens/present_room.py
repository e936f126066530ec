"""Recommendations and gangs as cells; pure."""

from __future__ import annotations

from collections.abc import Sequence

from engine.model.plans import Call
from engine.model.rows import AdviceRow, GangRow
from engine.model.verb_lines import line_of
from engine.model.verbs import Command
from engine.model.wire import command_of, decode_as
from screens.present import age, number_cell, unknown
from screens.present_rows import Sorted
from screens.present_text import Lines, field_line
from screens.widgets.cells import Cell, Glyphs
from screens.widgets.cells import Row as Cells
from screens.widgets.columns import Column, right

ADVICE_COLUMNS: tuple[Sorted, ...] = (
    (Column("pool", "pool", width_min=14), lambda r: r.pool),
    (Column("what", "what", width_min=13, priority=5), lambda r: r.kind),
    (Column("now", "now", width_min=18, priority=1), lambda r: r.current),
    (Column("better", "better", width_min=18), lambda r: r.recommended),
    (right("used", "used", 4, 2), lambda r: r.efficiency),
    (Column("saves", "saves", width_min=26, priority=3), lambda r: (r.saves_cost_per_hour, r.saves_cores, r.saves_memory_mb)),
    (Column("why", "why", width_min=26, flex=1, priority=4), lambda r: r.evidence),
)
GANG_COLUMNS: tuple[Sorted, ...] = (
    (right("place", "place", 5, 0), lambda r: r.place or float("inf")),
    (Column("pool", "pool", width_min=14), lambda r: r.pool),
    (right("agents", "agents", 6, 0), lambda r: r.agents),
    (Column("state", "state", width_min=10), lambda r: r.state),
    (right("pri", "pri", 3, 6), lambda r: r.priority),
    (right("age", "age", 6, 5), lambda r: -r.asked_at),
    (right("ends", "ends in", 7, 1), lambda r: r.ends_at),
    (Column("by", "by", width_min=8, priority=7), lambda r: r.who),
    (Column("gang", "gang", width_min=30, priority=8), lambda r: r.id),
    (Column("why", "why", width_min=28, flex=1, priority=4), lambda r: r.reason),
)

_WHAT = {"resize_allocation": "less for each", "oversized": "fewer agents", "idle": "idle"}


def saved(agents: int, memory_mb: float, cores: float, cost_per_hour: float) -> str:
    """Return `7 agents, 2.0 GB, 1.5 cores`, what is 0 left out."""
    memory = f"{memory_mb / 1024:.1f} GB" if memory_mb >= 1024 else f"{memory_mb:.0f} MB"  # noqa: PLR2004  # a gigabyte
    parts = (
        (agents, f"{agents} agent{'' if agents == 1 else 's'}"),
        (memory_mb, memory),
        (cores, f"{cores:g} core{'' if cores == 1 else 's'}"),
        (cost_per_hour, f"{cost_per_hour:,.2f}/h"),
    )
    return ", ".join(text for amount, text in parts if amount)


def savings(rows: Sequence[AdviceRow]) -> str:
    """Return what all recommendations would save at least: of a pool that has two, the larger, since both save some of the same."""
    by_pool: dict[str, list[AdviceRow]] = {}
    for row in rows:
        by_pool.setdefault(row.pool, []).append(row)
    pools = by_pool.values()
    return saved(
        sum(max(row.saves_agents for row in own) for own in pools),
        sum(max(row.saves_memory_mb for row in own) for own in pools),
        round(sum(max(row.saves_cores for row in own) for own in pools), 2),
        sum(max(row.saves_cost_per_hour for row in own) for own in pools),
    )


def advice_cells(row: AdviceRow) -> Cells:
    """Return a recommendation's cells."""
    return (
        row.pool,
        _WHAT.get(row.kind, row.kind),
        Cell(row.current, "dim"),
        Cell(row.recommended, "accent"),
        f"{row.efficiency:.0%}",
        saved(0, row.saves_memory_mb, row.saves_cores, row.saves_cost_per_hour),
        Cell(row.evidence, "dim"),
    )


def call_in(row: AdviceRow) -> Command:
    """Return the verb that does what is recommended."""
    return command_of(decode_as(row.call, Call))


def advice_lines(row: AdviceRow) -> Lines:
    """Return a recommendation in full. The second line names the pool."""
    saves = saved(row.saves_agents, row.saves_memory_mb, row.saves_cores, row.saves_cost_per_hour)
    call = decode_as(row.call, Call)
    return [
        field_line("recommended", Cell(_WHAT.get(row.kind, row.kind), "accent")),
        field_line("pool", row.pool),
        field_line("now", row.current),
        field_line("better", Cell(row.recommended, "accent")),
        field_line("used", f"{row.efficiency:.0%} of what it has"),
        field_line("saves", saves or "nothing that is counted"),
        field_line("seen", row.evidence),
        field_line("does", line_of(call)),
    ]


def gang_lines(row: GangRow, now: float) -> Lines:
    """Return a gang in full. The second line names its pool."""
    is_waiting = row.state == "waiting"
    left = age(max(0.0, row.ends_at - now))
    return [
        field_line("gang", row.id),
        field_line("pool", row.pool),
        field_line("agents", f"{row.agents:,}, all at once or none"),
        field_line("state", Cell(row.state, "warn" if is_waiting else "good")),
        *([field_line("place", f"{row.place} of the gangs that wait"), field_line("why", row.reason)] if is_waiting else []),
        field_line("priority", f"{row.priority}; waiting makes it higher" if is_waiting else str(row.priority)),
        field_line("asked", f"{age(now - row.asked_at)} ago by {row.who}"),
        *([] if is_waiting else [field_line("started", f"{age(now - row.granted_at)} ago")]),
        field_line("ends in", f"{left}: then it is given up" if is_waiting else f"{left}: then its agents leave, busy ones after their task"),
    ]


def gang_cells(row: GangRow, now: float, glyphs: Glyphs) -> Cells:
    """Return a gang's cells."""
    is_waiting = row.state == "waiting"
    return (
        number_cell(row.place) if row.place else unknown(glyphs),
        row.pool,
        number_cell(row.agents),
        Cell(row.state, "warn" if is_waiting else "good"),
        number_cell(row.priority),
        Cell(age(now - row.asked_at)),
        Cell(age(max(0.0, row.ends_at - now))),
        row.who,
        Cell(row.id, "dim"),
        Cell(row.reason if is_waiting else "then its agents leave", "" if is_waiting else "dim"),
    )
