"""The key that raises a limit on what work may use, wherever one is pointed at."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.model.budget_commands import SetBudget
from engine.model.budget_rows import BudgetRow
from engine.model.budget_words import SOFT, measure_of, say_amount
from screens.forms import VerbForm, ask_by

if TYPE_CHECKING:
    from screens.base import FleetScreen

    _Screen = FleetScreen
else:
    _Screen = object


class Budgeting(_Screen):
    """A screen on which limits are shown."""

    def _hint_scopes(self) -> tuple[str, ...]:
        """Leave out the key while there is no limit."""
        return tuple(scope for scope in super()._hint_scopes() if scope != "budget" or self.feed.tables["budgets"])

    def limits(self) -> list[BudgetRow]:
        """Return the limits that the key means, the most pressing first."""
        raise NotImplementedError

    def action_raise_limit(self) -> None:
        """Ask how much more there may be of a limit, in a form; all that is known is filled in."""
        row = next(iter(self.limits()), None)
        if row is None:
            ask_by(self, VerbForm(SetBudget, self.feed.tables, {}))
            return
        measure = measure_of(row.limit)
        used = "" if row.used is None else f", {say_amount(measure, row.used)} used"
        given = {"limit": row.limit, "amount": f"+{row.amount / 2:.12g}", "of": row.id.rpartition("/")[0]}
        title = f"{row.limit} of {row.title or row.of} is {say_amount(measure, row.amount)}{used}; how much it may be"
        ask_by(self, VerbForm(SetBudget, self.feed.tables, given, asked=("amount",), title=title))


def pressing(rows: dict[str, object]) -> list[BudgetRow]:
    """Return limits, those that are used up first, then those that nearly are, then by what is used of them."""
    found = [row for row in rows.values() if isinstance(row, BudgetRow) and row.limit != SOFT]
    return sorted(found, key=lambda row: (row.level != "hard", row.level != "soft", -(row.share or 0.0), row.id))
