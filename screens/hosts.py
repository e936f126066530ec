"""`:hosts`: the processes that carry agents: what they are, how they are and on what evidence; the way to their agents."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from engine.model.filters import quote_value
from engine.model.host_commands import CordonHost, DrainHost, UncordonHost
from engine.model.rows import HostRow
from screens.agents import AgentsScreen
from screens.described import DescribedTable
from screens.present_rows import HOST_COLUMNS, columns_over, host_cells
from screens.widgets.cells import Row as Cells
from screens.widgets.columns import Column


class HostsScreen(DescribedTable):
    """Every process that carries agents."""

    NAME: ClassVar[str] = "hosts"
    TITLE: ClassVar[str] = "Hosts"
    KIND: ClassVar[str] = "hosts"
    NOUN: ClassVar[str] = "host"
    KINDS: ClassVar[tuple[str, ...]] = ("hosts",)
    EMPTY: ClassVar[str] = "no process carries agents"
    SORT: ClassVar[tuple[str, bool]] = ("host", False)

    def columns(self) -> Sequence[Column]:
        """Return the columns."""
        return columns_over(HOST_COLUMNS, lambda: self.rows)

    def present_row(self, row: HostRow, now: float) -> Cells:
        """Return a host's cells."""
        return host_cells(row, now, self.console.glyphs)

    def action_drain(self) -> None:
        """Have the chosen hosts give up their agents."""
        self.ask_each(lambda row: DrainHost(row.id))

    def action_cordon(self) -> None:
        """Start no more agents on the chosen hosts."""
        self.ask_each(lambda row: CordonHost(row.id))

    def action_uncordon(self) -> None:
        """Start agents on the chosen hosts again."""
        self.ask_each(lambda row: UncordonHost(row.id))

    def open_row(self, row_id: str) -> None:
        """Go to the agents that it carries."""
        self.console.drill(AgentsScreen(scope=f"host={quote_value(row_id)}"))
