"""Texts of known width: what tables, streams and bars are made of.

Owner: nobody; values and pure functions. A width is counted in terminal cells, never in characters. Texts are made
without a terminal, too: no library of the terminal is loaded before a text needs its tables of widths.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

ROLES = ("good", "warn", "bad", "dim", "accent")


class Cell(NamedTuple):
    """A text with the part it plays; the theme decides how a part looks."""

    text: str
    role: str = ""
    """One of `ROLES`, or empty for plain text."""


Part = Cell | str
Row = tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class Glyphs:
    """The signs that carry meaning without colour; one set for Unicode terminals, one for ASCII."""

    pointer: str
    mark: str
    ellipsis: str
    ascending: str
    descending: str
    separator: str
    full: str
    empty: str
    spark: str
    """Levels of a sparkline, lowest first; the first one is blank."""
    shades: str
    """Levels of a heat map cell, lowest first."""
    is_ascii: bool
    is_shaded: bool = False
    """Whether levels are drawn as characters, since there are too few colours to tell them apart."""
    is_plain: bool = False
    """Whether everything is said in words and numbers, to be read aloud: no bars, no signs of states."""


UNICODE = Glyphs(
    pointer="▶", mark="●", ellipsis="…", ascending="▲", descending="▼", separator="·",
    full="█", empty="░", spark=" ▁▂▃▄▅▆▇█", shades="·▁▂▃▄▅▆▇█", is_ascii=False,
)  # fmt: skip
ASCII = Glyphs(
    pointer=">", mark="*", ellipsis="~", ascending="^", descending="v", separator="-",
    full="#", empty=".", spark=" .:-=+*#%@", shades="0123456789", is_ascii=True, is_shaded=True,
)  # fmt: skip
PLAIN = replace(ASCII, is_plain=True)


def clean(text: str) -> str:
    """Replace what could move the cursor, change colours or reorder the line: agents write these texts."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else " " if c.isspace() else "·" for c in text)


def measure(text: str) -> int:
    """Return the width of a clean text in cells."""
    if text.isascii():
        return len(text)
    from rich.cells import cell_len

    return cell_len(text)


def clip(text: str, width: int, ellipsis: str = "…") -> str:
    """Shorten a clean text to at most `width` cells, saying so with an ellipsis of one cell."""
    if measure(text) <= width:
        return text
    if width < 1:
        return ""
    if text.isascii():
        return text[: width - 1] + ellipsis
    from rich.cells import set_cell_size

    # A wide character cut in half leaves a space; it would stand between the text and its ellipsis.
    return set_cell_size(text, width - 1).rstrip(" ") + ellipsis


def clip_middle(text: str, width: int, ellipsis: str = "…") -> str:
    """Shorten a clean text to at most `width` cells, keeping how it begins and more of how it ends."""
    if measure(text) <= width or width < 5:
        return clip(text, width, ellipsis)
    head = (width - 1) // 3
    tail = len(text)
    while measure(text[tail - 1 :]) <= width - 1 - head:
        tail -= 1
    return clip(text, head + 1, "").rstrip(" ") + ellipsis + text[tail:]


def fit(text: str, width: int, *, ellipsis: str = "…", is_right: bool = False, cut: str = "end") -> str:
    """Clip (at its end or in its middle) or pad a text to exactly `width` cells."""
    text = (clip if cut == "end" else clip_middle)(clean(text), width, ellipsis)
    padding = " " * (width - measure(text))
    return padding + text if is_right else text + padding


def split_cell(cell: Part) -> tuple[str, str]:
    """Return the text and the role of a cell."""
    return (cell, "") if isinstance(cell, str) else (cell.text, cell.role)
