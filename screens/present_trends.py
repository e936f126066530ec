"""Histories of metrics as a chart's values, its axis and its words, and the metrics as rows; pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

from engine.model.metrics import CATALOGUE, RANGES_S, RECORDED, Label, written_value
from screens.present import age, duration, unknown
from screens.widgets.cells import Cell, Glyphs
from screens.widgets.cells import Row as Cells
from screens.widgets.columns import Column
from screens.widgets.statusbar import Part

DAY_S = 86_400


class Range(NamedTuple):
    """How far back a chart goes."""

    name: str
    last_s: int
    tick: str
    """How its axis writes an instant."""

    @property
    def compared_s(self) -> int:
        """Return how much earlier the span beside it was: a day, or its own length when that is longer."""
        return max(DAY_S, self.last_s)

    @property
    def compared_name(self) -> str:
        """Return what the span beside it is called."""
        return "yesterday" if self.compared_s == DAY_S else f"{self.name} before"


_TICKS = {"7d": "%a %d", "30d": "%b %d"}
RANGES = tuple(Range(name, last_s, _TICKS.get(name, "%H:%M")) for name, last_s in RANGES_S.items())
TICK_CELLS = 16
"""Cells between two instants of the axis, about."""
STALE_STEPS = 2

TREND_COLUMNS: tuple[Column, ...] = (
    Column("metric", "metric", width_min=20),
    Column("now", "now", width_min=11, align="right"),
    Column("group", "group", width_min=11, priority=1),
    Column("help", "what it is", width_min=20, flex=1),
)

Found = Mapping[str, Any]
"""The answer to `history`."""


def is_charted(name: str) -> bool:
    """Tell whether a metric is one of the fleet, of pools, or recorded by a program; those of agents are heat maps."""
    return name.startswith(RECORDED) or (name in CATALOGUE and CATALOGUE[name].label is not Label.AGENT)


def metric_cells(row: Mapping[str, Any], glyphs: Glyphs) -> Cells:
    """Return the cells of a metric."""
    now = row["now"]
    shown = unknown(glyphs) if now is None else written_value(now, row["unit"])
    return row["name"], shown, Cell(row["group"], "dim"), Cell(row["help"], "dim")


def chart_values(found: Found, dots: int) -> list[float | None]:
    """Return the values of a history over so many dots, ratios in percent; a step that is wider than a dot is drawn so wide."""
    values, factor = found["values"], 100.0 if found["unit"] == "ratio" else 1.0
    wide = max(1, dots)
    return [None if (value := values[dot * len(values) // wide]) is None else value * factor for dot in range(wide)]


def chart_scale(lines: Sequence[Sequence[float | None]]) -> tuple[float, float]:
    """Return the least and greatest value that a chart shows; it begins at 0, so that small changes look small."""
    known = [value for line in lines for value in line if value is not None]
    return min(0.0, *known, 0.0), max(*known, 0.0, 0.0) or 1.0


def chart_unit(unit: str) -> str:
    """Return the unit that the values of a chart have."""
    return "%" if unit == "ratio" else unit


def title_parts(found: Found, shown: Range, now: float) -> list[Part]:
    """Say what a chart shows: which series, its unit, range and steps, and its age when it is not of now."""
    share = f" p{100 * found['quantile']:.0f}" if found["quantile"] else ""
    parts: list[Part] = [
        f"{found['metric']}{share} of {found['label'] or 'the fleet'}",
        Cell(chart_unit(found["unit"]), "dim"),
        Cell(f"last {shown.name}", "accent"),
        Cell(f"a point for {duration(found['step_s'])}", "dim"),
    ]
    newest = found["newest_at"]
    if not newest:
        parts.append(Cell("nothing was measured in this time", "warn"))
    elif now - newest > STALE_STEPS * found["step_s"]:
        parts.append(Cell(f"newest {age(now - newest)} ago", "warn"))
    return parts


def gap_words(found: Found) -> str:
    """Return how much of the time shown was not measured; empty when all of it was."""
    missing = sum(end - begin for begin, end in found["gaps"])
    return f"{duration(missing)} of it not measured: gaps" if missing >= found["step_s"] else ""


def axis_text(since: float, until: float, width: int, shown: Range) -> str:
    """Return the instants below a chart of so many cells, in UTC, each at its place."""
    line = [" "] * width
    for number in range(max(1, width // TICK_CELLS) + 1):
        place = number * TICK_CELLS
        text = datetime.fromtimestamp(since + (until - since) * place / max(1, width), UTC).strftime(shown.tick)
        if place + len(text) + 4 <= width:
            line[place : place + len(text)] = text
    line[width - 3 :] = "UTC"
    return "".join(line)


def labels_of(pools: Sequence[str]) -> list[str]:
    """Return what a chart may be about: the fleet, then each pool."""
    return ["", *pools]
