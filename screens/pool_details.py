"""A pool and a process that carries agents in full.

Owner: a pool's screen owns what was read of its size over time.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, cast

from engine.model.rows import HostRow
from screens.charted import ChartedDocument, Drawing
from screens.details import ThingDocument
from screens.linked import Linked
from screens.present_pools import pool_info
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
from screens.present_text import Lines, host_info, note
from screens.widgets.braille import Series


class PoolDetails(ChartedDocument):
    """A pool: what it is made of and how it is, and its size over time."""

    NAME: ClassVar[str] = "pool"
    KIND: ClassVar[str] = "pools"
    KINDS: ClassVar[tuple[str, ...]] = ("pools",)
    PAST: ClassVar[str] = "size"
    TABS: ClassVar[tuple[str, ...]] = ("info", PAST, "why", "timeline")
    SERIES: ClassVar[Sequence[Series]] = SERIES

    def __init__(self, thing: str, tab: str = "") -> None:
        super().__init__(thing, tab)
        self._sizes: Sizes | None = None

    # ---- reading

    async def read_plain(self) -> object:
        """Return the whole pool."""
        return await self.ask_engine("pool", id=self.thing)

    async def read_own(self, tab: str) -> Lines | Linked:
        """Describe the pool, or its size over time."""
        if tab != self.PAST:
            return pool_info(await self.ask_engine("pool", id=self.thing), self.feed.now(), self.console.glyphs)
        self._sizes = None
        outlook = await self.ask_engine("foreseen", id=self.thing)
        wanted = {"label": self.thing, "last_s": self.range_shown.last_s, "points": self.dots()}
        history = {name: await self.ask_engine("history", metric=name, **wanted) for name in METRICS[:2]}
        for name in METRICS[2:]:
            history[name] = await self.ask_engine("history", metric=name, **wanted) if outlook["is_measured"] else empty_history(history["desired"])
        self._sizes = Sizes(history, outlook)
        chart = drawn(self._sizes, self.dots())
        return [*size_lines(self._sizes, self.feed.now()), *([cut_line(chart.highest)] if chart.is_cut else [])]

    # ---- the chart

    def step_s(self) -> float:
        """Return how long a point is."""
        return float(self._sizes.history["desired"]["step_s"]) if self._sizes is not None else 0.0

    def drawing(self) -> Drawing | None:
        """Return target, agents, and what was and is foreseen."""
        if self._sizes is None:
            return None
        sizes, dots, shown = self._sizes, self.dots(), self.range_shown
        found = drawn(sizes, dots)
        return Drawing(title_parts(sizes, shown, self.feed.now()), found.lines, found.scale, 2 * dots, axis_line(sizes, self.axis_width(), shown))


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
