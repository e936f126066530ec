"""`:plans`: what was carried out, by whom, and what of it can still be taken back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, cast

from engine.model.fleet_commands import RedoPlan
from engine.model.rows import PlanRow
from engine.model.verbs import Command
from screens.acts import undo_of
from screens.described import DescribedTable
from screens.present_rows import PLAN_COLUMNS, columns_over, plan_cells
from screens.widgets.cells import Row as Cells
from screens.widgets.columns import Column


class PlansScreen(DescribedTable):
    """Applied plans, newest first."""

    NAME: ClassVar[str] = "plans"
    TITLE: ClassVar[str] = "Plans"
    KIND: ClassVar[str] = "plans"
    NOUN: ClassVar[str] = "plan"
    KINDS: ClassVar[tuple[str, ...]] = ("plans",)
    EMPTY: ClassVar[str] = "no plan was carried out yet; every verb makes one"
    SORT: ClassVar[tuple[str, bool]] = ("ago", False)

    def columns(self) -> Sequence[Column]:
        """Return the columns."""
        return columns_over(PLAN_COLUMNS, lambda: self.rows)

    def present_row(self, row: PlanRow, now: float) -> Cells:
        """Return a plan's cells."""
        return plan_cells(row, now, self.console.glyphs)

    def _ask_for_pointed(self, command: Command | None, refusal: str) -> None:
        if command is not None:
            self.console.ask([command])
        else:
            self.console.say(refusal, role="warn")

    def action_undo_this(self) -> None:
        """Take the plan pointed at back."""
        row = self.pointed()
        if row is not None:
            self._ask_for_pointed(undo_of(row, self.feed.now()), "this plan was undone already, or its window has closed")

    def action_redo_this(self) -> None:
        """Apply the plan pointed at again."""
        row = self.pointed()
        if row is not None:
            undone = cast("PlanRow", row).undone
            self._ask_for_pointed(RedoPlan(row.id) if undone else None, "only a plan that was undone can be applied again")
