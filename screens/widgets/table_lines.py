"""The parts of a table's lines: its titles, and a cell's text with what a filter met in it.

Owner: nobody; values and pure functions.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from rich.style import Style

from screens.widgets.cells import Glyphs, clip, fit
from screens.widgets.columns import GAP, Column

Parts = list[tuple[str, Style]]


class Sort(NamedTuple):
    """Which column the rows are sorted by, and whether the other way round."""

    column: str | None
    is_reversed: bool = False


def find_direction(columns: Iterable[Column], sort: Sort, column_id: str) -> bool:
    """Return whether choosing a column sorts it the other way round: numbers begin with the largest, a second time turns it."""
    if column_id == sort.column:
        return not sort.is_reversed
    return any(column.id == column_id and column.align == "right" for column in columns)


def title_parts(columns: Iterable[tuple[Column, int]], sort: Sort, styles: Mapping[str, Style], glyphs: Glyphs) -> Parts:
    """Return the titles of columns and their widths; the one that is sorted by says so."""
    plain = styles["header"]
    parts: Parts = []
    for column, width in columns:
        title, style = column.title, plain
        if column.id == sort.column:
            arrow = glyphs.descending if sort.is_reversed else glyphs.ascending
            title = clip(title, width - 1, glyphs.ellipsis) + arrow
            style = styles["sorted"]
        parts.append((fit(title, width, ellipsis=glyphs.ellipsis, is_right=column.align == "right"), style))
        parts.append((" " * GAP, plain))
    return parts


def mark_parts(text: str, style: Style, match: Style, spans: Sequence[tuple[int, int]]) -> Parts:
    """Split a text where the spans begin and end; they are in order and do not overlap."""
    parts: Parts = []
    at = 0
    for start, end in spans:
        parts += [(text[at:start], style), (text[start:end], style + match)]
        at = end
    return [*parts, (text[at:], style)]
