"""What every cell of the terminal shows, and the shortest way to bring it to something else.

Owner: the caller owns a `CellShadow`; it is `width x height` cells, unknown ones are None. Nothing here writes.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import chain, count
from typing import NamedTuple

from rich.cells import split_graphemes
from rich.color import ColorSystem
from rich.style import Style
from textual.strip import Strip

from screens.scrolling import Scroll, find_scroll, scroll_text

LOOKS_MAX = 4096
SCROLL_CELLS_MIN = 40
"""A move of lines must save at least so many cells to be worth its own bytes."""
BRIDGE_CELLS_MAX = 4
"""Unchanged cells between two changed ones are cheaper to write again than to jump over, up to here."""

# Style attribute, SGR code that sets it, SGR code that clears it (shared codes clear each other too).
ATTRIBUTES = (
    ("bold", "1", "22"), ("dim", "2", "22"), ("italic", "3", "23"), ("underline", "4", "24"), ("blink", "5", "25"),
    ("blink2", "6", "25"), ("reverse", "7", "27"), ("conceal", "8", "28"), ("strike", "9", "29"),
    ("underline2", "21", "24"), ("frame", "51", "54"), ("encircle", "52", "54"), ("overline", "53", "55"),
)  # fmt: skip
# Attributes that can be seen on a blank: those that draw a line, and reverse.
SEEN_ON_BLANK = {"underline", "reverse", "strike", "underline2", "frame", "encircle", "overline"}

# Characters that every terminal draws one cell wide.
NARROW = frozenset(
    map(
        chr,
        chain(range(0x20, 0x7F), range(0xA0, 0xAD), range(0xAE, 0x300), range(0x370, 0x483),
              (0x2013, 0x2014, 0x2018, 0x2019, 0x201C, 0x201D, 0x2022, 0x2026),
              (0x2713, 0x2717), range(0x2190, 0x2194), range(0x2500, 0x25FD), range(0x2800, 0x2900)),
    )
)  # fmt: skip
CONTROLS = dict.fromkeys((*range(0x20), *range(0x7F, 0xA0)))
"""What would steer the terminal; it has no width and is left out."""
# Characters on whose width of two all terminals agree; emoji are not among them.
WIDE_RANGES = (
    (0x2E80, 0xA4CF),
    (0xAC00, 0xD7A3),
    (0xF900, 0xFAFF),
    (0xFF00, 0xFF60),
    (0x20000, 0x3FFFD),
)


class Look(NamedTuple):
    """How a cell is drawn, as far as a terminal can show it."""

    attributes: int
    """Bits by position in `ATTRIBUTES`."""
    foreground: str
    """SGR parameters; empty for the terminal's default."""
    background: str
    link: str
    blank: str
    """What remains of it on a blank cell: two looks with the same value draw the same space."""


PLAIN = Look(0, "", "", "", "")
Texts = list[str | None]
"""Texts of neighbouring cells; None is unknown, and empty is the second half of a wide character."""
Looks = list[Look]


def make_look(style: Style, system: ColorSystem | None) -> Look:
    """Reduce a style to what a terminal with this colour system shows."""
    if system is None:
        return PLAIN
    attributes = 0
    is_seen = False
    for bit, (name, _, _) in enumerate(ATTRIBUTES):
        if getattr(style, name):
            attributes |= 1 << bit
            is_seen |= name in SEEN_ON_BLANK
    colors = []
    for color, is_foreground in ((style.color, True), (style.bgcolor, False)):
        codes = color.downgrade(system).get_ansi_codes(foreground=is_foreground) if color else ()
        text = ";".join(codes)
        colors.append("" if text in ("39", "49") else text)
    foreground, background = colors
    link = f"id={style.link_id};{style.link}" if style.link else ""
    blank = f"{attributes}/{foreground}/{background}/{link}" if is_seen or link else background
    return Look(attributes, foreground, background, link, blank)


@lru_cache(maxsize=LOOKS_MAX)
def sgr(old: Look, new: Look) -> str:
    """Return the shortest sequence that takes the pen from one look to another, links left out."""
    cleared = {
        off
        for bit, (_, _, off) in enumerate(ATTRIBUTES)
        if old.attributes & ~new.attributes & 1 << bit
    }
    kept = old.attributes & new.attributes
    step = sorted(cleared)
    fresh = ["0"]
    for bit, (_, on, off) in enumerate(ATTRIBUTES):
        if new.attributes & 1 << bit:
            fresh.append(on)
            if off in cleared or not kept & 1 << bit:
                step.append(on)
    if new.foreground != old.foreground:
        step.append(new.foreground or "39")
    if new.background != old.background:
        step.append(new.background or "49")
    fresh += [codes for codes in (new.foreground, new.background) if codes]
    if not step:
        return ""
    return "\x1b[" + min(";".join(step), ";".join(fresh), key=len) + "m"


def move(from_y: int, from_x: int, y: int, x: int) -> str:
    """Return the shortest cursor move; -1 says that the line or column it starts from is not known."""
    absolute = f"\x1b[{y + 1};{x + 1}H" if x else f"\x1b[{y + 1}H" if y else "\x1b[H"
    if from_y < 0 or from_x < 0 or y < from_y:
        return absolute
    down = y - from_y
    vertical = "" if not down else "\x1b[B" if down == 1 else f"\x1b[{down}B"
    right = x - from_x
    if right >= 0:
        horizontal = "" if not right else "\x1b[C" if right == 1 else f"\x1b[{right}C"
    elif x == 0:
        horizontal = "\r"
    else:
        horizontal = min("\b" * -right, f"\x1b[{-right}D", key=len)
    return min(vertical + horizontal, absolute, key=len)


def split_cells(text: str) -> list[str]:
    """Split a text into cells; the second cell of a wide character is empty, control characters are left out."""
    if NARROW.issuperset(text):
        return list(text)
    cells: list[str] = []
    text = text.translate(CONTROLS)
    for start, end, width in split_graphemes(text)[0]:
        if width:
            cells.append(text[start:end])
            cells.extend([""] * (width - 1))
    return cells


def has_certain_width(text: str) -> bool:
    """Say whether all terminals agree on the width of a cell's text."""
    if len(text) != 1:
        return False
    return text in NARROW or any(first <= ord(text) <= last for first, last in WIDE_RANGES)


def find_changed(start: int, old: tuple[Texts, Looks], new: tuple[Texts, Looks]) -> list[int]:
    """Return the columns, from `start` on, in which two stretches of a line look different."""
    return [
        x
        for x, text, look, new_text, new_look in zip(count(start), *old, *new, strict=False)
        if text != new_text
        or (look != new_look and (new_text != " " or look.blank != new_look.blank))
    ]


class CellShadow:
    """The cells of the terminal as the last write left them, and which of them changed since."""

    def __init__(self, system: ColorSystem | None) -> None:
        self._system = system
        self._looks_by_style: dict[Style, Look] = {}
        self._interned: dict[Look, Look] = {PLAIN: PLAIN}
        self.width = 0
        self.height = 0
        self.texts: list[Texts] = []
        self.looks: list[Looks] = []
        self.changes: dict[int, list[int]] = {}
        """Changed columns by line."""
        self._before: dict[int, tuple[Texts, Looks]] = {}
        """What the changed lines showed."""

    def resize(self, width: int, height: int) -> None:
        """Take another size and know nothing about any cell."""
        self.width, self.height = width, height
        self.texts = [[None] * width for _ in range(height)]
        self.looks = [[PLAIN] * width for _ in range(height)]
        self.changes = {}
        self._before = {}

    def put(self, y: int, x: int, strip: Strip) -> None:
        """Record what a strip shows at this place; what lies outside the terminal is left out."""
        if y >= self.height or x >= self.width:
            return
        texts: Texts = []
        looks: Looks = []
        for text, style, control in strip:
            if control:
                continue
            cells = split_cells(text)
            texts += cells
            looks += [self._find_look(style)] * len(cells)
        end = min(x + len(texts), self.width)
        del texts[end - x :], looks[end - x :]
        line, line_looks = self.texts[y], self.looks[y]
        old = line[x:end], line_looks[x:end]
        if old == (texts, looks):
            return
        changed = find_changed(x, old, (texts, looks))
        if changed and y not in self._before:
            self._before[y] = line[:], line_looks[:]
        line[x:end], line_looks[x:end] = texts, looks
        if changed:
            self.changes.setdefault(y, []).extend(changed)

    def _find_look(self, style: Style | None) -> Look:
        if style is None:
            return PLAIN
        look = self._looks_by_style.get(style)
        if look is None:
            if len(self._looks_by_style) >= LOOKS_MAX:
                self._looks_by_style.clear()
                self._interned.clear()
            look = make_look(style, self._system)
            look = self._looks_by_style[style] = self._interned.setdefault(look, look)
        return look

    def take_changes(self) -> str:
        """Return the text that brings the terminal up to date, and forget the changes; the pen ends plain."""
        if not self.changes:
            return ""
        pen = _Pen(self)
        scroll = find_scroll({y: texts for y, (texts, _) in self._before.items()}, self.texts)
        if scroll is not None and self._take_scroll(scroll):
            pen.scroll(scroll)
        for y in sorted(self.changes):
            pen.write_line(y, sorted(self.changes[y]))
        self.changes = {}
        self._before = {}
        return pen.finish()

    def _take_scroll(self, scroll: Scroll) -> bool:
        """Reckon with a move of lines if that leaves clearly fewer cells to write; say whether it does."""
        nothing: tuple[Texts, Looks] = [None] * self.width, [PLAIN] * self.width
        changes: dict[int, list[int]] = {}
        for y in range(scroll.top, scroll.bottom + 1):
            source = scroll.find_source(y)
            old = (
                nothing
                if source < 0
                else self._before.get(source, (self.texts[source], self.looks[source]))
            )
            changes[y] = find_changed(0, old, (self.texts[y], self.looks[y]))
        saved = sum(len(self.changes.get(y, ())) - len(columns) for y, columns in changes.items())
        if saved < SCROLL_CELLS_MIN:
            return False
        self.changes = {y: columns for y, columns in (self.changes | changes).items() if columns}
        return True


class _Pen:
    """The terminal's cursor and colours while one frame is written."""

    def __init__(self, shadow: CellShadow) -> None:
        self._shadow = shadow
        self._out: list[str] = []
        self._look = PLAIN
        self._y = -1
        self._x = -1

    def scroll(self, scroll: Scroll) -> None:
        """Move lines; what comes in is empty in the terminal's own colours."""
        self._out.append(scroll_text(scroll))

    def write_line(self, y: int, columns: list[int]) -> None:
        """Write the changed cells of a line, given in ascending order."""
        texts, looks = self._shadow.texts[y], self._shadow.looks[y]
        last = self._shadow.width - 1
        out = self._out
        for x in columns:
            text = texts[x]
            if not text or (y == self._y and x < self._x):
                continue
            if x != self._x or y != self._y:
                self._go(y, x)
            look = looks[x]
            if look is not self._look and (text != " " or look.blank != self._look.blank):
                self._take(look if text != " " else self._find_blank_look(y, x))
            out.append(text)
            if text in NARROW:
                self._x = x + 1
            elif has_certain_width(text):
                self._x = x + (2 if x < last and texts[x + 1] == "" else 1)
            else:
                self._x = -1
            if self._x > last:
                # Terminals differ in where the cursor stands after the last column.
                self._x = -1

    def finish(self) -> str:
        """Return what was written, with the pen put back to plain."""
        if self._look.link:
            self._out.append("\x1b]8;;\x1b\\")
        if self._look != PLAIN:
            self._out.append("\x1b[m")
        return "".join(self._out)

    def _go(self, y: int, x: int) -> None:
        """Bring the cursor to a cell, over a short gap by writing the gap again."""
        jump = move(self._y, self._x, y, x)
        if y == self._y and 0 <= self._x < x <= self._x + BRIDGE_CELLS_MAX:
            gap = "".join(text or "" for text in self._shadow.texts[y][self._x : x])
            looks = self._shadow.looks[y][self._x : x]
            if (
                len(gap) == x - self._x
                and len(gap.encode()) <= len(jump)
                and NARROW.issuperset(gap)
                and all(look == self._look for look in looks)
            ):
                jump = gap
        self._out.append(jump)
        self._y, self._x = y, x

    def _take(self, look: Look) -> None:
        if look.link != self._look.link:
            self._out.append(f"\x1b]8;{look.link or ';'}\x1b\\")
        self._out.append(sgr(self._look, look))
        self._look = look

    def _find_blank_look(self, y: int, x: int) -> Look:
        """Return a look that draws this blank and, if it can, the text that follows it."""
        texts, looks = self._shadow.texts[y], self._shadow.looks[y]
        blank = looks[x].blank
        for column in range(x, self._shadow.width):
            look = looks[column]
            if look.blank != blank:
                break
            if texts[column] != " ":
                return look
        look = looks[x]
        if blank != look.background:
            return look
        # Only the background shows: keep the colour of the text written last.
        return look._replace(attributes=0, foreground=self._look.foreground)
