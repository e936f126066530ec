"""`:tasks`: what waits, runs and has ended, and why; cancelling, running again and changing priorities."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, cast

from engine.model.rows import TaskRow
from screens.acts import BAD_STATES, cancel_of, priority_of, retry_of
from screens.described import DescribedTable
from screens.details import TaskDetails
from screens.present_rows import TASK_COLUMNS, columns_over, kept_text, task_cells
from screens.widgets.cells import Cell
from screens.widgets.cells import Row as Cells
from screens.widgets.columns import Column
from screens.widgets.statusbar import Part


class TasksScreen(DescribedTable):
    """All tasks that the console has, or those of a scope such as `pool=coder`."""

    NAME: ClassVar[str] = "tasks"
    TITLE: ClassVar[str] = "Tasks"
    KIND: ClassVar[str] = "tasks"
    DETAILS = TaskDetails
    KINDS: ClassVar[tuple[str, ...]] = ("tasks",)
    EMPTY: ClassVar[str] = "no tasks yet; {table.submit} submits one"
    SORT: ClassVar[tuple[str, bool]] = ("state", False)

    def __init__(self, filter_text: str = "", scope: str = "") -> None:
        super().__init__(filter_text, scope)
        self.is_only_bad = False
        """Whether only failed, dead and cancelled tasks are shown."""

    def columns(self) -> Sequence[Column]:
        """Return the columns."""
        return columns_over(TASK_COLUMNS, lambda: self.rows)

    def present_row(self, row: TaskRow, now: float) -> Cells:
        """Return a task's cells."""
        return task_cells(row, now, self.console.glyphs)

    def heading(self) -> tuple[Sequence[Part], Sequence[Part]]:
        """Say also when older tasks are not here, and that only bad ones are shown."""
        left, right = super().heading()
        if self.is_only_bad:
            left = [*left, Cell("only failed, dead, cancelled", "warn")]
        status, kept = self.feed.status, len(self.rows)
        if status is not None and status.tasks.submitted > kept:
            right = [*right, Cell(kept_text(kept, status.tasks.submitted), "dim")]
        return left, right

    def empty_text(self) -> str:
        """Say that nothing is bad when only that is asked for."""
        if self.is_only_bad and self.feed.status is not None:
            return "no task failed, died or was cancelled"
        return super().empty_text()

    def _filter_table(self) -> None:
        super()._filter_table()
        if not self.is_only_bad:
            return
        test, rows = self._test, self.rows

        def is_shown(id_: str) -> bool:
            row = cast("TaskRow | None", rows.get(id_))
            return row is not None and row.state in BAD_STATES and (test is None or test(row, self.feed.now()))

        self.table.filter_by(is_shown)

    def action_only_bad(self) -> None:
        """Show only what failed, is dead or was cancelled; or everything again."""
        self.is_only_bad = not self.is_only_bad
        self._filter_table()
        self.show_chrome()

    def clear(self) -> bool:
        """Show everything again before leaving."""
        if self.is_only_bad and not self.filter_text:
            self.action_only_bad()
            return True
        return super().clear()

    def action_cancel(self) -> None:
        """Stop the chosen tasks that have not ended."""
        self.ask_each(cancel_of)

    def action_retry(self) -> None:
        """Run the chosen tasks that ended badly again."""
        self.ask_each(retry_of)

    def action_prioritise(self, step: int) -> None:
        """Move the priority of the chosen waiting tasks by a step."""
        self.ask_each(lambda row: priority_of(row, step))
