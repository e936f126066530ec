"""The figures behind an alert beside their limit, and when a rule would have fired, as charts and words; pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from screens.present import duration, instant_text, plural
from screens.present_text import Lines, field_line
from screens.present_trends import (
    RANGES,
    Found,
    Range,
    axis_text,
    chart_scale,
    chart_values,
    gap_words,
    title_parts,
)
from screens.widgets.braille import LABEL_WIDTH, Series
from screens.widgets.cells import Cell, Glyphs
from screens.widgets.statusbar import Part

SERIES = (Series("reads"), Series("limit", "bad"))
SPANS_SHOWN = 100
NAME_WIDTH = 16
FORM_BANDS = 4
BANDS_MAX = 12
"""Series that are drawn; the others are counted."""


# ---- figures


def figure_drawing(found: Found, measured: Mapping[str, Any], shown: Range, now: float, *, dots: int, width: int) -> tuple[list[Part], list[list[float | None]], tuple[float, float], str]:  # noqa: PLR0913  # what is drawn, and how wide
    """Return what stands above a chart of an alert's figures, its lines and scale, and its axis."""
    limit = measured["limit"]
    factor = 100.0 if found["unit"] == "ratio" else 1.0
    lines = [chart_values(found, dots), [None if limit is None else limit * factor] * dots]
    about = list(title_parts(found, shown, now))
    until = found["since"] + found["step_s"] * len(found["values"])
    return about, lines, chart_scale(lines), " " * LABEL_WIDTH + axis_text(found["since"], until, width, shown)


def figure_lines(data: Mapping[str, Any], measured: Mapping[str, Any], found: Found) -> Lines:
    """Say what the rule asks of the figures: the chart has the metric itself, a rule may look at a mean or a change of it."""
    lines: Lines = [field_line("rule asks", data["rule_row"]["expr"]), field_line("reads", str(data["reads"]))]
    if measured["limit"] is None:
        lines.append(field_line("limit", Cell("not drawn: it is one of how the figures change, or of how long they were away", "dim")))
    if words := gap_words(found):
        lines.append(field_line("gaps", Cell(words.removesuffix(": gaps"), "dim")))
    return lines


# ---- a rule on the past


def past_lines(found: Mapping[str, Any], shown: Range, width: int, glyphs: Glyphs) -> Lines:
    """Return when a rule would have fired: a sentence, a band for each set of labels, and each time."""
    head: Lines = [(Cell(past_words(found), "accent"),), ()]
    if not found["samples"]:
        return head
    lines: Lines = [(band,) for band in band_lines(found, shown, width, glyphs)]
    newest = list(reversed(found["fired"]))[:SPANS_SHOWN]
    more = found["total"] - len(newest)
    lines += [(), *(_span_line(one) for one in newest)] if newest else []
    return [*head, *lines, *([(Cell(f"and {more:,} before", "dim"),)] if more > 0 else [])]


def tried_lines(found: Mapping[str, Any], width: int, glyphs: Glyphs) -> list[str]:
    """Return for a form when a rule that is being edited would have fired in a day: the sentence, the bands, the newest time."""
    newest = [f"last: {instant_text(one['fired_at'])}, {one['severity']}: {one['message']}" for one in found["fired"][-1:]]
    return [past_words(found), *band_lines(found, RANGES[1], width, glyphs, bands_max=FORM_BANDS), *newest]


def past_words(found: Mapping[str, Any]) -> str:
    """Return in a sentence how often a rule would have fired, and of how much of the time anything was known."""
    span = duration(found["until"] - found["since"])
    if not found["samples"]:
        return f"nothing that it looks at was measured in the last {span}"
    times = "not have fired" if not found["total"] else f"have fired {plural(found['total'], 'time')}"
    known = found["known"] * found["resolution_s"] / (found["until"] - found["since"])
    return f"it would {times} in the last {span}; figures are known for {known:.0%} of that"


def band_lines(found: Mapping[str, Any], shown: Range, width: int, glyphs: Glyphs, *, bands_max: int = BANDS_MAX) -> list[str]:
    """Return a line for each set of labels with the times it would have fired, and the instants below; empty where it is read aloud."""
    bands = _bands(found["fired"])
    if glyphs.is_plain or not bands:
        return []
    cells = max(8, width - NAME_WIDTH - 12)
    since, until = found["since"], found["until"]
    quiet = "." if glyphs.is_ascii else "·"
    lines = []
    for name, spans in list(bands.items())[:bands_max]:
        on = _cells(spans, since, until, cells)
        drawn = "".join(glyphs.full if one else quiet for one in on)
        total = sum((one["resolved_at"] or until) - one["fired_at"] for one in spans)
        lines.append(f"{name[: NAME_WIDTH - 1]:{NAME_WIDTH}}{drawn} {len(spans)}x, {duration(total)}")
    if len(bands) > bands_max:
        lines.append(f"{'':{NAME_WIDTH}}and {len(bands) - bands_max} more")
    return [*lines, f"{'':{NAME_WIDTH}}{axis_text(since, until, cells, shown)}"]


def _bands(fired: Sequence[Mapping[str, Any]]) -> dict[str, list[Mapping[str, Any]]]:
    """Return the times by what they were about: the pool, or all labels where there is none."""
    bands: dict[str, list[Mapping[str, Any]]] = {}
    for one in fired:
        labels = one["labels"]
        name = labels.get("agent") or labels.get("pool") or ",".join(f"{key}={value}" for key, value in sorted(labels.items())) or "the fleet"
        bands.setdefault(str(name), []).append(one)
    return bands


def _cells(spans: Sequence[Mapping[str, Any]], since: float, until: float, cells: int) -> list[bool]:
    """Return for each cell of a band whether it would have fired in its time; no firing is too short to be seen."""
    on = [False] * cells
    for one in spans:
        first = int((one["fired_at"] - since) / (until - since) * cells)
        last = int(((one["resolved_at"] or until) - since) / (until - since) * cells)
        for cell in range(max(0, first), min(cells - 1, last) + 1):
            on[cell] = True
    return on


def _span_line(one: Mapping[str, Any]) -> tuple[Cell | str, ...]:
    ended = f"for {duration(one['resolved_at'] - one['fired_at'])}" if one["resolved_at"] else "and still would"
    role = {"critical": "bad", "warning": "warn"}.get(one["severity"], "")
    return (Cell(instant_text(one["fired_at"]), "dim"), f" {ended} ".ljust(18), Cell(one["severity"].ljust(9), role), one["message"])
