"""A swarm in full, drawn as it is linked, and a session with all of its parts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, ClassVar, cast

from engine.model.filters import quote_value
from engine.model.swarm_commands import EditSwarm, EndSwarm, GiveObjective, StopSession
from engine.model.swarm_rows import SessionRow, SwarmRow
from screens.details import WHY_EVERY_S, ThingDocument
from screens.forms import VerbForm, ask_by
from screens.linked import Link, Linked
from screens.present_swarms import Told, session_lines, swarm_lines
from screens.present_text import Lines, note
from screens.swarms import SessionsScreen, is_over, pause_or_go_on

_ENDED = "it has ended"


class _Told(ThingDocument):
    """A document whose lines say themselves what they lead to."""

    def linked(self, told: Sequence[Told]) -> Linked:
        """Return the lines, and links to those things that the console knows of."""
        tables = self.feed.tables
        links = {number: Link(one.kind, one.id) for number, one in enumerate(told) if one.id and one.id in tables[one.kind]}
        return Linked([one.cells for one in told], links)

    def is_moving(self) -> bool:
        """Its ages and rates run; a swarm in full is much to make, so it is asked for no more than once a second."""
        return (self.tab == "info" and self._read_at is not None and self.feed.now() - self._read_at >= WHY_EVERY_S) or super().is_moving()


class SwarmDetails(_Told):
    """A swarm: its members lead to agents, its objectives to sessions."""

    NAME: ClassVar[str] = "swarm"
    KIND: ClassVar[str] = "swarms"
    KINDS: ClassVar[tuple[str, ...]] = ("swarms", "sessions", "agents")
    TABS: ClassVar[tuple[str, ...]] = ("info", "why", "timeline")

    def subject(self) -> str:
        """Return its name."""
        row = cast("SwarmRow | None", self.row)
        return row.name if row is not None else self.thing

    async def read_own(self, _tab: str) -> Lines | Linked:
        """Describe it."""
        if self.row is None:
            return note("this swarm is no longer known; its timeline has what came of it")
        data: dict[str, Any] = await self.ask_engine("swarm", id=self.thing)
        sessions = cast("Iterable[SessionRow]", self.feed.tables["sessions"].values())
        return self.linked(swarm_lines(data, sessions, self.feed.now(), self.console.glyphs))

    def _going(self) -> SwarmRow | None:
        row = cast("SwarmRow | None", self.row)
        if row is None or is_over(row):
            self.console.say(_ENDED, role="warn")
            return None
        return row

    def _form(self, kind: type[EditSwarm] | type[GiveObjective]) -> None:
        if (row := self._going()) is not None:
            ask_by(self, VerbForm(kind, self.feed.tables, {"swarm": row.name}))

    def action_change(self) -> None:
        """Change it in a form."""
        self._form(EditSwarm)

    def action_give(self) -> None:
        """Give it an objective in a form."""
        self._form(GiveObjective)

    def action_freeze(self) -> None:
        """Pause it, or have it go on."""
        if (row := self._going()) is not None:
            self.ask_about(pause_or_go_on(row), _ENDED)

    def action_end(self) -> None:
        """End it."""
        if (row := self._going()) is not None:
            self.console.ask([EndSwarm(row.id)])

    def action_sessions(self) -> None:
        """Go to its objectives."""
        self.console.drill(SessionsScreen(scope=f"swarm={quote_value(self.subject())}"))


class SessionDetails(_Told):
    """A session: its parts lead to their tasks and votes."""

    NAME: ClassVar[str] = "session"
    KIND: ClassVar[str] = "sessions"
    KINDS: ClassVar[tuple[str, ...]] = ("sessions", "swarms", "tasks", "proposals")
    TABS: ClassVar[tuple[str, ...]] = ("info", "why", "timeline")

    async def read_own(self, _tab: str) -> Lines | Linked:
        """Describe it."""
        if self.row is None:
            return note("this session is no longer known; its timeline has what came of it")
        data: dict[str, Any] = await self.ask_engine("session", id=self.thing)
        return self.linked(session_lines(data, self.feed.now(), self.console.glyphs))

    def action_stop(self) -> None:
        """Stop it."""
        row = cast("SessionRow | None", self.row)
        self.ask_about(None if row is None or row.ended_at else StopSession(self.thing), _ENDED)
