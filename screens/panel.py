"""What a dashboard asks of each of its parts.

Owner: nobody; a contract. What a part owns is its own.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, cast

from textual.widget import Widget

from engine.model.dashboards import Widget as Spec
from screens.base import Console, FleetScreen
from screens.feed import Changes

Ask = Callable[..., Awaitable[Any]]

if TYPE_CHECKING:
    Node = Widget
else:
    # Textual takes styles from the first base class that is a node: that must be the widget's own.
    Node = object


class Panel(Node):
    """What a dashboard asks of each of its parts."""

    spec: Spec

    @property
    def on_screen(self) -> FleetScreen:
        """Return the dashboard."""
        return cast("FleetScreen", self.screen)

    @property
    def console(self) -> Console:
        """Return the app, as far as screens know it."""
        return self.on_screen.console

    def is_due(self, height: int) -> bool:
        """Tell whether it is shown on a terminal of so many lines."""
        return height >= self.spec.from_height

    def lines(self, body: int) -> int:
        """Return the lines that it takes of a body so high, its heading included; 0 = what is left."""
        raise NotImplementedError

    def refresh_rows(self, changes: Changes) -> None:
        """Show rows that changed."""

    async def read(self, ask: Ask, chosen: str) -> None:
        """Ask the engine for what is shown, over a range that was chosen for all, and show it."""
