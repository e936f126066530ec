"""How one line of a stream is cut to the width, and where a text occurs in it.

Owner: nobody; values and pure functions.
"""

from __future__ import annotations

from typing import NamedTuple

from rich.cells import chop_cells

from screens.widgets.cells import Row, clean, clip, measure, split_cell

WRAPPED_LINES_MAX = 20
"""A longer line is cut, so that one line never fills more than a screen."""


class Part(NamedTuple):
    """A piece of text with its role."""

    text: str
    role: str = ""
    is_match: bool = False


class Pattern:
    """A text to search for; without capital letters it finds both cases."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._is_exact = text != text.lower()

    def _fold(self, text: str) -> str:
        # Lower case of a few characters is longer than they are, which would shift the matches.
        folded = text if self._is_exact else text.lower()
        return folded if len(folded) == len(text) else text

    def is_in(self, line: Row) -> bool:
        """Say whether a line holds the text."""
        return self.text in self._fold(" ".join(clean(split_cell(cell)[0]) for cell in line))

    def mark(self, parts: list[Part]) -> list[Part]:
        """Cut the parts of a line where the text begins and ends, and mark what lies within."""
        plain = self._fold("".join(part.text for part in parts))
        cuts: list[tuple[int, int]] = []
        found = plain.find(self.text)
        while found >= 0:
            cuts.append((found, found + len(self.text)))
            found = plain.find(self.text, cuts[-1][1])
        if not cuts:
            return parts
        marked: list[Part] = []
        start = 0
        for text, role, _ in parts:
            end = start + len(text)
            edges = {start, end} | {edge for cut in cuts for edge in cut if start < edge < end}
            ordered = sorted(edges)
            for first, last in zip(ordered, ordered[1:], strict=False):
                is_match = any(cut[0] <= first < cut[1] for cut in cuts)
                marked.append(Part(text[first - start : last - start], role, is_match))
            start = end
        return marked


def wrap(text: str, width: int) -> list[str]:
    """Cut a text into pieces of at most `width` cells, between words unless a word is long."""
    pieces: list[str] = []
    while measure(text) > width:
        piece = chop_cells(text, width)[0]
        cut = len(piece) if text[len(piece)] == " " else piece.rfind(" ")
        if cut < len(piece) // 2:
            cut = len(piece)
        pieces.append(text[:cut])
        text = text[cut:].lstrip(" ")
    return [*pieces, text]


def lay_out_line(
    line: Row, width: int, *, is_wrapped: bool, ellipsis: str = "…"
) -> list[list[Part]]:
    """Return the lines of the screen that a line takes: one, or more if its last cell wraps."""
    parts: list[Part] = []
    for cell in line:
        text, role = split_cell(cell)
        parts.append(Part(clean(text), role))
    if not parts:
        return [[]]
    head = [piece for part in parts[:-1] for piece in (part, Part(" "))]
    indent = sum(measure(part.text) for part in head)
    last = parts[-1]
    room = width - indent
    if not is_wrapped or room < 1 or measure(last.text) <= room:
        return [clip_line([*head, last], width, ellipsis)]
    pieces = wrap(last.text, room)
    if len(pieces) > WRAPPED_LINES_MAX:
        last_piece = clip(" ".join(pieces[WRAPPED_LINES_MAX - 1 :]), room, ellipsis)
        pieces = [*pieces[: WRAPPED_LINES_MAX - 1], last_piece]
    rest = [[Part(" " * indent), Part(piece, last.role)] for piece in pieces[1:]]
    return [[*head, Part(pieces[0], last.role)], *rest]


def clip_line(parts: list[Part], width: int, ellipsis: str) -> list[Part]:
    """Cut a line at the width; the part that is cut says so."""
    kept: list[Part] = []
    room = width
    for part in parts:
        if room <= 0:
            break
        kept.append(Part(clip(part.text, room, ellipsis), part.role))
        room -= measure(part.text)
    return kept
