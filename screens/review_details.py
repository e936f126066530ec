"""A review in full: the diff, and what is known of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, cast

from engine.model.errors import NotFound
from engine.model.review_rows import ReviewRow
from engine.model.rows import Row
from screens.details import ThingDocument
from screens.linked import Link, Linked
from screens.present_reviews import changes, review_lines
from screens.present_text import Lines, note
from screens.reviews import Reviewed

_DECIDED = "this waits for a review no longer; its timeline says what came of it"


class ReviewDetails(Reviewed, ThingDocument):
    """What a task did in its worktree: every change, its commits, its check."""

    NAME: ClassVar[str] = "review"
    KIND: ClassVar[str] = "reviews"
    KINDS: ClassVar[tuple[str, ...]] = ("reviews",)
    TABS: ClassVar[tuple[str, ...]] = ("diff", "info", "timeline")

    def subject(self) -> str:
        """Return the task's own title."""
        row = cast("ReviewRow | None", self.row)
        return (row.title if row is not None else "") or self.thing

    async def read_own(self, tab: str) -> Lines | Linked:
        """Read a tab; its task can be opened."""
        try:
            data: Mapping[str, Any] = await self.ask_engine("review", id=self.thing)
        except NotFound as error:
            return note(str(error))
        if tab == "diff":
            return changes(data)
        lines, places = review_lines(data, self.feed.now())
        return Linked(lines, {number: Link(kind, id_) for number, (kind, id_) in places.items()})

    def is_moving(self) -> bool:
        """Its age grows."""
        return self.tab == "info" or super().is_moving()

    def reviews(self) -> Sequence[Row]:
        """Return its row."""
        if self.row is None:
            self.console.say(_DECIDED, role="warn")
        return self.subjects()
