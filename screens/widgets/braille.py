"""A line chart as text: braille dots, or one letter a series where those are missing.

Owner: nobody; values and pure functions. One dot column stands for a fixed run of samples counted from the first one
ever, and the picture moves in leaps, so that a new sample changes as few cells as can be.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import ceil, floor, log10
from typing import NamedTuple

LABEL_WIDTH = 5
DOTS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))
"""Braille dot of a row and column within its cell."""
LETTERS = "*+o:"
LEGEND_SAMPLES = ("───", "─ ─", "· ·", "│ │")
PATTERNS = ((0, 1, 2, 3), (0, 1), (0,), (2,))
"""Which of four dot columns each series is drawn in: they are told apart without colour."""
BARS = 3
"""The series that is drawn as bars, from the lowest to the highest sample of a dot column: an interval."""
LEAPS = 8
"""How many leaps make a whole width."""
Line = list[tuple[str, str]]
"""Texts with their roles; `axis` and `label` are roles too."""


@dataclass(frozen=True, slots=True)
class Series:
    """One line of a chart."""

    name: str = ""
    role: str = "accent"


@dataclass(frozen=True, slots=True)
class Frame:
    """What a chart is drawn into."""

    width: int
    height: int
    samples: int
    """How many of the newest samples are shown at least."""
    scale: tuple[float, float] | None = None
    """Lowest and highest value; without it the shown ones decide."""
    is_ascii: bool = False

    @property
    def has_legend(self) -> bool:
        """Whether the height leaves room for names and an axis."""
        return self.height >= 4

    @property
    def columns(self) -> int:
        """Cells of the plot from left to right."""
        return max(self.width - LABEL_WIDTH - 1, 1)

    @property
    def rows(self) -> int:
        """Cells of the plot from top to bottom."""
        return max(self.height - 2 if self.has_legend else self.height, 1)

    @property
    def dots(self) -> tuple[int, int]:
        """Dots of a cell, columns and rows."""
        return (1, 1) if self.is_ascii else (2, 4)


class Window(NamedTuple):
    """The dot columns shown, counted from the first sample ever."""

    start: int
    samples_per_dot: int


class Span(NamedTuple):
    """Lowest, highest, first and last of the samples of one dot column."""

    low: float
    high: float
    first: float
    last: float


def find_window(count: int, frame: Frame) -> Window:
    """Return what is shown after `count` samples."""
    width = frame.columns * frame.dots[0]
    per_dot = max(1, ceil(frame.samples / width))
    last = (count - 1) // per_dot
    if last < width:
        return Window(0, per_dot)
    leap = max(frame.dots[0], width // LEAPS // frame.dots[0] * frame.dots[0])
    return Window(ceil((last + 1 - width) / leap) * leap, per_dot)


def group_samples(values: Sequence[float | None], count: int, window: Window) -> dict[int, Span]:
    """Sum up the samples of each dot column of the window; `values` end with sample `count - 1`."""
    spans: dict[int, Span] = {}
    for index, value in enumerate(values, count - len(values)):
        dot = index // window.samples_per_dot - window.start
        if value is None or dot < 0:
            continue
        old = spans.get(dot, Span(value, value, value, value))
        spans[dot] = Span(min(old.low, value), max(old.high, value), old.first, value)
    return spans


def find_ticks(low: float, high: float, count: int) -> list[float]:
    """Return round values from at or below `low` to at or above `high`, about `count` of them."""
    if high <= low:
        high = low + 1.0
    raw = (high - low) / max(count, 1)
    power = 10.0 ** floor(log10(raw))
    step = next(factor * power for factor in (1, 2, 2.5, 5, 10) if factor * power >= raw * 0.999)
    first, last = floor(low / step + 1e-9), ceil(high / step - 1e-9)
    return [index * step for index in range(first, last + 1)]


def format_number(value: float) -> str:
    """Write a number in at most five characters."""
    for limit, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= limit:
            return f"{value / limit:.3g}{unit}"
    return f"{value:.3g}"


class Canvas:
    """Dots in cells, and which series each cell belongs to."""

    def __init__(self, frame: Frame, low: float, high: float) -> None:
        self.frame = frame
        self._low = low
        self._dots_high = frame.rows * frame.dots[1]
        self._dots_per_unit = (self._dots_high - 1) / (high - low)
        self._bits = [bytearray(frame.columns) for _ in range(frame.rows)]
        self._owners = [bytearray(frame.columns) for _ in range(frame.rows)]

    def find_dot(self, value: float) -> int:
        """Return the dot row of a value, 0 at the top; what is off the scale lies on its edge."""
        dot = int((value - self._low) * self._dots_per_unit + 0.5)
        return self._dots_high - 1 - max(0, min(dot, self._dots_high - 1))

    def draw(self, number: int, spans: dict[int, Span], start: int) -> None:
        """Draw one series: a line, dashes, dots, or bars."""
        wide, high = self.frame.dots
        for dot, span in spans.items():
            x = dot // wide
            if x >= self.frame.columns or (start + dot) % len(PATTERNS) not in PATTERNS[number]:
                continue
            before = spans.get(dot - 1) if number != BARS else None
            # Reach back to where the line came from, or steep parts would fall apart.
            values = (span.low, span.high) if before is None else (span.low, span.high, before.last)
            for y in range(self.find_dot(max(values)), self.find_dot(min(values)) + 1):
                self._bits[y // high][x] |= DOTS[y % high][dot % wide]
                self._owners[y // high][x] = number

    def render(self, row: int, series: Sequence[Series]) -> Iterable[tuple[str, str]]:
        """Give the cells of one row with the roles of their series."""
        for bits, owner in zip(self._bits[row], self._owners[row], strict=True):
            if not bits:
                yield " ", ""
            else:
                text = LETTERS[owner] if self.frame.is_ascii else chr(0x2800 + bits)
                yield text, series[owner].role


def draw_legend(
    series: Sequence[Series], values: Sequence[Sequence[float | None]], *, is_ascii: bool
) -> Line:
    """Name each series with a sample of its line and its newest value."""
    line: Line = []
    for number, (one, samples) in enumerate(zip(series, values, strict=True)):
        newest = next((value for value in reversed(samples) if value is not None), None)
        text = f" {one.name} {'-' if newest is None else format_number(newest)}"
        line.append((LETTERS[number] if is_ascii else LEGEND_SAMPLES[number], one.role))
        line.append((text + "  ", "label"))
    return line


def draw_chart(
    series: Sequence[Series], values: Sequence[Sequence[float | None]], count: int, frame: Frame
) -> list[Line]:
    """Return the lines of a chart, `frame.height` of them; `count` is how many samples there ever were."""
    window = find_window(count, frame)
    spans = [group_samples(samples, count, window) for samples in values]
    low = min((span.low for one in spans for span in one.values()), default=0.0)
    high = max((span.high for one in spans for span in one.values()), default=1.0)
    low, high = frame.scale or (low, high)
    ticks = find_ticks(low, high, max(1, frame.rows // 4))
    canvas = Canvas(frame, ticks[0], ticks[-1])
    # The first series is the one that matters most: it is drawn last.
    for number in reversed(range(len(series))):
        canvas.draw(number, spans[number], window.start)
    bar, tick, corner, floor_line = "|++-" if frame.is_ascii else "│┤└─"
    labels = {canvas.find_dot(value) // frame.dots[1]: format_number(value) for value in ticks}
    lines: list[Line] = []
    if frame.has_legend:
        lines.append(draw_legend(series, values, is_ascii=frame.is_ascii))
    for row in range(frame.rows):
        label = labels.get(row, "")
        axis: Line = [(label.rjust(LABEL_WIDTH), "label"), (tick if label else bar, "axis")]
        lines.append(axis + list(canvas.render(row, series)))
    if frame.has_legend:
        lines.append([(" " * LABEL_WIDTH + corner + floor_line * frame.columns, "axis")])
    return lines
