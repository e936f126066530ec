"""A table whose rows open as a document: described, why, log and timeline are its tabs."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from screens.base import FleetScreen
from screens.tables import TableScreen


class DescribedTable(TableScreen):
    """Opens DETAILS for the row pointed at."""

    DETAILS: ClassVar[Callable[[str, str], FleetScreen]]
    """Makes the document of a row's id that opens on a tab."""

    def open_row(self, row_id: str) -> None:
        """Describe the row."""
        self.console.drill(type(self).DETAILS(row_id, "info"))

    def _describe(self, tab: str) -> None:
        if (row := self.pointed()) is not None:
            self.console.drill(type(self).DETAILS(row.id, tab))

    def action_describe(self) -> None:
        """Describe the row pointed at."""
        self._describe("info")

    def action_why(self) -> None:
        """Say why it is as it is, with the evidence."""
        self._describe("info")

    def action_log(self) -> None:
        """Show its output."""
        self._describe("log")

    def action_timeline(self) -> None:
        """Show what happened to it."""
        self._describe("timeline")
