"""A pool and a process that carries agents in full."""

from __future__ import annotations

from typing import ClassVar, cast

from engine.model.rows import HostRow
from screens.details import ThingDocument
from screens.linked import Linked
from screens.present_text import Lines, host_info, note, pool_info


class PoolDetails(ThingDocument):
    """A pool: what it is made of and how it is."""

    NAME: ClassVar[str] = "pool"
    KIND: ClassVar[str] = "pools"
    KINDS: ClassVar[tuple[str, ...]] = ("pools",)
    TABS: ClassVar[tuple[str, ...]] = ("info", "why", "timeline")

    async def read_plain(self) -> object:
        """Return the whole pool."""
        return await self.ask_engine("pool", id=self.thing)

    async def read_own(self, _tab: str) -> Lines | Linked:
        """Describe the pool."""
        return pool_info(await self.ask_engine("pool", id=self.thing), self.feed.now(), self.console.glyphs)


class HostDetails(ThingDocument):
    """A process that carries agents: what it is, how it is and on what evidence."""

    NAME: ClassVar[str] = "host"
    KIND: ClassVar[str] = "hosts"
    KINDS: ClassVar[tuple[str, ...]] = ("hosts",)
    TABS: ClassVar[tuple[str, ...]] = ("info", "why", "timeline")

    async def read_own(self, _tab: str) -> Lines | Linked:
        """Describe the process."""
        row = cast("HostRow | None", self.row)
        return note("this process is gone") if row is None else host_info(row, self.feed.now(), self.console.glyphs)
