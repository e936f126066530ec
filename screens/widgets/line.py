"""A line that is typed into; its keys come from the table like all others."""

from __future__ import annotations

from typing import ClassVar

from rich.text import Text
from textual.geometry import Size
from textual.reactive import Reactive
from textual.strip import Strip
from textual.widgets import Input

from screens.keyed import Keyed


class Line(Keyed, Input):
    """Textual's input with our keys."""

    KEY_SCOPES: ClassVar[tuple[str, ...]] = ("line",)

    # In Textual's own, every letter lays out the whole screen anew: a line does not grow with its text.
    virtual_size = Reactive(Size(0, 0))

    def render_line(self, y: int) -> Strip:
        """Draw the text, or the placeholder cut to the line: Textual's own wraps it, and puts the line feed on the screen."""
        if y != 0 or self.value or not self.placeholder:
            return super().render_line(y)
        width = self.scrollable_content_region.width
        text = Text(self.placeholder, no_wrap=True, end="")
        text.truncate(width, overflow="ellipsis")
        text.stylize(self.get_component_rich_style("input--placeholder"))
        if self.has_focus and self._cursor_visible:
            text.stylize(self.get_component_rich_style("input--cursor"), 0, 1)
        strip = Strip(text.render(self.app.console))
        return strip.extend_cell_length(self.size.width).apply_style(self.rich_style)
