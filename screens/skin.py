"""`:skin`: every theme, worn while it is pointed at; Enter keeps it for this fleet, Esc goes back to the one before.

Owner: nobody; the app owns what is worn and what is kept.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import ClassVar

from textual import on
from textual.containers import Container
from textual.widget import Widget

from screens.base import FleetScreen
from screens.document import Document
from screens.feed import Changes
from screens.places import Place
from screens.present_skin import SKIN_COLUMNS, skin_cells, skin_sample
from screens.widgets.cells import Cell
from screens.widgets.statusbar import Part
from screens.widgets.table import Table
from themes.palettes import AUTO, PALETTES

NAMES = (AUTO, *PALETTES)


class SkinScreen(FleetScreen):
    """All themes beside a sample; what is pointed at is worn."""

    NAME: ClassVar[str] = "skin"
    TITLE: ClassVar[str] = "Skin"

    def __init__(self, text: str = "") -> None:
        super().__init__()
        self._text = text

    def compose_body(self) -> Iterable[Widget]:
        """Yield the themes and the sample."""
        glyphs = self.console.glyphs
        yield Container(
            Table(SKIN_COLUMNS, glyphs=glyphs, id="themes"),
            Document(glyphs=glyphs, id="sample"),
            classes="panels",
        )

    def on_mount(self) -> None:
        """Point at the theme that is kept, or at the one that was named."""
        super().on_mount()
        self._show_themes()
        table = self.query_one(Table)
        table.point_at(next((name for name in NAMES if self._text and name.startswith(self._text)), self.console.chosen_theme))
        table.focus()
        self._show_sample()

    def place(self) -> Place:
        """Return where somebody would come back to."""
        return Place(self.NAME)

    def on_screen_resume(self) -> None:
        """Wear what is pointed at again."""
        super().on_screen_resume()
        if self._watch is not None:
            self._wear(self.query_one(Table).pointed_id)

    def heading(self) -> tuple[Sequence[Part], Sequence[Part]]:
        """Say which theme is kept."""
        return [Cell(self.TITLE, "accent"), f"kept: {self.console.chosen_theme}"], [Cell(self.say_keys("{table.open} keeps · {screen.back} takes back"), "dim")]

    def refresh_rows(self, changes: Changes) -> None:
        """Nothing of the fleet is shown here; which theme is kept may have changed by its key."""
        self._show_themes()

    def _show_themes(self) -> None:
        kept = self.console.chosen_theme
        self.query_one(Table).set_rows(NAMES, [skin_cells(name, kept, self.console.glyphs) for name in NAMES])

    @on(Table.Pointed)
    def _preview(self, event: Table.Pointed) -> None:
        self._wear(event.row_id)

    def _wear(self, name: str | None) -> None:
        if name is not None:
            self.console.preview_theme(name)
            self._show_sample()

    def _show_sample(self) -> None:
        name = self.console.resolve_theme(self.query_one(Table).pointed_id or AUTO)
        self.query_one(Document).show(skin_sample(PALETTES[name], self.console.glyphs))

    @on(Table.Opened)
    def _keep(self, event: Table.Opened) -> None:
        self.console.keep_theme(event.row_id)
        self.console.say(f"theme {event.row_id} is kept for this fleet")
        self.console.back()

    def on_unmount(self) -> None:
        """Wear what is kept, whichever way this view is left."""
        self.console.preview_theme(self.console.chosen_theme)
        super().on_unmount()
