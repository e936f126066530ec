"""`:ctx`: the engines that can be looked at, each as it is or was; enter goes to one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import ClassVar

from textual import on
from textual.widget import Widget

from screens.base import FleetScreen
from screens.feed import Changes
from screens.places import Place
from screens.present import plural
from screens.present_contexts import CONTEXT_COLUMNS, ContextRow, context_cells, summary_parts
from screens.widgets.cells import Cell
from screens.widgets.statusbar import Part
from screens.widgets.table import Table


class ContextsScreen(FleetScreen):
    """One row for each engine; the one in view is marked by its colour."""

    NAME: ClassVar[str] = "ctx"
    TITLE: ClassVar[str] = "Contexts"

    def __init__(self, _text: str = "") -> None:
        super().__init__()
        self._rows: list[ContextRow] = []

    def place(self) -> Place:
        """Return where somebody would come back to."""
        return Place(self.NAME)

    def compose_body(self) -> Iterable[Widget]:
        """Yield the table."""
        empty = "this console knows one engine; others are written down in console.toml, [contexts.NAME]"
        yield Table(CONTEXT_COLUMNS, glyphs=self.console.glyphs, empty=empty, id="table")

    def on_mount(self) -> None:
        """Begin at the one in view."""
        super().on_mount()
        table = self.query_one(Table)
        table.focus()
        here = next((row.name for row in self._rows if row.is_here), None)
        if here is not None:
            table.point_at(here)

    def tick(self, now: float) -> None:
        """Draw also what was heard of any context since the last tick: that is of no feed."""
        if self.is_attached and self.query("#table") and list(self.console.context_rows()) != self._rows:
            self._ages_at = 0.0
        super().tick(now)

    def refresh_rows(self, changes: Changes) -> None:  # noqa: ARG002  # how contexts are is of no feed
        """Show how each is by now."""
        self._rows = list(self.console.context_rows())
        now, glyphs, table = self.console.clock.now(), self.console.glyphs, self.query_one(Table)
        cells = {row.name: context_cells(row, now, glyphs) for row in self._rows}
        if list(table.shown_ids) == list(cells):
            table.update_rows(cells)
        else:
            table.set_rows(list(cells), list(cells.values()))

    def heading(self) -> tuple[Sequence[Part], Sequence[Part]]:
        """Say how many there are, and in which state."""
        return [Cell(self.TITLE, "accent"), *summary_parts(self._rows)], [plural(len(self._rows), "context")] if self._rows else []

    @on(Table.Opened)
    def _open(self, event: Table.Opened) -> None:
        self.console.open_context(event.row_id)
