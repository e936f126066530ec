"""Where the cells of a heat map stand: rows of labelled lines, two cells in a character where the terminal can draw that.

Owner: nobody; values and pure functions. Cells have numbers from 0; a track is a row of cells that arrows walk along, and a
line of the terminal shows one track, two of them in halves, or one of them with two neighbours in a character.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate, pairwise
from typing import NamedTuple

LABEL_MAX = 16
MARGIN = 1
"""Cells left of a label, for the pointer."""
WIDEST = 4
"""Most characters a cell takes; the last of several is blank, so that neighbours can be counted."""


class Line(NamedTuple):
    """One line of the terminal."""

    label: str
    track: int
    is_pair: bool = False
    """Whether the next track is in the lower halves of its characters."""


class Layout(NamedTuple):
    """Where everything stands."""

    tracks: tuple[range, ...] = ()
    lines: tuple[Line, ...] = ()
    label_width: int = 0
    wide: int = 1
    """Characters a cell takes."""
    is_sideways: bool = False
    """Whether two neighbours of a track share a character."""
    is_open: bool = False
    """Whether tracks go on beyond their ends, where nothing is shown of them."""

    @property
    def left(self) -> int:
        """Return where the cells begin."""
        return MARGIN + self.label_width + 1

    @property
    def cell_count(self) -> int:
        """Return how many cells there are."""
        return self.tracks[-1].stop if self.tracks else 0

    def track_of(self, cell: int) -> int:
        """Return the track that a cell is in."""
        low, high = 0, len(self.tracks) - 1
        while low < high:
            middle = (low + high) // 2
            if cell < self.tracks[middle].stop:
                high = middle
            else:
                low = middle + 1
        return low

    def line_of(self, cell: int) -> int:
        """Return the first line that shows a cell."""
        track = self.track_of(cell)
        return next((number for number, line in enumerate(self.lines) if line.track == track or (line.is_pair and line.track + 1 == track)), 0)

    def cell_at(self, line: int, x: int, *, is_lower: bool = False) -> int | None:
        """Return the cell that is drawn at a place of a line; None where there is none."""
        if not 0 <= line < len(self.lines) or x < self.left:
            return None
        shown = self.lines[line]
        track = self.tracks[shown.track + (1 if is_lower and shown.is_pair else 0)]
        place = (x - self.left) * 2 if self.is_sideways else (x - self.left) // self.wide
        return track[place] if place < len(track) else None


def label_width_of(labels: Sequence[str]) -> int:
    """Return how wide the labels are."""
    return min(LABEL_MAX, max(map(len, labels), default=0))


def room_for_cells(labels: Sequence[str], width: int) -> int:
    """Return the characters that are left for cells in a line."""
    return max(1, width - MARGIN - label_width_of(labels) - 1)


def lay_out_rows(labels: Sequence[str], columns: int, height: int, *, is_sideways: bool) -> Layout:
    """Give each label a row of so many cells, up to three lines high where there is room."""
    tracks = tuple(range(row * columns, (row + 1) * columns) for row in range(len(labels)))
    lines = tuple(Line(label, row) for row, label in enumerate(labels))
    return _tall(Layout(tracks, lines, label_width_of(labels), 1, is_sideways, is_open=True), max(1, min(3, height // max(1, len(labels)))))


def lay_out_words(groups: Sequence[tuple[str, int]], *, is_open: bool) -> Layout:
    """Give each group one line, which says all of its cells in words."""
    starts = list(accumulate((count for _, count in groups), initial=0))
    tracks = tuple(range(start, stop) for start, stop in pairwise(starts))
    lines = tuple(Line(name, number) for number, (name, _) in enumerate(groups))
    return Layout(tracks, lines, label_width_of([name for name, _ in groups]), is_open=is_open)


def lay_out_groups(groups: Sequence[tuple[str, int]], width: int, height: int, *, has_halves: bool) -> tuple[Layout, int]:
    """Give each group lines of its own for so many cells; as large as fits, else several things in a cell.

    Return the layout, and how many things a cell stands for. More groups than lines scroll.
    """
    room = room_for_cells([name for name, _ in groups], width)
    height = max(height, len(groups))
    shapes = [(wide, False) for wide in range(WIDEST, 0, -1)] + ([(1, True)] if has_halves else [])
    for wide, is_pair in shapes:
        if sum(_lines_for(count, room // wide, is_pair=is_pair) for _, count in groups) <= height and room >= wide:
            placed = _place(groups, wide, room, is_pair=is_pair)
            return (_tall(placed, 2) if has_halves and 2 * len(placed.lines) <= height else placed), 1
    wide, is_pair = shapes[-1]
    per_cell = 2
    while sum(_lines_for(-(-count // per_cell), room, is_pair=is_pair) for _, count in groups) > height:
        per_cell += 1
    return _place([(name, -(-count // per_cell)) for name, count in groups], wide, room, is_pair=is_pair), per_cell


def _tall(placed: Layout, times: int) -> Layout:
    """Return a layout whose lines are drawn several times, one below the other."""
    return placed._replace(lines=tuple(line if not part else line._replace(label="") for line in placed.lines for part in range(times)))


def _lines_for(cells: int, a_line: int, *, is_pair: bool) -> int:
    return max(1, -(-cells // max(1, a_line * (2 if is_pair else 1))))


def _place(groups: Sequence[tuple[str, int]], wide: int, room: int, *, is_pair: bool) -> Layout:
    tracks: list[range] = []
    lines: list[Line] = []
    first, a_track = 0, max(1, room // wide)
    for name, count in groups:
        even = -(-count // max(1, -(-count // a_track))) or 1  # tracks of one length: no line is almost empty
        own = [range(start, min(start + even, first + count)) for start in range(first, first + count, even)] or [range(first, first)]
        for number in range(0, len(own), 2 if is_pair else 1):
            lines.append(Line("" if number else name, len(tracks) + number, is_pair and number + 1 < len(own)))
        tracks += own
        first += count
    return Layout(tuple(tracks), tuple(lines), label_width_of([name for name, _ in groups]), wide)
