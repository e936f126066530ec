"""A text to read: lines of cells from the top, wrapped, with find; drawn like a stream, but it starts at its first line.

Owner: the document owns its lines and where the operator looks. Limits: LINES_MAX lines; the oldest leave when full.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from collections.abc import Sequence
from typing import ClassVar

from screens.widgets.cells import Glyphs, Row, clip, split_cell
from screens.widgets.stream import GUTTER, NO_LINE, STATUS_LINE, Shown, Stream
from screens.widgets.stream_lines import Part, lay_out_line

LINES_MAX = 20_000


class Document(Stream):
    """Lines of one thing; a document that is a tail keeps its end in view until somebody scrolls."""

    KEY_SCOPES: ClassVar[tuple[str, ...]] = ("text",)

    def __init__(self, *, glyphs: Glyphs, id: str | None = None) -> None:  # noqa: A002 - the name every Textual widget has
        super().__init__(lines_max=LINES_MAX, empty="", glyphs=glyphs, id=id)
        self.is_wrapped = True
        self._top = 0
        """Row of the screen, counted from the first line, that is shown at the top."""
        self._search_top = 0
        """Where the operator looked when the search began: each further letter searches from there."""
        self._is_at_end = False
        self._laid: list[Shown] = []
        self._laid_for: tuple[int, bool] = (-1, True)

    # ---- what the caller does

    def show(self, lines: Sequence[Row], *, is_tail: bool = False, is_new: bool = False) -> None:
        """Replace the lines; where the operator looks stays, unless it is a new text. Draws nothing if nothing changed."""
        if is_new:
            self._top = 0
            self._is_at_end = is_tail
        kept = deque(lines, LINES_MAX)
        if kept == self._lines and not is_new:
            return
        self._lines = kept
        self._count = len(kept)
        self._left_out = len(lines) - len(kept)
        self._searched, self._matches = 0, []
        self._laid_for = (-1, True)
        self._redraw()

    def search(self, text: str) -> int:
        """Mark every occurrence of a text and go to the first one from here; return how many lines hold it."""
        if self._pattern is None:
            self._search_top = self._top
        found = super().search(text)
        if found:
            number = self._laid[self._search_top].number if self._search_top < len(self._laid) else 0
            self._go_to_match(bisect_left(self._matches, number) % found)
            self._redraw()
        return found

    def move_match(self, step: int) -> None:
        """Go to the next match (1) or the one before (-1)."""
        self._action_find(step)

    @property
    def is_searching(self) -> bool:
        """Whether a text is searched for."""
        return self._pattern is not None

    @property
    def text(self) -> str:
        """The whole text, without colours."""
        return "\n".join(" ".join(split_cell(cell)[0] for cell in line).rstrip() for line in self._lines)

    # ---- what the operator does

    def move(self, count: int) -> None:
        """Scroll by lines of the screen."""
        self._action_scroll_lines(count)

    def _action_scroll_lines(self, count: int) -> None:
        end = max(0, len(self._laid) - self._body_height)
        self._top = min(max(0, self._top + count), end)
        self._is_at_end = count > 0 and self._top == end
        self._change()

    def _action_go_first(self) -> None:
        self._top, self._is_at_end = 0, False
        self._change()

    def _action_follow(self) -> None:
        self._is_at_end = True
        self._change()

    def _go_to_match(self, index: int) -> None:
        self._current = self._matches[index]
        row = next((at for at, shown in enumerate(self._laid) if shown.number == self._current), 0)
        if not self._top <= row < self._top + self._body_height:
            self._top = max(0, row - self._body_height // 2)
        self._is_at_end = False

    # ---- drawing

    def _pointed_number(self) -> int:
        return self._current

    def _describe_state(self) -> str:
        notes = []
        height = self.size.height
        if self._pattern is not None:
            at = self._matches.index(self._current) + 1 if self._current in self._matches else 0
            notes.append(f"/{self._pattern.text}: match {f'{at} of ' if at else ''}{len(self._matches):,}")
        if len(self._laid) > height:
            last = min(self._top + height - 1, len(self._laid))
            notes.append(f"{self._top + 1:,}..{last:,} of {len(self._laid):,} lines")
        if self._left_out:
            notes.append(f"the first {self._left_out:,} lines are left out")
        return f" {self.glyphs.separator} ".join(notes)

    def _lay_out(self, width: int, height: int) -> list[Shown]:
        if self._laid_for != (width, self.is_wrapped):
            self._laid_for = (width, self.is_wrapped)
            self._laid = [shown for number in range(self._count) for shown in self._lay_out_one(number, width - GUTTER)]
        room = height - bool(self._describe_state())
        end = max(0, len(self._laid) - room)
        self._top = end if self._is_at_end else min(self._top, end)
        shown = self._laid[self._top : self._top + room]
        if self._pattern is not None:
            shown = [Shown(number, self._pattern.mark(parts)) for number, parts in shown]
        shown += [Shown(NO_LINE, [])] * (room - len(shown))
        state = self._describe_state()
        if state:
            shown.append(Shown(STATUS_LINE, [Part(clip(state, width - GUTTER, self.glyphs.ellipsis))]))
        return shown[:height]

    def _lay_out_one(self, number: int, width: int) -> list[Shown]:
        rows = lay_out_line(self._lines[number], width, is_wrapped=self.is_wrapped, ellipsis=self.glyphs.ellipsis)
        return [Shown(number, row) for row in rows]
