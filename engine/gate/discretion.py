"""Lines of the audit and of plans for somebody: names of entries of memory only for who may know of these.

Owner: nobody; `Discretion` looks at a Memory, as one operator or agent. Who wrote a line reads all of it, and so do administrators.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable, Iterator, Mapping
from dataclasses import replace

from engine.gate.memory_words import (
    AN_ENTRY,
    bare_result,
    is_about_entry,
    is_plan_about_entries,
    plan_words,
)
from engine.memory.store import Memory
from engine.memory.verbs import acting
from engine.model.entry_rows import entry_at, path_of
from engine.model.errors import Denied, FleetError, UsageError
from engine.model.ids import PlanId
from engine.model.memory import EntryId, Principal
from engine.model.memory_commands import RestoreEntry
from engine.model.plans import AppliedPlan, Origin
from engine.model.rows import AuditRow, Frame, PlanRow, Row
from engine.state import KeptPlan

KINDS = frozenset({"audit", "plans"})
"""Rows that may name entries."""


class Discretion:
    """Says of lines what somebody may know."""

    def __init__(self, memory: Memory | None, origin: Origin, plans: Callable[[], Mapping[PlanId, KeptPlan]]) -> None:
        """`plans` = those that the engine keeps."""
        self._memory = memory
        self._origin = origin
        self._plans = plans

    def frame(self, frame: Frame) -> Frame:
        """Return a frame as somebody may read it."""
        told = {kind: self.rows(kind, rows) for kind, rows in frame.rows.items() if kind in KINDS}
        return replace(frame, rows=frame.rows | told) if told else frame

    async def each(self, frames: AsyncIterator[Frame]) -> AsyncGenerator[Frame, None]:
        """Give frames as somebody may read them."""
        async for frame in frames:
            yield self.frame(frame)

    def rows(self, kind: str, rows: Iterable[Row]) -> list[Row]:
        """Return rows of a kind as somebody may read them."""
        if kind not in KINDS:
            return list(rows)
        return [self._audit(row) if isinstance(row, AuditRow) else self._plan(row) if isinstance(row, PlanRow) else row for row in rows]

    def _audit(self, row: AuditRow) -> AuditRow:
        hides = is_about_entry(row) and not self._is_own(row.who) and not self._knows(row.entry)
        return row._replace(target=AN_ENTRY, before="", after="", result=bare_result(row.result), entry="") if hides else row

    def _plan(self, row: PlanRow) -> PlanRow:
        kept = self._plans().get(PlanId(row.id))
        hides = kept is not None and not self._knows_plan(kept.plan)
        return row._replace(summary=plan_words(kept.plan)) if kept is not None and hides else row

    def _knows_plan(self, plan: AppliedPlan) -> bool:
        return not is_plan_about_entries(plan) or self._is_own(plan.who) or self._knows_all(plan)

    def check(self, kept: KeptPlan) -> None:
        """Check that somebody may be told what a plan is about. Raises Denied."""
        if not self._knows_plan(kept.plan):
            raise Denied(f"plan {kept.plan.id} is about {AN_ENTRY} that is not for you; nothing was changed")

    def _is_own(self, who: str) -> bool:
        return who == self._origin.actor

    def _knows_all(self, plan: AppliedPlan) -> bool:
        paths = [path_of(id_) for id_ in entries_of(plan)]
        return all(map(self._knows, paths or [""]))

    def _knows(self, path: str) -> bool:
        """Answer whether an entry may be known of; one that there is no trace of any more is for administrators."""
        principal, memory = self._principal(), self._memory
        if principal is None or memory is None:
            return False
        if principal.is_admin or not memory.settings.acl.enabled:
            return True
        try:
            id_ = entry_at(path)
        except UsageError:
            return False
        head = memory.shelf.heads((id_,)).get(id_)
        return head is not None and memory.settings.acl.may_know(principal, head)

    def _principal(self) -> Principal | None:
        if self._memory is None:
            return None
        try:
            return acting(self._memory, self._origin)
        except FleetError:  # a program whose attempt is over
            return None


def entries_of(plan: AppliedPlan) -> Iterator[EntryId]:
    """Return the entries that a plan changed, as what takes it back or does it again names them."""
    for call in plan.inverse or plan.calls:
        if call.name == RestoreEntry.name:
            yield EntryId(str(call.args["namespace"]), str(call.args["owner"]), str(call.args["key"]))
