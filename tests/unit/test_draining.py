"""Agents that leave: how long a busy one may take, what becomes of its task then, and that it stays when it is wanted again."""

from __future__ import annotations

import pytest
from engine.gate.plans import describe
from engine.gate.why_agents import Seen, explain_agent
from engine.model import reports as r
from engine.model.agent_commands import AllocateAgent, UnregisterAgent
from engine.model.ids import TaskId
from engine.model.pool_commands import ScalePool
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.examples import examples
from tests.unit.core_fleet import Fleet


def busy_fleet(deadline_s: float = 30.0, *, tasks: int = 2) -> tuple[Fleet, list[TaskId]]:
    fleet = Fleet({"coder": {"min": 0, "max": 9, "drain_deadline_s": deadline_s}})
    fleet.do(ScalePool("coder", str(tasks)))
    fleet.up()
    return fleet, [fleet.run() for _ in range(tasks)]


def test_a_busy_agent_that_leaves_hands_its_task_back_at_the_deadline() -> None:
    fleet, [first, second] = busy_fleet()
    fleet.do(ScalePool("coder", "0"))
    leaving = [agent for agent in fleet.state.agents.values() if agent.retiring]
    assert [agent.leaves_by for agent in leaving] == [fleet.now + 30] * 2
    assert leaving[0].reason == "coder scaled to 0 by ada; what it holds is handed back after 30 s"
    assert fleet.after(29) == []
    fleet.end(first)  # in time: nothing is taken from it
    assert fleet.task(first).state == "succeeded"
    fleet.after(1)
    assert fleet.task(second).stopping == "drain deadline"
    fleet.end(second, ok=False, error_kind="stopped", error="told to")
    task = fleet.task(second)
    assert (task.state, task.tries, task.deaths, task.error and task.error.kind) == ("pending", 0, 0, "drained")
    assert fleet.state.agents == {}
    assert fleet.state.pools["coder"].failed == 0


def test_stopping_at_the_deadline_that_takes_the_host_down_is_no_death() -> None:
    fleet, [task] = busy_fleet(tasks=1)
    fleet.do(ScalePool("coder", "0"))
    fleet.after(30)
    fleet.down()
    assert (fleet.task(task).state, fleet.task(task).tries, fleet.task(task).deaths) == ("pending", 0, 0)


def test_without_a_deadline_it_takes_as_long_as_it_takes() -> None:
    fleet, [task] = busy_fleet(0, tasks=1)
    fleet.do(ScalePool("coder", "0"))
    assert fleet.after(3_000) == []
    assert fleet.task(task).stopping == ""


def test_a_reservation_ends_at_the_deadline() -> None:
    fleet = Fleet({"coder": {"min": 0, "max": 9, "drain_deadline_s": 30}})
    fleet.do(ScalePool("coder", "1"))
    fleet.up()
    fleet.do(AllocateAgent("job", "coder"))
    fleet.do(ScalePool("coder", "0"))
    fleet.after(30)
    assert fleet.state.allocations == {}
    assert fleet.state.agents == {}
    assert fleet.types()[-2:] == ["agent.released", "agent.removed"]


@pytest.mark.parametrize("end", ["stays", "late"])
def test_a_leaving_agent_that_is_wanted_again_stays_in_place_of_a_new_one(end: str) -> None:
    fleet, tasks = busy_fleet()
    fleet.do(ScalePool("coder", "0"))
    [step] = describe(fleet.state, [ScalePool("coder", "3")], fleet.deciding)
    assert step.effect == "2 that were leaving stay, starts 1 agent"
    fleet.after(5 if end == "stays" else 31)
    before = set(fleet.state.agents)
    fleet.do(ScalePool("coder", "3"))
    assert len(set(fleet.state.agents) - before) == 1
    assert {(fleet.state.agents[id_].retiring, fleet.state.agents[id_].status.value) for id_ in before} == {(False, "busy")}
    if end == "stays":
        assert fleet.after(60) == []
    else:  # it was being stopped already: the task waits again, the agent is free
        fleet.end(tasks[0], ok=False, error_kind="stopped")
        assert fleet.task(tasks[0]).state == "pending"
    assert len(fleet.state.agents) == 3


def test_one_that_an_operator_unregistered_does_not_come_back() -> None:
    fleet, [task] = busy_fleet(tasks=1)
    name = fleet.task(task).agent_name
    fleet.do(UnregisterAgent(name))
    fleet.do(ScalePool("coder", "1"))
    assert fleet.agent(name).retiring
    assert len(fleet.state.agents) == 2


def test_a_revived_agent_needs_no_room() -> None:
    fleet = Fleet({"coder": {"min": 0, "max": 9}}, fleet={"max_agents": 1, "default_pools": {"coder": {"min": 0, "max": 9}}})
    fleet.do(ScalePool("coder", "1"))
    fleet.up()
    fleet.run()
    fleet.do(ScalePool("coder", "0"))
    fleet.do(ScalePool("coder", "1"))
    assert [agent.retiring for agent in fleet.state.agents.values()] == [False]


def test_the_autoscaler_revives_too() -> None:
    fleet, [task] = busy_fleet(tasks=1)
    fleet.do(ScalePool("coder", "0"))
    fleet.report(r.PoolsSized((r.Sizing("coder", 0, 1, "load"),)))
    assert not fleet.agent(fleet.task(task).agent_name).retiring
    assert len(fleet.state.agents) == 1


def test_why_says_until_when() -> None:
    fleet, [task] = busy_fleet(tasks=1)
    agent = fleet.agent(fleet.task(task).agent_name)
    fleet.do(ScalePool("coder", "0"))
    seen = Seen(None, 0.0, 1.0, ())
    texts = [line.text for line in explain_agent(fleet.state, agent, fleet.now + 10, seen).evidence]
    assert "what it holds is handed back in 20 s unless it ends before" in texts
    fleet.after(31)
    texts = [line.text for line in explain_agent(fleet.state, agent, fleet.now, seen).evidence]
    assert "its drain deadline passed: what it holds is stopped and handed back" in texts


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 4), st.integers(0, 4)), min_size=1, max_size=12))
@settings(max_examples=examples(60), deadline=None)
def test_no_size_that_is_asked_for_ever_removes_an_agent_at_work(steps: list[tuple[int, int, int]]) -> None:
    """Sizes, submissions and ends in any order: whoever has a task is there until its task has ended, and every task ends well once."""
    fleet = Fleet({"coder": {"min": 0, "max": 9}})
    for size, submitted, ended in steps:
        working = {id_ for id_, agent in fleet.state.agents.items() if agent.task is not None}
        fleet.do(ScalePool("coder", str(size)))
        assert working <= fleet.state.agents.keys()
        fleet.up()
        for _ in range(submitted):
            fleet.submit()
        for task in fleet.place():
            fleet.begin(task)
        for task in [id_ for id_, task in fleet.state.tasks.items() if task.state == "running"][:ended]:
            fleet.end(task)
    fleet.do(ScalePool("coder", "9"))
    fleet.up()
    while any(state in ("pending", "running") for state in fleet.states()):
        for task in fleet.place():
            fleet.begin(task)
        for task in [id_ for id_, task in fleet.state.tasks.items() if task.state == "running"]:
            fleet.end(task)
    assert all((task.attempt, task.state) == (1, "succeeded") for task in fleet.state.tasks.values())
