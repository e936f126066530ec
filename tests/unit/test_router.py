"""Placement over pools, the pool that is meant, and why a task is where it is."""

from __future__ import annotations

import pytest
from engine.model import commands as c
from engine.model.errors import CommandRefused, NotFound
from engine.scheduling import router
from engine.scheduling.router import count_reasons, explain_task, pool_by_capabilities, pool_for
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
    fleet.do(c.PausePool("coder"))
    task = fleet.submit()
    assert fleet.place() == {}
    assert explain_task(fleet.state, fleet.task(task), fleet.now) == ["none of 2 agents in coder is free: 2 pool paused"]
    fleet.do(c.UnpausePool("coder"))
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


@pytest.mark.row(153, 156)
def test_placement_explains_itself() -> None:
    fleet = Fleet({"coder": {"min": 5, "max": 9}})
    task = fleet.task(fleet.run())
    placement = task.placement
    assert placement is not None
    assert len(placement.alternatives) == 3
    lines = explain_task(fleet.state, task, fleet.now)
    assert lines[0] == f"attempt 1 went to {task.agent_name}: score {placement.value:.3f}, best of 5 free"
    assert lines[1].startswith("capability match 1.00, availability 1.00, performance ")
    assert lines[2].startswith("then coder-")


def test_pending_says_why_in_counts() -> None:
    fleet = Fleet({"coder": {"min": 4, "max": 9}})
    fleet.run()
    fleet.do(c.DrainAgent([a.spec.name for a in fleet.state.agents.values() if a.status == "idle"][0]))
    fleet.do(c.AllocateAgent("mine", "coder"))
    task = fleet.task(fleet.submit(capabilities=("rare",)))
    assert count_reasons(fleet.state, task) == {"busy": 1, "draining": 1, "reserved": 1, "lacks rare": 1}
    assert explain_task(fleet.state, task, fleet.now)[0].startswith("none of 4 agents in coder is free: 1 ")


def test_pending_says_what_it_waits_on_and_how_long_it_backs_off() -> None:
    fleet = Fleet()
    first = fleet.run(backoff_s=10)
    second = fleet.submit(depends_on=(first,))
    assert explain_task(fleet.state, fleet.task(second), fleet.now) == [f"waits on 1 task: {first}"]
    fleet.end(first, ok=False)
    lines = explain_task(fleet.state, fleet.task(first), fleet.now)
    assert lines[0].startswith("backs off for ")
    assert lines[1] == "attempt 1 ended: bug: it broke"


def test_ended_task_says_how() -> None:
    fleet = Fleet()
    task = fleet.submit()
    fleet.do(c.CancelTask(task))
    assert explain_task(fleet.state, fleet.task(task), fleet.now) == ["cancelled: by ada"]
    fleet = Fleet({"coder": {"min": 0, "max": 2}})
    task = fleet.submit()
    assert explain_task(fleet.state, fleet.task(task), fleet.now) == ["coder has no agents"]


def test_attempts_that_do_not_count_are_told() -> None:
    fleet = Fleet()
    task = fleet.run()
    fleet.down()
    fleet.up("hst_2")
    told = "0 of its 3 attempts count, 1 were lost or replayed; 1 agent died while running it"
    assert told in explain_task(fleet.state, fleet.task(task), fleet.now)
    assert task in fleet.place()
    assert told.replace("0 of", "1 of") in explain_task(fleet.state, fleet.task(task), fleet.now)
