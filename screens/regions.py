"""`:regions`: the regions that know one another: how each is, how far it is, what waits there."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar, cast

from engine.model.region_commands import FailBack, FailOver
from engine.model.region_rows import RegionRow
from engine.model.verbs import Command
from screens.described import DescribedTable
from screens.details import ThingDocument
from screens.feed import Changes
from screens.linked import Linked
from screens.present_regions import REGION_COLUMNS, latency_lines, region_cells, region_info
from screens.present_rows import columns_over
from screens.present_text import Lines, note
from screens.widgets.cells import Row as Cells
from screens.widgets.columns import Column

NO_REGIONS = "this fleet knows no other regions; docs/regions.md says how to name them"


def ask_over(row: RegionRow) -> FailOver | None:
    """Return the verb that takes a region over; None for the own one, and where it lives here already."""
    return None if row.is_own or row.lag_s is None else FailOver(row.id)


def ask_back(row: RegionRow) -> FailBack | None:
    """Return the verb that hands a region back; None where it lives at its own server."""
    return FailBack(row.id) if row.home not in ("", row.id) and not row.is_own else None


class RegionsScreen(DescribedTable):
    """Every region."""

    NAME: ClassVar[str] = "regions"
    TITLE: ClassVar[str] = "Regions"
    KIND: ClassVar[str] = "regions"
    NOUN: ClassVar[str] = "region"
    KINDS: ClassVar[tuple[str, ...]] = ("regions",)
    EMPTY: ClassVar[str] = NO_REGIONS
    SORT: ClassVar[tuple[str, bool]] = ("health", False)

    def columns(self) -> Sequence[Column]:
        """Return the columns."""
        return columns_over(REGION_COLUMNS, lambda: self.rows)

    def present_row(self, row: RegionRow, _now: float) -> Cells:
        """Return a region's cells."""
        return region_cells(row, self.console.glyphs)

    def action_fail_over(self) -> None:
        """Ask to take the chosen regions over."""
        self.ask_each(lambda row: ask_over(cast("RegionRow", row)))

    def action_fail_back(self) -> None:
        """Ask to hand the chosen regions back."""
        self.ask_each(lambda row: ask_back(cast("RegionRow", row)))


class RegionDetails(ThingDocument):
    """A region."""

    NAME: ClassVar[str] = "region"
    KIND: ClassVar[str] = "regions"
    KINDS: ClassVar[tuple[str, ...]] = ("regions",)
    TABS: ClassVar[tuple[str, ...]] = ("info", "why", "latency")

    async def read_own(self, tab: str) -> Lines | Linked:
        """Describe it, or show the round trips between all."""
        row = cast("RegionRow | None", self.row)
        if row is None:
            return note("this region is none any more")
        if tab == "latency":
            return latency_lines(cast("list[RegionRow]", list(self.feed.tables["regions"].values())), self.console.glyphs)
        return region_info(row, self.feed.now(), self.console.glyphs)

    def _ask(self, make: Callable[[RegionRow], Command | None]) -> None:
        row = cast("RegionRow | None", self.row)
        command = make(row) if row is not None else None
        if command is None:
            self.console.say("nothing to do here: this key is not for this region as it is", role="warn")
        else:
            self.console.ask([command])

    def action_fail_over(self) -> None:
        """Ask to take it over."""
        self._ask(ask_over)

    def action_fail_back(self) -> None:
        """Ask to hand it back."""
        self._ask(ask_back)

    def concerns(self, changes: Changes) -> bool:
        """Tell whether what is shown changed: the round trips are of all regions."""
        return super().concerns(changes) or (self.tab == "latency" and bool(changes.changed.get("regions")))
