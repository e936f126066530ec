"""Find lines that moved up or down as a block: a terminal moves them itself for a few bytes.

Owner: nobody; values and pure functions. Only whole lines can move, so this pays for lists as wide as the terminal.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple

VOTES_MIN = 3
"""Lines that must have moved by the same distance before a move is considered."""

Texts = Sequence[str | None]


class Scroll(NamedTuple):
    """Lines `top` to `bottom` (included) move up by `distance`, or down if it is negative."""

    top: int
    bottom: int
    distance: int

    def find_source(self, y: int) -> int:
        """Return which line ends up at line `y`; -1 for a line that comes in empty."""
        if not self.top <= y <= self.bottom:
            return y
        source = y + self.distance
        return source if self.top <= source <= self.bottom else -1


def find_scroll(before: Mapping[int, Texts], after: Sequence[Texts]) -> Scroll | None:
    """Return the move that most changed lines agree on; `before` holds the old texts of the changed lines."""
    places: dict[tuple[str | None, ...], int] = {}
    repeated: set[tuple[str | None, ...]] = set()
    for y, texts in before.items():
        line = tuple(texts)
        if line in places:
            repeated.add(line)
        places[line] = y
    moves = [
        (y, places[line] - y)
        for y in before
        if (line := tuple(after[y])) in places and line not in repeated and places[line] != y
    ]
    if len(moves) < VOTES_MIN:
        return None
    distance, votes = Counter(distance for _, distance in moves).most_common(1)[0]
    if votes < VOTES_MIN:
        return None
    ends = [end for y, moved in moves if moved == distance for end in (y, y + moved)]
    return Scroll(min(ends), max(ends), distance)


def scroll_text(scroll: Scroll) -> str:
    """Return the text that makes any terminal since the VT100 move the lines; the cursor ends anywhere."""
    margins = f"\x1b[{scroll.top + 1};{scroll.bottom + 1}r"
    if scroll.distance > 0:
        move = f"\x1b[{scroll.bottom + 1}H" + "\n" * scroll.distance
    else:
        move = f"\x1b[{scroll.top + 1}H" + "\x1bM" * -scroll.distance
    return f"{margins}{move}\x1b[r"
