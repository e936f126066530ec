"""`:scaler`: what was decided for each pool and why; `:policies`: the policies themselves, edited with what they would have done."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any, ClassVar, cast

from engine.model.commands import (
    Command,
    CreatePolicy,
    DeletePolicy,
    HoldPool,
    ReleasePool,
    UpdatePolicy,
)
from engine.model.errors import FleetError
from engine.model.policy_text import merged, policy_of, policy_table
from engine.model.rows import PolicyRow, ScalingRow
from engine.model.scaling import Direction, Fallback, Panic, Policy, Prediction, Trigger
from engine.model.wire import encode
from screens.described import DescribedTable
from screens.editing import Changes, EditForm, Editing, Entry
from screens.forms import VerbForm
from screens.present_rows import columns_over
from screens.present_scaling import (
    POLICY_COLUMNS,
    SCALING_COLUMNS,
    comparison_lines,
    policy_cells,
    scaling_cells,
)
from screens.tables import TableScreen
from screens.widgets.cells import Cell
from screens.widgets.cells import Row as Cells
from screens.widgets.columns import Column
from screens.widgets.statusbar import Part

HOLD_S = 600.0
"""How long a key holds a pool; the verb takes any time."""
_PARTS: dict[str, type] = {
    "up": Trigger,
    "down": Trigger,
    "scale_up": Direction,
    "scale_down": Direction,
    "panic": Panic,
    "fallback": Fallback,
    "prediction": Prediction,
}


def policy_entries(policy: Policy) -> list[Entry]:
    """Return every key of a policy as it is written, those inside others dotted."""
    table = policy_table(policy)
    plain = [spec for spec in dataclasses.fields(Policy) if spec.name not in ("id", *_PARTS)]
    entries = [Entry(spec.name, _text(table.get(spec.name)), _default(spec.default)) for spec in plain]
    for name, kind in _PARTS.items():
        part = table.get(name, {})
        entries += [Entry(f"{name}.{spec.name}", _text(part.get(spec.name)), _default(spec.default)) for spec in dataclasses.fields(kind)]
    return entries


def _text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return encode(value).decode() if isinstance(value, dict | list) else str(value)


def _default(value: object) -> str:
    return "" if value is dataclasses.MISSING else "default " + (_text(value) or "none" if value not in ((), None) else "none")


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

    def action_edit(self) -> None:
        """Edit the policy that decided for the pool pointed at."""
        row = cast("ScalingRow | None", self.pointed())
        if row is None or not row.policy:
            self.console.say("no policy decides for this pool; make one in :policies", role="warn")
            return
        edit_policy(self, row.policy)


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
        edit_policy(self, row_id)

    def action_edit(self) -> None:
        """Edit the policy pointed at."""
        if (row := self.pointed()) is not None:
            edit_policy(self, row.id)

    def action_create(self) -> None:
        """Ask for a new policy."""
        form = VerbForm(CreatePolicy, self.feed.tables, {"policy": '{"target": 1, "safety": 0.8, "average_s": 60}'})

        def ask(command: Command | None) -> None:
            if command is not None:
                self.console.ask([command])

        self.app.push_screen(form, ask)

    def action_switch(self) -> None:
        """Switch the chosen policies on or off."""
        self.ask_each(lambda row: UpdatePolicy(row.id, {"enabled": not cast("PolicyRow", row).enabled}))

    def action_delete(self) -> None:
        """Ask to remove the chosen policies."""
        self.ask_each(lambda row: DeletePolicy(row.id))


def edit_policy(screen: TableScreen, policy_id: str) -> None:
    """Read a policy, edit it in a form, and ask for the change."""
    screen.run_worker(_edit(screen, policy_id), group="edit", exclusive=True, exit_on_error=False)


async def _edit(screen: TableScreen, policy_id: str) -> None:
    console = screen.console
    try:
        table: Any = await screen.feed.operator.query("policy", id=policy_id)
    except FleetError as error:
        console.say(str(error), role="bad")
        return

    def check(changes: Changes) -> None:
        policy_of({**merged(table, changes), "id": policy_id})

    async def what_if(changes: Changes) -> Sequence[str]:
        return comparison_lines(await console.backtest(policy_id, {**merged(table, changes), "id": policy_id}))

    editing = Editing(f"policy {policy_id}", policy_entries(policy_of(table)), check, what_if)

    def ask(changes: Changes | None) -> None:
        if changes is not None:
            console.ask([UpdatePolicy(policy_id, changes)])

    screen.app.push_screen(EditForm(editing), ask)
