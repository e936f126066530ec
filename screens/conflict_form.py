"""The form that settles a conflict: what won beside what lost, then which of them it shall be, or a value of one's own.

Owner: nobody; what is typed is the form's.
"""

from __future__ import annotations

from typing import Any

from textual.app import ComposeResult
from textual.widgets import Static

from engine.model.errors import FleetError
from engine.model.memory_commands import ResolveConflict
from screens.base import FleetScreen
from screens.entry_forms import EntryForm
from screens.forms import ask_by
from screens.present_conflicts import Sheet, entry_name, entry_of, place_of, short_sides, version_of

EDGE = 12
"""Cells of a terminal's line that are not the form's."""
WIDTH_MAX = 96
LINES_MAX = 9
"""Lines of both values; the document of the conflict shows the rest."""


class ConflictForm(EntryForm):
    """Asks which version, or what value, it shall be."""

    def __init__(self, screen: FleetScreen, sheet: Sheet, place: int) -> None:
        given = {"key": sheet["key"], "namespace": sheet["namespace"], "owner": sheet["owner_id"]}
        super().__init__(ResolveConflict, screen.feed.tables, given, asked=("take", "value"), title=f"Settle {entry_name(sheet)}")
        width = min(screen.app.size.width - EDGE, WIDTH_MAX)
        self._sides = short_sides(sheet, place, width, LINES_MAX, screen.feed.now(), screen.console.glyphs)

    def compose_notes(self) -> ComposeResult:
        """Yield both sides, and the help of the field that has the focus."""
        yield Static("\n".join(self._sides), id="sides", markup=False)
        yield from super().compose_notes()


def resolve_by_form(screen: FleetScreen, thing: str) -> None:
    """Ask how a conflict shall be settled, by its entry and the version that lost."""
    screen.run_worker(_resolve(screen, thing), group="edit", exclusive=True, exit_on_error=False)


async def _resolve(screen: FleetScreen, thing: str) -> None:
    try:
        sheet: dict[str, Any] = await screen.feed.operator.query("conflict", id=entry_of(thing))  # type: ignore[assignment]  # plain values
    except FleetError as error:
        screen.console.say(str(error), role="bad")
        return
    place = place_of(sheet, version_of(thing))
    if not place:
        screen.console.say("this conflict is settled", role="warn")
    else:
        ask_by(screen, ConflictForm(screen, sheet, place))
