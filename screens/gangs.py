"""`:gangs`: agents that start together or not at all: who asked, in which place they wait and for what, how long they stay."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, cast

from engine.model.pool_commands import AskGang, EndGang
from engine.model.rows import GangRow
from screens.described import DescribedTable
from screens.forms import VerbForm, ask_by
from screens.present_room import GANG_COLUMNS, gang_cells
from screens.present_rows import columns_over
from screens.widgets.cells import Row as Cells
from screens.widgets.columns import Column


class GangsScreen(DescribedTable):
    """Every gang that waits or was granted."""

    NAME: ClassVar[str] = "gangs"
    TITLE: ClassVar[str] = "Gangs"
    KIND: ClassVar[str] = "gangs"
    NOUN: ClassVar[str] = "gang"
    KINDS: ClassVar[tuple[str, ...]] = ("gangs", "pools")
    EMPTY: ClassVar[str] = "nobody asks for agents that start together"

    def columns(self) -> Sequence[Column]:
        """Return the columns."""
        return columns_over(GANG_COLUMNS, lambda: self.rows)

    def present_row(self, row: GangRow, now: float) -> Cells:
        """Return a gang's cells."""
        return gang_cells(row, now, self.console.glyphs)

    def action_create(self) -> None:
        """Ask for a gang in a form."""
        row = cast("GangRow | None", self.pointed())
        ask_by(self, VerbForm(AskGang, self.feed.tables, {"pool": row.pool} if row is not None else {}))

    def action_end(self) -> None:
        """Ask to end the chosen gangs."""
        self.ask_each(lambda row: EndGang(row.id))
