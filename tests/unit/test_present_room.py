"""What pools wait for, recommendations and gangs as cells."""

from __future__ import annotations

import pytest
from engine.model.plans import Call
from engine.model.rows import AdviceRow
from engine.model.verb_lines import line_of
from engine.model.wire import command_of
from engine.simulation.fake_operator import make_pool
from screens.commandline import parse_verb
from screens.present_room import saved, savings
from screens.present_rows import pool_state, pool_state_cell
from screens.widgets.cells import UNICODE


def test_a_pool_that_has_no_room_waits_and_does_not_start() -> None:
    row = make_pool("coder")._replace(size=5, agents=3, starting=0, failed_agents=0, paused=False, reason="waits for gpu: needs 1 gpu, 0 gpu not taken")
    assert pool_state(row) == "waiting"
    assert pool_state_cell(row, UNICODE).text == "◔ waiting for gpu: needs 1 gpu, 0 gpu not taken"
    assert pool_state(row._replace(reason="")) == "starting"
    held_back = row._replace(agents=5, reason="waits for memory: needs 98 MB, 31 MB free")
    assert pool_state_cell(held_back, UNICODE).text == "◔ waiting for memory: needs 98 MB, 31 MB free", "its tasks wait, its agents are there"


def test_savings_of_one_pool_are_not_counted_twice() -> None:
    def row(pool: str, kind: str, memory_mb: float, agents: int) -> AdviceRow:
        return AdviceRow(f"{pool} {kind}", pool, kind, "", "", 0.1, memory_mb, 0.0, agents, 0.0, "", "")

    rows = [row("a", "resize_allocation", 2_048, 0), row("a", "idle", 1_024, 3), row("b", "idle", 100, 1)]
    assert savings(rows) == "4 agents, 2.1 GB"
    assert saved(1, 0, 1, 0.5) == "1 agent, 1 core, 0.50/h"


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (Call("pool.scale", {"pool": "coder", "size": "4"}), "scale coder 4"),
        (Call("pool.edit", {"pool": "coder", "changes": {"memory": 128}}), """edit-pool coder --changes '{"memory": 128}'"""),
        (Call("gang.ask", {"pool": "coder", "agents": 8, "priority": 7, "keep_s": 60.0}), "gang coder 8 --priority 7 --keep-s 60.0"),
    ],
)
def test_a_call_is_written_as_it_would_be_typed(call: Call, words: str) -> None:
    assert line_of(call) == words
    verb, _, rest = words.partition(" ")
    command = command_of(call)
    assert verb == command.verb
    assert parse_verb(type(command), rest) == [command]
