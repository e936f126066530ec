"""Plug-ins as cells and lines: pure functions."""

from __future__ import annotations

from engine.model.plugin_rows import BROKEN, OFF, READY, PluginRow
from screens.present import PLUGIN_BADGES, age, badge, instant_text, number_cell, plural, unknown
from screens.present_rows import Sorted
from screens.present_text import Lines, field_line, part
from screens.widgets.cells import Cell, Glyphs
from screens.widgets.cells import Row as Cells
from screens.widgets.columns import Column, right

ORDER = {BROKEN: 0, READY: 1, OFF: 2}
PLUGIN_COLUMNS: tuple[Sorted, ...] = (
    (Column("plugin", "plug-in", width_min=19, width_max=30, flex=1, cut="middle"), lambda r: r.id),
    (Column("state", "state", width_min=9), lambda r: ORDER.get(r.state, len(ORDER))),
    (Column("version", "version", width_min=8, width_max=14, priority=3), lambda r: r.version),
    (Column("adds", "adds, or what is wrong", width_min=20, flex=4), lambda r: r.error or r.adds),
    (right("failures", "failed", 6, 1), lambda r: r.failures),
    (Column("package", "package", width_min=16, width_max=30, priority=4), lambda r: r.distribution),
)


def plugin_cells(row: PluginRow, now: float, glyphs: Glyphs) -> Cells:
    """Return the cells of a plug-in."""
    del now
    return (
        row.id,
        badge(PLUGIN_BADGES, row.state, glyphs),
        Cell(row.version, "dim"),
        Cell(row.error, "bad" if row.state == BROKEN else "warn") if row.error else row.adds,
        number_cell(row.failures, "warn"),
        Cell(row.distribution, "dim"),
    )


def plugin_info(row: PluginRow, now: float, glyphs: Glyphs) -> Lines:
    """Return what a plug-in is, what it adds, and what its metrics read."""
    meaning = {
        BROKEN: "the fleet runs without it; correct it, then start the engine again",
        OFF: f"it is installed; [plugins.{row.id}] in fleet.toml has it run",
    }.get(row.state, "it is loaded and checked")
    lines: Lines = [
        field_line("state", badge(PLUGIN_BADGES, row.state, glyphs), meaning),
        field_line("version", row.version or unknown(glyphs)),
        field_line("package", row.distribution or unknown(glyphs)),
    ]
    if row.error:
        lines.append(field_line("wrong", Cell(row.error, "bad")))
    if row.failures:
        lines.append(field_line("failed", f"{plural(row.failures, 'time')}, last {age(now - row.failed_at)} ago, {instant_text(row.failed_at)}"))
    if row.looked_at:
        lines.append(field_line("measured", f"{age(now - row.looked_at)} ago"))
    lines += part("adds", [field_line(*name.split(" ", 1)) for name in row.adds.split(", ") if name])
    lines += part("metrics", [field_line(*text.rsplit(" ", 1)) for text in row.values.split(", ") if text])
    return lines
