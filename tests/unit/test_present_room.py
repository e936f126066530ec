"""What pools wait for, recommendations and gangs as cells."""

from __future__ import annotations

from engine.model.rows import AdviceRow
from engine.simulation.fake_operator import make_pool
from screens.present_room import saved, savings
from screens.present_rows import pool_state, pool_state_cell
from screens.widgets.cells import UNICODE


def test_a_pool_that_has_no_room_waits_and_does_not_start() -> None:
    row = make_pool("coder")._replace(size=5, agents=3, starting=0, failed_agents=0, paused=False, reason="waits for gpu: needs 1 gpu, 0 gpu not taken")
    assert pool_state(row) == "waiting"
    assert pool_state_cell(row, UNICODE).text == "◔ waiting for gpu: needs 1 gpu, 0 gpu not taken"
    assert pool_state(row._replace(reason="")) == "starting"


def test_savings_of_one_pool_are_not_counted_twice() -> None:
    def row(pool: str, kind: str, memory_mb: float, agents: int) -> AdviceRow:
        return AdviceRow(f"{pool} {kind}", pool, kind, "", "", 0.1, memory_mb, 0.0, agents, 0.0, "", "")

    rows = [row("a", "resize_allocation", 2_048, 0), row("a", "idle", 1_024, 3), row("b", "idle", 100, 1)]
    assert savings(rows) == "4 agents, 2.1 GB"
    assert saved(1, 0, 1, 0.5) == "1 agent, 1 core, 0.50/h"
