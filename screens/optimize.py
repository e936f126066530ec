"""`:optimize`: what pools could have less of, with the evidence; chosen rows become a plan."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, cast

from engine.model.rows import AdviceRow
from screens.described import DescribedTable
from screens.present import plural
from screens.present_room import ADVICE_COLUMNS, advice_cells, call_in, savings
from screens.present_rows import columns_over
from screens.widgets.cells import Cell
from screens.widgets.cells import Row as Cells
from screens.widgets.columns import Column
from screens.widgets.statusbar import Part


class OptimizeScreen(DescribedTable):
    """Every recommendation."""

    NAME: ClassVar[str] = "optimize"
    TITLE: ClassVar[str] = "Optimize"
    KIND: ClassVar[str] = "advice"
    NOUN: ClassVar[str] = "recommendation"
    KINDS: ClassVar[tuple[str, ...]] = ("advice", "pools")
    EMPTY: ClassVar[str] = "nothing could be smaller: all of it is used, or less than ten minutes were seen"

    def columns(self) -> Sequence[Column]:
        """Return the columns."""
        return columns_over(ADVICE_COLUMNS, lambda: self.rows)

    def present_row(self, row: AdviceRow, _now: float) -> Cells:
        """Return a recommendation's cells."""
        return advice_cells(row)

    def heading(self) -> tuple[Sequence[Part], Sequence[Part]]:
        """Say what all of them would save."""
        left, right = super().heading()
        saved = savings(list(cast("dict[str, AdviceRow]", self.rows).values()))
        return [*left, *([Cell(f"would save at least {saved}", "dim")] if saved else [])], right

    def action_apply(self) -> None:
        """Ask for what the chosen rows recommend; a plan is of one kind of verb, so others are left for the next one."""
        calls = [call_in(cast("AdviceRow", row)) for row in self.chosen()]
        if not calls:
            return
        asked = [call for call in calls if call.name == calls[0].name]
        if len(asked) < len(calls):
            self.console.say(f"{plural(len(calls) - len(asked), 'recommendation')} of another kind: apply again for them")
        self.console.ask(asked)
