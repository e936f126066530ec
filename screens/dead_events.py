"""`:dead-events`: events that a group of the bus had too often and did not acknowledge, to be told again or removed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, cast

from engine.model.bus_commands import DropEvents, ReplayEvents
from engine.model.bus_rows import DeadEventRow
from screens.described import DescribedTable
from screens.details import ThingDocument
from screens.linked import Linked
from screens.present_dead_events import DEAD_EVENT_COLUMNS, dead_event_cells, dead_event_info
from screens.present_rows import columns_over
from screens.present_text import Lines, note
from screens.widgets.cells import Row as Cells
from screens.widgets.columns import Column

GONE = "this event is dead no more: it was told again or removed"


class DeadEventsScreen(DescribedTable):
    """What the groups gave up, the newest first."""

    NAME: ClassVar[str] = "dead-events"
    TITLE: ClassVar[str] = "Dead events"
    KIND: ClassVar[str] = "dead-events"
    NOUN: ClassVar[str] = "dead event"
    KINDS: ClassVar[tuple[str, ...]] = ("dead-events",)
    SORT: ClassVar[tuple[str, bool]] = ("age", False)
    EMPTY: ClassVar[str] = "no group of the bus gave an event up"

    def columns(self) -> Sequence[Column]:
        """Return the columns."""
        return columns_over(DEAD_EVENT_COLUMNS, lambda: self.rows)

    def present_row(self, row: DeadEventRow, now: float) -> Cells:
        """Return a dead event's cells."""
        return dead_event_cells(row, now)

    def action_replay(self) -> None:
        """Ask to tell the chosen ones again."""
        self.ask_each(lambda row: ReplayEvents(row.id))

    def action_drop(self) -> None:
        """Ask to remove the chosen ones."""
        self.ask_each(lambda row: DropEvents(row.id))


class DeadEventDetails(ThingDocument):
    """An event that a group gave up."""

    NAME: ClassVar[str] = "dead event"
    KIND: ClassVar[str] = "dead-events"
    KINDS: ClassVar[tuple[str, ...]] = ("dead-events",)
    TABS: ClassVar[tuple[str, ...]] = ("info",)

    async def read_own(self, _tab: str) -> Lines | Linked:
        """Describe it."""
        row = cast("DeadEventRow | None", self.row)
        return note(GONE) if row is None else dead_event_info(row, self.feed.now())

    def action_replay(self) -> None:
        """Ask to tell it again."""
        self.ask_about(ReplayEvents(self.thing) if self.row is not None else None, GONE)

    def action_drop(self) -> None:
        """Ask to remove it."""
        self.ask_about(DropEvents(self.thing) if self.row is not None else None, GONE)
