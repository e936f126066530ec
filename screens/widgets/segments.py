"""Lines out of styled texts.

Owner: nobody; pure functions.
"""

from __future__ import annotations

from collections.abc import Iterable

from rich.segment import Segment
from rich.style import Style


def merge_segments(parts: Iterable[tuple[str, Style]]) -> list[Segment]:
    """Join neighbours of one style, so that a line holds as few segments as it shows styles."""
    segments: list[Segment] = []
    held = ""
    style: Style | None = None
    for text, next_style in parts:
        if next_style is style:
            held += text
            continue
        if held:
            segments.append(Segment(held, style))
        held, style = text, next_style
    if held:
        segments.append(Segment(held, style))
    return segments
