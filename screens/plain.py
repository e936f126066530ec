"""`--plain`: the console for screen readers, which read line by line and follow the terminal's cursor.

Owner: nobody; what is drawn is decided by `Glyphs.is_plain`, `Terminal.is_plain` and the class `-plain` in the
stylesheet. Here: the cursor is seen, and rests on the line that keys act on.
"""

from __future__ import annotations

from textual.app import ReturnType
from textual.command import CommandPalette
from textual.geometry import Offset
from textual.widgets import Input, OptionList

from screens.driver import DiffMixin
from screens.widgets.graph import Graph
from screens.widgets.heatmap import Heatmap
from screens.widgets.table import Table

SHOW_CURSOR = "\x1b[?25h"


class PlainMixin(DiffMixin[ReturnType]):
    """An app whose cursor a screen reader can follow, where the terminal is plain."""

    def on_mount(self) -> None:
        """Show the cursor, which Textual hides, now and after a visit to the shell."""
        if self.terminal.is_plain:
            self.app_resume_signal.subscribe(self, self._show_cursor)
            self._show_cursor()

    def _show_cursor(self, _app: object = None) -> None:
        if self._driver is not None:
            self._driver.write(SHOW_CURSOR)

    def _find_chosen(self) -> OptionList | None:
        """Return the palette's list once somebody moves through it; what is typed stays in its line."""
        lists = self.screen.query(OptionList) if isinstance(self.screen, CommandPalette) else ()
        return next((options for options in lists if options.highlighted), None)

    def find_cursor(self) -> Offset:
        """Return the place of what keys act on: the row pointed at, the text that is typed, the answer."""
        focused = self.focused if self.terminal.is_plain else None
        chosen = self._find_chosen() if self.terminal.is_plain else None
        if chosen is not None:
            return find_option(chosen)
        if focused is None or isinstance(focused, Input):
            return super().find_cursor()
        offset = focused.content_region.offset
        if isinstance(focused, (Table, Heatmap, Graph)):
            return offset + focused.reading_offset
        if isinstance(focused, OptionList):
            return find_option(focused)
        return offset


def find_option(options: OptionList) -> Offset:
    """Return the place of the option that would be chosen."""
    highlighted = options.highlighted or 0
    # Options may take several lines; where they begin Textual keeps to itself.
    line = getattr(options, "_index_to_line", {}).get(highlighted, highlighted)
    return options.content_region.offset + Offset(0, line - options.scroll_offset.y)
