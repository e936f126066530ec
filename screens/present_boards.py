"""Dashboards as lines and cells: how widgets fill the columns, and what figures look like; pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from engine.model.dashboards import Widget, WidgetKind, newest_of, title_of
from engine.model.metrics import written_value
from screens.present import age, unknown
from screens.present_trends import RANGES, STALE_STEPS, Found, Range
from screens.widgets.bars import draw_meter, draw_sparkline
from screens.widgets.cells import Cell, Glyphs
from screens.widgets.statusbar import Part

NARROWEST = 38
"""Cells of a column below which there is one column less."""
GUTTER = 2
"""Cells between columns."""
GROWING_LEAST = 7
"""Lines that a widget gets which takes what is left, its heading included; with less the dashboard scrolls."""


def columns_for(wanted: int, width: int) -> int:
    """Return how many columns a terminal has room for."""
    return max(1, min(wanted, (width + GUTTER) // (NARROWEST + GUTTER)))


class Placed(NamedTuple):
    """A widget's number, and the columns that it takes."""

    number: int
    columns: int


def flow(spans: Sequence[int], columns: int) -> list[list[Placed]]:
    """Return the widgets of each line: each goes beside the one before it where there is room; the last one of a line fills it."""
    lines: list[list[Placed]] = []
    used = columns
    for number, span in enumerate(spans):
        wide = min(span, columns)
        if used + wide > columns:
            lines.append([])
            used = 0
        lines[-1].append(Placed(number, wide))
        used += wide
    for line in lines:
        line[-1] = Placed(line[-1].number, columns - sum(placed.columns for placed in line[:-1]))
    return lines


class Heights(NamedTuple):
    """How high each line is; 0 = an equal share of what is left."""

    lines: tuple[int, ...]
    is_scrolling: bool


def heights_of(wanted: Sequence[Sequence[int]], room: int, gap: int) -> Heights:
    """Return the heights of lines whose widgets want so many, 0 = what is left; where they do not fit, all are fixed and scroll."""
    lines = [0 if 0 in line else max(line) for line in wanted]
    needed = sum(height or GROWING_LEAST for height in lines) + gap * max(0, len(lines) - 1)
    if needed <= room:
        return Heights(tuple(lines), is_scrolling=False)
    return Heights(tuple(height or GROWING_LEAST for height in lines), is_scrolling=True)


def range_of(widget: Widget, chosen: str = "") -> Range:
    """Return how far back a widget looks: as chosen for the whole dashboard, else as it says itself."""
    return next(one for one in RANGES if one.name == (chosen or widget.last))


# ---- figures


def value_cell(widget: Widget, value: float | None, unit: str, glyphs: Glyphs) -> Cell:
    """Return a figure; one that crossed a limit has a sign too, for those who see no colours."""
    if value is None:
        return unknown(glyphs)
    role = widget.role_of(value)
    sign = {"warn": "! ", "bad": "x " if glyphs.is_ascii else "✕ "}.get(role, "")
    return Cell(f"{sign}{written_value(value, unit)}", role or "accent")


def head_cell(widget: Widget, glyphs: Glyphs, *, has_focus: bool) -> Cell:
    """Return what a widget is headed with; the pointer stands at the one that has the focus."""
    return Cell(f"{glyphs.pointer if has_focus else ' '}{title_of(widget)}", "accent" if has_focus else "")


def title_line(widget: Widget, shown: Range, found: Found | None, now: float, glyphs: Glyphs) -> tuple[list[Part], list[Part]]:
    """Return the range of a widget with a metric, its age when it is not of now; and on the right how it reads."""
    left: list[Part] = [Cell(f"last {shown.name}", "dim")]
    if found is None:
        return left, []
    if "pools" in found:
        return left, []
    newest = found["newest_at"]
    if not newest:
        left.append(Cell("not measured", "warn"))
    elif now - newest > max(STALE_STEPS * found["step_s"], 2.0):
        left.append(Cell(f"{age(now - newest)} old", "warn"))
    return left, [value_cell(widget, newest_of(found), found["unit"], glyphs)]


def figure_parts(widget: Widget, found: Found, width: int, glyphs: Glyphs) -> list[Part]:
    """Return the line below the title: a bar, bars over time, or the least and the most."""
    value, known = newest_of(found), [one for one in found["values"] if one is not None]
    if widget.kind is WidgetKind.GAUGE:
        return [Cell(draw_meter(value, width, glyphs), widget.role_of(value) or "accent")] if value is not None else []
    if widget.kind is WidgetKind.SPARKLINE and known and not glyphs.is_plain:
        return [Cell(spark(found["values"], width, glyphs), widget.role_of(value) or "accent")]
    if not known:
        return []
    least, most = min(found["lows"], key=_or_inf), max(found["highs"], key=_or_less)
    return [Cell(f"least {written_value(least, found['unit'])}", "dim"), Cell(f"most {written_value(most, found['unit'])}", "dim")]


def _or_inf(value: float | None) -> float:
    return float("inf") if value is None else value


def _or_less(value: float | None) -> float:
    return float("-inf") if value is None else value


def spark(values: Sequence[float | None], width: int, glyphs: Glyphs) -> str:
    """Return values as bars from 0 to the greatest, newest right; blank where nothing was measured."""
    shown = list(values)[-width:]
    known = [value for value in shown if value is not None]
    bars = iter(draw_sparkline(known, len(known), scale=(min(0.0, *known, 0.0), max(*known, 0.0, 0.0) or 1.0), spark=glyphs.spark)[0])
    return "".join(" " if value is None else next(bars) for value in shown)
