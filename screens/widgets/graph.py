"""A drawn graph with a pointer: lines of texts, on which some places can be pointed at, with the arrows or the mouse.

Owner: the graph owns which place is pointed at and what is scrolled away; the pointer stays with its thing when that moves. It
draws only lines that changed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, NamedTuple

from rich.segment import Segment
from rich.style import Style
from textual import events, on
from textual.geometry import Offset, Region
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from screens.keyed import Keyed
from screens.widgets.cells import ROLES, Cell, Glyphs
from screens.widgets.segments import merge_segments

LEVELS = ("fleet", "hosts", "pools", "agents")
"""From left to right."""
Lines = list[list[Cell]]


class Spot(NamedTuple):
    """Something that can be pointed at: what it is, and where it stands."""

    kind: str
    """fleet, hosts, pools or agents."""
    host: str
    pool: str
    thing: str
    line: int
    x: int
    width: int

    @property
    def id(self) -> tuple[str, str, str, str]:
        """Return what it is, wherever it stands."""
        return self[:4]


class Picture(NamedTuple):
    """What is drawn, and what of it can be pointed at, in the order of reading."""

    lines: Lines
    spots: list[Spot]


class Graph(Keyed, Widget, can_focus=True):
    """A graph from left to right."""

    DEFAULT_CSS = "Graph { width: 1fr; height: 1fr; }"
    ALLOW_SELECT = False
    KEY_SCOPES: ClassVar[tuple[str, ...]] = ("graph",)
    COMPONENT_CLASSES: ClassVar[set[str]] = {"graph--pointed", "graph--pointer", *(f"graph--{role}" for role in ROLES)}

    class Pointed(Message):
        """The pointer stands on another thing."""

    class Opened(Message):
        """Enter or a double click asked for what is pointed at."""

    class Folded(Message):
        """What is pointed at is to show what hangs on it (1), or to hide it (-1)."""

        def __init__(self, step: int) -> None:
            super().__init__()
            self.step = step

    def __init__(self, *, glyphs: Glyphs, id: str | None = None) -> None:  # noqa: A002 - the name every Textual widget has
        super().__init__(id=id)
        self.glyphs = glyphs
        self.empty = ""
        """What is said while there is nothing to draw."""
        self._lines: Lines = []
        self.spots: Sequence[Spot] = ()
        """What can be pointed at; not to be changed."""
        self._at = 0
        self._top = 0

    # ---- what the caller does

    def show(self, picture: Picture) -> None:
        """Draw another picture, as far as it is one."""
        pointed = self.pointed
        before, self._lines = self._lines, picture.lines
        self.spots = picture.spots
        if pointed is not None:
            self._at = self._find_again(pointed)
        self._at = min(self._at, max(0, len(self.spots) - 1))
        is_moved = self._scroll_to_pointer()
        if is_moved or len(before) != len(self._lines) or not before:
            self.refresh()
        else:
            self._redraw({number for number, (one, other) in enumerate(zip(before, self._lines, strict=True)) if one != other})
        if self.pointed is not None and pointed is not None and (self.pointed.id, self.pointed.line) != (pointed.id, pointed.line):
            self._redraw({pointed.line, self.pointed.line})

    @property
    def pointed(self) -> Spot | None:
        """Return what is pointed at."""
        return self.spots[self._at] if self._at < len(self.spots) else None

    @property
    def reading_offset(self) -> Offset:
        """Where the thing pointed at stands."""
        spot = self.pointed
        return Offset(spot.x, max(0, spot.line - self._top)) if spot is not None else Offset(0, 0)

    def point_at(self, spot: Spot) -> None:
        """Move the pointer to something and that into view."""
        old = self.pointed
        self._at = self.spots.index(spot)
        if self._scroll_to_pointer():
            self.refresh()
        elif old is not None and old != spot:
            self._redraw({old.line, spot.line})
        if old != spot:
            self.post_message(self.Pointed())

    def _find_again(self, pointed: Spot) -> int:
        """Return where a thing is now; of one that is gone what it hung on."""
        wanted = [pointed.id, ("pools", pointed.host, pointed.pool, pointed.pool), ("hosts", pointed.host, "", pointed.host), ("fleet", "", "", "")]
        places = {spot.id: number for number, spot in enumerate(self.spots)}
        return next((places[id_] for id_ in wanted if id_ in places), 0)

    # ---- what the operator does

    def _of_level(self, kind: str) -> list[Spot]:
        return sorted((spot for spot in self.spots if spot.kind == kind), key=lambda spot: (spot.line, spot.x))

    def _action_along(self, count: int) -> None:
        """Go to what is above (-1) or below (1), on the same level; of agents to the nearest of the line."""
        spot = self.pointed
        if spot is None:
            return
        level = self._of_level("pools" if spot.kind == "agents" else spot.kind)
        now = next(number for number, one in enumerate(level) if one.line == spot.line)
        found = level[max(0, min(now + count, len(level) - 1))]
        near = [one for one in self.spots if one.kind == spot.kind == "agents" and one.line == found.line]
        self.point_at(min(near, key=lambda one: abs(one.x - spot.x)) if near else found)

    def _action_into(self) -> None:
        """Go to the first thing that hangs on this one, or to the next agent; have it shown where it is hidden."""
        spot = self.pointed
        if spot is None:
            return
        if spot.kind == "agents":
            near = [one for one in self.spots if one.kind == "agents" and one.line == spot.line and one.x > spot.x]
        else:
            kind = LEVELS[LEVELS.index(spot.kind) + 1]
            near = [one for one in self.spots if one.kind == kind and _hangs_on(one, spot)]
        if near:
            self.point_at(min(near, key=lambda one: (one.line, one.x)))
        else:
            self.post_message(self.Folded(1))

    def _action_out(self) -> None:
        """Go to what this hangs on, or to the agent before."""
        spot = self.pointed
        if spot is None or spot.kind == "fleet":
            return
        before = [one for one in self.spots if one.kind == "agents" and one.line == spot.line and one.x < spot.x] if spot.kind == "agents" else []
        if before:
            self.point_at(max(before, key=lambda one: one.x))
            return
        kind = LEVELS[LEVELS.index(spot.kind) - 1]
        self.point_at(next(one for one in self.spots if one.kind == kind and _hangs_on(spot, one)))

    def _action_fold(self) -> None:
        self.post_message(self.Folded(0))

    def _action_page(self, pages: int) -> None:
        self._action_along(pages * max(1, self.size.height // 2))

    def _action_edge(self, end: int) -> None:
        spot = self.pointed
        if spot is not None:
            self.point_at(self._of_level("pools" if spot.kind == "agents" else spot.kind)[end])

    def _action_open_spot(self) -> None:
        if self.pointed is not None:
            self.post_message(self.Opened())

    @on(events.Click)
    def _take_click(self, event: events.Click) -> None:
        line = self._top + event.y
        found = next((spot for spot in self.spots if spot.line == line and spot.x - 1 <= event.x < spot.x + spot.width), None)
        if found is None:  # in a box, beside its text
            near = [spot for spot in self.spots if spot.kind in ("fleet", "hosts") and spot.line - 1 <= line <= spot.line + 2 and spot.x - 2 <= event.x]
            found = max(near, key=lambda spot: spot.x, default=None) if not self._is_on_pools(line, event.x) else None
        if found is not None:
            self.point_at(found)
            if event.chain == 2:
                self._action_open_spot()

    def _is_on_pools(self, line: int, x: int) -> bool:
        return any(spot.line == line and spot.kind == "pools" and x >= spot.x - 2 for spot in self.spots)

    @on(events.MouseScrollDown)
    def _wheel_down(self) -> None:
        self._scroll(3)

    @on(events.MouseScrollUp)
    def _wheel_up(self) -> None:
        self._scroll(-3)

    # ---- scrolling

    def _scroll(self, count: int) -> None:
        top = max(0, min(self._top + count, len(self._lines) - self.size.height))
        if top != self._top:
            self._top = top
            self.refresh()

    def _scroll_to_pointer(self) -> bool:
        """Have what is pointed at in view, a box as a whole; return whether that moved lines."""
        spot = self.pointed
        if spot is None:
            return False
        margin = 1 if spot.kind in ("fleet", "hosts") else 0
        height = max(1, self.size.height)
        top = min(self._top, max(0, spot.line - margin), max(0, len(self._lines) - height))
        top = max(top, min(spot.line + 2 * margin, len(self._lines) - 1) - height + 1)
        is_moved, self._top = top != self._top, top
        return is_moved

    def _redraw(self, lines: set[int]) -> None:
        height = self.size.height
        regions = [Region(0, line - self._top, self.size.width, 1) for line in lines if self._top <= line < self._top + height]
        if regions:
            self.refresh(*regions)

    # ---- drawing

    def render_line(self, y: int) -> Strip:
        """Draw one line, with the pointer where it stands."""
        base, width, number = self.rich_style, self.size.width, self._top + y
        if not self._lines:
            return Strip([Segment(f"  {self.empty}" if y == 0 else "", base)]).adjust_cell_length(width, base)
        if number >= len(self._lines):
            return Strip.blank(width, base)
        styles = {role: base + self.get_component_rich_style(f"graph--{role}", partial=True) for role in ROLES}
        strip = Strip(merge_segments((cell.text, styles.get(cell.role, base)) for cell in self._lines[number])).adjust_cell_length(width, base)
        spot = self.pointed
        if spot is None or spot.line != number:
            return strip
        bar = self.get_component_rich_style("graph--pointed", partial=True) + Style(reverse=True if spot.kind == "agents" else None)
        end = min(width, spot.x + spot.width)
        named = Strip(Segment.apply_style(strip.crop(spot.x, end), post_style=bar), end - spot.x)
        if spot.kind == "agents":
            return Strip.join([strip.crop(0, spot.x), named, strip.crop(end)])
        pointer = Strip([Segment(self.glyphs.pointer, base + self.get_component_rich_style("graph--pointer", partial=True))], 1)
        return Strip.join([strip.crop(0, spot.x - 1), pointer, named, strip.crop(end)])


def _hangs_on(one: Spot, other: Spot) -> bool:
    """Tell whether a thing hangs on another one, a level above it."""
    if other.kind == "fleet":
        return True
    return one.host == other.host and (other.kind == "hosts" or one.pool == other.pool)
