"""Sizes as people write them, who leaves first, pausing."""

from __future__ import annotations

import contextlib

import pytest
from engine.model.agent_commands import RestartAgent
from engine.model.errors import CommandRefused, NotFound, UsageError
from engine.model.pool_commands import PausePool, ScalePool
from engine.model.pools import Pool, PoolSpec
from engine.model.verbs import Command
from engine.scaling.policies import leavers, wanted_size
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.core_fleet import Fleet


@pytest.mark.parametrize(
    ("word", "size"),
    [
        ("12", 12), ("+3", 11), ("-2", 6), ("150%", 12), ("+50%", 12), ("-50%", 4), ("51%", 5), ("=min", 2), ("=max", 20),
        (" 5 ", 5), ("+0", 8), ("100%", 8),
    ],
)  # fmt: skip
@pytest.mark.row(56)
def test_sizes(word: str, size: int) -> None:
    assert wanted_size(Pool(PoolSpec("coder", 2, 20), 8), word) == size


@pytest.mark.parametrize("word", ["", "many", "1.5", "=mid", "%", "++3", "3-", "12345678", "-", "= min", "٣x"])
def test_nonsense_is_refused_with_what_to_write(word: str) -> None:
    with pytest.raises(UsageError, match="is not understood; write 12, \\+3, -2, 150%, =min or =max"):
        wanted_size(Pool(PoolSpec("coder", 2, 20), 8), word)


@pytest.mark.parametrize("word", ["1", "21", "-7", "+13", "300%"])
def test_outside_the_bounds_is_refused(word: str) -> None:
    with pytest.raises(CommandRefused, match=r"coder holds 2\.\.20 agents, -?\d+ is outside; change pools\.coder in the configuration"):
        wanted_size(Pool(PoolSpec("coder", 2, 20), 8), word)


@given(st.text(max_size=12))
def test_any_word_is_a_size_inside_the_bounds_or_refused(word: str) -> None:
    pool = Pool(PoolSpec("coder", 2, 20), 8)
    with contextlib.suppress(UsageError, CommandRefused):
        assert 2 <= wanted_size(pool, word) <= 20


def test_failed_leave_first_then_idle_longest_busy_last() -> None:
    fleet = Fleet({"coder": {"min": 4, "max": 9}})
    task = fleet.run()
    busy = fleet.task(task).agent_name
    idle = [agent for agent in fleet.state.agents.values() if agent.status == "idle"]
    idle[0].idle_since, idle[1].idle_since = 900.0, 800.0
    fleet.do(RestartAgent(idle[2].spec.name))
    order = [agent.spec.name for agent in leavers(fleet.state.agents_in("coder"), 9)]
    assert order == [idle[2].spec.name, idle[1].spec.name, idle[0].spec.name, busy]


def test_scaling_down_lets_busy_ones_finish() -> None:
    fleet = Fleet({"coder": {"min": 1, "max": 9}})
    assert fleet.do(ScalePool("coder", "3")) == [3]
    fleet.up("hst_2")
    tasks = [fleet.run() for _ in range(3)]
    fleet.do(ScalePool("coder", "=min"))
    assert [agent.status for agent in fleet.state.agents.values()].count("draining") == 2
    assert [fleet.task(task).state for task in tasks] == ["running"] * 3
    for task in tasks:
        fleet.end(task)
    assert len(fleet.state.agents) == 1
    assert fleet.do(ScalePool("coder", "1")) == [1]


def test_growing_again_while_some_are_leaving() -> None:
    fleet = Fleet()
    fleet.run()
    fleet.run()
    fleet.state.pools["coder"].spec = PoolSpec("coder", 0, 9)
    fleet.do(ScalePool("coder", "0"))
    fleet.do(ScalePool("coder", "3"))
    assert len(fleet.state.agents) == 3
    assert not any(agent.retiring for agent in fleet.state.agents.values())


@pytest.mark.parametrize(
    ("commands", "text"),
    [
        ([ScalePool("codr", "3")], "no pool 'codr'; did you mean 'coder'\\?; `get pools` lists them"),
        ([ScalePool("coder", "3"), ScalePool("coder", "4")], "coder is named twice in one plan"),
        ([ScalePool("coder", "9")], r"2 agents \+ 7 is above fleet.max_agents 5"),
    ],
)
def test_refused_scalings(commands: list[Command], text: str) -> None:
    fleet = Fleet(fleet={"max_agents": 5, "default_pools": {"coder": {"min": 2, "max": 9}}})
    with pytest.raises(CommandRefused, match=text):
        fleet.do(*commands)
    assert fleet.state.pools["coder"].size == 2


def test_pausing_twice_is_pausing_once() -> None:
    fleet = Fleet()
    fleet.do(PausePool("coder"), PausePool("coder"))
    seq = fleet.state.seq
    fleet.do(PausePool("coder"))
    assert fleet.state.seq == seq
    with pytest.raises(NotFound, match="no pool 'x'"):
        fleet.do(PausePool("x"))
