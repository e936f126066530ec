"""What a theme's colours become on a terminal that has fewer: 256, 16, or none at all.

Owner: a `Reducer` owns the styles it has reduced, each once. Limits: STYLES_MAX. The nearest of 16 colours is often not
readable, and which one it is differs between terminals; so 16 colours are given by the part that a colour plays, and
pairs were chosen that read at 4.5:1 with the palettes of the usual terminals. Of 256, text takes the nearest that
keeps its contrast.
"""

from __future__ import annotations

from enum import StrEnum
from functools import lru_cache
from typing import NamedTuple

from rich.color import Color, ColorType
from rich.style import Style

from themes.contrast import contrast, distance, tint_distance, to_hex
from themes.palettes import BACKGROUNDS, TEXT_ROLES, Palette

NUMBERED = (ColorType.STANDARD, ColorType.EIGHT_BIT)
STYLES_MAX = 4096
CONTRAST_SPARE = 0.05
"""Kept above the promised contrast, for rounding."""

BLACK, RED, GREEN, MAGENTA, CYAN, WHITE = 0, 1, 2, 5, 6, 7
BLUE, GREY = 4, 8
BRIGHT_RED, BRIGHT_GREEN, BRIGHT_YELLOW, BRIGHT_CYAN, BRIGHT_WHITE = 9, 10, 11, 14, 15


class Level(StrEnum):
    """How many colours a terminal has."""

    NONE = "none"
    SIXTEEN = "16"
    MANY = "256"
    TRUE = "truecolor"


class Pair(NamedTuple):
    """Two of sixteen colours: a text and what it stands on."""

    text: int
    ground: int


class Sixteen(NamedTuple):
    """How the parts of a theme look in 16 colours."""

    ground: int
    texts: dict[str, int]
    cursor: Pair
    badges: dict[str, Pair]
    """Parts that only a ground of their own makes readable."""


BARS = {"bad": Pair(BRIGHT_WHITE, RED), "warn": Pair(BRIGHT_WHITE, MAGENTA), "good": Pair(BLACK, GREEN), "accent": Pair(BLACK, CYAN)}
"""Text on a bar in the colour of a part, as the context line of a marked context is."""

DARK = Sixteen(
    BLACK,
    {
        "text": BRIGHT_WHITE, "muted": WHITE, "line": WHITE,
        "accent": BRIGHT_CYAN, "good": BRIGHT_GREEN, "warn": BRIGHT_YELLOW, "bad": BRIGHT_RED,
    },
    cursor=Pair(BLACK, WHITE),
    badges={},
)  # fmt: skip
# Green, yellow and cyan are too light on white everywhere: what is good needs no colour, its shape and word say it.
LIGHT = Sixteen(
    BRIGHT_WHITE,
    {"text": BLACK, "muted": BLACK, "line": GREY, "accent": BLUE, "good": BLACK, "warn": MAGENTA, "bad": RED},
    cursor=Pair(BRIGHT_WHITE, BLACK),
    badges={},
)
# The Linux console has eight grounds; its white one is grey, on which red and magenta cannot be read.
LIGHT_OF_EIGHT = LIGHT._replace(ground=WHITE, badges={"warn": BARS["warn"], "bad": BARS["bad"]})


def sixteen_of(palette: Palette, *, has_bright_grounds: bool) -> Sixteen:
    """Return the 16 colours of a palette."""
    if palette.is_dark:
        return DARK
    return LIGHT if has_bright_grounds else LIGHT_OF_EIGHT


# ---- 256 colours


def color_of_256(number: int) -> str:
    """Return what the colours from 16 on are; the first 16 differ between terminals."""
    if number >= 232:
        grey = 8 + 10 * (number - 232)
        return to_hex((grey, grey, grey))
    red, rest = divmod(number - 16, 36)
    green, blue = divmod(rest, 6)
    steps = (0, 95, 135, 175, 215, 255)
    return to_hex((steps[red], steps[green], steps[blue]))


ALL_256 = tuple(range(16, 256))


@lru_cache(1024)
def nearest_of_256(color: str) -> int:
    """Return the number of the colour that looks most alike."""
    return min(ALL_256, key=lambda number: distance(color_of_256(number), color))


@lru_cache(16)
def numbers_of_256(palette: Palette) -> dict[str, int]:
    """Return the numbers of a palette's colours: grounds by their looks, texts the most alike that can be read on all of them."""
    numbers = {getattr(palette, role): nearest_of_256(getattr(palette, role)) for role in BACKGROUNDS}
    grounds = [color_of_256(number) for number in set(numbers.values())]
    wanted = palette.contrast_min + CONTRAST_SPARE
    readable = [number for number in ALL_256 if all(contrast(color_of_256(number), ground) >= wanted for ground in grounds)]
    for role in reversed(TEXT_ROLES):
        color = getattr(palette, role)
        # What matters most chooses first, and no two parts look the same.
        number = min(readable, key=lambda number: tint_distance(color_of_256(number), color))
        readable.remove(number)
        numbers[color] = number
    return numbers


# ---- styles


class Reducer:
    """Turns styles in a theme's colours into styles that a terminal can show."""

    def __init__(self, palette: Palette, level: Level, *, has_bright_grounds: bool = True) -> None:
        self.level = level
        self._palette = palette
        self._sixteen = sixteen_of(palette, has_bright_grounds=has_bright_grounds)
        self._texts = {getattr(palette, role): role for role in reversed((*TEXT_ROLES, "line"))}
        self._grounds = {getattr(palette, role): role for role in reversed(BACKGROUNDS)}
        self._reduced: dict[Style, Style] = {}

    def reduce(self, style: Style) -> Style:
        """Return how a style is shown."""
        reduced = self._reduced.get(style)
        if reduced is None:
            if len(self._reduced) >= STYLES_MAX:
                self._reduced.clear()
            reduced = self._reduced[style] = self._find(style)
        return reduced

    def _find(self, style: Style) -> Style:
        if self.level is Level.TRUE or _is_reduced(style):
            return style
        if self.level is Level.MANY:
            return _recolor(style, self._find_number(style.color), self._find_number(style.bgcolor))
        ground, text = self._find_ground(style.bgcolor), self._find_text(style.color)
        if self.level is Level.NONE:
            return _uncolor(style, is_reversed=ground == "cursor" or ground in self._sixteen.texts, is_bold=text == "bad")
        pair = self._find_pair(text, ground)
        return _recolor(style, pair.text, pair.ground, is_bold=bool(style.bold) and pair.text > WHITE)

    def _find_number(self, color: Color | None) -> int | None:
        if color is None or color.is_default:
            return None
        known = color_hex(color)
        number = numbers_of_256(self._palette).get(known)
        return nearest_of_256(known) if number is None else number

    def _find_ground(self, color: Color | None) -> str:
        """Return the part that a background plays: a ground, or a text's colour that a bar is filled with."""
        if color is None or color.is_default:
            return "background"
        known = color_hex(color)
        found = self._grounds.get(known) or self._texts.get(known)
        return found or min(self._grounds.items(), key=lambda entry: distance(entry[0], known))[1]

    def _find_text(self, color: Color | None) -> str:
        """Return the part that a text plays; what stands on a bar has a ground's colour."""
        if color is None or color.is_default:
            return "text"
        known = color_hex(color)
        found = self._texts.get(known) or self._grounds.get(known)
        return found or min(self._texts.items(), key=lambda entry: distance(entry[0], known))[1]

    def _find_pair(self, text: str, ground: str) -> Pair:
        sixteen = self._sixteen
        if ground == "cursor":
            return sixteen.cursor
        if ground in sixteen.texts:
            return BARS.get(ground, sixteen.cursor)
        if text in sixteen.badges:
            return sixteen.badges[text]
        return Pair(sixteen.texts.get(text, sixteen.texts["text"]), sixteen.ground)


def color_hex(color: Color) -> str:
    """Return a colour as `#rrggbb`."""
    triplet = color.triplet or color.get_truecolor()
    return to_hex((triplet.red, triplet.green, triplet.blue))


def _is_reduced(style: Style) -> bool:
    """Tell whether a style has been here: what lies under a dialog is shown again as it was shown before."""
    return any(color is not None and color.type in NUMBERED for color in (style.color, style.bgcolor))


def _recolor(style: Style, text: int | None, ground: int | None, *, is_bold: bool | None = None) -> Style:
    """Return a style in numbered colours. Faint text would lose its contrast; bold of the eight dark colours changes them."""
    bold = style.bold if is_bold is None else is_bold
    colors = Style(
        color=None if text is None else Color.from_ansi(text),
        bgcolor=None if ground is None else Color.from_ansi(ground),
        bold=bold, dim=False,
    )  # fmt: skip
    return style.without_color + colors


def _uncolor(style: Style, *, is_reversed: bool, is_bold: bool) -> Style:
    """Return a style by attributes alone."""
    reverse = bool(style.reverse) is not is_reversed
    return style.without_color + Style(reverse=reverse, bold=bool(style.bold) or is_bold, dim=False)
