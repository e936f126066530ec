"""A pool and a process that carries agents in full.

Owner: a pool's screen owns what was read of its size over time. It asks again once a point of the chart has passed, as `:trends` does.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar, cast

from textual.widget import Widget

from engine.model.rows import HostRow
from screens.details import ThingDocument
from screens.feed import Changes
from screens.linked import Linked
from screens.present_size import (
    METRICS,
    SERIES,
    Sizes,
    axis_line,
    cut_line,
    drawn,
    empty_history,
    size_lines,
    title_parts,
)
from screens.present_text import Lines, host_info, note, pool_info
from screens.present_trends import RANGES, Range
from screens.trends import AGAIN_S
from screens.widgets.braille import LABEL_WIDTH
from screens.widgets.cells import Cell
from screens.widgets.charts import BrailleChart
from screens.widgets.statusbar import ContextBar

SIZE_TAB = "size"


class PoolDetails(ThingDocument):
    """A pool: what it is made of and how it is, and its size over time."""

    NAME: ClassVar[str] = "pool"
    KIND: ClassVar[str] = "pools"
    KINDS: ClassVar[tuple[str, ...]] = ("pools",)
    TABS: ClassVar[tuple[str, ...]] = ("info", SIZE_TAB, "why", "timeline")

    def __init__(self, thing: str, tab: str = "") -> None:
        super().__init__(thing, tab)
        self._sizes: Sizes | None = None

    # ---- reading

    async def read_plain(self) -> object:
        """Return the whole pool."""
        return await self.ask_engine("pool", id=self.thing)

    async def read_own(self, tab: str) -> Lines | Linked:
        """Describe the pool, or its size over time."""
        if tab != SIZE_TAB:
            return pool_info(await self.ask_engine("pool", id=self.thing), self.feed.now(), self.console.glyphs)
        self._sizes = None
        outlook = await self.ask_engine("foreseen", id=self.thing)
        wanted = {"label": self.thing, "last_s": self._range.last_s, "points": self._dots()}
        history = {name: await self.ask_engine("history", metric=name, **wanted) for name in METRICS[:2]}
        for name in METRICS[2:]:
            history[name] = await self.ask_engine("history", metric=name, **wanted) if outlook["is_measured"] else empty_history(history["desired"])
        self._sizes = Sizes(history, outlook)
        chart = drawn(self._sizes, self._dots())
        return [*size_lines(self._sizes, self.feed.now()), *([cut_line(chart.highest)] if chart.is_cut else [])]

    @property
    def _range(self) -> Range:
        name = self.console.settings_of(self.NAME).get("range")
        return next((one for one in RANGES if one.name == name), RANGES[0])

    def concerns(self, changes: Changes) -> bool:
        """A chart changes as time goes by, whatever happens to the pool."""
        return self.tab != SIZE_TAB and super().concerns(changes)

    def is_moving(self) -> bool:
        """Ask again when a point of the chart has passed."""
        if self.tab != SIZE_TAB or self._read_at is None:
            return super().is_moving()
        step = self._sizes.history["desired"]["step_s"] if self._sizes is not None else 0.0
        return self.feed.now() - self._read_at >= max(AGAIN_S, step)

    # ---- the chart

    def compose_body(self) -> Iterable[Widget]:
        """Yield the chart with its words and its axis, and the text."""
        glyphs = self.console.glyphs
        yield ContextBar(glyphs=glyphs, id="size-about")
        yield BrailleChart(SERIES, glyphs=glyphs, id="size")
        yield ContextBar(glyphs=glyphs, id="size-axis")
        yield from super().compose_body()

    def on_resize(self) -> None:
        """Read as many points as the terminal is wide now: the words are about what is drawn."""
        if self.has_class("-charted"):
            self._reload()

    def _show_text(self, found: Lines | Linked, *, is_tail: bool, is_new: bool) -> None:
        """Show the text, below the chart where that belongs to it."""
        self.set_class(self.tab == SIZE_TAB and self._sizes is not None, "-charted")
        super()._show_text(found, is_tail=is_tail, is_new=is_new)
        self._draw()

    def _dots(self) -> int:
        cells = max(1, self.size.width - LABEL_WIDTH - 1)
        return cells * (1 if self.console.glyphs.is_ascii else 2)

    def _draw(self) -> None:
        if self._sizes is None or not self.has_class("-charted"):
            return
        sizes, dots, chart = self._sizes, self._dots(), self.query_one("#size", BrailleChart)
        found = drawn(sizes, dots)
        chart.samples, chart.scale = 2 * dots, found.scale
        chart.show(found.lines, count=2 * dots)
        self.query_one("#size-about", ContextBar).show(title_parts(sizes, self._range, self.feed.now()))
        axis = axis_line(sizes, max(8, self.size.width - LABEL_WIDTH - 2), self._range)
        self.query_one("#size-axis", ContextBar).show([Cell(axis, "dim")])

    # ---- keys

    def action_range(self) -> None:
        """Show the size over the next longer time, or the shortest again."""
        if self.tab == SIZE_TAB:
            self.console.settings_of(self.NAME)["range"] = RANGES[(RANGES.index(self._range) + 1) % len(RANGES)].name
        self.show_tab(SIZE_TAB)


class HostDetails(ThingDocument):
    """A process that carries agents: what it is, how it is and on what evidence."""

    NAME: ClassVar[str] = "host"
    KIND: ClassVar[str] = "hosts"
    KINDS: ClassVar[tuple[str, ...]] = ("hosts",)
    TABS: ClassVar[tuple[str, ...]] = ("info", "why", "timeline")

    async def read_own(self, _tab: str) -> Lines | Linked:
        """Describe the process."""
        row = cast("HostRow | None", self.row)
        return note("this process is gone") if row is None else host_info(row, self.feed.now(), self.console.glyphs)
