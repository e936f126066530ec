"""What a search of memory found, best first; each line opens its entry.

Owner: the document, of nothing but its question. Only what may be read is found: the engine asks the ACL before it ranks.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, cast

from engine.model.entry_rows import path_of
from engine.model.memory import EntryId
from engine.model.rows import AgentRow
from screens.details import LinkedScreen
from screens.linked import Link, Linked
from screens.present_memory import FOUND_LINES, found_lines

FOUND_MAX = 100


class FoundDetails(LinkedScreen):
    """The entries with some words."""

    NAME: ClassVar[str] = "found"
    TABS: ClassVar[tuple[str, ...]] = ("found",)

    def subject(self) -> str:
        """Return what was looked for."""
        return f"search: {self.thing}"

    async def read(self, _tab: str) -> Linked:
        """Search, as memory is now."""
        found: list[Mapping[str, Any]] = await self.ask_engine("memory-search", words=self.thing, limit=FOUND_MAX)
        names = {row.id: cast("AgentRow", row).name for row in self.feed.tables["agents"].values()}
        lines = found_lines(found, self.thing, names, self.console.glyphs)
        paths = [path_of(EntryId(one["namespace"], one["owner"], one["key"])) for one in found]
        return Linked(lines, {number * FOUND_LINES: Link("memory", path) for number, path in enumerate(paths)})
