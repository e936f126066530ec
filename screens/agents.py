"""`:agents`: who there is, what each does and how it is; draining, restarting and taking out, one or many."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from engine.model.agent_commands import DrainAgent, RestartAgent, UndrainAgent, UnregisterAgent
from engine.model.rows import AgentRow
from screens.described import DescribedTable
from screens.present_rows import AGENT_COLUMNS, agent_cells, columns_over
from screens.widgets.cells import Row as Cells
from screens.widgets.columns import Column


class AgentsScreen(DescribedTable):
    """All agents, or those of a scope such as `pool=coder`."""

    NAME: ClassVar[str] = "agents"
    TITLE: ClassVar[str] = "Agents"
    KIND: ClassVar[str] = "agents"
    NOUN: ClassVar[str] = "agent"
    KINDS: ClassVar[tuple[str, ...]] = ("agents",)
    EMPTY: ClassVar[str] = "no agents yet; `:scale POOL +1` adds one"
    SORT: ClassVar[tuple[str, bool]] = ("agent", False)

    def columns(self) -> Sequence[Column]:
        """Return the columns."""
        return columns_over(AGENT_COLUMNS, lambda: self.rows)

    def present_row(self, row: AgentRow, now: float) -> Cells:
        """Return an agent's cells."""
        return agent_cells(row, now, self.console.glyphs)

    def action_drain(self) -> None:
        """Give the chosen agents no more work."""
        self.ask_each(lambda row: DrainAgent(row.id))

    def action_undrain(self) -> None:
        """Give the chosen agents work again."""
        self.ask_each(lambda row: UndrainAgent(row.id))

    def action_restart(self) -> None:
        """Start the chosen agents anew when their tasks have ended."""
        self.ask_each(lambda row: RestartAgent(row.id))

    def action_unregister(self) -> None:
        """Take the chosen agents out of their pools for good."""
        self.ask_each(lambda row: UnregisterAgent(row.id))
