"""Placement over pools, and the pool that is meant."""

from __future__ import annotations

import pytest
from engine.model.errors import CommandRefused, NotFound
from engine.model.pool_commands import PausePool, UnpausePool
from engine.scheduling import router
from engine.scheduling.router import count_reasons, pool_by_capabilities, pool_for
from engine.scheduling.task_queue import TaskQueue
from tests.unit.core_fleet import Fleet

SEEDS = {name: {"min": 1, "max": 3, "priority": priority} for name, priority in (("ui", 5), ("security", 9), ("performance", 6))}


@pytest.mark.row(8, 24, 153)
def test_tasks_go_to_free_agents_of_their_pool() -> None:
    fleet = Fleet(SEEDS)
    tasks = {fleet.submit(pool=name): name for name in SEEDS}
    assert {task: name.partition("-")[0] for task, name in fleet.place().items()} == tasks


def test_pools_of_higher_priority_are_served_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(router, "PLACEMENTS_PER_PASS", 1)
    fleet = Fleet(SEEDS)
    for name in SEEDS:
        fleet.submit(pool=name)
    assert [name.partition("-")[0] for _ in SEEDS for name in fleet.place().values()] == ["security", "performance", "ui"]


def test_paused_pool_places_nothing_and_then_everything() -> None:
    fleet = Fleet()
    fleet.do(PausePool("coder"))
    task = fleet.submit()
    assert fleet.place() == {}
    assert count_reasons(fleet.state, fleet.task(task)) == {"pool paused": 2}
    fleet.do(UnpausePool("coder"))
    assert task in fleet.place()


def test_tasks_nobody_can_do_hold_up_nobody_and_keep_their_order() -> None:
    fleet = Fleet()
    rare = [fleet.submit(priority=9, capabilities=("rare",)) for _ in range(3)]
    plain = fleet.submit(priority=1)
    queue = TaskQueue(60.0)
    queue.rebuild(fleet.state, fleet.now)
    router.decide_placement(fleet.state, queue, fleet.free(), fleet.now)
    assert set(fleet.place()) == {plain}
    assert [queue.next("coder", fleet.now).spec.id for _ in rare] == rare  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("word", "pool"), [("security", "security"), ("security-specialist", "security"), ("performance-analyst", "performance")]
)
def test_pool_or_agent_type(word: str, pool: str) -> None:
    assert pool_for(Fleet(SEEDS, up=False).state, word) == pool


def test_own_pool_by_its_type() -> None:
    fleet = Fleet({"makers": {"min": 0, "max": 2, "type": "coder"}})
    assert pool_for(fleet.state, "coder") == "makers"
    with pytest.raises(NotFound, match="no pool or agent type ''; there are makers"):
        pool_for(fleet.state, "")


def test_pool_by_capabilities_prefers_priority() -> None:
    pools = {name: {"min": 0, "max": 1, "priority": n, "capabilities": ["x", "y"]} for n, name in ((3, "low"), (7, "high"))}
    state = Fleet(pools).state
    assert pool_by_capabilities(state, ("y", "x")) == "high"
    with pytest.raises(CommandRefused, match="no pool has all of x, z"):
        pool_by_capabilities(state, ("x", "z"))
