"""`:conflicts`: entries of memory that were written in two places, what won beside what lost, and how to settle each.

Owner: nobody; it shows what the engine answers, to whom may read it. Limits: SHEETS_MAX conflicts in full, the first ones.
"""

from __future__ import annotations

from typing import Any, ClassVar

from screens.details import DocumentScreen
from screens.feed import Changes
from screens.present import plural
from screens.present_conflicts import conflicts_text
from screens.present_text import Lines, note

SHEETS_MAX = 50
EDGE = 4
"""Cells of a line that are not the text's."""


class ConflictsScreen(DocumentScreen):
    """All conflicts, or those of keys that have a word."""

    NAME: ClassVar[str] = "conflicts"
    TABS: ClassVar[tuple[str, ...]] = ("versions",)
    HAS_YAML: ClassVar[bool] = True

    def subject(self) -> str:
        """Return which conflicts."""
        return f"Conflicts: {self.thing}" if self.thing else "Conflicts"

    async def read(self, tab: str) -> Lines:  # noqa: ARG002  # the only one
        """Return both sides of each."""
        found = await self._found()
        sheets = [await self.ask_engine("conflict", id=entry) for entry in found[:SHEETS_MAX]]
        lines = conflicts_text(sheets, await self.ask_engine("peers"), self.app.size.width - EDGE, self.feed.now(), self.console.glyphs)
        rest = len(found) - SHEETS_MAX
        return [*lines, (), *note(f"and {plural(rest, 'entry')} more: name a key, as in :conflicts plan")] if rest > 0 else lines

    async def _found(self) -> list[str]:
        rows = await self.ask_engine("conflicts")
        return list(dict.fromkeys(row["id"].split("#")[0] for row in rows if self.thing in row["key"]))

    async def read_plain(self) -> object:
        """Return the same as plain values."""
        sheets: list[Any] = [await self.ask_engine("conflict", id=entry) for entry in (await self._found())[:SHEETS_MAX]]
        return sheets

    def concerns(self, changes: Changes) -> bool:
        """Any change of memory may have settled one; it is told by the audit and by what waits for somebody."""
        return "audit" in changes.changed
