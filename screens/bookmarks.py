"""`:bookmarks`: what the digits open, to look up, to open and to throw away."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import ClassVar

from textual import on
from textual.widget import Widget

from screens.base import FleetScreen
from screens.places import SLOTS, Place
from screens.present import plural
from screens.widgets.cells import Cell
from screens.widgets.cells import Row as Cells
from screens.widgets.columns import Column
from screens.widgets.statusbar import Part
from screens.widgets.table import Table

COLUMNS = (
    Column("key", "key", width_min=3, align="right"),
    Column("line", "opens", width_min=30, flex=3),
    Column("sort", "sorted by", width_min=16, flex=1),
)


def bookmark_cells(slot: int, place: Place) -> Cells:
    """Return the cells of a bookmark."""
    sort = f"{place.sort[0]}{', the other way round' if place.sort[1] else ''}" if place.sort else ""
    return (Cell(str(slot), "accent"), place.line, Cell(sort, "dim"))


class BookmarksScreen(FleetScreen):
    """The nine digits, as far as they hold something."""

    NAME: ClassVar[str] = "bookmarks"
    TITLE: ClassVar[str] = "Bookmarks"

    def __init__(self, _text: str = "") -> None:
        super().__init__()

    def place(self) -> Place:
        """Return where somebody would come back to."""
        return Place(self.NAME)

    def compose_body(self) -> Iterable[Widget]:
        """Yield the table."""
        yield Table(COLUMNS, empty=self.say_keys("no bookmarks yet; {app.bookmark} and a digit keep the view in front"), glyphs=self.console.glyphs, id="table")

    def on_mount(self) -> None:
        """Show what is kept."""
        super().on_mount()
        self._show_kept()
        self.query_one(Table).focus()

    def on_screen_resume(self) -> None:
        """Show what was kept meanwhile."""
        super().on_screen_resume()
        if self._watch is not None:
            self._show_kept()

    def _show_kept(self) -> None:
        kept = list(self.console.bookmarks)
        self.query_one(Table).set_rows([str(slot) for slot, _ in kept], [bookmark_cells(slot, place) for slot, place in kept])
        self.show_chrome()

    def heading(self) -> tuple[Sequence[Part], Sequence[Part]]:
        """Say how many digits are taken."""
        return [Cell(self.TITLE, "accent"), Cell("0 is always home", "dim")], [f"{plural(len(list(self.console.bookmarks)), 'bookmark')} of {len(SLOTS)}"]

    @on(Table.Opened)
    def _open(self, event: Table.Opened) -> None:
        place = self.console.bookmarks[int(event.row_id)]
        if place is not None:
            self.console.open_place(place)

    def action_drop_bookmark(self) -> None:
        """Empty the digit pointed at."""
        pointed = self.query_one(Table).pointed_id
        if pointed is not None:
            self.console.drop_bookmark(int(pointed))
            self._show_kept()
