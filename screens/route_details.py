"""Learned routing of a pool in full: both choices of the newest decisions, and what came of them."""

from __future__ import annotations

from typing import Any, ClassVar

from engine.model.routing_commands import ForgetRouting, RecallRouting, SetRouting
from screens.details import ThingDocument
from screens.linked import Link, Linked
from screens.present_routes import decisions_from, route_lines
from screens.present_text import Lines, note


class RouteDetails(ThingDocument):
    """Its decisions lead to their tasks."""

    NAME: ClassVar[str] = "route"
    KIND: ClassVar[str] = "routes"
    KINDS: ClassVar[tuple[str, ...]] = ("routes",)
    TABS: ClassVar[tuple[str, ...]] = ("info", "timeline")

    async def read_own(self, _tab: str) -> Lines | Linked:
        """Describe it."""
        if self.row is None:
            return note("nothing is known of routing in this pool any more; `:pools` has all pools")
        data: dict[str, Any] = await self.ask_engine("route", id=self.thing)
        now, glyphs = self.feed.now(), self.console.glyphs
        first = decisions_from(data, now, glyphs)
        links = {first + number: Link("tasks", one["task"]) for number, one in enumerate(data["decisions"])}
        return Linked(route_lines(data, now, glyphs), links)

    def action_mode(self, mode: str) -> None:
        """Say what learned routing may do in it."""
        self.console.ask([SetRouting(mode, self.thing)])

    def action_reset(self) -> None:
        """Forget what was learned in it."""
        self.console.ask([ForgetRouting(self.thing)])

    def action_recall(self) -> None:
        """Take up again what was forgotten."""
        self.console.ask([RecallRouting(self.thing)])
