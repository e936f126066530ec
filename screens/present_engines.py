"""Engines of the fleet as cells and lines: pure functions."""

from __future__ import annotations

from engine.model.engine_rows import LEADS, SILENT, STANDS_BY, EngineRow
from screens.present import ENGINE_BADGES, age, badge, instant_text, number_cell, rest_age, unknown
from screens.present_rows import Sorted
from screens.present_text import Lines, field_line
from screens.widgets.cells import Cell, Glyphs
from screens.widgets.cells import Row as Cells
from screens.widgets.columns import Column, right

ORDER = {LEADS: 0, STANDS_BY: 1, SILENT: 2}
ENGINE_COLUMNS: tuple[Sorted, ...] = (
    (Column("engine", "engine", width_min=14, width_max=20, flex=1, cut="middle"), lambda r: r.id),
    (Column("role", "role", width_min=11), lambda r: ORDER.get(r.role, len(ORDER))),
    (right("epoch", "epoch", 5, 2), lambda r: r.epoch),
    (Column("machine", "machine", width_min=10, width_max=24, flex=2), lambda r: r.machine),
    (right("pid", "pid", 7, 4), lambda r: r.pid),
    (right("behind", "behind", 6, 1), lambda r: r.behind),
    (right("up", "up", 5, 0), lambda r: -r.started_at),
    (Column("heard", "heard", width_min=9), lambda r: -r.heard_at),
    (Column("version", "version", width_min=7, priority=3), lambda r: r.version),
    (Column("asked", "console", width_min=7, priority=1), lambda r: not r.is_asked),
)


def engine_cells(row: EngineRow, now: float, glyphs: Glyphs) -> Cells:
    """Return the cells of an engine."""
    return (
        row.id,
        badge(ENGINE_BADGES, row.role, glyphs),
        str(row.epoch) if row.epoch else unknown(glyphs),
        row.machine,
        str(row.pid),
        number_cell(row.behind),
        rest_age(now - row.started_at),
        Cell(f"{age(now - row.heard_at)} ago", "warn") if row.role == SILENT else Cell("on time", "dim"),
        Cell(row.version, "dim"),
        Cell("here" if row.is_asked else "", "dim"),
    )


def engine_info(row: EngineRow, now: float, glyphs: Glyphs) -> Lines:
    """Return what an engine is, and what it does in the fleet."""
    meaning = {
        LEADS: "it decides, runs agents and writes",
        SILENT: f"nothing was heard of it for {age(now - row.heard_at)}: it is gone, or cannot reach the server",
    }.get(row.role, "it follows, and leads when the leader is gone")
    return [
        field_line("role", badge(ENGINE_BADGES, row.role, glyphs), meaning),
        field_line("epoch", str(row.epoch) if row.epoch else unknown(glyphs)),
        field_line("fleet", row.region or "not shared with other engines"),
        field_line("behind", f"{row.behind:,} records of the shared journal" if row.region else unknown(glyphs)),
        field_line("machine", row.machine),
        field_line("process", str(row.pid)),
        field_line("version", row.version),
        field_line("started", f"{instant_text(row.started_at)}, {rest_age(now - row.started_at)} ago"),
        field_line("console", "it is the engine that this console asks" if row.is_asked else "this console asks another engine"),
        field_line("id", row.id),
    ]
