"""`:regions`: the regions that know one another: how each is, how far it is, what waits there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, cast

from engine.model.region_rows import RegionRow
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


class RegionDetails(ThingDocument):
    """A region."""

    NAME: ClassVar[str] = "region"
    KIND: ClassVar[str] = "regions"
    KINDS: ClassVar[tuple[str, ...]] = ("regions",)
    TABS: ClassVar[tuple[str, ...]] = ("info", "latency")

    async def read_own(self, tab: str) -> Lines | Linked:
        """Describe it, or show the round trips between all."""
        row = cast("RegionRow | None", self.row)
        if row is None:
            return note("this region is none any more")
        if tab == "latency":
            return latency_lines(cast("list[RegionRow]", list(self.feed.tables["regions"].values())), self.console.glyphs)
        return region_info(row, self.feed.now(), self.console.glyphs)

    def concerns(self, changes: Changes) -> bool:
        """Tell whether what is shown changed: the round trips are of all regions."""
        return super().concerns(changes) or (self.tab == "latency" and bool(changes.changed.get("regions")))
