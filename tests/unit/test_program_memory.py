"""Programs start while all that run fit the memory, grown to what others of their pool took; the others wait and say why."""

from __future__ import annotations

import pytest
from engine.agents.memory_use import MemoryUse
from engine.gate.rows import pool_row, task_reason
from engine.gate.why_agents import Seen, explain_agent
from engine.gate.why_pools import explain_pool
from engine.gate.why_tasks import explain_task
from engine.model.ids import TaskId
from engine.model.machines import ProgramRoom
from engine.model.task_events import TasksLeased
from tests.unit.core_fleet import Fleet

pytestmark = pytest.mark.row(93)

PROGRAM = {"kind": "command", "command": {"argv": ["true"]}, "min": 4, "max": 9}
POOLS = {"tool": {**PROGRAM, "priority": 5}, "other": {**PROGRAM, "priority": 4}, "light": {"min": 2, "max": 2}}


def room(all_mb: float, held: dict[TaskId, float] | None = None, **each: float) -> ProgramRoom:
    return ProgramRoom(all_mb, held or {}, each)


def running(fleet: Fleet) -> int:
    return fleet.states().count("running")


def submit(fleet: Fleet, count: int, pool: str = "tool") -> list[TaskId]:
    return [fleet.submit(pool=pool) for _ in range(count)]


def begin(fleet: Fleet) -> int:
    placed = fleet.place()
    for task in placed:
        fleet.begin(task)
    return len(placed)


def test_as_many_run_as_fit_and_the_next_says_what_it_needs() -> None:
    fleet = Fleet(POOLS)
    fleet.program_room = room(250.0, tool=100.0)
    tasks = submit(fleet, 4)
    assert begin(fleet) == 2
    text = "waits for memory: needs 100 MB, 50 MB free"
    assert fleet.state.pools["tool"].tasks_wait == text
    assert task_reason(fleet.state, fleet.task(tasks[-1]), fleet.now) == text
    assert pool_row(fleet.state, fleet.state.pools["tool"], 0.0).reason == text
    assert explain_task(fleet.state, fleet.task(tasks[-1]), fleet.now, None).headline == f"it {text}"
    assert explain_pool(fleet.state, fleet.state.pools["tool"], fleet.now, None).headline == "its tasks wait for memory: needs 100 MB, 50 MB free"


def test_what_grows_while_it_runs_keeps_back_the_next() -> None:
    fleet = Fleet(POOLS)
    fleet.program_room = room(300.0, tool=50.0)
    (first,) = submit(fleet, 1)
    assert begin(fleet) == 1
    fleet.program_room = room(300.0, {first: 280.0}, tool=280.0, other=30.0)
    submit(fleet, 1, "other")
    assert begin(fleet) == 0
    assert fleet.state.pools["other"].tasks_wait == "waits for memory: needs 30 MB, 20 MB free"
    fleet.end(first)
    assert begin(fleet) == 1, "what ended gives back what it had"
    assert fleet.state.pools["other"].tasks_wait == ""


def test_what_will_still_grow_counts_as_grown() -> None:
    fleet = Fleet(POOLS)
    tasks = submit(fleet, 2)
    fleet.program_room = room(1_000.0)
    assert begin(fleet) == 2
    fleet.program_room = room(220.0, dict.fromkeys(tasks, 10.0), tool=100.0, other=30.0)
    submit(fleet, 1, "other")
    assert begin(fleet) == 0


def test_unknown_programs_start_while_any_memory_is_left() -> None:
    fleet = Fleet(POOLS)
    submit(fleet, 1)
    fleet.program_room = room(0.0)
    assert begin(fleet) == 0
    assert fleet.state.pools["tool"].tasks_wait == "waits for memory: needs some, 0 MB free"
    fleet.program_room = room(1.0)
    assert begin(fleet) == 1


def test_light_agents_and_unmeasured_machines_are_not_kept_back() -> None:
    fleet = Fleet(POOLS)
    fleet.program_room = room(-5.0, tool=10.0)
    submit(fleet, 2, "light")
    assert begin(fleet) == 2
    submit(fleet, 2)
    fleet.program_room = None
    assert begin(fleet) == 2


def test_the_pool_of_higher_priority_gets_the_memory() -> None:
    fleet = Fleet(POOLS)
    fleet.program_room = room(120.0, tool=100.0, other=100.0)
    submit(fleet, 1, "other")
    (first,) = submit(fleet, 1)
    assert list(fleet.place()) == [first]


def test_waiting_is_told_once_and_its_end_once() -> None:
    fleet = Fleet(POOLS)
    fleet.program_room = room(10.0, tool=100.0)
    submit(fleet, 1)
    before = len(fleet.events)
    for left in (10.0, 20.0, 30.0):
        fleet.program_room = room(left, tool=100.0)
        fleet.place()
    assert fleet.types(before) == ["pool.tasks_wait"]
    fleet.program_room = room(100.0, tool=100.0)
    fleet.place()
    assert fleet.types(before) == ["pool.tasks_wait", TasksLeased.type, "pool.tasks_wait"]


def test_what_running_programs_have_is_learnt_from_them() -> None:
    fleet = Fleet(POOLS)
    use = MemoryUse({})
    assert use.each_program("tool") == 0
    use.hold({"tool": [40.0, 90.0]})
    assert use.each_program("tool") == 90.0
    assert use.expected(fleet.state.pools)["tool"].each_mb == 90.0
    use.hold({})
    assert use.each_program("tool") == 0


KEPT = {"kept": {"kind": "session", "session": {"argv": ["true"]}, "min": 3, "max": 3}}


def test_programs_that_are_kept_count_while_they_wait_and_need_nothing_more_for_the_next_task() -> None:
    fleet = Fleet(POOLS | KEPT)
    first, second, third = (agent.spec.id for agent in fleet.state.agents_in("kept"))
    fleet.program_room = ProgramRoom(250.0, {first: 100.0, second: 100.0}, {"kept": 100.0, "tool": 60.0})
    submit(fleet, 1)
    assert begin(fleet) == 0, "two programs wait with 100 MB each: 50 MB are left"
    assert fleet.state.pools["tool"].tasks_wait == "waits for memory: needs 60 MB, 50 MB free"
    submit(fleet, 1, "kept")
    assert begin(fleet) == 0, "it might be given to the agent that has no program yet"
    assert fleet.state.pools["kept"].tasks_wait == "waits for memory: needs 100 MB, 50 MB free"
    idle = next(agent for agent in fleet.state.agents_in("kept") if agent.spec.id == third)
    assert "the next task waits for memory: needs 100 MB, 50 MB free" in [line.text for line in explain_agent(fleet.state, idle, fleet.now, Seen(None, 0.0, 1.0, ())).evidence]
    fleet.program_room = ProgramRoom(250.0, {first: 100.0, second: 100.0, third: 50.0}, {"kept": 100.0})
    assert begin(fleet) == 0, "the smallest may still grow by 50 MB, and nothing is left"
    fleet.program_room = ProgramRoom(200.0, dict.fromkeys((first, second), 100.0) | {third: 0.5}, {"kept": 0.4})
    assert begin(fleet) == 1


def test_the_most_that_a_kept_program_had_is_learnt_at_its_end() -> None:
    use = MemoryUse({})
    for held in (40.0, 90.0, 30.0):
        use.follow({"agt_1": ("kept", held)})
        assert use.each_program("kept") == 0
    use.follow({})
    assert use.each_program("kept") == 90.0
