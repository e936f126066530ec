"""The part of a long list of entries that a console has: some pages in a row, more of them on either side.

Owner: the screen that shows it. Limits: ROWS_MAX rows, those farthest from where somebody looks leave first; while rows
are marked none leaves, and MARKED_MAX is the most.
"""

from __future__ import annotations

from typing import NamedTuple

from engine.model.entry_rows import EntryPage, EntryRow

PAGE = 200
"""Rows of a page: more than the largest terminal shows."""
ROWS_MAX = 5 * PAGE
MARKED_MAX = 25 * PAGE


class Part(NamedTuple):
    """A page within the list."""

    start: str
    """Cursor that it begins after; empty = at the top of the list."""
    rows: tuple[EntryRow, ...]
    end: str
    """Cursor that the next one begins after."""


class Window:
    """Pages in a row."""

    def __init__(self) -> None:
        self._parts: list[Part] = []
        self.has_before = False
        self.has_after = False
        self.rows: dict[str, EntryRow] = {}
        """By id, in their order."""

    @property
    def is_whole(self) -> bool:
        """Whether there are no other rows."""
        return not self.has_before and not self.has_after

    @property
    def start(self) -> str:
        """Cursor that the first row comes after; empty = it is the first of the list."""
        return self._parts[0].start if self._parts else ""

    @property
    def end(self) -> str:
        """Cursor that what follows comes after."""
        return self._parts[-1].end if self._parts else ""

    def begin(self, page: EntryPage, start: str = "") -> None:
        """Have one page alone, which comes after a cursor."""
        self._parts = [_forwards(page, start)]
        self.has_before, self.has_after = bool(start), page.is_more
        self._settle()

    def end_with(self, page: EntryPage) -> None:
        """Have the last page alone, as it was read from the end backwards."""
        part, self.has_before = _backwards(page, "")
        self._parts, self.has_after = [part], False
        self._settle()

    def append(self, page: EntryPage, *, keeps_all: bool = False) -> None:
        """Add the page below."""
        self._parts.append(_forwards(page, self.end))
        self.has_after = page.is_more
        self._settle()
        while not keeps_all and len(self.rows) > ROWS_MAX:
            self._parts.pop(0)
            self.has_before = True
            self._settle()

    def prepend(self, page: EntryPage, *, keeps_all: bool = False) -> int:
        """Add the page above, as it was read backwards; return how many rows came."""
        part, self.has_before = _backwards(page, self.start)
        self._parts.insert(0, part)
        self._settle()
        while not keeps_all and len(self.rows) > ROWS_MAX:
            self._parts.pop()
            self.has_after = True
            self._settle()
        return len(part.rows)

    def _settle(self) -> None:
        self.rows = {row.id: row for part in self._parts for row in part.rows}


def _forwards(page: EntryPage, start: str) -> Part:
    return Part(start, page.rows, page.cursors[1] if page.cursors else start)


def _backwards(page: EntryPage, end: str) -> tuple[Part, bool]:
    """Return a page that was read backwards, and whether there is more above; then its farthest row only says where it begins."""
    end = end or (page.cursors[0] if page.cursors else "")
    if page.is_more and len(page.rows) > 1:
        return Part(page.cursors[1], page.rows[-2::-1], end), True
    return Part("", page.rows[::-1], end), False


def joined(pages: list[EntryPage]) -> EntryPage:
    """Return pages that follow each other as one."""
    filled = [page for page in pages if page.rows]
    rows = tuple(row for page in filled for row in page.rows)
    cursors = (filled[0].cursors[0], filled[-1].cursors[1]) if filled else ()
    return EntryPage(rows, cursors, pages[-1].is_more, "")
