"""A decision of the autoscaler and a policy in full."""

from __future__ import annotations

from typing import ClassVar, cast

from engine.model.editing import text_of
from engine.model.rows import PolicyRow, ScalingRow
from screens.details import ThingDocument
from screens.edits import read_editable
from screens.linked import Link, Linked
from screens.present_scaling import decision_lines
from screens.present_text import Lines, field_line


class ScalingDetails(ThingDocument):
    """What was last decided for a pool, and by which policy."""

    NAME: ClassVar[str] = "decision"
    KIND: ClassVar[str] = "scaling"
    KINDS: ClassVar[tuple[str, ...]] = ("scaling",)
    TABS: ClassVar[tuple[str, ...]] = ("info", "why", "timeline")

    async def read_own(self, _tab: str) -> Lines | Linked:
        """Describe the decision; the policy that made it can be opened."""
        row = cast("ScalingRow | None", self.row)
        lines = decision_lines(row, self.feed.now())
        if row is None or not row.policy:
            return lines
        number = next(number for number, line in enumerate(lines) if line[-1] == row.policy)
        return Linked(lines, {number: Link("policies", row.policy)})

    def to_edit(self) -> tuple[str, str] | None:
        """Return the policy that decided."""
        row = cast("ScalingRow | None", self.row)
        return ("policies", row.policy) if row is not None and row.policy else None


class PolicyDetails(ThingDocument):
    """A policy: its keys that are not as they are by default, and the pools that it holds for."""

    NAME: ClassVar[str] = "policy"
    KIND: ClassVar[str] = "policies"
    KINDS: ClassVar[tuple[str, ...]] = ("policies",)
    TABS: ClassVar[tuple[str, ...]] = ("info", "why", "timeline")

    async def read_plain(self) -> object:
        """Return the whole policy."""
        return await self.ask_engine("policy", id=self.thing)

    async def read_own(self, _tab: str) -> Lines | Linked:
        """Describe the policy."""
        thing = await read_editable(self.feed.operator, self.KIND, self.thing)
        row = cast("PolicyRow | None", self.row)
        lines: Lines = [field_line("pools", str(row.pools))] if row is not None else []
        return lines + [field_line(field.key, text_of(field.value)) for field in thing.fields if field.value is not None]
