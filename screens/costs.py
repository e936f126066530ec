"""`:cost`: what the pools cost, by measured agent-seconds and the pools' own figures."""

from __future__ import annotations

from typing import ClassVar

from screens.details import DocumentScreen
from screens.feed import Changes
from screens.present_costs import cost_lines
from screens.present_text import Lines

DAY_S = 86_400


class CostScreen(DocumentScreen):
    """The last day, pool by pool and hour by hour."""

    NAME: ClassVar[str] = "cost"
    TABS: ClassVar[tuple[str, ...]] = ("cost",)
    HAS_YAML: ClassVar[bool] = True

    def subject(self) -> str:
        """Return what it is about."""
        return "Cost: the last day"

    async def read(self, tab: str) -> Lines:  # noqa: ARG002  # the only one
        """Return the report."""
        report = await self.ask_engine("cost", last_s=DAY_S)
        assert isinstance(report, dict)
        return cost_lines(report, self.console.glyphs)

    async def read_plain(self) -> object:
        """Return the report as plain values."""
        return await self.ask_engine("cost", last_s=DAY_S)

    def concerns(self, changes: Changes) -> bool:  # noqa: ARG002  # it grows all the time: ctrl+r reads again
        """Nothing that the feed carries changes it enough."""
        return False
