"""`:plugins`: the plug-ins: which run, which are broken and why, which are installed and off."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, cast

from engine.model.plugin_rows import PluginRow
from screens.described import DescribedTable
from screens.details import ThingDocument
from screens.linked import Linked
from screens.present_plugins import PLUGIN_COLUMNS, plugin_cells, plugin_info
from screens.present_rows import columns_over
from screens.present_text import Lines, note
from screens.widgets.cells import Row as Cells
from screens.widgets.columns import Column


class PluginsScreen(DescribedTable):
    """Every plug-in."""

    NAME: ClassVar[str] = "plugins"
    TITLE: ClassVar[str] = "Plug-ins"
    KIND: ClassVar[str] = "plugins"
    NOUN: ClassVar[str] = "plugin"
    KINDS: ClassVar[tuple[str, ...]] = ("plugins",)
    EMPTY: ClassVar[str] = "no plug-in is installed; docs/plugins.md says how to write one"
    SORT: ClassVar[tuple[str, bool]] = ("state", False)

    def columns(self) -> Sequence[Column]:
        """Return the columns."""
        return columns_over(PLUGIN_COLUMNS, lambda: self.rows)

    def present_row(self, row: PluginRow, now: float) -> Cells:
        """Return a plug-in's cells."""
        return plugin_cells(row, now, self.console.glyphs)


class PluginDetails(ThingDocument):
    """A plug-in."""

    NAME: ClassVar[str] = "plugin"
    KIND: ClassVar[str] = "plugins"
    KINDS: ClassVar[tuple[str, ...]] = ("plugins",)
    TABS: ClassVar[tuple[str, ...]] = ("info",)

    async def read_own(self, _tab: str) -> Lines | Linked:
        """Describe it."""
        row = cast("PluginRow | None", self.row)
        return note("this plug-in is gone") if row is None else plugin_info(row, self.feed.now(), self.console.glyphs)
