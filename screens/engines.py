"""`:engines`: the engines that share the fleet: which leads, which stand by and how far they are, which were not heard of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, cast

from engine.model.engine_rows import EngineRow
from screens.described import DescribedTable
from screens.details import ThingDocument
from screens.linked import Linked
from screens.present_engines import ENGINE_COLUMNS, engine_cells, engine_info
from screens.present_rows import columns_over
from screens.present_text import Lines, note
from screens.widgets.cells import Row as Cells
from screens.widgets.columns import Column


class EnginesScreen(DescribedTable):
    """Every engine of the fleet."""

    NAME: ClassVar[str] = "engines"
    TITLE: ClassVar[str] = "Engines"
    KIND: ClassVar[str] = "engines"
    NOUN: ClassVar[str] = "engine"
    KINDS: ClassVar[tuple[str, ...]] = ("engines",)
    EMPTY: ClassVar[str] = "no engine has told of itself yet"
    SORT: ClassVar[tuple[str, bool]] = ("role", False)

    def columns(self) -> Sequence[Column]:
        """Return the columns."""
        return columns_over(ENGINE_COLUMNS, lambda: self.rows)

    def present_row(self, row: EngineRow, now: float) -> Cells:
        """Return an engine's cells."""
        return engine_cells(row, now, self.console.glyphs)


class EngineDetails(ThingDocument):
    """An engine of the fleet."""

    NAME: ClassVar[str] = "engine"
    KIND: ClassVar[str] = "engines"
    KINDS: ClassVar[tuple[str, ...]] = ("engines",)
    TABS: ClassVar[tuple[str, ...]] = ("info",)

    async def read_own(self, _tab: str) -> Lines | Linked:
        """Describe it."""
        row = cast("EngineRow | None", self.row)
        return note("this engine left the fleet") if row is None else engine_info(row, self.feed.now(), self.console.glyphs)
