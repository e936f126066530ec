"""A line that is typed into; its keys come from the table like all others."""

from __future__ import annotations

from typing import ClassVar

from textual.widgets import Input

from screens.keyed import Keyed


class Line(Keyed, Input):
    """Textual's input with our keys."""

    KEY_SCOPES: ClassVar[tuple[str, ...]] = ("line",)
