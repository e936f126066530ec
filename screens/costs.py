"""`:cost`: what work has used against its limits; and what the pools cost, by measured agent-seconds and their own figures."""

from __future__ import annotations

from typing import ClassVar

from engine.model.budget_rows import BudgetRow
from screens.budgeting import Budgeting, pressing
from screens.details import DocumentScreen
from screens.feed import Changes
from screens.present_costs import cost_lines
from screens.present_spending import spending_lines
from screens.present_text import Lines

DAY_S = 86_400


class CostScreen(Budgeting, DocumentScreen):
    """What was used, by whom; the last day of agent-seconds, pool by pool and hour by hour."""

    NAME: ClassVar[str] = "cost"
    TABS: ClassVar[tuple[str, ...]] = ("used", "agents")
    HAS_YAML: ClassVar[bool] = True
    KINDS: ClassVar[tuple[str, ...]] = ("budgets",)

    def subject(self) -> str:
        """Return what it is about."""
        return "Cost"

    def limits(self) -> list[BudgetRow]:
        """Return all limits, the most pressing first."""
        return pressing(self.feed.tables["budgets"])  # type: ignore[arg-type]

    async def read(self, tab: str) -> Lines:
        """Return the report."""
        if tab == "used":
            return spending_lines(await self.ask_engine("spending"), self.console.glyphs)
        report = await self.ask_engine("cost", last_s=DAY_S)
        assert isinstance(report, dict)
        return cost_lines(report, self.console.glyphs)

    async def read_plain(self) -> object:
        """Return the report as plain values."""
        return {"used": await self.ask_engine("spending"), "agents": await self.ask_engine("cost", last_s=DAY_S)}

    def concerns(self, changes: Changes) -> bool:
        """Tell whether a limit changed; agent-seconds grow all the time: ctrl+r reads again."""
        return self.tab == "used" and changes.touches(("budgets",))
