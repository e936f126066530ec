"""`:reviews`: what tasks left on branches and nobody has decided about: how much it is, how its check ended; taken over, improved or dropped."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from engine.model.review_commands import AcceptReview, DiscardReview
from engine.model.review_rows import ReviewRow
from engine.model.rows import Row
from engine.model.task_commands import RetryTask
from engine.model.verbs import Command
from screens.described import DescribedTable
from screens.forms import VerbForm, ask_by
from screens.present_reviews import REVIEW_COLUMNS, review_cells
from screens.present_rows import columns_over
from screens.things import open_thing
from screens.widgets.cells import Row as Cells
from screens.widgets.columns import Column

if TYPE_CHECKING:
    from screens.base import FleetScreen

    _Screen = FleetScreen
else:
    _Screen = object


class Reviewed(_Screen):
    """A screen whose chosen things are reviews."""

    def reviews(self) -> Sequence[Row]:
        """Return the reviews that the keys mean; says so when there is none."""
        raise NotImplementedError

    def action_accept(self) -> None:
        """Merge the chosen ones into the branches at which they began."""
        self._ask([AcceptReview(str(row.id)) for row in self.reviews()])

    def action_accept_otherwise(self) -> None:
        """Take one over in a form: how, and into which branch."""
        self._fill(AcceptReview, ("how", "onto"), "accept")

    def action_retry(self) -> None:
        """Have one improved: what is to change, in a form."""
        self._fill(RetryTask, ("feedback",), "what to change in")

    def action_discard(self) -> None:
        """Drop the chosen ones."""
        self._ask([DiscardReview(str(row.id)) for row in self.reviews()])

    def action_task(self) -> None:
        """Open the task itself."""
        for row in self.reviews()[:1]:
            self.console.drill(open_thing("tasks", str(row.id)))

    def _ask(self, commands: Sequence[Command]) -> None:
        if commands:
            self.console.ask(list(commands))

    def _fill(self, kind: type[Command], fields: Sequence[str], what: str) -> None:
        for row in self.reviews()[:1]:
            title = row.title if isinstance(row, ReviewRow) else row.id
            ask_by(self, VerbForm(kind, self.feed.tables, {"task": str(row.id)}, asked=fields, title=f"{what}: {title}"))


class ReviewsScreen(Reviewed, DescribedTable):
    """Every task whose work waits for a review."""

    NAME: ClassVar[str] = "reviews"
    TITLE: ClassVar[str] = "Reviews"
    KIND: ClassVar[str] = "reviews"
    NOUN: ClassVar[str] = "review"
    KINDS: ClassVar[tuple[str, ...]] = ("reviews",)
    SORT: ClassVar[tuple[str, bool]] = ("age", True)
    EMPTY: ClassVar[str] = "nothing that tasks did in git worktrees waits for a review"

    def columns(self) -> Sequence[Column]:
        """Return the columns."""
        return columns_over(REVIEW_COLUMNS, lambda: self.rows)

    def present_row(self, row: ReviewRow, now: float) -> Cells:
        """Return a review's cells."""
        return review_cells(row, now, self.console.glyphs)

    def reviews(self) -> Sequence[Row]:
        """Return the chosen rows."""
        return self.chosen()
