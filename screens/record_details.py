"""What was done and what happened, in full: a plan, a line of the audit, an event."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, cast

from engine.model.errors import FleetError
from engine.model.fleet_commands import RedoPlan
from engine.model.rows import AuditRow, PlanRow
from screens.acts import undo_of
from screens.details import ThingDocument
from screens.linked import Linked
from screens.present_text import (
    AUDIT_PLAN,
    EVENT_CAUSE,
    EVENT_SUBJECT,
    Lines,
    audit_info,
    event_info,
    note,
    plan_info,
)


class PlanDetails(ThingDocument):
    """A plan that was carried out: what it did, and what undoing it would do."""

    NAME: ClassVar[str] = "plan"
    KIND: ClassVar[str] = "plans"
    KINDS: ClassVar[tuple[str, ...]] = ("plans",)
    TABS: ClassVar[tuple[str, ...]] = ("info", "timeline")

    async def read_own(self, _tab: str) -> Lines | Linked:
        """Read the plan; the engine says what its undo would do, which changes nothing."""
        row = cast("PlanRow | None", self.row)
        if row is None:
            return note("the engine keeps this plan no longer; the audit has what it did")
        audit = cast("Iterable[AuditRow]", self.feed.tables["audit"].values())
        steps = [line for line in audit if line.plan == row.id and line.result == "done"]
        undo = await self._read_undo(row)
        return plan_info(row, steps, undo, self.feed.now(), self.console.glyphs)

    async def _read_undo(self, row: PlanRow) -> Any:  # noqa: ANN401  # steps, or why there are none
        command = undo_of(row, self.feed.now())
        if command is None:
            if row.undone:
                return self.say_keys("it was undone; {plans.redo} applies it again")
            return "it can no longer be undone" if row.undo_until else "it cannot be undone"
        try:
            return (await self.feed.operator.plan([command])).steps
        except FleetError as error:
            return str(error)

    def action_undo_this(self) -> None:
        """Take it back."""
        command = undo_of(self.row, self.feed.now()) if self.row else None
        self.ask_about(command, "it was undone already, or its window has closed")

    def action_redo_this(self) -> None:
        """Apply it again."""
        row = cast("PlanRow | None", self.row)
        self.ask_about(RedoPlan(row.id) if row is not None and row.undone else None, "only a plan that was undone can be applied again")


class AuditDetails(ThingDocument):
    """One line of the audit in full."""

    NAME: ClassVar[str] = "audit line"
    KIND: ClassVar[str] = "audit"
    KINDS: ClassVar[tuple[str, ...]] = ("audit",)

    async def read_own(self, _tab: str) -> Lines | Linked:
        """Read the line."""
        row = cast("AuditRow | None", self.row)
        if row is None:
            return note("this line is no longer kept")
        lines = audit_info(row, self.console.glyphs)
        named = {AUDIT_PLAN: self.link_of(row.plan), 0: self.link_of(row.target)}
        return Linked(lines, {number: link for number, link in named.items() if link is not None})


class EventDetails(ThingDocument):
    """One event in words and in full, as the journal has it."""

    NAME: ClassVar[str] = "event"

    async def read_plain(self) -> object:
        """Return the whole event."""
        return await self.ask_engine("event", id=self.thing)

    async def read_own(self, _tab: str) -> Lines | Linked:
        """Describe the event; what it is about and what caused it can be opened."""
        data: Mapping[str, Any] = await self.ask_engine("event", id=self.thing)
        named = {EVENT_SUBJECT: self.link_of(data["subject"]), EVENT_CAUSE: self.link_of(data["cause"])}
        return Linked(event_info(data, self.console.glyphs), {number: link for number, link in named.items() if link is not None})
