"""A text some of whose lines name things: a pointer goes from one such line to the next, and opens what it names.

Owner: the document owns which line is pointed at. The pointer stays with its link when the text is read again.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from typing import ClassVar, NamedTuple

from textual.message import Message

from screens.document import Document
from screens.present_text import Lines
from screens.widgets.cells import Glyphs, Row

NOWHERE = -1


class Link(NamedTuple):
    """A thing that a line names."""

    kind: str
    """As in ROW_KINDS."""
    id: str


class Linked(NamedTuple):
    """Lines, and which of them name what."""

    lines: Lines
    links: Mapping[int, Link]
    """Number of a line, from 0, to what it names."""


class LinkedDocument(Document):
    """A document with a pointer; without links it is like any other."""

    KEY_SCOPES: ClassVar[tuple[str, ...]] = ("links", "text")

    class Opened(Message):
        """Somebody wants to see what a line names; None = it names nothing."""

        def __init__(self, link: Link | None) -> None:
            super().__init__()
            self.link = link

    def __init__(self, *, glyphs: Glyphs, id: str | None = None) -> None:  # noqa: A002 - the name every Textual widget has
        super().__init__(glyphs=glyphs, id=id)
        self._links: Mapping[int, Link] = {}
        self._numbers: list[int] = []
        """Numbers of the lines that name something, in order."""
        self._at = NOWHERE

    # ---- what the caller does

    def link(self, links: Mapping[int, Link], *, is_tail: bool = False, is_new: bool = False) -> None:
        """Say which lines of the text that is shown next name what; the pointer begins at the first, or the last of a tail."""
        wanted = None if is_new else self.pointed
        at = self._at
        self._links, self._numbers = links, sorted(links)
        if not self._numbers:
            self._at = NOWHERE
        elif wanted is None:
            self._at = self._numbers[-1 if is_tail else 0]
        elif links.get(at) != wanted:
            same = [number for number in self._numbers if links[number] == wanted]
            self._at = min(same or self._numbers, key=lambda number: abs(number - at))

    def show(self, lines: Sequence[Row], *, is_tail: bool = False, is_new: bool = False) -> None:
        """Replace the lines, as link() has said what they name."""
        before = self._at
        super().show(lines, is_tail=is_tail, is_new=is_new)
        if before != self._pointed_number():
            self._redraw()

    @property
    def pointed(self) -> Link | None:
        """What is named where the pointer, or the match of a search, is."""
        return self._links.get(self._pointed_number())

    # ---- what the operator does

    def _action_open_link(self) -> None:
        self.post_message(self.Opened(self.pointed))

    def _action_scroll_lines(self, count: int) -> None:
        if abs(count) == 1 and self._step(count):
            self._show_pointed()
            self._change()
            return
        super()._action_scroll_lines(count)
        self._take_pointer_along()
        self._redraw()

    def _action_go_first(self) -> None:
        self._at = self._numbers[0] if self._numbers else NOWHERE
        super()._action_go_first()

    def _action_follow(self) -> None:
        self._at = self._numbers[-1] if self._numbers else NOWHERE
        super()._action_follow()

    def _step(self, count: int) -> bool:
        """Point at the next line that names something, or the one before; False when there is none that way."""
        at = bisect_right(self._numbers, self._at) if count > 0 else bisect_left(self._numbers, self._at) - 1
        if not 0 <= at < len(self._numbers):
            return False
        self._at = self._current = self._numbers[at]
        return True

    def _show_pointed(self) -> None:
        """Scroll as far as it takes to have the line in view."""
        rows = [row for row, shown in enumerate(self._laid) if shown.number == self._at]
        if rows:
            self._top = min(rows[0], max(self._top, rows[-1] - self._body_height + 1))
            self._is_at_end = False

    def _take_pointer_along(self) -> None:
        """Point at what is in view after a page."""
        seen = [shown.number for shown in self._laid[self._top : self._top + self._body_height]]
        if self._numbers and seen and not seen[0] <= self._at <= seen[-1]:
            near = [number for number in self._numbers if seen[0] <= number <= seen[-1]]
            self._at = min(near, key=lambda number: abs(number - self._at)) if near else self._at

    # ---- drawing

    def _pointed_number(self) -> int:
        return self._current if self.is_searching else self._at
