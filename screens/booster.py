"""`:booster`: code operations in WebAssembly: how fast and how sure the booster is, and each of its instances."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import ClassVar, cast

from textual.widget import Widget

from engine.model.booster_commands import ClearBoosterCache
from engine.model.rows import BoosterRow, InstanceRow, ModuleRow
from screens.described import DescribedTable
from screens.feed import Changes
from screens.present_booster import (
    INSTANCE_COLUMNS,
    NO_BOOSTER,
    HeadLine,
    head_lines,
    instance_cells,
    module_line,
)
from screens.present_rows import columns_over
from screens.things import open_thing
from screens.widgets.cells import Row as Cells
from screens.widgets.columns import Column
from screens.widgets.statusbar import ContextBar

HEAD_MAX = 8
"""Lines above the table; a subject without anything to tell has none."""


class BoosterScreen(DescribedTable):
    """What the booster measured of itself, and its instances: each is the sandbox of an agent."""

    NAME: ClassVar[str] = "booster"
    TITLE: ClassVar[str] = "Booster"
    KIND: ClassVar[str] = "instances"
    NOUN: ClassVar[str] = "instance"
    KINDS: ClassVar[tuple[str, ...]] = ("instances", "boosters", "modules")
    EMPTY: ClassVar[str] = NO_BOOSTER
    SORT: ClassVar[tuple[str, bool]] = ("instance", False)

    def columns(self) -> Sequence[Column]:
        """Return the columns."""
        return columns_over(INSTANCE_COLUMNS, lambda: self.rows)

    def present_row(self, row: InstanceRow, now: float) -> Cells:
        """Return an instance's cells."""
        return instance_cells(row, now, self.console.glyphs)

    @property
    def boosters(self) -> list[BoosterRow]:
        """All boosters: one, unless pools of that kind were configured by hand."""
        return [cast("BoosterRow", row) for row in self.feed.tables["boosters"].values()]

    @property
    def modules(self) -> list[ModuleRow]:
        """The modules that operators have added."""
        return [cast("ModuleRow", row) for row in self.feed.tables["modules"].values()]

    def compose_body(self) -> Iterable[Widget]:
        """Yield the head, then the table."""
        for number in range(HEAD_MAX):
            yield ContextBar(glyphs=self.console.glyphs, id=f"head-{number}")
        yield from super().compose_body()

    def refresh_rows(self, changes: Changes) -> None:
        """Show head and table."""
        now, rows = self.feed.now(), self.boosters
        lines = [*head_lines(rows[0], now), *module_line(self.modules)] if rows else []
        for number in range(HEAD_MAX):
            bar = self.query_one(f"#head-{number}", ContextBar)
            bar.display = number < len(lines)
            bar.show(*(lines[number] if bar.display else HeadLine(())))
        super().refresh_rows(changes)

    def open_row(self, row_id: str) -> None:
        """Describe the agent whose instance it is."""
        self.console.drill(open_thing("agents", row_id))

    def action_clear_cache(self) -> None:
        """Ask to forget the answers that are kept."""
        self.console.ask([ClearBoosterCache()])

    def _open_tab(self, tab: str) -> None:
        """Open the agent; why there are so many, and why work is handed on, is the pool's."""
        row = self.pointed()
        if tab == "why" and self.boosters:
            self.console.drill(open_thing("pools", self.boosters[0].id, tab))
        elif row is not None:
            self.console.drill(open_thing("agents", row.id, tab))
        else:
            self.console.say("there is no instance under the cursor", role="warn")
