"""Documents with a tab about the past: a range of time that a key changes, and a chart above the words about it.

Owner: nobody; what was read for the tab is each document's own. It is read again once a point of the chart has passed.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import ClassVar, NamedTuple

from textual.widget import Widget

from screens.asking import AGAIN_S
from screens.details import ThingDocument
from screens.feed import Changes
from screens.linked import Linked
from screens.present_text import Lines
from screens.present_trends import RANGES, Range
from screens.widgets.braille import LABEL_WIDTH, Series
from screens.widgets.cells import Cell
from screens.widgets.charts import BrailleChart
from screens.widgets.statusbar import ContextBar, Part


class PastDocument(ThingDocument):
    """A document whose tab PAST is about an hour, a day, 7 or 30 days."""

    PAST: ClassVar[str]

    @property
    def range_shown(self) -> Range:
        """Return how far back the tab goes."""
        name = self._settings.get("range")
        return next((one for one in RANGES if one.name == name), RANGES[0])

    def step_s(self) -> float:
        """Return how long a point of what is shown is."""
        raise NotImplementedError

    def concerns(self, changes: Changes) -> bool:
        """The past changes as time goes by, whatever happens to the thing."""
        return self.tab != self.PAST and super().concerns(changes)

    def is_moving(self) -> bool:
        """Ask again when a point has passed."""
        if self.tab != self.PAST or self._read_at is None:
            return super().is_moving()
        return self.feed.now() - self._read_at >= max(AGAIN_S, self.step_s())

    def action_range(self) -> None:
        """Show the past over the next longer time, or the shortest again."""
        if self.tab == self.PAST:
            self._settings["range"] = RANGES[(RANGES.index(self.range_shown) + 1) % len(RANGES)].name
        self.show_tab(self.PAST)


class Drawing(NamedTuple):
    """What a chart is given."""

    about: Sequence[Part]
    """What it shows, above it."""
    lines: Sequence[Sequence[float | None]]
    scale: tuple[float, float]
    samples: int
    axis: str
    """The instants, below it."""
    series: Sequence[Series] = ()
    """In place of SERIES, when their names depend on what was read."""


class ChartedDocument(PastDocument):
    """A document whose tab PAST has a chart above its words."""

    SERIES: ClassVar[Sequence[Series]]

    def drawing(self) -> Drawing | None:
        """Return what the chart shows; None where there is nothing to draw."""
        raise NotImplementedError

    def dots(self) -> int:
        """Return how many dots the chart is wide."""
        cells = max(1, self.size.width - LABEL_WIDTH - 1)
        return cells * (1 if self.console.glyphs.is_ascii else 2)

    def axis_width(self) -> int:
        """Return how many cells the axis is wide."""
        return max(8, self.size.width - LABEL_WIDTH - 2)

    def compose_body(self) -> Iterable[Widget]:
        """Yield the chart with its words and its axis, and the text."""
        glyphs = self.console.glyphs
        yield ContextBar(glyphs=glyphs, id="chart-about")
        yield BrailleChart(self.SERIES, glyphs=glyphs, id="chart")
        yield ContextBar(glyphs=glyphs, id="chart-axis")
        yield from super().compose_body()

    def on_resize(self) -> None:
        """Read as many points as the terminal is wide now: the words are about what is drawn."""
        if self.has_class("-charted"):
            self._reload()

    def _show_text(self, found: Lines | Linked, *, is_tail: bool, is_new: bool) -> None:
        """Show the text, below the chart where that belongs to it."""
        drawing = self.drawing() if self.tab == self.PAST else None
        self.set_class(drawing is not None, "-charted")
        super()._show_text(found, is_tail=is_tail, is_new=is_new)
        if drawing is None:
            return
        chart = self.query_one("#chart", BrailleChart)
        chart.series = tuple(drawing.series or self.SERIES)
        chart.samples, chart.scale = drawing.samples, drawing.scale
        chart.show(drawing.lines, count=drawing.samples)
        self.query_one("#chart-about", ContextBar).show(drawing.about)
        self.query_one("#chart-axis", ContextBar).show([Cell(drawing.axis, "dim")])
