"""`:swarms` and `:sessions`: agents that decide together, what they work on, and how their messages flow."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import ClassVar, cast

from engine.model.filters import quote_value
from engine.model.swarm_commands import (
    CreateSwarm,
    EditSwarm,
    EndSwarm,
    GiveObjective,
    PauseSwarm,
    StopSession,
    UnpauseSwarm,
)
from engine.model.swarm_rows import SessionRow, SwarmRow
from screens.described import DescribedTable
from screens.forms import VerbForm, ask_by
from screens.present_rows import columns_over
from screens.present_swarms import (
    SESSION_COLUMNS,
    SWARM_COLUMNS,
    objective_of,
    session_cells,
    swarm_cells,
)
from screens.widgets.cells import Row as Cells
from screens.widgets.columns import Column


def is_over(row: SwarmRow) -> bool:
    """Tell whether a swarm has ended."""
    return row.ended_at > 0


def pause_or_go_on(row: SwarmRow) -> PauseSwarm | UnpauseSwarm | None:
    """Return what changes whether a swarm begins anything; None for one that has ended."""
    if is_over(row):
        return None
    return UnpauseSwarm(row.id) if row.state == "paused" else PauseSwarm(row.id)


class SwarmsScreen(DescribedTable):
    """Every swarm that runs, and the newest that ended."""

    NAME: ClassVar[str] = "swarms"
    TITLE: ClassVar[str] = "Swarms"
    KIND: ClassVar[str] = "swarms"
    NOUN: ClassVar[str] = "swarm"
    KINDS: ClassVar[tuple[str, ...]] = ("swarms", "sessions")
    SORT: ClassVar[tuple[str, bool]] = ("state", False)
    EMPTY: ClassVar[str] = "no agents decide together; + makes a swarm of some"

    def columns(self) -> Sequence[Column]:
        """Return the columns."""
        return columns_over(SWARM_COLUMNS, lambda: self.rows)

    def present_row(self, row: SwarmRow, now: float) -> Cells:
        """Return a swarm's cells."""
        sessions = cast("Iterable[SessionRow]", self.feed.tables["sessions"].values())
        return swarm_cells(row, objective_of(row.name, sessions) if row.sessions else "", now, self.console.glyphs)

    def action_create(self) -> None:
        """Make a swarm in a form."""
        ask_by(self, VerbForm(CreateSwarm, self.feed.tables))

    def _form(self, kind: type[EditSwarm] | type[GiveObjective]) -> None:
        row = cast("SwarmRow | None", self.pointed())
        if row is None:
            self.console.say("there is no swarm under the cursor", role="warn")
        elif is_over(row):
            self.console.say(f"{row.name} has ended; make a new swarm with +", role="warn")
        else:
            ask_by(self, VerbForm(kind, self.feed.tables, {"swarm": row.name}))

    def action_change(self) -> None:
        """Change it in a form: members, topology, votes."""
        self._form(EditSwarm)

    def action_give(self) -> None:
        """Give it an objective in a form."""
        self._form(GiveObjective)

    def action_freeze(self) -> None:
        """Pause the chosen swarms, and have those that are paused go on."""
        self.ask_each(lambda row: pause_or_go_on(cast("SwarmRow", row)))

    def action_end(self) -> None:
        """End the chosen swarms."""
        self.ask_each(lambda row: None if is_over(cast("SwarmRow", row)) else EndSwarm(row.id))

    def action_sessions(self) -> None:
        """Go to the objectives of the swarm pointed at."""
        row = cast("SwarmRow | None", self.pointed())
        if row is not None:
            self.console.drill(SessionsScreen(scope=f"swarm={quote_value(row.name)}"))


class SessionsScreen(DescribedTable):
    """Every objective that swarms work on, and the newest that ended."""

    NAME: ClassVar[str] = "sessions"
    TITLE: ClassVar[str] = "Sessions"
    KIND: ClassVar[str] = "sessions"
    NOUN: ClassVar[str] = "session"
    KINDS: ClassVar[tuple[str, ...]] = ("sessions", "swarms")
    SORT: ClassVar[tuple[str, bool]] = ("state", False)
    EMPTY: ClassVar[str] = "no swarm has an objective; + gives one"

    def columns(self) -> Sequence[Column]:
        """Return the columns."""
        return columns_over(SESSION_COLUMNS, lambda: self.rows)

    def present_row(self, row: SessionRow, now: float) -> Cells:
        """Return a session's cells."""
        return session_cells(row, now, self.console.glyphs)

    def action_create(self) -> None:
        """Give an objective in a form, to the swarm of the session pointed at unless another one is named."""
        row = cast("SessionRow | None", self.pointed())
        ask_by(self, VerbForm(GiveObjective, self.feed.tables, {"swarm": row.swarm} if row is not None else {}))

    def action_stop(self) -> None:
        """Stop the chosen sessions."""
        self.ask_each(lambda row: None if cast("SessionRow", row).ended_at else StopSession(row.id))
