"""`:scaler`: what was decided for each pool and why; `:policies`: the policies themselves, edited with what they would have done."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, cast

from engine.model.pool_commands import (
    CreatePolicy,
    DeletePolicy,
    HoldPool,
    ReleasePool,
    UpdatePolicy,
)
from engine.model.rows import PolicyRow, Row, ScalingRow
from screens.described import DescribedTable
from screens.edits import edit_thing
from screens.forms import VerbForm, ask_by
from screens.present_rows import columns_over
from screens.present_scaling import (
    POLICY_COLUMNS,
    SCALING_COLUMNS,
    policy_cells,
    scaling_cells,
)
from screens.widgets.cells import Cell
from screens.widgets.cells import Row as Cells
from screens.widgets.columns import Column
from screens.widgets.statusbar import Part

HOLD_S = 600.0
"""How long a key holds a pool; the verb takes any time."""


class ScalerScreen(DescribedTable):
    """The last decision for each pool."""

    NAME: ClassVar[str] = "scaler"
    TITLE: ClassVar[str] = "Scaler"
    KIND: ClassVar[str] = "scaling"
    NOUN: ClassVar[str] = "pool"
    KINDS: ClassVar[tuple[str, ...]] = ("scaling", "policies")
    EMPTY: ClassVar[str] = "the autoscaler has not looked yet"

    def columns(self) -> Sequence[Column]:
        """Return the columns."""
        return columns_over(SCALING_COLUMNS, lambda: self.rows)

    def present_row(self, row: ScalingRow, now: float) -> Cells:
        """Return a decision's cells."""
        return scaling_cells(row, now, self.console.glyphs)

    def heading(self) -> tuple[Sequence[Part], Sequence[Part]]:
        """Say how many policies there are."""
        left, right = super().heading()
        number = len(self.feed.tables["policies"])
        words = f"{number} polic{'y' if number == 1 else 'ies'}" if number else "no policy: nothing moves by itself"
        return [*left, Cell(words, "dim")], right

    def action_hold(self) -> None:
        """Hold the chosen pools for a while, or release those that are held."""
        self.ask_each(lambda row: ReleasePool(row.id) if cast("ScalingRow", row).held_by else HoldPool(row.id, HOLD_S))

    def action_policies(self) -> None:
        """Go to the policies."""
        self.console.drill(PoliciesScreen())

    def to_edit(self, row: Row) -> tuple[str, str] | None:
        """Return the policy that decided for a pool."""
        policy = cast("ScalingRow", row).policy
        return ("policies", policy) if policy else None


class PoliciesScreen(DescribedTable):
    """All policies."""

    NAME: ClassVar[str] = "policies"
    TITLE: ClassVar[str] = "Policies"
    KIND: ClassVar[str] = "policies"
    NOUN: ClassVar[str] = "policy"
    KINDS: ClassVar[tuple[str, ...]] = ("policies",)
    EMPTY: ClassVar[str] = "no policy yet: pools keep the sizes that operators give them"

    def columns(self) -> Sequence[Column]:
        """Return the columns."""
        return columns_over(POLICY_COLUMNS, lambda: self.rows)

    def present_row(self, row: PolicyRow, now: float) -> Cells:
        """Return a policy's cells."""
        return policy_cells(row, now, self.console.glyphs)

    def open_row(self, row_id: str) -> None:
        """Edit a policy."""
        edit_thing(self, "policies", row_id)

    def action_create(self) -> None:
        """Ask for a new policy."""
        ask_by(self, VerbForm(CreatePolicy, self.feed.tables, {"policy": '{"target": 1, "safety": 0.8, "average_s": 60}'}))

    def action_switch(self) -> None:
        """Switch the chosen policies on or off."""
        self.ask_each(lambda row: UpdatePolicy(row.id, {"enabled": not cast("PolicyRow", row).enabled}))

    def action_delete(self) -> None:
        """Ask to remove the chosen policies."""
        self.ask_each(lambda row: DeletePolicy(row.id))
