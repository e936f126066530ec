"""A conflict of memory in full: what won beside what lost, who wrote each and when, how they differ, and the ways to settle it.

Owner: nobody; the values come from the engine when they are looked at, and go with the document.
"""

from __future__ import annotations

from typing import Any, ClassVar

from engine.model.entry_rows import EntryValue, entry_at
from engine.model.errors import NotFound
from engine.model.wire import convert
from screens.conflicts import Settling
from screens.details import DocumentScreen
from screens.feed import Changes
from screens.present_conflicts import Sheet, conflict_document, entry_of, place_of, version_of
from screens.present_memory import difference_lines
from screens.present_text import Lines

EDGE = 4
"""Cells of a line that are not the text's."""


class ConflictDetails(Settling, DocumentScreen):
    """One conflict: an entry and one of the versions that lost against it."""

    NAME: ClassVar[str] = "conflict"
    TABS: ClassVar[tuple[str, ...]] = ("versions", "changes")
    HAS_YAML: ClassVar[bool] = True

    def subject(self) -> str:
        """Return the entry's key and which version lost."""
        return f"Conflict: {entry_at(entry_of(self.thing)).key}"

    async def read(self, tab: str) -> Lines:
        """Return both sides, or how they differ."""
        sheet, place = await self._sheet()
        if tab == "changes":
            won, lost = (convert(side["value"], EntryValue) for side in (sheet["sides"][0], sheet["sides"][place]))
            return difference_lines(lost, won, ("lost", "won"))
        return conflict_document(sheet, place, self.app.size.width - EDGE, self.feed.now(), self.console.glyphs)

    async def read_plain(self) -> object:
        """Return both sides as plain values."""
        sheet, place = await self._sheet()
        return {**sheet, "sides": [sheet["sides"][0], sheet["sides"][place]]}

    async def _sheet(self) -> tuple[Sheet, int]:
        """Return the conflicts of the entry, and the place of this one. Raises NotFound once it is settled."""
        sheet: dict[str, Any] = await self.ask_engine("conflict", id=entry_of(self.thing))
        place = place_of(sheet, version_of(self.thing))
        if not place:
            raise NotFound("this conflict is settled; `:conflicts` shows those there are")
        return sheet, place

    def pointed_conflict(self) -> str:
        """Return this one."""
        return self.thing

    def concerns(self, changes: Changes) -> bool:
        """Any change of memory may have settled it."""
        return any(event.type.startswith("memory.") for event in changes.events)
