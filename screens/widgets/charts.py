"""Small charts drawn line by line: a sparkline, a gauge and a line chart in braille dots.

Owner: each widget owns the newest values it shows. The pictures come from pure functions, in `bars.py` and
`braille.py`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip
from textual.widget import Widget

from screens.widgets.bars import draw_meter as draw_meter
from screens.widgets.bars import draw_sparkline as draw_sparkline
from screens.widgets.braille import Frame, Series, draw_chart, format_number
from screens.widgets.cells import ROLES, UNICODE, Glyphs
from screens.widgets.segments import merge_segments

SPARK_VALUES_MAX = 512
CHART_SAMPLES = 300


class Sparkline(Widget):
    """The newest values as a line of bars; fills its size."""

    DEFAULT_CSS = "Sparkline { height: 1; width: 1fr; }"
    ALLOW_SELECT = False

    def __init__(
        self,
        *,
        scale: tuple[float, float] | None = None,
        glyphs: Glyphs = UNICODE,
        id: str | None = None,  # noqa: A002 - the name every Textual widget has
    ) -> None:
        """Make a sparkline; without a `scale` (lowest, highest) the values shown set it."""
        super().__init__(id=id)
        self.glyphs = glyphs
        self.scale = scale
        self._values: deque[float] = deque(maxlen=SPARK_VALUES_MAX)

    def push(self, value: float) -> None:
        """Add a value on the right."""
        self._values.append(value)
        self.refresh()

    def show(self, values: Sequence[float]) -> None:
        """Replace all values, oldest first."""
        if list(values)[-SPARK_VALUES_MAX:] != list(self._values):
            self._values = deque(values, SPARK_VALUES_MAX)
            self.refresh()

    def render_line(self, y: int) -> Strip:
        """Draw one line of bars, aligned to the right."""
        width, height = self.size
        lines = draw_sparkline(
            tuple(self._values), width, height=height, scale=self.scale, spark=self.glyphs.spark
        )
        return Strip([Segment(lines[y].rjust(width), self.rich_style)], width)


class Meter(Widget):
    """A gauge: a bar, its share in percent and, before them, what it measures."""

    DEFAULT_CSS = "Meter { height: 1; width: 1fr; }"
    ALLOW_SELECT = False
    COMPONENT_CLASSES: ClassVar[set[str]] = {f"meter--{role}" for role in ROLES}

    def __init__(
        self,
        label: str = "",
        *,
        glyphs: Glyphs = UNICODE,
        id: str | None = None,  # noqa: A002 - the name every Textual widget has
    ) -> None:
        super().__init__(id=id)
        self.glyphs = glyphs
        self.label = label
        self._shown: tuple[float | None, str] = (None, "")

    def show(self, share: float | None, role: str = "") -> None:
        """Show a share from 0 to 1 in the colour of a role; None says that nothing is known."""
        shown = (None if share is None else round(share, 3), role)
        if shown != self._shown:
            self._shown = shown
            self.refresh()

    def render_line(self, y: int) -> Strip:
        """Draw the gauge."""
        base = self.rich_style
        width = self.size.width
        if y:
            return Strip.blank(width, base)
        share, role = self._shown
        style = base
        if role in ROLES:
            style += self.get_component_rich_style(f"meter--{role}", partial=True)
        label = f"{self.label} " if self.label else ""
        dim = base + self.get_component_rich_style("meter--dim", partial=True)
        parts = [(label, dim), (draw_meter(share, max(width - len(label), 5), self.glyphs), style)]
        return Strip(merge_segments(parts)).adjust_cell_length(width, base)


class BrailleChart(Widget):
    """Lines over time, newest right. It moves left in leaps, so that most new values change one column."""

    DEFAULT_CSS = "BrailleChart { height: 1fr; width: 1fr; }"
    ALLOW_SELECT = False
    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "chart--axis", "chart--label", *(f"chart--{role}" for role in ROLES)
    }  # fmt: skip

    def __init__(
        self,
        series: Sequence[Series],
        *,
        samples: int = CHART_SAMPLES,
        scale: tuple[float, float] | None = None,
        glyphs: Glyphs = UNICODE,
        id: str | None = None,  # noqa: A002 - the name every Textual widget has
    ) -> None:
        """Make a chart of at most four series, the fourth of them an interval; without a `scale` the values shown set it."""
        super().__init__(id=id)
        self.glyphs = glyphs
        self.series = tuple(series)
        self.scale = scale
        self.samples = samples
        # A dot column takes a whole number of samples: a window may hold up to twice as many as asked for.
        self._values: list[deque[float | None]] = [deque(maxlen=2 * samples) for _ in series]
        self._count = 0
        self._strips: list[Strip] = []

    def push(self, values: Sequence[float | None]) -> None:
        """Add one value a series; None leaves a gap."""
        for held, value in zip(self._values, values, strict=True):
            held.append(value)
        self._count += 1
        self._redraw()

    def show(self, values: Sequence[Sequence[float | None]], *, count: int | None = None) -> None:
        """Replace all values, oldest first; `count` is how many there ever were, to keep the columns in place."""
        self._values = [deque(line, 2 * self.samples) for line in values]
        self._count = max((len(line) for line in values), default=0) if count is None else count
        self._redraw()

    def notify_style_update(self) -> None:
        """Take the new theme's colours."""
        self._strips = []
        super().notify_style_update()

    def render_line(self, y: int) -> Strip:
        """Draw one line of the chart."""
        width, height = self.size
        if len(self._strips) != height or self._strips[0].cell_length != width:
            self._strips = self._draw(width, height)
        return self._strips[y]

    def _redraw(self) -> None:
        self._strips = []
        self.refresh()

    def _draw(self, width: int, height: int) -> list[Strip]:
        base = self.rich_style
        if self.glyphs.is_plain:
            words = [say_series(series, values) for series, values in zip(self.series, self._values, strict=False)]
            shown = [*words, *[""] * height][:height]
            return [Strip([Segment(line, base)]).adjust_cell_length(width, base) for line in shown]
        styles: dict[str, Style] = {
            name: base + self.get_component_rich_style(f"chart--{name}", partial=True)
            for name in ("axis", "label", *ROLES)
        }
        frame = Frame(width, height, self.samples, self.scale, self.glyphs.is_ascii)
        lines = draw_chart(self.series, self._values, self._count, frame)
        return [
            Strip(
                merge_segments((text, styles.get(role, base)) for text, role in line)
            ).adjust_cell_length(width, base)
            for line in lines
        ]


def say_series(series: Series, values: Iterable[float | None]) -> str:
    """Return a line of a chart in words, for those who hear it."""
    known = [value for value in values if value is not None]
    if not known:
        return f"{series.name}: not measured"
    least, most, mean = (format_number(value) for value in (min(known), max(known), sum(known) / len(known)))
    return f"{series.name} {format_number(known[-1])}, least {least}, most {most}, mean {mean}"
