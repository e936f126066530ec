"""Sparklines and gauges as text.

Owner: nobody; values and pure functions, made without a terminal's libraries.
"""

from __future__ import annotations

from collections.abc import Sequence

from screens.widgets.cells import UNICODE, Glyphs


def draw_sparkline(
    values: Sequence[float],
    width: int,
    *,
    height: int = 1,
    scale: tuple[float, float] | None = None,
    spark: str = UNICODE.spark,
) -> list[str]:
    """Return `height` lines of at most `width` columns, one a value, newest right; `scale` is lowest and highest."""
    values = values[-width:] if width > 0 else ()
    low, high = scale or (min(values, default=0.0), max(values, default=0.0))
    steps = len(spark) - 1
    top = steps * height
    span = high - low
    # A value is never blank: blank is where no value is.
    levels = [
        1 + int(max(0.0, min((v - low) / span, 1.0)) * (top - 1) + 0.5) if span else 1
        for v in values
    ]
    return [
        "".join(spark[max(0, min(level - steps * row, steps))] for level in levels)
        for row in reversed(range(height))
    ]


def draw_meter(share: float | None, width: int, glyphs: Glyphs = UNICODE) -> str:
    """Return a gauge of exactly `width` cells: a bar and its share of the whole, `████░░  62%`."""
    number = "   ?%" if share is None else f" {round(max(0.0, share) * 100):3d}%"
    bar_width = max(width - len(number), 0)
    filled = 0 if share is None else int(min(max(share, 0.0), 1.0) * bar_width + 0.5)
    return (glyphs.full * filled + glyphs.empty * (bar_width - filled) + number)[-width:]
