"""What is on the screen, as text and as SVG, with what looks like a secret painted over.

Owner: nobody. It leans on a private part of Textual 8.2: there is no public way to the text of a screen.
"""

from __future__ import annotations

import io
import re
from typing import Any

from rich.console import Console
from rich.segment import Segment, Segments
from textual.screen import Screen
from textual.strip import Strip

from engine.model.secrets import mask

FONT_FACES = re.compile(r"\s*@font-face\s*\{[^}]*\}")
"""Rich asks a server on the network for a font; a picture of a fleet must not tell anybody that it is looked at."""


def text_of(screen: Screen[Any]) -> str:
    """Return the lines of a screen as it is shown."""
    return "".join(f"{mask(strip.text).rstrip()}\n" for strip in _strips(screen))


def svg_of(screen: Screen[Any], title: str) -> str:
    """Return a screen as an SVG picture that needs nothing from elsewhere."""
    width, height = screen.size
    console = Console(
        width=width, height=height, file=io.StringIO(), force_terminal=True, color_system="truecolor", record=True,
        legacy_windows=False, safe_box=False,
    )  # fmt: skip
    lines = [_masked(strip) for strip in _strips(screen)]
    console.print(Segments([segment for line in lines for segment in (*line, Segment.line())]), end="")
    return FONT_FACES.sub("", console.export_svg(title=title))


def _strips(screen: Screen[Any]) -> list[Strip]:
    return list(screen._compositor.render_strips())  # noqa: SLF001  # no public way to the text


def _masked(strip: Strip) -> list[Segment]:
    """Return a line's segments; a secret may begin in one and end in another."""
    text = mask(strip.text)
    if text == strip.text:
        return list(strip)
    segments, start = [], 0
    for segment in strip:
        end = start + len(segment.text)
        segments.append(Segment(text[start:end], segment.style, segment.control))
        start = end
    return segments
