"""A table whose rows are pools, agents and tasks together: a verb acts on the chosen rows that it is for."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from engine.model.agent_commands import DrainAgent, RestartAgent, UndrainAgent, UnregisterAgent
from engine.model.pool_commands import PausePool, ScalePool, UnpausePool
from engine.model.rows import AgentRow, PoolRow, Row, TaskRow
from engine.model.verbs import Command
from screens.acts import cancel_of, retry_of
from screens.described import DescribedTable
from screens.dialogs import ScaleDialog

R = TypeVar("R", PoolRow, AgentRow, TaskRow)


class AnyThingTable(DescribedTable):
    """Verbs on rows of several kinds."""

    def _ask_of(self, kind: type[R], make: Callable[[R], Command | None]) -> None:
        self.ask_each(lambda row: make(row) if isinstance(row, kind) else None)

    def pool_in_view(self) -> str:
        """Return the pool that the row pointed at is, or belongs to."""
        row = self.pointed()
        return row.id if isinstance(row, PoolRow) else str(getattr(row, "pool", ""))

    def to_edit(self, row: Row) -> tuple[str, str] | None:
        """Return that a pool is edited."""
        return ("pools", row.id) if isinstance(row, PoolRow) else None

    def action_scale(self) -> None:
        """Ask for a size for the chosen pools, then for the plan."""
        pools = [row.id for row in self.chosen() if isinstance(row, PoolRow)]
        if not pools:
            self.console.say("there is no pool under the cursor or marked", role="warn")
            return

        def ask(words: str | None) -> None:
            if words is not None:
                self.console.ask([ScalePool(pool, words) for pool in pools])

        self.app.push_screen(ScaleDialog(pools), ask)

    def action_freeze(self) -> None:
        """Pause the chosen pools that work and resume those that are paused."""
        self._ask_of(PoolRow, lambda row: UnpausePool(row.id) if row.paused else PausePool(row.id))

    def action_drain(self) -> None:
        """Give the chosen agents no more work."""
        self._ask_of(AgentRow, lambda row: DrainAgent(row.id))

    def action_undrain(self) -> None:
        """Give the chosen agents work again."""
        self._ask_of(AgentRow, lambda row: UndrainAgent(row.id))

    def action_restart(self) -> None:
        """Start the chosen agents anew when their tasks have ended."""
        self._ask_of(AgentRow, lambda row: RestartAgent(row.id))

    def action_unregister(self) -> None:
        """Take the chosen agents out of their pools for good."""
        self._ask_of(AgentRow, lambda row: UnregisterAgent(row.id))

    def action_cancel(self) -> None:
        """Stop the chosen tasks that have not ended."""
        self._ask_of(TaskRow, cancel_of)

    def action_retry(self) -> None:
        """Run the chosen tasks that ended badly again."""
        self._ask_of(TaskRow, retry_of)
