"""A recommendation and a gang in full."""

from __future__ import annotations

from typing import ClassVar, cast

from engine.model.pool_commands import EndGang
from engine.model.rows import AdviceRow, GangRow
from screens.details import ThingDocument
from screens.linked import Link, Linked
from screens.present_room import advice_lines, call_in, gang_lines
from screens.present_text import Lines, note

_POOL = 1
"""The line of both that names the pool."""


class RecommendationDetails(ThingDocument):
    """What a pool could have less of, the evidence, and the verb that does it."""

    NAME: ClassVar[str] = "recommendation"
    KIND: ClassVar[str] = "advice"
    KINDS: ClassVar[tuple[str, ...]] = ("advice", "pools")

    async def read_own(self, _tab: str) -> Lines | Linked:
        """Describe it; its pool can be opened."""
        row = cast("AdviceRow | None", self.row)
        if row is None:
            return note("this is recommended no longer: it was done, or more is used")
        return Linked(advice_lines(row), {_POOL: Link("pools", row.pool)})

    def action_apply(self) -> None:
        """Ask for what is recommended."""
        row = cast("AdviceRow | None", self.row)
        self.ask_about(call_in(row) if row is not None else None, "this is recommended no longer")


class GangDetails(ThingDocument):
    """Agents that start together: how they stand, why they wait, when they leave."""

    NAME: ClassVar[str] = "gang"
    KIND: ClassVar[str] = "gangs"
    KINDS: ClassVar[tuple[str, ...]] = ("gangs",)
    TABS: ClassVar[tuple[str, ...]] = ("info", "timeline")

    async def read_own(self, _tab: str) -> Lines | Linked:
        """Describe it; its pool can be opened."""
        row = cast("GangRow | None", self.row)
        if row is None:
            return note("this gang is over; its timeline has what came of it")
        return Linked(gang_lines(row, self.feed.now()), {_POOL: Link("pools", row.pool)})

    def is_moving(self) -> bool:
        """Its times run."""
        return self.tab == "info" or super().is_moving()

    def action_end(self) -> None:
        """Ask to end it."""
        self.ask_about(EndGang(self.thing) if self.row is not None else None, "this gang is over")
