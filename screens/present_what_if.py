"""What an edited policy would have done, beside those in force: figures and charts as text; pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from screens.present import duration, plural
from screens.widgets.bars import draw_sparkline
from screens.widgets.cells import Glyphs

CHART_WIDTH = 40
_LABEL = 16

Compared = Mapping[str, Any]
"""As `fleet-tui simulate -o json` has one set of policies."""


def what_if_lines(found: Mapping[str, Any], glyphs: Glyphs) -> list[str]:
    """Return a replay's comparison: the figures, a column a set of policies; then the work and each set's sizes over the time."""
    compared: Sequence[Compared] = found["compared"]
    return [*_figures(found, compared), *_charts(compared, found["seconds"], glyphs)]


def _figures(found: Mapping[str, Any], compared: Sequence[Compared]) -> list[str]:
    rows = [
        ("agent-hours", [f"{one['agent_s'] / 3_600:.2f}" for one in compared]),
        ("agents busy", [f"{one['utilisation']:.0%}" for one in compared]),
        ("wait p50, p95", [f"{duration(one['wait_p50_s'])}, {duration(one['wait_p95_s'])}" for one in compared]),
        ("moves, turns", [f"{one['raised'] + one['lowered']}, {one['direction_changes']}" for one in compared]),
        ("busy ones left", [f"{one['drains']}" for one in compared]),
    ]
    head = f"{duration(found['seconds'])}, {plural(compared[0]['tasks'], 'task')}" if compared else duration(found["seconds"])
    rows.insert(0, (head, [str(one["name"]) for one in compared]))
    width = max(_LABEL, *(len(name) for name, _ in rows))
    columns = [max(len(cells[n]) for _, cells in rows) for n in range(len(compared))]
    return ["  ".join([name.ljust(width), *(cell.rjust(wide) for cell, wide in zip(cells, columns, strict=True))]) for name, cells in rows]


def _charts(compared: Sequence[Compared], seconds: float, glyphs: Glyphs) -> list[str]:
    if not compared:
        return []
    named = [("work", resampled(compared[0], seconds, 2)), *((f"size {one['name']}", resampled(one, seconds, 1)) for one in compared)]
    most = max(max(values) for _, values in named)
    return [f"{name:{_LABEL}}  {_chart(values, most, glyphs)}" for name, values in named]


def _chart(values: Sequence[float], most: float, glyphs: Glyphs) -> str:
    bars = "" if glyphs.is_plain else draw_sparkline(values, len(values), scale=(0.0, most or 1.0), spark=glyphs.spark)[0] + "  "
    return f"{bars}{min(values):.0f} to {max(values):.0f}"


def resampled(one: Compared, seconds: float, column: int) -> list[float]:
    """Return the sum over all pools of a column of their series (1 = size, 2 = work), the most in each CHART_WIDTH-th of the time."""
    sums = [0.0] * CHART_WIDTH
    for pool in one["pools"]:
        known, next_at = 0.0, 0
        points = pool["series"]
        for place in range(CHART_WIDTH):
            end = (place + 1) * seconds / CHART_WIDTH
            most = known if place else 0.0
            while next_at < len(points) and points[next_at][0] < end:
                known = float(points[next_at][column])
                most = max(most, known)
                next_at += 1
            sums[place] += most
    return sums
