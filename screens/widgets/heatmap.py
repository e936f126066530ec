"""A heat map with a cursor: two cells in one character, or one digit a cell where colours or half blocks are missing.

Owner: the map owns the level of every cell (`LEVELS` of them), the cell pointed at and what is scrolled away. Values are
shares from 0 to 1; a cell changes its level only when its value moved clearly, so that values at a border do not flap. It
draws only lines that look different.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import ClassVar

from rich.color import Color
from rich.segment import Segment
from rich.style import Style
from textual import events, on
from textual.color import Color as ThemeColor
from textual.geometry import Offset, Region
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from screens.keyed import Keyed
from screens.widgets.cells import UNICODE, Glyphs, fit
from screens.widgets.heat_layout import MARGIN, Layout
from screens.widgets.segments import merge_segments

LEVELS = 16
CURSOR, GAP, NO_CELL = 253, 254, 255
"""Levels of what is no value: the cell pointed at, what was not measured, and where there is no cell."""
ABSENT = -1.0
"""The share of a cell that is yet to come."""
HYSTERESIS_LEVELS = 0.75
"""How far a value moves from the level shown before its cell follows; 0.5 would be plain rounding."""
GAP_SIGN, GAP_SIGN_ASCII = "–", "-"
Key = Hashable
"""What a cell is about: it keeps its level, and the cursor, when it moves."""


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
    if level < LEVELS and abs(exact - level) <= hysteresis_levels:
        return level
    return int(exact + 0.5)


def level_of(before: int, share: float | None) -> int:
    """Return the level of a cell, given the one that it had; None is a gap."""
    if share is None:
        return GAP
    return NO_CELL if share < 0 else follow(before, share)


def shade_text(levels: bytes | bytearray, glyphs: Glyphs) -> str:
    """Write levels as characters, for terminals on which colour cannot tell them apart."""
    last = len(glyphs.shades) - 1
    return "".join(
        glyphs.shades[level * last // (LEVELS - 1)] if level < LEVELS else gap_sign(glyphs) if level == GAP else " "
        for level in levels
    )


def gap_sign(glyphs: Glyphs) -> str:
    """Return the sign of what was not measured."""
    return GAP_SIGN_ASCII if glyphs.is_ascii else GAP_SIGN


class Ramped(Widget):
    """A widget that has the colours of a heat map."""

    ALLOW_SELECT = False
    COMPONENT_CLASSES: ClassVar[set[str]] = {f"heatmap--{name}" for name in ("low", "middle", "high", "label", "pointed", "cursor")}

    def __init__(self, *, glyphs: Glyphs, id: str | None = None) -> None:  # noqa: A002 - the name every Textual widget has
        super().__init__(id=id)
        self.glyphs = glyphs
        self._ramp: list[Color] = []
        self._pairs: dict[tuple[int, int], Style] = {}

    def notify_style_update(self) -> None:
        """Take the new theme's colours."""
        self._ramp = []
        self._pairs = {}
        super().notify_style_update()

    def find_part(self, name: str) -> Style:
        """Return the style of a text beside the cells."""
        return self.rich_style + self.get_component_rich_style(f"heatmap--{name}", partial=True)

    def find_style(self, first: int, second: int) -> Style:
        """Return the style of two cells in one character: the first is its text, the second its background.

        A gap beside a value is the ground, not a block: a block would be read as a value.
        """
        pair = (first, second)
        style = self._pairs.get(pair)
        if style is None:
            style = self._pairs[pair] = Style(color=self._color(first, is_sign=first == second), bgcolor=self._color(second))
        return style

    def _color(self, level: int, *, is_sign: bool = False) -> Color | None:
        if not self._ramp:
            self._ramp = make_ramp(*(self.get_component_styles(f"heatmap--{name}").color for name in ("low", "middle", "high")))
        if level < LEVELS:
            return self._ramp[level]
        if level == CURSOR:
            return self.find_part("cursor").color
        return self.find_part("label").color if is_sign and level == GAP else self.rich_style.bgcolor


class Heatmap(Keyed, Ramped, can_focus=True):
    """Lines of cells with labels, one of them pointed at; what does not fit scrolls."""

    DEFAULT_CSS = "Heatmap { width: 1fr; height: 1fr; }"
    KEY_SCOPES: ClassVar[tuple[str, ...]] = ("cells",)

    class Pointed(Message):
        """The cursor stands on another cell."""

    class Opened(Message):
        """Enter or a double click asked for what a cell is about."""

    class Passed(Message):
        """The cursor would leave the map at its left (-1) or right (1) edge."""

        def __init__(self, step: int) -> None:
            super().__init__()
            self.step = step

    def __init__(self, *, glyphs: Glyphs = UNICODE, id: str | None = None) -> None:  # noqa: A002 - the name every Textual widget has
        super().__init__(glyphs=glyphs, id=id)
        self.empty = ""
        """What is said while there are no cells."""
        self.placed = Layout()
        self._keys: Sequence[Key] = ()
        self._levels = bytearray()
        self._axis = ""
        self._words: Sequence[str] = ()
        self._at = 0
        self._top = 0

    # ---- what the caller does

    def show(self, layout: Layout, keys: Sequence[Key], shares: Sequence[float | None], *, axis: str = "", words: Sequence[str] = ()) -> int:
        """Show cells with these keys and shares, an axis below them, and return how many look different.

        `words` say the lines of a map that is read aloud.
        """
        assert len(keys) == len(shares) == layout.cell_count
        is_same = layout == self.placed and (axis, bool(words)) == (self._axis, bool(self._words))
        before: Sequence[int] = self._levels
        if keys != self._keys:
            held = dict(zip(self._keys, self._levels, strict=True))
            before = [held.get(key, NO_CELL) for key in keys]
        levels = bytearray(map(level_of, before, shares))
        pointed = self.pointed
        old, self._levels = self._levels, levels
        said, self._words = self._words, words
        self._keys, self.placed, self._axis = keys, layout, axis
        self._at = min(self._at, max(0, len(keys) - 1))
        is_here = self._at < len(keys) and keys[self._at] == pointed
        if not is_here and pointed is not None and pointed in (places := dict(zip(keys, range(len(keys)), strict=True))):
            self._at = places[pointed]
        self._scroll_to_cursor()
        if not is_same:
            self.refresh()
            return len(keys)
        changed = [cell for cell, (one, other) in enumerate(zip(old, levels, strict=True)) if one != other]
        self._redraw_tracks({layout.track_of(cell) for cell in changed})
        if said != words:
            self.refresh()
        return len(changed)

    @property
    def pointed(self) -> Key | None:
        """Return the key of the cell pointed at."""
        return self._keys[self._at] if self._at < len(self._keys) else None

    @property
    def pointed_cell(self) -> int:
        """Return the number of the cell pointed at."""
        return self._at

    @property
    def levels(self) -> bytes:
        """The level each cell shows."""
        return bytes(self._levels)

    @property
    def reading_offset(self) -> Offset:
        """Where the line pointed at stands."""
        return Offset(0, max(0, self.placed.line_of(self._at) - self._top))

    def point_at(self, cell: int) -> None:
        """Move the cursor to a cell and into view."""
        if not self._keys:
            return
        old, self._at = self._at, max(0, min(cell, len(self._keys) - 1))
        if self._scroll_to_cursor():
            self.refresh()
        elif old != self._at:
            self._redraw_tracks({self.placed.track_of(old), self.placed.track_of(self._at)})
        if old != self._at:
            self.post_message(self.Pointed())

    # ---- what the operator does

    def _action_step_cell(self, count: int) -> None:
        """Go along the track; at its end on to the next one, or tell that more of the same is wanted."""
        if not self._keys:
            return
        track = self.placed.tracks[self.placed.track_of(self._at)]
        if self._at + count in track:
            self.point_at(self._at + count)
        elif self.placed.is_open:
            self.post_message(self.Passed(count))
        else:
            self.point_at(self._at + count)

    def _action_step_track(self, count: int) -> None:
        if not self._keys:
            return
        tracks, now = self.placed.tracks, self.placed.track_of(self._at)
        place = self._at - tracks[now].start
        found = now
        while 0 <= found + count < len(tracks):
            found += count
            if len(tracks[found]):
                break
        if len(tracks[found]):
            self.point_at(tracks[found].start + min(place, len(tracks[found]) - 1))

    def _action_edge_cell(self, count: int) -> None:
        if self._keys:
            track = self.placed.tracks[self.placed.track_of(self._at)]
            self.point_at(track[0] if count < 0 else track[-1])

    def _action_edge_track(self, count: int) -> None:
        tracks = [track for track in self.placed.tracks if len(track)]
        if tracks:
            track = self.placed.tracks[self.placed.track_of(self._at)]
            end = tracks[0] if count < 0 else tracks[-1]
            self.point_at(end.start + min(self._at - track.start, len(end) - 1))

    def _action_open_cell(self) -> None:
        if self._keys:
            self.post_message(self.Opened())

    @on(events.Click)
    def _take_click(self, event: events.Click) -> None:
        cell = self.placed.cell_at(self._top + event.y, event.x)
        if cell is not None:
            self.point_at(cell)
            if event.chain == 2:
                self._action_open_cell()

    @on(events.MouseScrollDown)
    def _wheel_down(self) -> None:
        self._scroll(1)

    @on(events.MouseScrollUp)
    def _wheel_up(self) -> None:
        self._scroll(-1)

    # ---- scrolling

    @property
    def _body_height(self) -> int:
        return max(1, self.size.height - (1 if self._axis else 0))

    def _scroll(self, count: int) -> bool:
        top = max(0, min(self._top + count, len(self.placed.lines) - self._body_height))
        is_moved, self._top = top != self._top, top
        if is_moved:
            self.refresh()
        return is_moved

    def _scroll_to_cursor(self) -> bool:
        """Have the line of the cursor in view; return whether that moved lines."""
        if not self._keys:
            self._top = 0
            return False
        line, height = self.placed.line_of(self._at), self._body_height
        top = min(self._top, line, max(0, len(self.placed.lines) - height))
        top = max(top, line - height + 1)
        is_moved, self._top = top != self._top, top
        return is_moved

    def _redraw_tracks(self, tracks: set[int]) -> None:
        shown = self.placed.lines[self._top : self._top + self._body_height]
        lines = [y for y, line in enumerate(shown) if line.track in tracks or (line.is_pair and line.track + 1 in tracks)]
        if lines:
            self.refresh(*(Region(0, y, self.size.width, 1) for y in lines))

    # ---- drawing

    def render_line(self, y: int) -> Strip:
        """Draw one line: cells with their label, the axis below the last of them, or nothing."""
        base, width = self.rich_style, self.size.width
        lines = self.placed.lines[self._top : self._top + self._body_height]
        if not self._keys:
            return Strip([Segment(fit(f"  {self.empty}" if y == 0 else "", width, ellipsis=self.glyphs.ellipsis), self.find_part("label"))])
        if y >= len(lines):
            is_axis = bool(self._axis) and y == len(lines)
            text = " " * self.placed.left + self._axis if is_axis else ""
            return Strip([Segment(fit(text, width, ellipsis=""), self.find_part("label"))])
        line = lines[y]
        is_here = self.placed.track_of(self._at) in (line.track, line.track + line.is_pair)
        sign = self.glyphs.pointer if is_here and line.label else " "
        label = self.find_part("pointed" if is_here else "label")
        if self._words:
            text = sign + " " * MARGIN + self._words[self._top + y]
            return Strip([Segment(fit(text, width, ellipsis=self.glyphs.ellipsis), label)])
        name = fit(line.label, self.placed.label_width, ellipsis=self.glyphs.ellipsis)
        parts = [(sign, self.find_part("pointed")), (name, label), (" ", base)]
        parts += self._shaded(line.track) if self.glyphs.is_shaded else self._colored(line.track, line.track + line.is_pair)
        return Strip(merge_segments(parts)).adjust_cell_length(width, base)

    def _shaded(self, number: int) -> list[tuple[str, Style]]:
        track, wide = self.placed.tracks[number], self.placed.wide
        base = self.rich_style
        texts = [(sign * max(1, wide - 1)).ljust(wide) for sign in shade_text(self._levels[track.start : track.stop], self.glyphs)]
        if self._at not in track:
            return [("".join(texts), base)]
        place = self._at - track.start
        return [("".join(texts[:place]), base), (texts[place], base + Style(reverse=True)), ("".join(texts[place + 1 :]), base)]

    def _colored(self, first: int, second: int) -> list[tuple[str, Style]]:
        layout, parts = self.placed, []
        uppers = self._levels_of(layout.tracks[first])
        if layout.is_sideways:
            uppers, lowers, half = uppers[::2], uppers[1::2].ljust(len(uppers[::2]), bytes([NO_CELL])), "▌"
        elif second != first:
            lowers, half = self._levels_of(layout.tracks[second]).ljust(len(uppers), bytes([NO_CELL])), "▀"
        else:
            lowers, half = uppers, ""
        start = 0
        for x in range(1, len(uppers) + 1):
            if x == len(uppers) or (uppers[x], lowers[x]) != (uppers[start], lowers[start]):
                parts.append((self._text(uppers[start], lowers[start], half) * (x - start), self.find_style(uppers[start], lowers[start])))
                start = x
        return parts if layout.wide == 1 else self._spaced(uppers)

    def _spaced(self, levels: bytearray) -> list[tuple[str, Style]]:
        """Return cells of several characters, the last of which is blank."""
        wide, base = self.placed.wide - 1, self.rich_style
        return [part for level in levels for part in ((self._text(level, level, "") * wide, self.find_style(level, level)), (" ", base))]

    def _text(self, first: int, second: int, half: str) -> str:
        if first != second:
            return half
        return gap_sign(self.glyphs) if first == GAP else " "

    def _levels_of(self, track: range) -> bytearray:
        levels = self._levels[track.start : track.stop]
        if self._at in track:
            levels[self._at - track.start] = CURSOR
        return levels


class HeatLegend(Ramped):
    """One line: which colours or characters are low and high, and what a gap looks like."""

    DEFAULT_CSS = "HeatLegend { width: 1fr; height: 1; }"

    def __init__(self, *, glyphs: Glyphs = UNICODE, id: str | None = None) -> None:  # noqa: A002 - the name every Textual widget has
        super().__init__(glyphs=glyphs, id=id)
        self._shown = ("", "", "")

    def show(self, low: str, high: str, note: str) -> None:
        """Say what the lowest and highest level stand for, and more on the right."""
        if (low, high, note) != self._shown:
            self._shown = (low, high, note)
            self.refresh()

    def render_line(self, y: int) -> Strip:
        """Draw the legend."""
        base, label, width = self.rich_style, self.find_part("label"), self.size.width
        low, high, note = self._shown
        gap = f"{gap_sign(self.glyphs)} not measured"
        if self.glyphs.is_plain:
            return Strip([Segment(fit(f" from {low} to {high}, {note}", width, ellipsis=self.glyphs.ellipsis), label)])
        if self.glyphs.is_shaded:
            ramp = [(self.glyphs.shades, base)]
        else:
            ramp = [("  " if width >= 100 else " ", self.find_style(level, level)) for level in range(LEVELS)]
        parts = [(f" {low} ", label), *ramp, (f" {high}   {gap}", label)]
        used = sum(len(text) for text, _ in parts)
        parts.append((fit(note, max(0, width - used - 4), ellipsis=self.glyphs.ellipsis, is_right=True).rjust(max(0, width - used - 1)), label))
        return Strip(merge_segments(parts)).adjust_cell_length(width, base)
