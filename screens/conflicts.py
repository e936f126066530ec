"""`:conflicts`: entries of memory that were written in two places, what won beside what lost, and keys to settle each.

Owner: nobody; it shows what the engine answers, to whom may read it. Limits: SHEETS_MAX conflicts in full, the first ones.
"""

from __future__ import annotations

from typing import Any, ClassVar

from engine.model.entry_rows import entry_at
from engine.model.memory_commands import ResolveConflict
from screens.conflict_form import resolve_by_form
from screens.details import DocumentScreen, LinkedScreen
from screens.feed import Changes
from screens.linked import Link, Linked, LinkedDocument
from screens.present import plural
from screens.present_conflicts import conflicts_text, entry_of, version_of
from screens.present_text import note

SHEETS_MAX = 50
EDGE = 4
"""Cells of a line that are not the text's."""


class Settling(DocumentScreen):
    """Settles the conflict that is looked at, by keys."""

    def pointed_conflict(self) -> str:
        """Return the path of an entry and the version that lost, or nothing."""
        raise NotImplementedError

    def action_settle(self, which: str) -> None:
        """Ask to keep what won, or to take what lost."""
        if thing := self._pointed():
            id_ = entry_at(entry_of(thing))
            take = version_of(thing) if which == "lost" else ""
            self.console.ask([ResolveConflict(id_.key, take, namespace=id_.namespace, owner=id_.owner)])

    def action_resolve(self) -> None:
        """Ask how to settle it in a form, under both values."""
        if thing := self._pointed():
            resolve_by_form(self, thing)

    def action_edit_text(self) -> None:
        """Make a value of both in an editor."""
        if thing := self._pointed():
            self.console.edit_text("conflicts", thing)

    def _pointed(self) -> str:
        thing = self.pointed_conflict()
        if not thing:
            self.console.say("point at a conflict first", role="warn")
        return thing


class ConflictsScreen(Settling, LinkedScreen):
    """All conflicts, or those of keys that have a word."""

    NAME: ClassVar[str] = "conflicts"
    TABS: ClassVar[tuple[str, ...]] = ("versions",)
    HAS_YAML: ClassVar[bool] = True

    def subject(self) -> str:
        """Return which conflicts."""
        return f"Conflicts: {self.thing}" if self.thing else "Conflicts"

    async def read(self, tab: str) -> Linked:  # noqa: ARG002  # the only one
        """Return both sides of each; the line above them leads to it."""
        found = await self._found()
        sheets = [await self.ask_engine("conflict", id=entry) for entry in found[:SHEETS_MAX]]
        lines, links = conflicts_text(sheets, await self.ask_engine("peers"), self.app.size.width - EDGE, self.feed.now(), self.console.glyphs)
        rest = len(found) - SHEETS_MAX
        more = [(), *note(f"and {plural(rest, 'entry')} more: name a key, as in :conflicts plan")] if rest > 0 else []
        return Linked([*lines, *more], {number: Link("conflict", thing) for number, thing in links.items()})

    async def _found(self) -> list[str]:
        rows = await self.ask_engine("conflicts")
        return list(dict.fromkeys(entry_of(row["id"]) for row in rows if self.thing in row["key"]))

    async def read_plain(self) -> object:
        """Return the same as plain values."""
        sheets: list[Any] = [await self.ask_engine("conflict", id=entry) for entry in (await self._found())[:SHEETS_MAX]]
        return sheets

    def concerns(self, changes: Changes) -> bool:
        """Any change of memory may have settled one; it is told by the audit and by what waits for somebody."""
        return "audit" in changes.changed or any(event.type.startswith("memory.") for event in changes.events)

    def open_link(self, link: Link | None) -> None:
        """Open the conflict pointed at in full."""
        from screens.conflict_details import ConflictDetails  # it settles as this screen does

        if link is None:
            super().open_link(link)
        else:
            self.console.drill(ConflictDetails(link.id))

    def pointed_conflict(self) -> str:
        """Return the one pointed at."""
        link = self.query_one(LinkedDocument).pointed
        return link.id if link is not None else ""
