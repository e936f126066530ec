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

    first: str
    """Cursor of its first row."""
    rows: tuple[EntryRow, ...]
    last: str
    """Cursor of its last row."""


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
    def first(self) -> str:
        """Cursor of the first row that is here; empty = there is none."""
        return self._parts[0].first if self._parts else ""

    @property
    def last(self) -> str:
        """Cursor of the last row that is here."""
        return self._parts[-1].last if self._parts else ""

    def begin(self, page: EntryPage, *, has_before: bool = False) -> None:
        """Have one page alone."""
        self._parts = [_forwards(page)] if page.rows else []
        self.has_before, self.has_after = has_before, page.is_more
        self._settle()

    def end_with(self, page: EntryPage) -> None:
        """Have the last page alone, as it was read from the end backwards."""
        self._parts = [_backwards(page)] if page.rows else []
        self.has_before, self.has_after = page.is_more, False
        self._settle()

    def append(self, page: EntryPage, *, keeps_all: bool = False) -> None:
        """Add the page below."""
        self._parts += [_forwards(page)] if page.rows else []
        self.has_after = page.is_more
        self._settle()
        while not keeps_all and len(self.rows) > ROWS_MAX:
            self._parts.pop(0)
            self.has_before = True
            self._settle()

    def prepend(self, page: EntryPage, *, keeps_all: bool = False) -> int:
        """Add the page above, as it was read backwards; return how many rows came."""
        self._parts = [*([_backwards(page)] if page.rows else []), *self._parts]
        self.has_before = page.is_more
        self._settle()
        while not keeps_all and len(self.rows) > ROWS_MAX:
            self._parts.pop()
            self.has_after = True
            self._settle()
        return len(page.rows)

    def _settle(self) -> None:
        self.rows = {row.id: row for part in self._parts for row in part.rows}


def _forwards(page: EntryPage) -> Part:
    return Part(page.cursors[0], page.rows, page.cursors[1])


def _backwards(page: EntryPage) -> Part:
    return Part(page.cursors[1], page.rows[::-1], page.cursors[0])


def joined(pages: list[EntryPage]) -> EntryPage:
    """Return pages that follow each other as one."""
    filled = [page for page in pages if page.rows]
    rows = tuple(row for page in filled for row in page.rows)
    cursors = (filled[0].cursors[0], filled[-1].cursors[1]) if filled else ()
    return EntryPage(rows, cursors, pages[-1].is_more, "")
