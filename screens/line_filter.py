"""The last step before the terminal: every line in the colours and characters that it has.

Owner: a `TerminalFilter` owns what it has reduced, for one theme; another theme needs another one, since Textual keeps
filtered lines by the filter they went through.
"""

from __future__ import annotations

from dataclasses import dataclass

from rich.segment import Segment
from rich.style import Style
from textual.color import Color
from textual.filter import LineFilter
from textual.scrollbar import ScrollBarRender

from screens.ascii import to_ascii, to_plain
from themes.reduction import Level, Reducer

PLAIN = Style.null()


@dataclass(frozen=True, slots=True)
class Terminal:
    """What a terminal can show."""

    level: Level = Level.TRUE
    is_ascii: bool = False
    has_bright_grounds: bool = True
    """Whether 16 colours can stand behind text; the Linux console has eight for that."""
    is_plain: bool = False
    """Whether somebody has it read aloud: letters, digits and punctuation alone, line by line."""

    @property
    def shows_all(self) -> bool:
        """Whether nothing needs to be turned into something else."""
        return self.level is Level.TRUE and not (self.is_ascii or self.is_plain)


class WholeBars(ScrollBarRender):
    """Scroll bars that end at whole cells: the eighths of a cell are no ASCII."""

    VERTICAL_BARS = [" "]  # noqa: RUF012  # declared so in Textual
    HORIZONTAL_BARS = [" "]  # noqa: RUF012


class TerminalFilter(LineFilter):
    """Turns lines of a theme's colours into lines for the terminal at hand."""

    def __init__(self, reducer: Reducer, terminal: Terminal) -> None:
        super().__init__()
        self._reducer = reducer
        self._spell = to_ascii if terminal.is_ascii else to_plain if terminal.is_plain else None

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        """Return the segments with other colours, and with as many cells of other characters."""
        del background
        reduce = self._reducer.reduce
        spell = self._spell
        if spell is None:
            return [Segment(text, reduce(style or PLAIN), control) for text, style, control in segments]
        return [
            Segment(text if text.isascii() else spell(text), reduce(style or PLAIN), control) for text, style, control in segments
        ]
