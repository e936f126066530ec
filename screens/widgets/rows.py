"""The rows of a table: their order, the row pointed at and the marked ones. No drawing.

Owner: the table that made it. Everything is by row id, so that it stays with its object when rows move.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from screens.widgets.cells import Row

SortKey = Callable[[str], Any]


class Change(NamedTuple):
    """What an update did: the rows to draw again, and whether any row moved, came or went."""

    redrawn: list[str]
    is_moved: bool


class Rows:
    """Rows by id, and the ids in the order in which they are shown."""

    def __init__(self) -> None:
        self.by_id: dict[str, Row] = {}
        self.order: list[str] = []
        self.pointed: str | None = None
        self.marked: set[str] = set()
        self._anchor: str | None = None
        self._positions: dict[str, int] = {}
        self._key: SortKey | None = None
        self._is_reversed = False
        self._keys: dict[str, Any] = {}
        self._is_shown: Callable[[str], bool] | None = None
        self._passed: set[str] = set()
        self._given_order: Sequence[str] | None = None

    # Filling

    def fill(self, ids: Sequence[str], rows: Sequence[Row]) -> None:
        """Take these rows and no others."""
        self.by_id = dict(zip(ids, rows, strict=True))
        self.marked &= self.by_id.keys()
        self._keys = {}
        self._pass_all()
        self._arrange()

    def update(self, changed: Mapping[str, Row], removed: Iterable[str] = ()) -> Change:
        """Replace, add and remove rows; rows move only if what they are sorted or filtered by did."""
        redrawn: list[str] = []
        is_moved = False
        for row_id in removed:
            if self.by_id.pop(row_id, None) is not None:
                self._keys.pop(row_id, None)
                self._passed.discard(row_id)
                self.marked.discard(row_id)
                is_moved |= row_id in self._positions
        for row_id, row in changed.items():
            if self.by_id.get(row_id) != row:
                self.by_id[row_id] = row
                redrawn.append(row_id)
            # What it is sorted by may have changed below the precision of its texts.
            is_moved |= self._is_misplaced(row_id)
        if is_moved:
            self._arrange()
        return Change(redrawn, is_moved)

    def _is_misplaced(self, row_id: str) -> bool:
        """Say whether a row's place may no longer be right; remember its sort key and whether it passes."""
        is_placed = row_id in self._positions
        is_misplaced = False
        if self._key is not None:
            key = self._key(row_id)
            is_misplaced = is_placed and self._keys.get(row_id) != key
            self._keys[row_id] = key
        is_passed = self._is_shown is None or self._is_shown(row_id)
        (self._passed.add if is_passed else self._passed.discard)(row_id)
        return self._given_order is None and (is_misplaced or is_passed != is_placed)

    def _pass_all(self) -> None:
        self._passed = set(
            self.by_id if self._is_shown is None else filter(self._is_shown, self.by_id)
        )

    # Order

    def sort(self, key: SortKey | None, *, is_reversed: bool = False) -> None:
        """Sort by a key of the row id; rows with equal keys stay in the order in which they came."""
        if key is not self._key:
            self._keys = {}
        self._key, self._is_reversed = key, is_reversed
        self._arrange()

    def filter(self, is_shown: Callable[[str], bool] | None) -> None:
        """Show only rows that satisfy a predicate of the row id; None shows all."""
        self._is_shown = is_shown
        self._pass_all()
        self._arrange()

    def give_order(self, ids: Sequence[str] | None) -> None:
        """Show these rows in this order, whatever sort and filter say; None goes back to those."""
        self._given_order = ids
        self._arrange()

    def _arrange(self) -> None:
        """Put the rows in order again; the pointer stays on its row, or where that row stood."""
        position = self._positions.get(self.pointed or "", 0)
        self.order = order = self._find_order()
        self._positions = {row_id: index for index, row_id in enumerate(order)}
        if self.pointed not in self._positions:
            self.pointed = order[min(position, len(order) - 1)] if order else None

    def _find_order(self) -> list[str]:
        if self._given_order is not None:
            return [row_id for row_id in self._given_order if row_id in self.by_id]
        order = [row_id for row_id in self.by_id if row_id in self._passed]
        if self._key is not None:
            keys, key = self._keys, self._key
            for row_id in order:
                if row_id not in keys:
                    keys[row_id] = key(row_id)
            order.sort(key=keys.__getitem__, reverse=self._is_reversed)
        return order

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
