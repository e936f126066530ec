"""Blocks of imports that are sorted: their rows, the order of names with numbers, and how a sorted block is written.

Owner: nobody. What an import is, its section and its place in the order are each language's own.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from engine.editing.structure import newline_of

_DIGITS: Final = re.compile(r"(\d+)")

What = TypeVar("What")


@dataclass(frozen=True, slots=True)
class ImportRow(Generic[What]):
    """One import with the comments above it and behind it."""

    start: int  # of the first line
    end: int  # of its last character, comment included
    at: int  # of the statement
    stop: int
    what: What


def natural(word: str) -> list[tuple[int, int, str]]:
    """So that a2 comes before a10."""
    return [(0, int(piece), "") if piece.isdecimal() else (1, 0, piece) for piece in _DIGITS.split(word)]


def write_block(
    text: str, rows: Sequence[ImportRow[What]], sections: Sequence[int], statement: Callable[[str, What], str]
) -> str:
    """Write sorted imports, a blank line between sections; `statement` writes the text of one."""
    newline = newline_of(text)
    pieces: list[str] = []
    before = None
    for row, section in zip(rows, sections, strict=True):
        if before is not None:
            pieces.append(newline * (1 + (section != before)))
        before = section
        pieces += (text[row.start : row.at], statement(text[row.at : row.stop], row.what), text[row.stop : row.end])
    return "".join(pieces)
