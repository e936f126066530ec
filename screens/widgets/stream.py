"""A live stream of lines: any number may arrive, a bounded number is kept, and it is drawn a few times a second.

Owner: the stream owns its newest `lines_max` lines and where the operator looks. It has no timer: the caller's tick
draws, so a stream in which nothing happens costs nothing. Full means that the oldest lines leave; they are counted.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import deque
from collections.abc import Iterable
from itertools import islice
from typing import ClassVar, NamedTuple

from rich.style import Style
from textual import events, on
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from screens.keyed import Keyed
from screens.widgets.cells import ROLES, UNICODE, Glyphs, Row, clip
from screens.widgets.segments import merge_segments
from screens.widgets.stream_lines import Part, Pattern, lay_out_line

REDRAW_INTERVAL_S = 0.25
LINES_MAX = 5000
WHEEL_LINES = 3
GUTTER = 2
"""Cells left of the lines, for the sign at the current match."""

NO_LINE = -1
STATUS_LINE = -2


class Shown(NamedTuple):
    """One line of the screen and the number of the line it belongs to, or what it is instead."""

    number: int
    parts: list[Part]


class Stream(Keyed, Widget, can_focus=True):
    """Lines of cells, newest at the bottom; the last cell of a line may wrap."""

    DEFAULT_CSS = "Stream { height: 1fr; width: 1fr; }"
    ALLOW_SELECT = False
    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "stream--status", "stream--match", "stream--current", *(f"stream--{role}" for role in ROLES)
    }  # fmt: skip
    KEY_SCOPES: ClassVar[tuple[str, ...]] = ("stream",)

    class Changed(Message):
        """The operator paused, followed, wrapped, searched or cleared."""

        def __init__(self, stream: Stream) -> None:
            super().__init__()
            self.stream = stream

        @property
        def control(self) -> Stream:
            """Return the stream that changed."""
            return self.stream

    def __init__(
        self,
        *,
        lines_max: int = LINES_MAX,
        empty: str = "no events yet",
        glyphs: Glyphs = UNICODE,
        id: str | None = None,  # noqa: A002 - the name every Textual widget has
    ) -> None:
        super().__init__(id=id)
        self.empty = empty
        self.glyphs = glyphs
        self.is_wrapped = False
        self._lines: deque[Row] = deque(maxlen=lines_max)
        # Lines are numbered from the first one ever: a number stays with its line.
        self._count = 0
        self._left_out = 0
        self._bottom: int | None = None
        self._pattern: Pattern | None = None
        self._matches: list[int] = []
        self._searched = 0
        self._current = NO_LINE
        self._is_stale = False
        self._drawn_s = float("-inf")
        self._shown: list[Shown] = []
        self._styles: dict[str, Style] = {}

    # What the caller does

    def push(self, lines: Iterable[Row], *, left_out: int = 0) -> None:
        """Add lines, oldest first, and `left_out` that the producer dropped; the next tick draws them."""
        held = len(self._lines)
        batch = list(lines)
        self._lines.extend(batch)
        self._count += len(batch)
        self._left_out += left_out + held + len(batch) - len(self._lines)
        self._is_stale |= bool(batch or left_out)

    def tick(self, now_s: float) -> None:
        """Draw what came since, at most four times a second."""
        if self._is_stale and now_s - self._drawn_s >= REDRAW_INTERVAL_S:
            self._drawn_s = now_s
            self._redraw()

    def search(self, text: str) -> int:
        """Mark every occurrence of a text and go to the newest one; return how many lines hold it.

        Lower case finds both cases. An empty text ends the search.
        """
        self._pattern = Pattern(text) if text else None
        self._matches = []
        self._searched = 0
        self._current = NO_LINE
        self._scan()
        if self._matches:
            self._go_to_match(bisect_right(self._matches, self._find_bottom()) - 1)
        self._change()
        return len(self._matches)

    def clear(self) -> None:
        """Drop all lines and follow."""
        self._lines.clear()
        self._left_out = 0
        self._bottom = None
        self._matches = []
        self._current = NO_LINE
        self._change()

    @property
    def is_following(self) -> bool:
        """Whether the newest line is kept in view."""
        return self._bottom is None

    @property
    def left_out_count(self) -> int:
        """Lines that are not kept: dropped by the producer or pushed out by newer ones."""
        return self._left_out

    @property
    def match_count(self) -> int:
        """Lines that hold the text searched for."""
        return len(self._matches)

    @property
    def pointed_from_end(self) -> int | None:
        """How many lines are newer than the one with the sign, or than the newest one while it is followed; None without lines."""
        if not self._lines:
            return None
        number = self._pointed_number()
        return self._count - 1 - (number if number >= self._first else self._find_bottom())

    # What the operator does

    def _action_scroll_lines(self, count: int) -> None:
        bottom = self._find_bottom() + count
        first = self._first + min(self._body_height, len(self._lines)) - 1
        # At the newest line there is nothing to wait for: follow again.
        self._bottom = None if bottom >= self._count - 1 else max(bottom, first)
        self._change()

    def _action_scroll_pages(self, count: int) -> None:
        self._action_scroll_lines(count * max(self._body_height - 1, 1))

    def _action_go_first(self) -> None:
        self._action_scroll_lines(-len(self._lines))

    def _action_follow(self) -> None:
        self._bottom = None
        self._change()

    def _action_toggle_follow(self) -> None:
        self._bottom = self._count - 1 if self._bottom is None else None
        self._change()

    def _action_toggle_wrap(self) -> None:
        self.is_wrapped = not self.is_wrapped
        self._change()

    def _action_clear(self) -> None:
        self.clear()

    def _action_find(self, direction: int) -> None:
        """Go to the next match below (1) or above (-1), round the end if need be."""
        self._scan()
        if not self._matches:
            return
        if self._current < 0:
            index = bisect_right(self._matches, self._find_bottom()) - 1
        elif direction > 0:
            index = bisect_right(self._matches, self._current)
        else:
            index = bisect_left(self._matches, self._current) - 1
        self._go_to_match(index % len(self._matches))
        self._change()

    @on(events.MouseScrollUp)
    def _take_wheel_up(self) -> None:
        self._action_scroll_lines(-WHEEL_LINES)

    @on(events.MouseScrollDown)
    def _take_wheel_down(self) -> None:
        self._action_scroll_lines(WHEEL_LINES)

    # Where the operator looks

    @property
    def _first(self) -> int:
        """Number of the oldest line kept."""
        return self._count - len(self._lines)

    @property
    def _body_height(self) -> int:
        return max(self.size.height - bool(self._describe_state()), 1)

    def _find_bottom(self) -> int:
        return self._count - 1 if self._bottom is None else max(self._bottom, self._first)

    def _go_to_match(self, index: int) -> None:
        """Show a match in the middle of the lines around it."""
        self._current = self._matches[index]
        self._bottom = min(self._current + self._body_height // 2, self._count - 1)

    def _scan(self) -> None:
        """Search the lines that came since the last time and forget matches that are gone."""
        if self._pattern is None:
            return
        start = max(self._searched, self._first)
        fresh = islice(self._lines, start - self._first, None)
        self._matches += [
            number for number, line in enumerate(fresh, start) if self._pattern.is_in(line)
        ]
        self._searched = self._count
        del self._matches[: bisect_left(self._matches, self._first)]

    # Drawing

    def _change(self) -> None:
        self._redraw()
        self.post_message(self.Changed(self))

    def _redraw(self) -> None:
        self._is_stale = False
        self._shown = []
        self._scan()
        self.refresh()

    def notify_style_update(self) -> None:
        """Take the new theme's colours."""
        self._styles = {}
        super().notify_style_update()

    def render_line(self, y: int) -> Strip:
        """Draw one line of what is in view."""
        width, height = self.size
        styles = self._styles or self._find_styles()
        if len(self._shown) != height:
            self._shown = self._lay_out(width, height)
        number, parts = self._shown[y]
        base = styles["status" if number == STATUS_LINE else ""]
        pieces = [
            (text, styles[f"{role if role in ROLES else ''}{'+' if is_match else ''}"])
            if number != STATUS_LINE else (text, base)
            for text, role, is_match in parts
        ]  # fmt: skip
        sign = self.glyphs.pointer if number == self._pointed_number() and number >= 0 else ""
        pieces.insert(0, (sign.ljust(GUTTER), styles["current"] if sign else base))
        return Strip(merge_segments(pieces)).adjust_cell_length(width, base)

    def _pointed_number(self) -> int:
        """Return the number of the line with the sign, below 0 for none: the match of a search, or the last line while held."""
        return self._current if self._current >= 0 or self._bottom is None else self._find_bottom()

    def _find_styles(self) -> dict[str, Style]:
        """Return a style for each role; those inside a match end with `+`."""

        def part(name: str) -> Style:
            return self.get_component_rich_style(f"stream--{name}", partial=True)

        base = self.rich_style
        roles = {"": base} | {role: base + part(role) for role in ROLES}
        matches = {f"{role}+": style + part("match") for role, style in roles.items()}
        bars = {"status": base + part("status"), "current": base + part("current")}
        self._styles = roles | matches | bars
        return self._styles

    def _describe_state(self) -> str:
        """Say what is not as the operator may take it to be; empty while all is shown and followed."""
        notes = []
        if self._bottom is not None:
            newer = self._count - 1 - self._find_bottom()
            notes.append(f"paused, {newer:,} newer below" if newer else "paused")
        if self._pattern is not None:
            place = (
                f"{bisect_right(self._matches, self._current)} of " if self._current >= 0 else ""
            )
            notes.append(f"/{self._pattern.text}: match {place}{len(self._matches):,}")
        if self._left_out:
            notes.append(f"{self._left_out:,} lines left out")
        return f" {self.glyphs.separator} ".join(notes)

    def _lay_out(self, width: int, height: int) -> list[Shown]:
        """Return what is in view, `height` lines: upwards from the bottom, then down if there is room left."""
        state = self._describe_state()
        room = height - bool(state)
        bottom = self._find_bottom()
        shown: list[Shown] = []
        number = bottom
        while number >= self._first and len(shown) < room:
            shown[:0] = self._lay_out_number(number, width)
            number -= 1
        shown = shown[-room:] if room > 0 else []
        number = bottom + 1
        while number < self._count and len(shown) < room:
            shown += self._lay_out_number(number, width)
            number += 1
        if not self._lines:
            shown = [Shown(NO_LINE, [Part(clip(self.empty, width - GUTTER), "dim")])]
        shown = shown[:room] + [Shown(NO_LINE, [])] * (room - len(shown))
        if state:
            shown.append(
                Shown(STATUS_LINE, [Part(clip(state, width - GUTTER, self.glyphs.ellipsis))])
            )
        return shown

    def _lay_out_number(self, number: int, width: int) -> list[Shown]:
        line = self._lines[number - self._first]
        parts = lay_out_line(
            line, width - GUTTER, is_wrapped=self.is_wrapped, ellipsis=self.glyphs.ellipsis
        )
        if self._pattern is not None:
            parts = [self._pattern.mark(one) for one in parts]
        return [Shown(number, one) for one in parts]
