"""One-line bars: where the operator is, and which keys do what here.

Owner: each bar owns what it shows; both draw only when that changes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from rich.style import Style
from textual import events, on
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from screens.widgets.cells import (
    ROLES,
    UNICODE,
    Cell,
    Glyphs,
    clean,
    clip,
    measure,
    split_cell,
)
from screens.widgets.cells import Part as Part
from screens.widgets.segments import merge_segments

Hint = tuple[str, str]
"""A key and what it does."""
HINT_GAP = 2


def join_parts(parts: Sequence[Part], separator: str) -> list[Cell]:
    """Put a dim separator between the parts that are not empty."""
    joined: list[Cell] = []
    for part in parts:
        text, role = split_cell(part)
        if not text:
            continue
        if joined:
            joined.append(Cell(f" {separator} ", "dim"))
        joined.append(Cell(clean(text), role))
    return joined


def clip_parts(parts: Sequence[Cell], width: int, ellipsis: str) -> list[Cell]:
    """Keep what fits into `width` cells; the part that is cut says so."""
    kept: list[Cell] = []
    for cell in parts:
        room = width - sum(measure(part.text) for part in kept)
        if room <= 0:
            break
        kept.append(Cell(clip(cell.text, room, ellipsis), cell.role))
    return kept


def lay_out_bar(
    left: Sequence[Part], right: Sequence[Part], width: int, glyphs: Glyphs = UNICODE
) -> list[Cell]:
    """Fill a line of exactly `width` cells; where both sides do not fit, the right one stays whole."""
    room = max(width - 2, 0)
    right_cells = clip_parts(join_parts(right, glyphs.separator), room, glyphs.ellipsis)
    right_width = sum(measure(cell.text) for cell in right_cells)
    left_room = room - right_width - (2 if right_width else 0)
    left_cells = clip_parts(join_parts(left, glyphs.separator), left_room, glyphs.ellipsis)
    left_width = sum(measure(cell.text) for cell in left_cells)
    middle = Cell(" " * (room - left_width - right_width))
    return [Cell(" " * (width > 0)), *left_cells, middle, *right_cells, Cell(" " * (width > 1))]


def choose_hints(hints: Sequence[Hint], width: int, kept: Hint | None = None) -> list[Hint]:
    """Return the hints that fit, the most important ones coming first in `hints`; `kept` is shown before any other is."""
    chosen: list[Hint] = []
    left = width - 1 + HINT_GAP
    reserved = _width(kept) if kept in hints and kept is not None else 0
    for hint in hints:
        if hint == kept:
            reserved = 0
        if _width(hint) + reserved > left:
            break
        chosen.append(hint)
        left -= _width(hint)
    if kept is not None and 0 < reserved <= left:
        chosen.append(kept)
    return chosen


def _width(hint: Hint) -> int:
    return HINT_GAP + measure(hint[0]) + 1 + measure(hint[1])


class ContextBar(Widget):
    """Where the operator is (left) and how things stand (right)."""

    DEFAULT_CSS = "ContextBar { height: 1; width: 1fr; }"
    ALLOW_SELECT = False
    COMPONENT_CLASSES: ClassVar[set[str]] = {f"bar--{role}" for role in ROLES}

    def __init__(
        self,
        left: Sequence[Part] = (),
        right: Sequence[Part] = (),
        *,
        glyphs: Glyphs = UNICODE,
        fill: str = "",
        id: str | None = None,  # noqa: A002 - the name every Textual widget has
    ) -> None:
        """Make a bar; `fill` names the role whose colour it is filled with, to mark what must not be mistaken."""
        super().__init__(id=id, classes=f"filled {fill}-bar" if fill else None)
        self.glyphs = glyphs
        self._parts = (tuple(left), tuple(right))

    def show(self, left: Sequence[Part], right: Sequence[Part] = ()) -> None:
        """Replace what the bar says; nothing is drawn if it says it already."""
        parts = (tuple(left), tuple(right))
        if parts != self._parts:
            self._parts = parts
            self.refresh()

    def render_line(self, y: int) -> Strip:
        """Draw the bar."""
        base = self.rich_style
        if y:
            return Strip.blank(self.size.width, base)
        styles = {
            role: base + self.get_component_rich_style(f"bar--{role}", partial=True)
            for role in ROLES
        }
        cells = lay_out_bar(*self._parts, self.size.width, self.glyphs)
        strip = Strip(merge_segments((cell.text, styles.get(cell.role, base)) for cell in cells))
        return strip.adjust_cell_length(self.size.width, base)


class KeyHints(Widget):
    """The keys of this view; those that do not fit are left out from the end."""

    DEFAULT_CSS = "KeyHints { height: 1; width: 1fr; }"
    ALLOW_SELECT = False
    COMPONENT_CLASSES: ClassVar[set[str]] = {"hints--key"}

    class Chosen(Message):
        """A click chose the hint of `key`."""

        def __init__(self, hints: KeyHints, key: str) -> None:
            super().__init__()
            self.hints = hints
            self.key = key

        @property
        def control(self) -> KeyHints:
            """The hints it was chosen from."""
            return self.hints

    def __init__(
        self,
        hints: Sequence[Hint] = (),
        *,
        id: str | None = None,  # noqa: A002 - the name every Textual widget has
    ) -> None:
        super().__init__(id=id)
        self._hints = tuple(hints)
        self._kept: Hint | None = None

    def show(self, hints: Sequence[Hint], kept: Hint | None = None) -> None:
        """Replace the hints, the most important one first; `kept` is left out last."""
        if (tuple(hints), kept) != (self._hints, self._kept):
            self._hints, self._kept = tuple(hints), kept
            self.refresh()

    def render_line(self, y: int) -> Strip:
        """Draw the hints."""
        base = self.rich_style
        if y:
            return Strip.blank(self.size.width, base)
        key_style = base + self.get_component_rich_style("hints--key", partial=True)
        parts: list[tuple[str, Style]] = []
        for key, label in choose_hints(self._hints, self.size.width, self._kept):
            parts += [
                (" " * (HINT_GAP if parts else 1), base),
                (key, key_style),
                (f" {label}", base),
            ]
        return Strip(merge_segments(parts)).adjust_cell_length(self.size.width, base)

    @on(events.Click)
    def _take_click(self, event: events.Click) -> None:
        start = 1
        for key, label in choose_hints(self._hints, self.size.width, self._kept):
            end = start + measure(key) + 1 + measure(label)
            if start <= event.x < end:
                self.post_message(self.Chosen(self, key))
                return
            start = end + HINT_GAP
