"""Showing the history of a metric in a chart with its axis, perhaps with another time beside it.

Owner: nobody; functions on widgets.
"""

from __future__ import annotations

from screens.present_trends import (
    Found,
    Range,
    axis_text,
    chart_scale,
    chart_unit,
    chart_values,
)
from screens.widgets.braille import LABEL_WIDTH, Series
from screens.widgets.cells import Cell
from screens.widgets.charts import BrailleChart
from screens.widgets.statusbar import ContextBar


def dots_of(chart: BrailleChart) -> int:
    """Return how many dots a chart is wide."""
    return max(2, (chart.size.width - LABEL_WIDTH - 1) * (1 if chart.glyphs.is_ascii else 2))


def show_history(chart: BrailleChart, axis: ContextBar, found: Found, beside: Found | None, shown: Range) -> None:
    """Draw a history, and the time before beside it, over the instants of the first."""
    dots = dots_of(chart)
    chart.series = (Series(f"{chart_unit(found['unit'])} now"), *([Series(shown.compared_name, "dim")] if beside is not None else []))
    chart.samples = dots
    lines = [chart_values(one, dots) for one in (found, beside) if one is not None]
    chart.scale = chart_scale(lines)
    chart.show(lines, count=dots)
    until = found["since"] + found["step_s"] * len(found["values"])
    width = max(3, chart.size.width - LABEL_WIDTH - 2)
    axis.show([Cell(" " * LABEL_WIDTH + axis_text(found["since"], until, width, shown), "dim")])
