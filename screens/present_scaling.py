"""Policies and the autoscaler's decisions as cells and lines; pure."""

from __future__ import annotations

from engine.model.rows import PolicyRow, ScalingRow
from screens.present import age, arrow, duration, number_cell, plural, unknown
from screens.present_rows import Sorted
from screens.widgets.cells import Cell, Glyphs
from screens.widgets.cells import Row as Cells
from screens.widgets.columns import Column, right

Lines = list[Cells]


SCALING_COLUMNS: tuple[Sorted, ...] = (
    (Column("pool", "pool", width_min=14), lambda r: r.id),
    (right("size", "size", 9, 0), lambda r: r.size),
    (right("busy", "busy", 4, 4), lambda r: r.busy),
    (right("waiting", "waiting", 7, 2), lambda r: r.waiting),
    (right("demand", "demand", 6, 3), lambda r: r.demand),
    (right("foreseen", "foreseen", 8, 6), lambda r: r.foreseen),
    (right("error", "error", 5, 7), lambda r: r.mape),
    (Column("policy", "policy", width_min=14, priority=5), lambda r: r.policy),
    (right("again", "waits", 6, 1), lambda r: r.waits_until or float("inf")),
    (Column("why", "why", width_min=36, flex=1), lambda r: r.reason),
)

POLICY_COLUMNS: tuple[Sorted, ...] = (
    (Column("policy", "policy", width_min=16, width_max=28), lambda r: r.id),
    (Column("state", "state", width_min=10), lambda r: r.enabled),
    (Column("pool", "pool", width_min=12), lambda r: r.pool),
    (right("pools", "pools", 5, 1), lambda r: r.pools),
    (Column("rules", "rules", width_min=20, flex=1), lambda r: r.rules),
)


def size_change(row: ScalingRow, glyphs: Glyphs) -> Cell:
    """Return `12`, `12 → 15` while it is on its way, or the held size."""
    if row.held_by:
        return Cell(f"{row.size} held", "warn")
    if row.target != row.size:
        return Cell(f"{row.size}{arrow(glyphs)}{row.target}", "accent")
    return Cell(str(row.size))


def waits_cell(row: ScalingRow, now: float, glyphs: Glyphs) -> Cell:
    """Return how long until waiting alone can change the decision."""
    until = row.held_until if row.held_by else row.waits_until
    return Cell(age(until - now)) if until > now else unknown(glyphs)


def scaling_cells(row: ScalingRow, now: float, glyphs: Glyphs) -> Cells:
    """Return a decision's cells."""
    why = f"held by {row.held_by}" if row.held_by else row.reason
    return (
        row.id,
        size_change(row, glyphs),
        number_cell(row.busy),
        number_cell(row.waiting),
        Cell(f"{row.demand:.1f}", "" if row.demand else "dim"),
        unknown(glyphs) if row.foreseen < 0 else Cell(f"{row.foreseen:.1f}"),
        unknown(glyphs) if row.mape < 0 else Cell(f"{row.mape:.0%}"),
        Cell(row.policy) if row.policy else unknown(glyphs),
        waits_cell(row, now, glyphs),
        Cell(why, "dim" if not row.policy else ""),
    )


def policy_cells(row: PolicyRow, _now: float, glyphs: Glyphs) -> Cells:
    """Return a policy's cells."""
    sign = "" if glyphs.is_plain else ("* " if glyphs.is_ascii else "● ") if row.enabled else ("- " if glyphs.is_ascii else "○ ")
    return (
        row.id,
        Cell(f"{sign}{'on' if row.enabled else 'off'}", "good" if row.enabled else "dim"),
        row.pool or Cell("every pool", "dim"),
        number_cell(row.pools),
        row.rules,
    )


def decision_lines(row: ScalingRow | None, now: float) -> Lines:
    """Return why a pool has its size, line by line."""
    if row is None:
        return [(Cell("the autoscaler has not looked at this pool yet", "dim"),)]
    held = f"by {row.held_by}" + (f" for {age(row.held_until - now)} more" if row.held_until else " until released") if row.held_by else "no"
    known: list[tuple[str, str]] = [
        ("size", str(row.size)),
        ("recommended", str(row.recommended)),
        ("target", str(row.target)),
        ("why", row.reason),
        ("policy", row.policy or "none: nothing moves it"),
        ("can change in", age(row.waits_until - now) if row.waits_until > now else "only when the load changes"),
        ("held", held),
        ("busy", plural(row.busy, "agent")),
        ("could run and wait", plural(row.waiting, "task")),
        ("demand", f"{row.demand:g} agents"),
        ("a task takes", "not measured yet" if row.service_s < 0 else duration(row.service_s)),
    ]
    if row.foreseen >= 0:
        error = "not known yet" if row.mape < 0 else f"{row.mape:.0%}"
        known.append(("foreseen", f"{row.foreseen:g} agents in {age(row.foreseen_at - now)}; error so far {error}"))
    width = max(len(name) for name, _ in known)
    return [(Cell(name.ljust(width), "dim"), text) for name, text in known]
