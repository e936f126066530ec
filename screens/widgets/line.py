"""A line that is typed into; its keys come from the table like all others."""

from __future__ import annotations

from typing import ClassVar

from textual.geometry import Size
from textual.reactive import Reactive
from textual.widgets import Input

from screens.keyed import Keyed


class Line(Keyed, Input):
    """Textual's input with our keys."""

    KEY_SCOPES: ClassVar[tuple[str, ...]] = ("line",)

    # In Textual's own, every letter lays out the whole screen anew: a line does not grow with its text.
    virtual_size = Reactive(Size(0, 0))
