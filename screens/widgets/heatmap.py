"""A heat map: two cells in one character, or one digit a cell where colours or half blocks are missing.

Owner: the map owns one level per cell, `LEVELS` of them. Values are shares from 0 to 1; a cell changes its level only
when its value moved clearly, so that values at a border do not flap.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from rich.color import Color
from rich.segment import Segment
from rich.style import Style
from textual.color import Color as ThemeColor
from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget

from screens.widgets.cells import UNICODE, Glyphs

LEVELS = 16
NO_CELL = 255
HYSTERESIS_LEVELS = 0.75
"""How far a value moves from the level shown before its cell follows; 0.5 would be plain rounding."""


def make_ramp(low: ThemeColor, middle: ThemeColor, high: ThemeColor) -> list[Color]:
    """Blend three colours into one for each level."""
    half = (LEVELS - 1) / 2
    return [
        (low.blend(middle, i / half) if i <= half else middle.blend(high, i / half - 1)).rich_color
        for i in range(LEVELS)
    ]


def follow(level: int, value: float, *, hysteresis_levels: float = HYSTERESIS_LEVELS) -> int:
    """Return the level for a value, given the one that is shown."""
    exact = min(max(value, 0.0), 1.0) * (LEVELS - 1)
    if level != NO_CELL and abs(exact - level) <= hysteresis_levels:
        return level
    return int(exact + 0.5)


def shade_text(levels: bytes | bytearray, shades: str) -> str:
    """Write levels as characters, for terminals on which colour cannot tell them apart."""
    last = len(shades) - 1
    return "".join(
        " " if level == NO_CELL else shades[level * last // (LEVELS - 1)] for level in levels
    )


class Heatmap(Widget):
    """`cell_count` cells in rows as wide as the widget, first cell top left."""

    DEFAULT_CSS = "Heatmap { width: 1fr; height: 1fr; }"
    ALLOW_SELECT = False
    COMPONENT_CLASSES: ClassVar[set[str]] = {"heatmap--low", "heatmap--middle", "heatmap--high"}

    def __init__(
        self,
        cell_count: int = 0,
        *,
        columns: int = 0,
        is_shaded: bool = False,
        glyphs: Glyphs = UNICODE,
        id: str | None = None,  # noqa: A002 - the name every Textual widget has
    ) -> None:
        """Make a map; `columns` of 0 takes the widget's width, `is_shaded` draws characters instead of colours."""
        super().__init__(id=id)
        self.glyphs = glyphs
        self.columns = columns
        self.is_shaded = is_shaded or glyphs.is_shaded
        self._levels = bytearray([NO_CELL]) * cell_count
        self._ramp: list[Color] = []
        self._pairs: dict[tuple[int, int], Style] = {}

    def set_cell_count(self, cell_count: int) -> None:
        """Grow with cells that have no value yet, or shrink."""
        missing = cell_count - len(self._levels)
        if missing:
            self._levels = self._levels[:cell_count] + bytearray([NO_CELL]) * max(missing, 0)
            self.refresh()

    def set_values(self, cells: Iterable[int], values: Iterable[float]) -> int:
        """Give cells (by number) new values, 0 to 1; draw the lines that look different and return how many cells do."""
        levels = self._levels
        per_line = self._row_width * (1 if self.is_shaded else 2)
        lines: set[int] = set()
        changed = 0
        for cell, value in zip(cells, values, strict=True):
            level = follow(levels[cell], value)
            if level != levels[cell]:
                levels[cell] = level
                lines.add(cell // per_line)
                changed += 1
        regions = [Region(0, y, self.size.width, 1) for y in lines if y < self.size.height]
        if regions:
            self.refresh(*regions)
        return changed

    @property
    def levels(self) -> bytes:
        """The level each cell shows; `NO_CELL` where no value came yet."""
        return bytes(self._levels)

    def notify_style_update(self) -> None:
        """Take the new theme's colours."""
        self._ramp = []
        self._pairs = {}
        super().notify_style_update()

    def render_line(self, y: int) -> Strip:
        """Draw one line: one row of shaded cells, or two of coloured ones."""
        base = self.rich_style
        width = self._row_width
        if self.is_shaded:
            text = shade_text(self._levels[y * width : (y + 1) * width], self.glyphs.shades)
            return Strip([Segment(text, base)]).adjust_cell_length(self.size.width, base)
        upper = self._levels[2 * y * width : (2 * y + 1) * width]
        lower = self._levels[(2 * y + 1) * width : (2 * y + 2) * width].ljust(
            len(upper), bytes([NO_CELL])
        )
        segments: list[Segment] = []
        start = 0
        for x in range(1, len(upper) + 1):
            if x == len(upper) or (upper[x], lower[x]) != (upper[start], lower[start]):
                pair = (upper[start], lower[start])
                text = " " if pair[0] == pair[1] else "▀"
                segments.append(Segment(text * (x - start), self._find_style(pair)))
                start = x
        return Strip(segments).adjust_cell_length(self.size.width, base)

    @property
    def _row_width(self) -> int:
        return self.columns or max(self.size.width, 1)

    def _find_style(self, pair: tuple[int, int]) -> Style:
        """Return the style of two cells in one character: the upper one is its text, the lower one its background."""
        style = self._pairs.get(pair)
        if style is None:
            if not self._ramp:
                parts = [
                    self.get_component_styles(f"heatmap--{name}")
                    for name in ("low", "middle", "high")
                ]
                self._ramp = make_ramp(*(part.color for part in parts))
            empty = self.rich_style.bgcolor
            upper, lower = (empty if level == NO_CELL else self._ramp[level] for level in pair)
            style = self._pairs[pair] = Style(color=upper, bgcolor=lower)
        return style
