"""`:routes`: what learned routing knows of each pool, whether it decides, and whether it would earn more than the scores."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from engine.model.routing_commands import ForgetRouting, RecallRouting, SetRouting
from engine.model.routing_rows import RouteRow
from screens.described import DescribedTable
from screens.present_routes import ROUTE_COLUMNS, route_cells
from screens.present_rows import columns_over
from screens.widgets.cells import Row as Cells
from screens.widgets.columns import Column


class RoutesScreen(DescribedTable):
    """The pools in which decisions were looked at."""

    NAME: ClassVar[str] = "routes"
    TITLE: ClassVar[str] = "Routes"
    KIND: ClassVar[str] = "routes"
    NOUN: ClassVar[str] = "pool"
    KINDS: ClassVar[tuple[str, ...]] = ("routes", "pools")
    SORT: ClassVar[tuple[str, bool]] = ("state", False)
    EMPTY: ClassVar[str] = "no decision was looked at yet; `routing on` lets learned routing decide"

    def columns(self) -> Sequence[Column]:
        """Return the columns."""
        return columns_over(ROUTE_COLUMNS, lambda: self.rows)

    def present_row(self, row: RouteRow, now: float) -> Cells:  # noqa: ARG002  # a table's rows may show ages
        """Return a pool's cells."""
        return route_cells(row, self.console.glyphs)

    def action_mode(self, mode: str) -> None:
        """Say what learned routing may do in the chosen pools."""
        self.ask_each(lambda row: SetRouting(mode, row.id))

    def action_reset(self) -> None:
        """Forget what was learned in the chosen pools."""
        self.ask_each(lambda row: ForgetRouting(row.id))

    def action_recall(self) -> None:
        """Take up again what was forgotten in the chosen pools."""
        self.ask_each(lambda row: RecallRouting(row.id))
