"""Vectors of one embedder in one matrix, searched by brute force: exact, and at this size faster than an index.

Owner: whoever made it; one thread at a time. It keeps 4 bytes a dimension of each entry (150 MB for 100,000 x 384).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from engine.memory.embedding import load_numpy, normalised

if TYPE_CHECKING:
    from engine.memory.embedding import Vectors

Admit = Callable[[Sequence[int]], Sequence[int]]
"""Leaves out what must not be found; keeps the order."""

_ROWS_FIRST = 1_024
_LOOK_AHEAD = 4
_LOOK_FURTHER = 8


class Matrix:
    """Vectors by number; rows stand in no order."""

    def __init__(self, dimensions: int) -> None:
        np = load_numpy()
        self.dimensions = dimensions
        self._rows: Vectors = np.zeros((_ROWS_FIRST, dimensions), np.float32)
        self._numbers = np.zeros(_ROWS_FIRST, np.int64)
        self._row_of: dict[int, int] = {}

    def __len__(self) -> int:
        """Count the vectors."""
        return len(self._row_of)

    def put(self, numbers: Sequence[int], vectors: Vectors) -> None:
        """Keep the vectors of entries, in place of those that they had. Vectors are made 1 long."""
        assert vectors.shape == (len(numbers), self.dimensions)
        for number, vector in zip(numbers, normalised(vectors), strict=True):
            row = self._row_of.setdefault(number, len(self._row_of))
            if row == len(self._rows):
                self._grow()
            self._rows[row] = vector
            self._numbers[row] = number

    def drop(self, number: int) -> None:
        """Forget an entry's vector, if it has one; the last row takes its place."""
        row = self._row_of.pop(number, None)
        last = len(self._row_of)
        if row is not None and row != last:
            moved = int(self._numbers[last])
            self._rows[row] = self._rows[last]
            self._numbers[row] = moved
            self._row_of[moved] = row

    def nearest(self, query: Vectors, limit: int, admit: Admit = list) -> list[int]:
        """Give up to `limit` admitted entries whose vectors point most nearly as `query` (dimensions) does, best first.

        Entries that have nothing in common with it, or point away, are not found.
        """
        np = load_numpy()
        count = len(self._row_of)
        scores = self._rows[:count] @ normalised(query.reshape(1, -1))[0]
        numbers = self._numbers[:count]

        def best(size: int) -> list[int]:
            rows = np.argpartition(scores, count - size)[count - size :] if size < count else np.arange(count)
            rows = rows[scores[rows] > 0]
            return [int(number) for number in numbers[rows[np.lexsort((numbers[rows], -scores[rows]))]]]

        return first_admitted(best, admit, limit)

    def _grow(self) -> None:
        np = load_numpy()
        self._rows = np.concatenate((self._rows, np.zeros_like(self._rows)))
        self._numbers = np.concatenate((self._numbers, np.zeros_like(self._numbers)))


def first_admitted(best: Callable[[int], list[int]], admit: Admit, limit: int) -> list[int]:
    """Ask for more and more of the best until `limit` of them are admitted, or none is left.

    So who may read little gets as many results as who may read all, and never learns what was left out.
    """
    size, asked, found = limit * _LOOK_AHEAD, set[int](), list[int]()
    while True:
        candidates = best(size)
        fresh = [number for number in candidates if number not in asked]
        asked.update(fresh)
        found += admit(fresh)
        if len(found) >= limit or len(candidates) < size:
            return found[:limit]
        size *= _LOOK_FURTHER
