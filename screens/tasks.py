"""`:tasks`: what waits, runs and has ended, and why; cancelling, running again and changing priorities."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from engine.model.question_rows import QuestionRow
from engine.model.rows import TaskRow
from screens.acts import cancel_of, priority_of, retry_of
from screens.answering import Answering
from screens.described import DescribedTable
from screens.places import Place
from screens.present_rows import TASK_COLUMNS, columns_over, kept_text, task_cells
from screens.widgets.cells import Cell
from screens.widgets.cells import Row as Cells
from screens.widgets.columns import Column
from screens.widgets.statusbar import Part

ONLY_BAD = "state=failed,dead,cancelled"


class TasksScreen(Answering, DescribedTable):
    """All tasks that the console has, or those of a scope such as `pool=coder`."""

    NAME: ClassVar[str] = "tasks"
    TITLE: ClassVar[str] = "Tasks"
    KIND: ClassVar[str] = "tasks"
    NOUN: ClassVar[str] = "task"
    KINDS: ClassVar[tuple[str, ...]] = ("tasks",)
    EMPTY: ClassVar[str] = "no tasks yet; {table.submit} submits one"
    SORT: ClassVar[tuple[str, bool]] = ("state", False)

    def __init__(self, filter_text: str = "", scope: str = "", *, place: Place | None = None) -> None:
        super().__init__(filter_text, scope, place=place)
        self._opened_as = self.scope_text

    @property
    def is_only_bad(self) -> bool:
        """Whether only failed, dead and cancelled tasks are shown."""
        return self.scope_text.endswith(ONLY_BAD)

    def columns(self) -> Sequence[Column]:
        """Return the columns."""
        return columns_over(TASK_COLUMNS, lambda: self.rows)

    def present_row(self, row: TaskRow, now: float) -> Cells:
        """Return a task's cells."""
        return task_cells(row, now, self.console.glyphs)

    def heading(self) -> tuple[Sequence[Part], Sequence[Part]]:
        """Say also when older tasks are not here."""
        left, right = super().heading()
        status, kept = self.feed.status, len(self.rows)
        if status is not None and status.tasks.submitted > kept:
            right = [*right, Cell(kept_text(kept, status.tasks.submitted), "dim")]
        return left, right

    def empty_text(self) -> str:
        """Say that nothing is bad when only that is asked for."""
        if self.is_only_bad and not self.filter_text and self.feed.status is not None:
            return "no task failed, died or was cancelled"
        return super().empty_text()

    def action_only_bad(self) -> None:
        """Show only what failed, is dead or was cancelled; or everything again."""
        scope = self.scope_text.removesuffix(ONLY_BAD) if self.is_only_bad else f"{self.scope_text} {ONLY_BAD}"
        self.filter.narrow(scope)
        self._filter_table()
        self.show_chrome()

    def clear(self) -> bool:
        """Show everything again before leaving, where this screen was narrowed to what is bad."""
        if super().clear():
            return True
        if self.is_only_bad and self.scope_text != self._opened_as:
            self.action_only_bad()
            return True
        return False

    def asked(self) -> Sequence[QuestionRow]:
        """Return what the agents of the chosen tasks ask."""
        return self.questions_of(row.id for row in self.subjects())

    def action_cancel(self) -> None:
        """Stop the chosen tasks that have not ended."""
        self.ask_each(cancel_of)

    def action_retry(self) -> None:
        """Run the chosen tasks that ended badly again."""
        self.ask_each(retry_of)

    def action_prioritise(self, step: int) -> None:
        """Move the priority of the chosen waiting tasks by a step."""
        self.ask_each(lambda row: priority_of(row, step))
