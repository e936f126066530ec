"""`:pulse`, home: what needs somebody first, then the pools and the last minute, then the processes under them.

Owner: nobody; a dashboard like any other, unless the user has one of that name.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from engine.model.dashboards import Dashboard, Widget, WidgetKind
from engine.model.errors import FleetError, NotFound
from screens.attention import needs_of
from screens.dash import BoardScreen
from screens.places import Place
from screens.present import unknown
from screens.present_pulse import health_parts
from screens.pulse_panels import NeedsPanel
from screens.widgets.cells import Cell
from screens.widgets.statusbar import Part
from screens.widgets.table import Table

PULSE = Dashboard(
    "pulse",
    "Pulse",
    (
        Widget(WidgetKind.NEEDS, id="needs"),
        Widget(WidgetKind.POOLS, id="pools"),
        Widget(WidgetKind.HOSTS, id="hosts", lines=4, from_height=32),
        Widget(WidgetKind.MACHINES, id="machines"),
    ),
    columns=1,
)


class PulseScreen(BoardScreen):
    """The fleet in one look."""

    NAME: ClassVar[str] = "pulse"
    TITLE: ClassVar[str] = "Pulse"

    def __init__(self, _text: str = "") -> None:
        super().__init__()

    def find_board(self) -> Dashboard:
        """Return the user's own of that name, if there is one that can be read, else ours."""
        try:
            return self.console.boards.get(self.NAME)
        except NotFound:
            return PULSE
        except FleetError as error:
            self.console.say(str(error), role="bad")
            return PULSE

    def place(self) -> Place:
        """Return where somebody would come back to."""
        return Place(self.NAME)

    def _focus_first(self) -> None:
        """Begin at the pools."""
        pools = self.query("#pools")
        if pools and pools.first().display:
            pools.first(Table).focus()
        else:
            super()._focus_first()

    def heading(self) -> tuple[Sequence[Part], Sequence[Part]]:
        """Say in words how the fleet is, and how fast it works."""
        status = self.feed.status
        if status is None:
            return [Cell(self.TITLE, "accent")], []
        rate = self.feed.history.succeeded_per_s()
        speed: Part = Cell(f"{unknown(self.console.glyphs).text} tasks done/s", "dim") if rate is None else f"{rate:.1f} tasks done/s in 10 s"
        return [Cell(self.TITLE, "accent"), *health_parts(status, self._needs)], [speed]

    @property
    def _needs(self) -> int:
        listed = next((panel for panel in self.query(NeedsPanel)), None)
        if listed is not None and listed.needs is not None:
            return len(listed.needs)
        return len(needs_of(self.feed, self.console.glyphs))
