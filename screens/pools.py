"""`:pools`: size, load and state of each pool; scaling by dialog or by staged steps, pausing, and the way to its agents and tasks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, cast

from engine.model.filters import quote_value
from engine.model.pool_commands import PausePool, ScalePool, UnpausePool
from engine.model.rows import PoolRow
from screens.agents import AgentsScreen
from screens.described import DescribedTable
from screens.dialogs import ScaleDialog
from screens.places import Place
from screens.present_rows import POOL_COLUMNS, columns_over, pool_cells
from screens.tasks import TasksScreen
from screens.widgets.cells import Cell
from screens.widgets.cells import Row as Cells
from screens.widgets.columns import Column
from screens.widgets.statusbar import Part


class PoolsScreen(DescribedTable):
    """All pools. Steps of `>` and `<` add up until Enter asks for them or Esc drops them."""

    NAME: ClassVar[str] = "pools"
    TITLE: ClassVar[str] = "Pools"
    KIND: ClassVar[str] = "pools"
    NOUN: ClassVar[str] = "pool"
    KINDS: ClassVar[tuple[str, ...]] = ("pools",)
    EMPTY: ClassVar[str] = "no pools are configured"

    def __init__(self, filter_text: str = "", scope: str = "", *, place: Place | None = None) -> None:
        super().__init__(filter_text, scope, place=place)
        self.staged: dict[str, int] = {}
        """Pool to how many agents more (or fewer) are staged; never 0."""

    def columns(self) -> Sequence[Column]:
        """Return the columns."""
        return columns_over(POOL_COLUMNS, lambda: self.rows)

    def present_row(self, row: PoolRow, now: float) -> Cells:
        """Return a pool's cells with what is staged for it."""
        return pool_cells(row, now, self.console.glyphs, self.staged.get(row.id, 0))

    def heading(self) -> tuple[Sequence[Part], Sequence[Part]]:
        """Say what is staged before anything else."""
        left, right = super().heading()
        if self.staged:
            left = [*left, Cell(f"{len(self.staged)} staged; {self.say_keys('{table.open} reviews, {screen.back} drops')}", "warn")]
        return left, right

    def open_row(self, row_id: str) -> None:
        """Review what is staged; else go to the pool's agents."""
        if self.staged:
            self.console.ask([ScalePool(pool, str(self._staged_size(pool))) for pool in self.staged if pool in self.rows])
            self._drop_staged()
        else:
            self.console.drill(AgentsScreen(scope=f"pool={quote_value(row_id)}"))

    def _staged_size(self, pool: str) -> int:
        return max(0, cast("PoolRow", self.rows[pool]).size + self.staged[pool])

    def _drop_staged(self) -> None:
        pools, self.staged = list(self.staged), {}
        self._show_again(pools)

    def _show_again(self, pools: Sequence[str]) -> None:
        now = self.feed.now()
        self.table.update_rows({pool: self.present_row(cast("PoolRow", self.rows[pool]), now) for pool in pools if pool in self.rows})
        self.show_chrome()

    def action_stage(self, step: int) -> None:
        """Stage one agent more or fewer for each chosen pool, never below none."""
        pools = [cast("PoolRow", row) for row in self.chosen()]
        for pool in pools:
            staged = max(-pool.size, self.staged.get(pool.id, 0) + step)
            if staged:
                self.staged[pool.id] = staged
            else:
                self.staged.pop(pool.id, None)
        self._show_again([pool.id for pool in pools])

    def clear(self) -> bool:
        """Drop what is staged before anything else."""
        if self.staged:
            self._drop_staged()
            return True
        return super().clear()

    def action_scale(self) -> None:
        """Ask for a size for the chosen pools, then for the plan."""
        pools = [row.id for row in self.chosen()]
        if not pools:
            return

        def ask(words: str | None) -> None:
            if words is not None:
                self.console.ask([ScalePool(pool, words) for pool in pools])

        self.app.push_screen(ScaleDialog(pools), ask)

    def action_freeze(self) -> None:
        """Pause the chosen pools that work and resume those that are paused."""
        self.ask_each(lambda row: UnpausePool(row.id) if cast("PoolRow", row).paused else PausePool(row.id))

    def action_tasks(self) -> None:
        """Go to the tasks of the pool pointed at."""
        if (row := self.pointed()) is not None:
            self.console.drill(TasksScreen(scope=f"pool={quote_value(row.id)}"))
