"""The tables: counters that follow, what is forgotten and who remembers it, and check(), which finds contradictions."""

from __future__ import annotations

import copy
from collections.abc import Callable

import pytest
from engine.model import events as ev
from engine.model.agents import HISTORY_TYPES_MAX, Agent, AgentSpec, AgentStatus
from engine.model.ids import AgentId, PlanId, TaskId
from engine.model.plans import AppliedPlan
from engine.model.pool_events import PoolConfigured
from engine.model.pools import PoolSpec
from engine.model.task_commands import CancelTask, RetryTask
from engine.model.task_events import TasksCancelled, TasksSubmitted, TasksSucceeded
from engine.model.tasks import HISTORY_MAX, Outcome, Task, TaskSpec
from engine.state import FleetState, Touched
from engine.state.tables import PLANS_MAX
from tests.unit.core_fleet import Fleet


def test_records_come_without_gaps() -> None:
    with pytest.raises(AssertionError, match="gap: 0 then 2"):
        FleetState().apply(ev.Record(2, 0.0, "", ev.EngineTookOver("e", "1", 1)))


@pytest.mark.row(55, 203)
def test_counts_follow() -> None:
    fleet = Fleet({"coder": {"min": 2, "max": 9}, "ui": {"min": 1, "max": 4}})
    done, failed = fleet.run(), fleet.run()
    fleet.end(done)
    fleet.end(failed, ok=False, retryable=False)
    fleet.submit(pool="ui")
    totals, pool = fleet.state.totals, fleet.state.pools["coder"]
    assert (totals.submitted, totals.succeeded, totals.failed, totals.agents_peak) == (3, 1, 1, 3)
    assert {key: n for key, n in totals.by_state.items() if n} == {"succeeded": 1, "failed": 1, "pending": 1}
    assert {key: n for key, n in pool.by_status.items() if n} == {"idle": 2}
    assert (pool.succeeded, pool.failed) == (1, 1)


def test_tasks_that_wait_for_others_are_counted_apart() -> None:
    fleet = Fleet({"coder": {"min": 2, "max": 9}})
    first, second = fleet.run(), fleet.run()
    both, one = fleet.submit(depends_on=(first, second)), fleet.submit(depends_on=(second,))
    free = fleet.submit()
    pool = fleet.state.pools["coder"]
    assert (pool.by_state["pending"], pool.blocked) == (3, 2)
    fleet.end(first)
    assert (fleet.task(both).waiting_on, pool.blocked) == (1, 2)
    fleet.end(second)
    assert (fleet.task(both).waiting_on, fleet.task(one).waiting_on, pool.blocked) == (0, 0, 0)
    assert fleet.task(free).waiting_on == 0
    fleet.state.check()


def test_oldest_finished_task_is_forgotten_with_its_key() -> None:
    fleet = Fleet()
    fleet.state.finished_max = 1
    first, second = fleet.run(idempotency_key="k"), fleet.run()
    fleet.end(first)
    fleet.state.touched = Touched()
    fleet.end(second)
    assert first not in fleet.state.tasks
    assert "k" not in fleet.state.keys


def test_finished_task_is_kept_until_all_that_depend_on_it_have_succeeded() -> None:
    fleet = Fleet({"coder": {"min": 1, "max": 1}})
    fleet.state.finished_max = 1
    first = fleet.run(idempotency_key="k")
    third = fleet.submit(depends_on=(first,))
    fourth = fleet.submit(depends_on=(third, first))
    fleet.end(first, result={"n": 1})
    for _ in range(3):
        fleet.end(fleet.run(priority=10))
    assert (list(fleet.state.needed), fleet.state.keys) == ([first], {"k": first})
    assert set(fleet.place()) == {third}
    fleet.begin(third)
    fleet.end(third)
    assert (list(fleet.state.needed), fleet.task(first).result) == ([first], {"n": 1})
    assert set(fleet.place()) == {fourth}
    fleet.end(fourth)
    assert set(fleet.state.tasks) == {fourth}
    assert fleet.state.dependents == {}


def test_long_chain_that_fell_is_forgotten_link_by_link() -> None:
    fleet = Fleet()
    fleet.state.finished_max = 0
    first = fleet.submit()
    second = fleet.submit(depends_on=(first,))
    third = fleet.submit(depends_on=(second,))
    fleet.do(CancelTask(second))
    assert (list(fleet.state.tasks), fleet.state.totals.cancelled) == ([first], 2)
    fleet.do(CancelTask(first))
    assert (fleet.state.tasks, third in fleet.state.touched.forgotten_tasks) == ({}, False)


def test_long_chain_is_forgotten_without_recursion() -> None:
    state = FleetState(finished_max=0)
    ids = [TaskId(f"tsk_{number:05d}") for number in range(3_000)]
    specs = [TaskSpec(id_, "noop", "coder", {}, depends_on=(before,) if before else ()) for before, id_ in zip([None, *ids], ids, strict=False)]
    for seq, event in enumerate(
        [PoolConfigured(PoolSpec("coder", 0, 1), 0), TasksSubmitted(tuple(specs)), TasksCancelled(tuple(ids), "by ada")], 1
    ):
        state.apply(ev.Record(seq, 0.0, "", event))
    state.check()
    assert state.tasks == {}


def test_forgotten_task_is_handed_on_as_it_ended() -> None:
    fleet = Fleet()
    fleet.state.finished_max = 0
    task = fleet.run()
    before = fleet.state.seq
    outcome = Outcome(task, 1, ok=True)
    fleet.state.apply(ev.Record(before + 1, fleet.now, "", TasksSucceeded((outcome,))))
    assert fleet.state.touched.forgotten_tasks[task].state == "succeeded"


def test_waiting_task_waits_again_on_one_that_is_replayed() -> None:
    fleet = Fleet({"coder": {"min": 1, "max": 1}})
    first, blocker = fleet.run(), fleet.submit(priority=10)
    anyway = fleet.submit(depends_on=(first,), run_after_failure=True)
    fleet.end(first, ok=False, retryable=False)
    assert fleet.task(anyway).waiting_on == 0
    fleet.do(RetryTask(first))
    assert (fleet.task(anyway).waiting_on, fleet.state.waiting_for(first)) == (1, [fleet.task(anyway)])
    fleet.do(CancelTask(first), CancelTask(blocker))
    assert set(fleet.place()) == {anyway}
    fleet.do(RetryTask(first))
    assert fleet.task(anyway).waiting_on == 0, "it is with an agent"
    fleet.end(anyway, ok=False)
    assert fleet.task(anyway).waiting_on == 1


def test_oldest_plan_is_forgotten_and_followers_hear_of_it() -> None:
    state = FleetState()
    for n in range(PLANS_MAX + 1):
        plan = AppliedPlan(PlanId(f"pln_{n}"), 0.0, "ada", "cli", "", "", (), (), 0.0)
        state.apply(ev.Record(n + 1, 0.0, "", ev.PlanApplied(plan)))
    assert len(state.plans) == PLANS_MAX
    assert PlanId("pln_0") not in state.plans
    assert PlanId("pln_0") in state.touched.plans


def test_history_of_a_task_keeps_its_first_step_and_the_newest() -> None:
    task = Task(TaskSpec(TaskId("t"), "noop", "coder", {}))
    for n in range(HISTORY_MAX + 5):
        task.note(float(n), f"step {n}")
    assert len(task.history) == HISTORY_MAX
    assert (task.history[0][1], task.history[1][1], task.history[-1][1]) == ("step 0", "step 6", "step 36")


def test_agent_remembers_its_most_used_types() -> None:
    agent = Agent(AgentSpec(AgentId("a"), "a", "coder"))
    for n in range(HISTORY_TYPES_MAX + 1):
        for _ in range(2 if n else 1):
            agent.note_finished(f"type-{n}", 1.0, ok=True)
    assert len(agent.by_type) == HISTORY_TYPES_MAX
    assert "type-0" not in agent.by_type


def test_mean_task_time_is_smoothed() -> None:
    agent = Agent(AgentSpec(AgentId("a"), "a", "coder"))
    agent.note_finished("noop", 10.0, ok=True)
    agent.note_finished("noop", 5.0, ok=False)
    assert (agent.mean_task_s, agent.busy_s, agent.succeeded, agent.failed) == (9.0, 15.0, 1, 1)


def _miscount(state: FleetState) -> None:
    state.pools["coder"].agents += 1


def _lose_an_agent(state: FleetState) -> None:
    next(task for task in state.tasks.values() if task.agent).agent = None


def _swap_a_task(state: FleetState) -> None:
    next(agent for agent in state.agents.values() if agent.task).task = None


def _work_on_nothing(state: FleetState) -> None:
    next(agent for agent in state.agents.values() if agent.status == "idle").status = AgentStatus.BUSY


def _wait_in_vain(state: FleetState) -> None:
    next(task for task in state.tasks.values() if task.state == "pending").waiting_on = 1


def _forget_the_queue(state: FleetState) -> None:
    state.pending_of.clear()


@pytest.mark.parametrize(
    "spoil", [_miscount, _lose_an_agent, _swap_a_task, _work_on_nothing, _wait_in_vain, _forget_the_queue]
)
def test_check_finds_contradictions(spoil: Callable[[FleetState], None]) -> None:
    fleet = Fleet()
    fleet.run()
    fleet.submit()
    state = copy.deepcopy(fleet.state)
    state.check()
    spoil(state)
    with pytest.raises(AssertionError):
        state.check()


def test_touched_of_two_batches_merge() -> None:
    agent = Agent(AgentSpec(AgentId("a"), "a", "coder"))
    one, two = Touched(agents={AgentId("a"): None}), Touched(removed_agents=[agent], pools={"coder": None})
    one.merge(two)
    assert (dict(one.agents), one.removed_agents, dict(one.pools)) == ({}, [agent], {"coder": None})
