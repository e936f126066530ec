"""Which columns of a table fit, and how wide each of them is.

Owner: nobody; values and pure functions.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from screens.widgets.cells import measure

GAP = 1
"""Blank cells between two columns."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column; the first one of a table names the row and is always shown."""

    id: str
    title: str
    width_min: int = 8
    width_max: int = 0
    """Bound for a column that takes spare width; 0 means none."""
    flex: int = 0
    """Share of the spare width; 0 keeps the column at `width_min`."""
    align: Literal["left", "right"] = "left"
    priority: int = 0
    """0 is never dropped; of the others the greatest number leaves first when the terminal is narrow."""
    cut: Literal["end", "middle"] = "end"
    """Where a text that is too long is shortened; ids of one kind begin alike, so theirs is cut in the middle."""
    key: Callable[[str], Any] | None = None
    """Row id to what the column sorts by; without it the column sorts by its text."""

    @property
    def width_needed(self) -> int:
        """Cells it takes at least; a title stays whole."""
        return max(self.width_min, measure(self.title))


def right(id_: str, title: str, width: int, priority: int) -> Column:
    """Return a column of numbers."""
    return Column(id_, title, width_min=width, align="right", priority=priority)


class Place(NamedTuple):
    """Where a column stands: its number in the row, its first cell and its width."""

    column: int
    x: int
    width: int


def choose_columns(columns: Sequence[Column], width: int) -> list[int]:
    """Return the columns kept when `width` cells are all there is: the least important ones leave first."""
    kept = list(range(len(columns)))

    def measure_kept() -> int:
        return sum(columns[index].width_needed + GAP for index in kept) - GAP

    while measure_kept() > width:
        droppable = [index for index in kept[1:] if columns[index].priority]
        if not droppable:
            break
        kept.remove(max(droppable, key=lambda index: (columns[index].priority, index)))
    return kept


def share_width(columns: Sequence[Column], spare: int) -> list[int]:
    """Return the width of each column after the flexible ones took the spare cells."""
    widths = [column.width_needed for column in columns]
    while spare > 0:
        growing = [
            index
            for index, column in enumerate(columns)
            if column.flex and (not column.width_max or widths[index] < column.width_max)
        ]
        if not growing:
            break
        total = sum(columns[index].flex for index in growing)
        given = 0
        for index in growing:
            room = columns[index].width_max - widths[index] if columns[index].width_max else spare
            part = min(spare * columns[index].flex // total, room)
            widths[index] += part
            given += part
        if not given:
            # Fewer cells than shares: the first ones get one each.
            for index in growing[:spare]:
                widths[index] += 1
            break
        spare -= given
    return widths


def place_columns(
    columns: Sequence[Column], width: int, *, start: int = 0, is_wide: bool = False
) -> list[Place]:
    """Lay columns out from cell `start` to `width`; a wide table shows all of them and may be wider than that."""
    kept = list(range(len(columns))) if is_wide else choose_columns(columns, width - start)
    shown = [columns[index] for index in kept]
    spare = width - start - sum(column.width_needed + GAP for column in shown) + GAP
    places: list[Place] = []
    x = start
    for index, column_width in zip(kept, share_width(shown, spare), strict=True):
        places.append(Place(index, x, column_width))
        x += column_width + GAP
    return places
