"""The rows of a table: their order, the row pointed at and the marked ones. No drawing.

Owner: the table that made it. Everything is by row id, so that it stays with its object when rows move. The pointer is
either held, which means that somebody chose its row, or it rests on the first row, whichever that is.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from screens.widgets.cells import Row

SortKey = Callable[[str], Any]
"""Row id to what a row is sorted by."""
Shown = Callable[[str], bool]
Present = Callable[[str], Row]


class Change(NamedTuple):
    """What an update did: the rows to draw again, and whether any row moved, came or went."""

    redrawn: list[str]
    is_moved: bool


class Rows:
    """Rows by id, and the ids in the order in which they are shown."""

    def __init__(self) -> None:
        self.present: Present | None = None
        """Makes the cells of a row when they are first wanted; of ten thousand rows most never are."""
        self._cells: dict[str, Row | None] = {}
        """What each row says; None = not made yet."""
        self.order: list[str] = []
        self.pointed: str | None = None
        self.is_held = False
        """Whether somebody chose the row pointed at."""
        self.marked: set[str] = set()
        self._anchor: str | None = None
        self._positions: dict[str, int] = {}
        self._key: SortKey | None = None
        self._is_reversed = False
        self._keys: dict[str, tuple[Any, int]] = {}
        """What each row is sorted by, and its place among equals."""
        self._turns: dict[str, int] = {}
        """When each row came: the order of rows that are not sorted."""
        self._turn = 0
        self._all: list[str] = []
        """Every row in the order of the sort, shown or not: a filter only picks from it."""
        self._is_sorted = True
        self._is_shown: Shown | None = None
        self._passed: set[str] = set()

    # Filling

    def fill(self, ids: Sequence[str], rows: Sequence[Row] | None) -> None:
        """Take these rows and no others; without cells, those are made when they are wanted."""
        self._cells = dict.fromkeys(ids) if rows is None else dict(zip(ids, rows, strict=True))
        self.marked &= self._cells.keys()
        self._turns = {row_id: turn for turn, row_id in enumerate(self._cells)}
        self._turn = len(self._turns)
        self._all, self._keys, self._is_sorted = list(self._cells), {}, self._key is None
        self._pass_all()
        self._arrange()

    def cells(self, row_id: str) -> Row:
        """Return what a row says."""
        row = self._cells[row_id]
        if row is None:
            assert self.present is not None
            row = self._cells[row_id] = self.present(row_id)
        return row

    def update(self, changed: Mapping[str, Row | None], removed: Iterable[str] = ()) -> Change:
        """Replace, add and remove rows; rows move only if what they are sorted or filtered by did. None = cells to be made anew."""
        redrawn: list[str] = []
        gone = {row_id for row_id in removed if row_id in self._cells}
        is_moved = not gone.isdisjoint(self._positions)
        for row_id in gone:
            del self._cells[row_id]
            self._keys.pop(row_id, None)
            del self._turns[row_id]
        if gone:
            self._all = [row_id for row_id in self._all if row_id not in gone]
            self._passed -= gone
            self.marked -= gone
        for row_id, row in changed.items():
            if row is None or self._cells.get(row_id) != row:
                self._cells[row_id] = row
                redrawn.append(row_id)
            # What it is sorted by may have changed below the precision of its texts.
            is_moved |= self._is_misplaced(row_id)
        if is_moved:
            self._arrange()
        return Change(redrawn, is_moved)

    def _is_misplaced(self, row_id: str) -> bool:
        """Say whether a row's place may no longer be right; remember its sort key and whether it passes."""
        if row_id not in self._turns:
            self._turns[row_id] = self._turn
            self._turn += 1
            self._all.append(row_id)
            self._is_sorted = self._key is None and self._is_sorted
        is_placed = row_id in self._positions
        is_misplaced = False
        if self._key is not None:
            key = self._keyed(row_id)
            if self._keys.get(row_id) != key:
                self._keys[row_id], self._is_sorted = key, False
                is_misplaced = is_placed
        is_passed = self._is_shown is None or self._is_shown(row_id)
        (self._passed.add if is_passed else self._passed.discard)(row_id)
        return is_misplaced or is_passed != is_placed

    def _keyed(self, row_id: str) -> tuple[Any, int]:
        """Return what a row is sorted by. Equals stand by their ids, shorter ones first, whichever came first: so two consoles list them alike."""
        assert self._key is not None
        known = self._keys.get(row_id)
        if known is not None:
            return self._key(row_id), known[1]
        place = int.from_bytes(row_id.encode())
        return self._key(row_id), -place if self._is_reversed else place

    def _pass_all(self, passed: Collection[str] | None = None) -> None:
        if passed is None:
            passed = self._cells if self._is_shown is None else [row_id for row_id in self._cells if self._is_shown(row_id)]
        self._passed = set(passed)

    # Order

    def sort(self, key: SortKey | None, *, is_reversed: bool = False) -> None:
        """Sort by a key of the row id; rows with equal keys stand by their ids."""
        self._key, self._is_reversed = key, is_reversed
        self._keys = {}
        self._is_sorted = False
        self._arrange()

    def filter(self, is_shown: Shown | None, passed: Collection[str] | None = None) -> None:
        """Show only rows that satisfy a predicate of the row id; None shows all. `passed` are those that do now, if known.

        A row pointed at that is not among them is let go of: nothing else was chosen in its place.
        """
        self._is_shown = is_shown
        self._pass_all(passed)
        self.is_held = self.is_held and self.pointed in self._passed
        self._arrange()

    def _arrange(self) -> None:
        """Put the rows in order again; a held pointer stays on its row, or where that row stood."""
        position = self._positions.get(self.pointed or "", 0) if self.is_held else 0
        self.order = order = self._find_order()
        self._positions = {row_id: index for index, row_id in enumerate(order)}
        if not self.is_held or self.pointed not in self._positions:
            self.pointed = order[min(position, len(order) - 1)] if order else None

    def _find_order(self) -> list[str]:
        if not self._is_sorted:
            self._sort_all()
        if len(self._passed) == len(self._all):
            return self._all.copy()
        passed = self._passed
        return [row_id for row_id in self._all if row_id in passed]

    def _sort_all(self) -> None:
        if self._key is None:
            self._all.sort(key=self._turns.__getitem__)
        else:
            keys = self._keys
            for row_id in self._all:
                if row_id not in keys:
                    keys[row_id] = self._keyed(row_id)
            # Sorted before and changed in a few places, which is what this sort is quick at.
            self._all.sort(key=keys.__getitem__, reverse=self._is_reversed)
        self._is_sorted = True

    def find(self, row_id: str | None) -> int:
        """Return the position of a row, or -1 if it is not shown."""
        return -1 if row_id is None else self._positions.get(row_id, -1)

    # Marks

    def toggle_mark(self, row_id: str) -> None:
        """Mark a row or take its mark away; a range starts here."""
        self.marked ^= {row_id}
        self._anchor = row_id

    def mark_range(self) -> None:
        """Mark all rows from the one marked last to the one pointed at."""
        if self.pointed is None:
            return
        end = self.find(self.pointed)
        start = self.find(self._anchor)
        first, last = sorted((end if start < 0 else start, end))
        self.marked.update(self.order[first : last + 1])
        self._anchor = self.pointed

    def invert_marks(self) -> None:
        """Mark the shown rows that are not marked, and the other way round; hidden rows keep theirs."""
        self.marked ^= set(self.order)
