"""What becomes of leased tasks: fencing, retries, back-off, poison, dead letters, cascades, lost agents."""

from __future__ import annotations

import pytest
from engine.model import reports as r
from engine.model.agent_commands import UnregisterAgent
from engine.model.task_commands import CancelTask, RetryTask
from engine.model.tasks import Outcome, TaskError
from engine.scheduling.leases import back_off_s
from tests.unit.core_fleet import Fleet


def test_success_frees_the_agent_and_counts() -> None:
    fleet = Fleet()
    task = fleet.run()
    name = fleet.task(task).agent_name
    fleet.now += 2
    fleet.end(task, result={"n": 1}, started_at=1_000.0, ended_at=1_002.0)
    assert fleet.task(task).state == "succeeded"
    assert fleet.task(task).result == {"n": 1}
    agent = fleet.agent(name)
    assert (agent.status, agent.succeeded, agent.busy_s, agent.by_type) == ("idle", 1, 2.0, {"noop": (1, 1)})
    assert fleet.state.pools["coder"].succeeded == 1


@pytest.mark.row(24)
def test_late_result_is_recorded_and_never_applied() -> None:
    fleet = Fleet()
    task = fleet.run()
    fleet.down()
    fleet.up("hst_2")
    assert task in fleet.place()
    fleet.end(task, token=1, result={"old": True})
    assert fleet.events[-1].type == "task.late"
    assert fleet.task(task).state == "leased"
    assert fleet.task(task).result == {}
    assert fleet.state.totals.late == 1
    fleet.end(task, token=2)
    assert fleet.task(task).state == "succeeded"


def test_two_outcomes_of_one_attempt_apply_once() -> None:
    fleet = Fleet()
    task = fleet.run()
    twice = (Outcome(task, 1, ok=True), Outcome(task, 1, ok=True))
    fleet.report(r.TasksEnded(twice))
    assert fleet.state.totals.succeeded == 1
    assert fleet.state.totals.late == 1
    fleet.report(r.TasksEnded((Outcome(task, 1, ok=False), )))
    assert fleet.task(task).state == "succeeded"


def test_began_of_an_old_lease_is_left_out() -> None:
    fleet = Fleet()
    task = fleet.run()
    assert fleet.report(r.TasksBegan(((task, 1, 5.0),))) == []
    assert fleet.report(r.TasksBegan(((task, 9, 5.0),))) == []


def test_failure_is_retried_after_a_back_off_and_then_dead() -> None:
    fleet = Fleet()
    task = fleet.run(max_attempts=2, backoff_s=10)
    fleet.end(task, ok=False)
    assert fleet.task(task).state == "pending"
    assert 8 <= fleet.task(task).not_before - fleet.now <= 12
    assert fleet.place() == {}
    fleet.after(12)
    assert task in fleet.place()
    fleet.end(task, ok=False)
    assert fleet.task(task).state == "dead"
    assert fleet.task(task).error is not None
    assert fleet.task(task).error.message == "it broke"


def test_failure_that_cannot_be_retried_fails_at_once() -> None:
    fleet = Fleet()
    task = fleet.run()
    fleet.end(task, ok=False, retryable=False)
    assert fleet.task(task).state == "failed"


@pytest.mark.parametrize(("tried", "low", "high"), [(1, 0.8, 1.2), (2, 1.6, 2.4), (3, 3.2, 4.8), (99, 48, 72)])
def test_back_off_doubles_and_is_bounded(tried: int, low: float, high: float) -> None:
    fleet = Fleet()
    waits = [back_off_s(1.0, tried, fleet.deciding) for _ in range(200)]
    assert low <= min(waits) < max(waits) <= high


@pytest.mark.row(24)
def test_task_of_a_lost_host_runs_again_at_once_elsewhere() -> None:
    fleet = Fleet()
    task = fleet.run()
    fleet.down()
    assert (fleet.task(task).state, fleet.task(task).deaths, fleet.task(task).not_before) == ("pending", 1, fleet.now)
    fleet.up("hst_2")
    assert task in fleet.place()


def test_host_lost_before_the_task_began_is_no_death() -> None:
    fleet = Fleet()
    task = fleet.submit()
    fleet.place()
    fleet.down()
    assert (fleet.task(task).state, fleet.task(task).deaths) == ("pending", 0)


def test_poison_after_three_deaths() -> None:
    fleet = Fleet()
    task = fleet.submit()
    for host in ("hst_1", "hst_2", "hst_3"):
        assert task in fleet.place()
        fleet.begin(task)
        fleet.down(host)
        fleet.up(f"hst_{int(host[-1]) + 1}")
    assert fleet.task(task).state == "dead"
    assert fleet.task(task).error is not None
    assert fleet.task(task).error.kind == "poison"
    assert fleet.task(task).error.message == "3 agents died while running it; the last: kill -9"
    assert (fleet.task(task).deaths, fleet.state.pools["coder"].deaths) == (3, 3)


def test_losses_do_not_use_up_attempts() -> None:
    fleet = Fleet()
    task = fleet.submit(max_attempts=1)
    for number in range(1, 6):
        assert task in fleet.place()
        if number % 2:
            fleet.begin(task)
            fleet.report(r.EngineStarted(f"eng_{number}", "1", number))
        else:
            fleet.down(f"hst_{number}")  # before it began
        fleet.up(f"hst_{number + 1}")
    assert (fleet.task(task).state, fleet.task(task).tries, fleet.task(task).deaths) == ("pending", 0, 0)
    assert task in fleet.place()
    fleet.begin(task)
    fleet.down("hst_6")
    fleet.up("hst_7")
    assert (fleet.task(task).state, fleet.task(task).tries, fleet.task(task).deaths) == ("pending", 0, 1)
    assert task in fleet.place()
    fleet.end(task, ok=False)
    assert (fleet.task(task).state, fleet.task(task).tries, fleet.task(task).deaths) == ("dead", 1, 1)
    assert fleet.task(task).error == TaskError("bug", "it broke")


def test_agent_that_says_it_was_lost_counts_as_a_death_and_not_as_an_attempt() -> None:
    fleet = Fleet()
    task = fleet.submit(max_attempts=1)
    for deaths in (1, 2):
        assert task in fleet.place()
        fleet.begin(task)
        fleet.end(task, ok=False, error_kind="agent_lost", error="spawner lost")
        assert (fleet.task(task).state, fleet.task(task).deaths, fleet.task(task).not_before) == ("pending", deaths, fleet.now)
    assert task in fleet.place()
    fleet.end(task, ok=False, error_kind="agent_lost", error="spawner lost")
    assert fleet.task(task).state == "dead"
    assert [agent.failed for agent in fleet.state.agents.values()] == [0, 0]


def test_replay_gives_back_the_deaths_too() -> None:
    fleet = Fleet(tasks={"poison_deaths": 1})
    task = fleet.run()
    fleet.down()
    assert fleet.task(task).error == TaskError("poison", "1 agent died while running it; the last: kill -9")
    fleet.do(RetryTask(task))
    assert (fleet.task(task).deaths, fleet.task(task).tries) == (0, 0)


@pytest.mark.parametrize(
    ("stopping", "state", "kind"),
    [("cancel", "cancelled", "cancelled"), ("deadline", "failed", "deadline"), ("timeout", "pending", "timeout")],
)
def test_lost_while_being_stopped_ends_as_it_was_meant(stopping: str, state: str, kind: str) -> None:
    fleet = Fleet()
    task = fleet.run(deadline_s=50, timeout_s=20)
    if stopping == "cancel":
        fleet.do(CancelTask(task))
    else:
        fleet.after(60 if stopping == "deadline" else 21)
        fleet.task(task).stopping = stopping
    fleet.down()
    assert fleet.task(task).state == state
    assert fleet.task(task).error is not None
    assert fleet.task(task).error.kind == kind


def test_cancel_of_a_running_task_waits_for_its_process() -> None:
    fleet = Fleet()
    task = fleet.run()
    assert fleet.do(CancelTask(task)) == ["stopping"]
    assert fleet.task(task).stopping == "cancel"
    fleet.end(task, ok=False, error_kind="stopped")
    assert fleet.task(task).state == "cancelled"


def test_result_that_arrives_while_it_is_cancelled_counts() -> None:
    fleet = Fleet()
    task = fleet.run()
    fleet.do(CancelTask(task))
    fleet.end(task)
    assert fleet.task(task).state == "succeeded"


def test_stopped_by_itself_is_tried_again() -> None:
    fleet = Fleet()
    task = fleet.run()
    fleet.end(task, ok=False, error_kind="stopped", error="")
    assert fleet.task(task).state == "pending"
    assert fleet.task(task).error is not None
    assert fleet.task(task).error.message == "the engine stopped it"


def test_failure_dooms_a_diamond_once_and_spares_those_that_run_anyway() -> None:
    fleet = Fleet()
    top = fleet.run()
    left, right = fleet.submit(depends_on=(top,)), fleet.submit(depends_on=(top,))
    bottom = fleet.submit(depends_on=(left, right))
    anyway = fleet.submit(depends_on=(top,), run_after_failure=True)
    fleet.end(top, ok=False, retryable=False)
    assert fleet.states() == ["failed", "cancelled", "cancelled", "cancelled", "pending"]
    assert fleet.task(bottom).error is not None
    assert fleet.task(bottom).error.message == f"needs {top}, which failed"
    assert fleet.task(anyway).waiting_on == 0
    assert fleet.state.totals.cancelled == 3


def test_two_bad_ends_at_once_doom_a_common_dependent_once() -> None:
    fleet = Fleet()
    one, two = fleet.run(), fleet.run()
    both = fleet.submit(depends_on=(one, two))
    bad = [Outcome(task, 1, ok=False, error_kind="bug", retryable=False) for task in (one, two)]
    fleet.report(r.TasksEnded(tuple(bad)))
    assert fleet.task(both).state == "cancelled"
    assert fleet.state.totals.cancelled == 1


def test_dependent_runs_when_all_its_dependencies_succeeded() -> None:
    fleet = Fleet()
    one, two = fleet.run(), fleet.run()
    both = fleet.submit(depends_on=(one, two, one))
    assert fleet.task(both).waiting_on == 2
    fleet.end(one)
    assert fleet.place() == {}
    fleet.end(two)
    assert both in fleet.place()


def test_new_engine_hands_back_what_was_held_without_blaming_the_agent() -> None:
    fleet = Fleet()
    task, doomed = fleet.run(), fleet.run()
    child = fleet.submit(depends_on=(doomed,))
    fleet.do(CancelTask(doomed))
    fleet.now += 36_000
    fleet.report(r.EngineStarted("eng_2", "1", 2))
    assert fleet.states() == ["pending", "cancelled", "cancelled"]
    assert fleet.task(child).error is not None
    assert [agent.failed for agent in fleet.state.agents.values()] == [0, 0]
    assert fleet.state.pools["coder"].busy_s == 0.0
    assert {agent.status for agent in fleet.state.agents.values()} == {"starting"}
    assert fleet.state.hosts == {}
    fleet.up("hst_2")
    assert task in fleet.place()


def test_tasks_that_outlived_their_engine_keep_their_lease_and_agent() -> None:
    fleet = Fleet()
    kept, lost = fleet.run(max_attempts=1), fleet.submit()
    fleet.place()
    agent = fleet.agent(fleet.task(kept).agent_name)
    fleet.report(r.EngineStarted("eng_2", "1", 2, ((kept, 1), (lost, 7))))
    assert [fleet.task(task).state for task in (kept, lost)] == ["running", "pending"]
    assert (agent.status, agent.task, agent.host) == ("starting", kept, None)
    fleet.up("hst_2")
    assert (agent.status, agent.host) == ("busy", "hst_2")
    fleet.end(kept, token=1)
    assert (fleet.task(kept).state, fleet.task(kept).attempt, agent.status) == ("succeeded", 1, "idle")
    assert "adopted" in [what for _, what, _ in fleet.task(kept).history]


@pytest.mark.parametrize("then", ["up", "end"])
def test_leaving_agent_of_an_adopted_task_leaves_when_that_has_ended(then: str) -> None:
    fleet = Fleet()
    kept = fleet.run()
    agent = fleet.agent(fleet.task(kept).agent_name)
    fleet.do(UnregisterAgent(agent.spec.id))
    fleet.report(r.EngineStarted("eng_2", "1", 2, ((kept, 1),)))
    assert agent.status == "starting"
    if then == "up":
        fleet.up("hst_2")
        assert agent.status == "draining"
    fleet.end(kept, token=1)
    assert agent.spec.id not in fleet.state.agents


def test_adopted_task_that_ends_before_its_agent_is_up() -> None:
    fleet = Fleet()
    kept = fleet.run()
    agent = fleet.agent(fleet.task(kept).agent_name)
    fleet.report(r.EngineStarted("eng_2", "1", 2, ((kept, 1),)))
    fleet.end(kept, token=1)
    assert (agent.status, agent.task) == ("starting", None)
    fleet.up("hst_2")
    assert agent.status == "idle"


def test_attempt_that_ended_for_want_of_an_engine_is_tried_again_at_no_cost() -> None:
    fleet = Fleet()
    task = fleet.run(max_attempts=1)
    fleet.end(task, ok=False, error_kind="engine_restart", error="no engine came back in time, so that it was stopped")
    assert (fleet.task(task).state, fleet.task(task).tries, fleet.task(task).deaths) == ("pending", 0, 0)
