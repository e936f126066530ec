"""The size of a pool over time: target, agents and what was and is foreseen, as a chart's values and its words; pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from screens.present import age, duration
from screens.present_text import Lines, field_line, note
from screens.present_trends import STALE_STEPS, Found, Range, axis_text, gap_words
from screens.widgets.braille import LABEL_WIDTH, Series
from screens.widgets.cells import Cell
from screens.widgets.statusbar import Part

METRICS = ("desired", "agents", "foreseen", "foreseen_low", "foreseen_high")
"""What the chart is made of."""
SERIES = (Series("target"), Series("agents", "good"), Series("foreseen", "warn"), Series("95 % up to", "dim"))
INTERVAL_HEIGHT_MAX = 2
"""An interval that reaches higher than so many times the lines is cut: a poor forecast would press all else flat."""
NOW = "now"


class Sizes(NamedTuple):
    """What was measured of a pool, and what is foreseen for it."""

    history: Mapping[str, Found]
    """By the names of METRICS."""
    outlook: Mapping[str, Any]
    """The answer to `foreseen`."""

    @property
    def since(self) -> float:
        """Return the first instant of the chart."""
        return float(self.history["desired"]["since"])

    @property
    def measured_until(self) -> float:
        """Return where what was measured ends."""
        found = self.history["desired"]
        return self.since + float(found["step_s"]) * len(found["values"])

    @property
    def until(self) -> float:
        """Return the last instant of the chart: how far ahead is foreseen, by the length of the past at most."""
        furthest = max((float(one["at"]) for one in self.outlook["ahead"]), default=0.0)
        return min(max(self.measured_until, furthest), 2 * self.measured_until - self.since)


def empty_history(like: Found) -> Found:
    """Return the history of what was never measured, over the time of another one."""
    return {**like, "values": [None] * len(like["values"]), "newest_at": 0.0, "gaps": []}


class Drawn(NamedTuple):
    """What the chart is given: two samples a dot, so that an interval has its ends."""

    lines: list[list[float | None]]
    scale: tuple[float, float]
    highest: float
    """How far up the interval reaches."""

    @property
    def is_cut(self) -> bool:
        """Tell whether the interval reaches higher than the chart is drawn for."""
        return self.highest > self.scale[1]


def drawn(sizes: Sizes, dots: int) -> Drawn:
    """Return the lines of a chart that is so many dots wide, in the order of SERIES."""
    instants = [sizes.since + (sizes.until - sizes.since) * (dot + 0.5) / dots for dot in range(dots)]
    target, agents = ([_measured(sizes.history[name], at) for at in instants] for name in METRICS[:2])
    middle, low, high = ([_foreseen(sizes, name, at) for at in instants] for name in METRICS[2:])
    top = max((value for line in (target, agents, middle) for value in line if value is not None), default=0.0) or 1.0
    highest = max((value for value in high if value is not None), default=0.0)
    ends: list[float | None] = [value for pair in zip(low, high, strict=True) for value in pair]
    lines = [[value for value in line for _ in range(2)] for line in (target, agents, middle)]
    return Drawn([*lines, ends], (0.0, max(top, min(highest, INTERVAL_HEIGHT_MAX * top))), highest)


def _measured(found: Found, at: float) -> float | None:
    number = int((at - found["since"]) // found["step_s"])
    values: Sequence[float | None] = found["values"]
    return values[number] if 0 <= number < len(values) else None


def _foreseen(sizes: Sizes, name: str, at: float) -> float | None:
    """Return what had been foreseen for an instant that is over, and what is foreseen for one to come."""
    if at < sizes.outlook["asked_at"]:
        return _measured(sizes.history[name], at)
    key = {"foreseen": "demand", "foreseen_low": "low", "foreseen_high": "high"}[name]
    newest = next((one for one in reversed(sizes.outlook["ahead"]) if one["at"] <= at), None)
    return float(newest[key]) if newest is not None and at < newest["ends_at"] else None


def axis_line(sizes: Sizes, width: int, shown: Range) -> str:
    """Return the instants below the chart, and where now is when there is something beyond it."""
    text = axis_text(sizes.since, sizes.until, width, shown)
    if sizes.until > sizes.measured_until:
        place = round((sizes.measured_until - sizes.since) / (sizes.until - sizes.since) * width)
        begin = max(0, min(place, width - len(NOW) - 5))
        # An instant that it would touch gives way as a whole: half a time of day reads as another one.
        left = text.rfind(" ", 0, max(begin, 1)) + 1
        right = text.find(" ", begin + len(NOW))
        right = right if right >= 0 else begin + len(NOW)
        middle = (" " * (begin - left) + NOW).ljust(right - left)
        text = text[:left] + middle + text[right:]
    return " " * LABEL_WIDTH + text


def title_parts(sizes: Sizes, shown: Range, now: float) -> list[Part]:
    """Say what the chart shows, and how old its newest value is when it is not of now."""
    found = sizes.history["desired"]
    parts: list[Part] = ["agents", Cell(f"last {shown.name}", "accent"), Cell(f"a point for {duration(found['step_s'])}", "dim")]
    newest = found["newest_at"]
    if not newest:
        parts.append(Cell("nothing was measured in this time", "warn"))
    elif now - newest > STALE_STEPS * max(found["step_s"], 1.0):
        parts.append(Cell(f"newest {age(now - newest)} ago", "warn"))
    if words := gap_words(found):
        parts.append(Cell(words, "dim"))
    return parts


def size_lines(sizes: Sizes, now: float) -> Lines:
    """Say in words what is foreseen, how sure that is, and whether it counts."""
    allowed: Mapping[str, float] = sizes.outlook["error_max"]
    if not allowed:
        return note("no policy of this pool foresees its load; add `prediction` in :policies")
    ahead = [one for one in sizes.outlook["ahead"] if one["at"] > now]
    if not ahead:
        return [field_line("foreseen", "nothing yet: too few samples of the load are known")]
    last = ahead[-1]
    demand = f"{last['demand']:.1f} agents at work in {age(last['at'] - now)}; 95 %: {last['low']:.1f} to {last['high']:.1f}"
    lines = [field_line("foreseen", demand), field_line("by", last["policy"])]
    mape, error_max = last["mape"], allowed.get(last["policy"])
    if mape is None:
        return [*lines, field_line("error so far", "not known yet: it does not count until it is")]
    if error_max is None:
        return [*lines, field_line("error so far", f"{mape:.0%}; its policy no longer predicts: it does not count")]
    words = "it can raise the target" if mape <= error_max else f"more than the {error_max:.0%} that its policy allows: it does not count"
    return [*lines, field_line("error so far", Cell(f"{mape:.0%}: {words}", "" if mape <= error_max else "warn"))]


def cut_line(highest: float) -> tuple[Cell | str, ...]:
    """Say how far up the interval reaches when the chart is drawn for less; its axis ends at a round value near that."""
    return field_line("interval", Cell(f"reaches up to {highest:.1f}; the chart is drawn for less", "dim"))
