"""The same text in ASCII, cell by cell: for terminals whose encoding or font has nothing else, and to be read aloud.

Owner: nobody; a table and a pure function. What we draw has its own signs in ASCII (`widgets/cells.py`); this is for
the rest: borders, scroll bars, sentences, and names that agents and people gave.
"""

from __future__ import annotations

import unicodedata
from functools import lru_cache

from screens.cell_shadow import split_cells

UNKNOWN = "?"
TEXTS_MAX = 4096

_ALIKE = {
    "-": "▔─━┄┅┈┉╌╍╴╶╸╺·–—‐‑‒−―¯",
    "|": "│┃┆┇┊┋╎╏╵╷╹╻║▏▎▍▌▋▊▉▕▐¦",
    "=": "═‖≡",
    "+": "✓✔┌┐└┘├┤┬┴┼┏┓┗┛┣┫┳┻╋╔╗╚╝╠╣╦╩╬╭╮╰╯┍┎┑┒┕┖┙┚┝┠┥┨┯┰┷┸┿╂",
    "#": "█▇▆▅▓■▪▙▛▜▟‡",
    ":": "▒▄▀▃◌",
    "_": "▁▂◇◆",
    ".": "░▖▗▘▝▚▞…‥",
    ">": "▶►▸→⇒›»❯",
    "<": "◀◄◂←⇐‹«❮",
    "^": "▲△↑⭘",
    "v": "▼▽↓",
    "@": "●⬤",
    "o": "○◯◦°",
    "*": "•★☆✱✳",
    "(": "◑◐",
    "/": "◔◕∕",
    "x": "✕✗✘×╳",
    "!": "⚠",
    "'": "‘’‛′",
    '"': "“”„″",
    "~": "≈",
}
ALIKE = {sign: plain for plain, signs in _ALIKE.items() for sign in signs}
"""Signs that an ASCII character of the same meaning or shape stands for."""
ALIKE["…"] = "~"
FIRST_BRAILLE, LAST_BRAILLE = "⠀", "⣿"


@lru_cache(TEXTS_MAX)
def to_ascii(text: str) -> str:
    """Return a text of as many cells in ASCII alone; accents are left out, what has no counterpart is `?`."""
    if text.isascii():
        return text
    return "".join(_stand_in(cell) for cell in split_cells(text))


@lru_cache(TEXTS_MAX)
def to_plain(text: str) -> str:
    """Return a text of as many cells in letters and digits of any script and ASCII signs: what can be read aloud."""
    if text.isascii():
        return text
    parts: list[str] = []
    is_spoken = True
    for cell in split_cells(text):
        if cell:
            is_spoken = cell.isascii() or _is_spoken(cell)
            parts.append(cell if is_spoken else _stand_in(cell))
        elif not is_spoken:
            parts.append(" ")  # the second half of a wide sign, of which one character is left
    return "".join(parts)


def _is_spoken(cell: str) -> bool:
    """Tell whether a cell is a letter or digit with its marks."""
    return all(unicodedata.category(character)[0] in "LMN" for character in cell)


def _stand_in(cell: str) -> str:
    """Return one character for one cell; the second half of a wide character is an empty text."""
    if cell in ALIKE:
        return ALIKE[cell]
    if len(cell) == 1 and FIRST_BRAILLE <= cell <= LAST_BRAILLE:
        return " " if cell == FIRST_BRAILLE else "*"
    base = unicodedata.normalize("NFKD", cell)[:1]
    return base if base.isascii() and base.isprintable() and base else UNKNOWN
