"""Tasks that move from the booster's pool to regular agents: counted nowhere, lost nowhere, placed once."""

from __future__ import annotations

import pytest
from engine.config import load_config
from engine.model import events as ev
from engine.model import reports as r
from engine.model.errors import ConfigError
from engine.model.fleet_commands import HaltFleet
from engine.model.pool_commands import ScalePool
from engine.model.task_commands import CancelTask, PrioritiseTask
from engine.model.task_events import LateResult, TasksRerouted
from engine.model.tasks import HANDED_ON, HELD, Task, TaskState
from engine.scheduling.handing import fallback_pool
from engine.scheduling.task_queue import TaskQueue
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.examples import examples
from tests.unit.core_fleet import CODER, Fleet

FAILED = {"failure": "trap", "reproducer": "/state/case.json"}


def make_fleet(**booster: object) -> Fleet:
    return Fleet(CODER, booster={"poolSize": 3, **booster})


def hand_on(fleet: Fleet, task: str, **result: object) -> list[ev.Event]:
    return fleet.end(task, ok=False, error_kind=HANDED_ON, error="not known to be Python", result=result)


@pytest.mark.row(176)
def test_a_task_that_is_handed_on_waits_at_once_and_no_attempt_is_counted() -> None:
    fleet = make_fleet()
    task = fleet.run(kind="code.outline", pool="booster", max_attempts=1)
    instance = fleet.task(task).agent_name
    [event] = hand_on(fleet, task)
    assert isinstance(event, TasksRerouted)
    found = fleet.task(task)
    assert (found.state, found.spec.pool, found.tries, found.retries, found.not_before) == (TaskState.PENDING, "coder", 0, 0, 0.0)
    assert fleet.agent(instance).status == "idle", "the instance is free for the next"
    assert fleet.agent(instance).failed == 0, "and is not to blame"
    assert fleet.place()[task].startswith("coder-")
    fleet.begin(task)
    fleet.end(task)
    assert fleet.state.totals.rerouted == 1
    assert (fleet.state.pools["booster"].succeeded, fleet.state.pools["coder"].succeeded) == (0, 1)


def test_what_failed_is_told_with_its_file() -> None:
    fleet = make_fleet()
    task = fleet.run(kind="code.outline", pool="booster")
    [event] = hand_on(fleet, task, **FAILED)
    assert isinstance(event, TasksRerouted)
    assert (event.tasks[0].failure, event.tasks[0].reproducer) == ("trap", "/state/case.json")


@pytest.mark.parametrize(("result", "kind"), [({}, "not_certain"), (FAILED, "trap")])
def test_with_nobody_to_hand_on_to_it_fails_and_says_why(result: dict[str, object], kind: str) -> None:
    for fleet, why in (
        (make_fleet(fallbackEnabled=False), "booster.fallbackEnabled is false"),
        (Fleet({"own": {"min": 1, "max": 1, "handler": "m:f"}}, booster={}), "no pool of regular agents can take it"),
    ):
        task = fleet.run(kind="code.outline", pool="booster", max_attempts=5)
        hand_on(fleet, task, **result)
        found = fleet.task(task)
        assert found.error is not None
        assert (found.state, found.error.kind) == (TaskState.FAILED, kind)
        assert why in found.error.message


def test_a_late_hand_on_changes_nothing() -> None:
    fleet = make_fleet()
    task = fleet.run(kind="code.outline", pool="booster")
    hand_on(fleet, task)
    [late] = fleet.end(task, ok=False, token=1, error_kind=HANDED_ON, error="again")
    assert isinstance(late, LateResult)
    assert fleet.state.totals.rerouted == 1


@pytest.mark.parametrize("why", ["cancel", "deadline", "halt"])
def test_what_is_being_stopped_is_not_handed_on(why: str) -> None:
    fleet = make_fleet()
    task = fleet.run(kind="code.outline", pool="booster", deadline_s=5)
    if why == "deadline":
        fleet.after(6)
    else:
        fleet.do(CancelTask(task) if why == "cancel" else HaltFleet("agents"))
    hand_on(fleet, task)
    expected = {"cancel": TaskState.CANCELLED, "deadline": TaskState.FAILED, "halt": TaskState.PENDING}[why]
    assert (fleet.task(task).state, fleet.task(task).spec.pool) == (expected, "booster")


@pytest.mark.row(175)
def test_a_worker_that_dies_hands_on_what_ran_and_keeps_what_had_not_begun() -> None:
    fleet = make_fleet()
    fleet.do(ScalePool("booster", "2"))
    fleet.up("hst_2")
    running = fleet.run(kind="code.outline", pool="booster")
    leased = fleet.submit("code.outline", "booster")
    fleet.place()
    hosts = {fleet.agent(fleet.task(task).agent_name).host for task in (running, leased)}
    for host in sorted(host for host in hosts if host):
        fleet.down(host)
    assert (fleet.task(running).spec.pool, fleet.task(running).deaths) == ("coder", 1)
    assert (fleet.task(leased).spec.pool, fleet.task(leased).deaths) == ("booster", 0)


def test_what_waits_for_a_booster_that_cannot_start_goes_to_regular_agents() -> None:
    fleet = Fleet(CODER, up=False, booster={"poolSize": 1})
    waiting = [fleet.submit("code.outline", "booster") for _ in range(3)]
    starting = tuple(fleet.state.agents_of["booster"])
    fleet.report(r.AgentsFailed(starting, "no such file"))
    assert {fleet.task(task).spec.pool for task in waiting} == {"coder"}
    assert fleet.state.agents[starting[0]].status == "failed"


def test_a_booster_that_is_configured_no_more_keeps_no_task() -> None:
    fleet = make_fleet()
    task = fleet.submit("code.outline", "booster")
    fleet.config = fleet.config.without_booster()
    from engine.coordinator.reports import decide_pools

    fleet.apply(decide_pools(fleet.state, fleet.config.pool_specs(), fleet.deciding))
    assert fleet.task(task).spec.pool == "coder"


def test_the_fallback_is_the_first_pool_of_regular_agents_or_the_one_that_is_named() -> None:
    pools = {"own": {"min": 0, "max": 1, "handler": "m:f"}, "one": {"min": 0, "max": 1}, "two": {"min": 0, "max": 1}}
    assert fallback_pool(*_state_and_config(Fleet(pools, booster={}))) == "one"
    assert fallback_pool(*_state_and_config(Fleet(pools, booster={"fallbackPool": "two"}))) == "two"
    assert fallback_pool(*_state_and_config(Fleet(pools, booster={"fallbackPool": "own"}))) == ""
    assert fallback_pool(*_state_and_config(Fleet(pools, booster={"fallbackEnabled": False}))) == ""


def _state_and_config(fleet: Fleet) -> tuple[object, object]:
    return fleet.state, fleet.config


@settings(max_examples=examples(60), deadline=None)
@given(st.lists(st.tuples(st.sampled_from(["place", "hand on", "prioritise", "submit", "cancel", "end"]), st.integers(0, 9)), max_size=40))
def test_the_queue_follows_tasks_that_move(moves: list[tuple[str, int]]) -> None:
    fleet = make_fleet()
    queue = TaskQueue(60.0)

    def follow() -> None:
        for task in fleet.state.tasks.values():
            queue.update(task, fleet.now)
        queue.check(fleet.state, fleet.now)

    for move, number in moves:
        tasks = list(fleet.state.tasks.values())
        if move == "submit" or not tasks:
            fleet.submit("code.outline", "booster", priority=number % 3 + 4)
        elif move == "place":
            pool = "booster" if number % 2 else "coder"
            taken = queue.next(pool, fleet.now)
            assert taken is None or taken.spec.pool == pool
            if taken is not None:
                queue.put_back(taken)
            fleet.place()
        else:
            change(fleet, tasks[number % len(tasks)], move, number)
        follow()


def change(fleet: Fleet, task: Task, move: str, number: int) -> None:
    """Do something to a task, where it can be done."""
    if move == "cancel":
        fleet.do(CancelTask(task.spec.id))
    elif task.state is TaskState.PENDING and move == "prioritise":
        fleet.do(PrioritiseTask(task.spec.id, number % 3 + 4))
    elif task.state in HELD and move == "hand on":
        hand_on(fleet, task.spec.id)
    elif task.state in HELD and move == "end":
        fleet.end(task.spec.id)


@pytest.mark.row(103)
@pytest.mark.parametrize(
    ("section", "text"),
    [
        ({"poolSize": 21}, "booster.poolSize: Input should be less than or equal to 20"),
        ({"memoryLimit": "lots"}, "'lots' is no amount of memory"),
        ({"poolsize": 3}, "did you mean 'pool_size'?"),
        ({"taskTimeout": "soon"}, "write milliseconds"),
    ],
)
def test_a_wrong_section_is_refused(section: dict[str, object], text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Fleet(CODER, booster=section)
    assert text in str(caught.value)


def test_the_variables_of_the_build_are_no_configuration() -> None:
    config = load_config(None, {"FLEET_BOOSTER": "skip", "FLEET_BOOSTER_SOURCES": "/wheels", "FLEET_BOOSTER__POOL_SIZE": "3"})
    assert config.booster.pool_size == 3


@pytest.mark.row(103, 166)
def test_the_section_takes_the_seeds_keys() -> None:
    seeds = {"enabled": True, "poolSize": 10, "memoryLimit": 512, "taskTimeout": 30_000, "fallbackEnabled": True, "performanceTracking": True, "recoveryEnabled": True}
    fleet = Fleet(CODER, booster=seeds)
    section, pool = fleet.config.booster, fleet.state.pools["booster"].spec
    assert (section.pool_size, section.memory_limit, section.task_timeout_s) == (10, 512, 30.0)
    assert (pool.kind, pool.min, pool.max) == ("booster", 1, 10)
    assert [policy.pool for policy in fleet.config.policies()] == ["booster"]
    assert fleet.config.notices() == []
    assert Fleet(CODER, booster={"fallbackPool": "nobody"}).config.notices() == [
        "booster.fallback_pool: there is no pool 'nobody' of kind python without a handler; what the booster hands on fails"
    ]
    with pytest.raises(ConfigError, match=r"the booster's pool is set in \[booster\]"):
        Fleet({**CODER, "booster": {"min": 1, "max": 1}}, booster={})
