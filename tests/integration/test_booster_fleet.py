"""The booster at work inside a fleet: real engines, real workers, the real module and deliberately bad ones."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import random
import signal
import stat
from pathlib import Path
from typing import Any

import pytest
from engine import FleetManager, FleetMonitor
from engine.agents import code
from engine.model.booster_commands import ClearBoosterCache
from engine.model.errors import CommandRefused
from engine.model.pool_commands import PausePool, ScalePool, UnpausePool
from engine.model.task_commands import CancelTask, SubmitTask
from engine.model.task_events import TaskFailed, TasksCancelled, TasksSucceeded
from engine.model.tasks import FINISHED, TaskState

from tests.integration.boosted import (
    ARGUMENTS,
    NOTHING_KEPT,
    SOURCE,
    TROUBLE,
    bad_module,
    boosted,
    without_maker,
)
from tests.integration.booster_agreement import STANDARD_LIBRARY


@pytest.mark.row(25, 38, 161, 165, 204, 298)
async def test_code_tasks_that_name_no_pool_are_done_by_the_booster(tmp_path: Path) -> None:
    async with boosted(tmp_path) as engine:
        for operation, arguments in ARGUMENTS.items():
            payload = {"source": SOURCE, **arguments}
            task = await engine.do(operation, payload)
            assert (task.state, task.spec.pool, task.attempt) == (TaskState.SUCCEEDED, "booster", 1)
            assert without_maker(engine.result_of(task)) == without_maker(code.run(operation, payload))
            assert task.spec.routed.startswith("high-performance: ")
        await engine.until(lambda: engine.fleet.feed.book.sums().calls == len(ARGUMENTS))
        row = await engine.row()
        assert (row["answered"], row["handed_on"], row["fallback"]) == (len(ARGUMENTS), 0, "coder")
        assert row["efficiency"] >= 0.9
        assert "code.rename (python" in row["operations"]
        assert engine.fleet.get_routing_stats().wasm_utilization is not None
        recorder = engine.fleet.history.recorder
        # A rate needs two samples.
        await engine.until(lambda: {("booster_utilisation", ""), ("booster_ops", "")} <= recorder.newest.keys())
        now = await FleetMonitor(fleet=engine.fleet).get_metrics("performance")
        assert 0.0 <= float(now["booster_utilisation"] or 0.0) <= 1.0
        assert now["booster_ops"] is not None


@pytest.mark.row(176)
async def test_what_the_booster_does_not_know_is_handed_on_and_nobody_notices(tmp_path: Path) -> None:
    async with boosted(tmp_path) as engine:
        task = await engine.do("code.rename", {"source": "a = 1\nprint(a, b)\n", "name": "a", "to": "b"}, max_attempts=1)
        assert (task.state, task.spec.pool, task.tries, task.retries) == (TaskState.SUCCEEDED, "coder", 1, 0)
        assert [what for _, what, _ in task.history if what != "started"] == ["submitted", "leased", "handed on", "leased", "succeeded"]
        broken = await engine.do("code.outline", {"source": "x =\n"})
        assert broken.error is not None
        assert (broken.state, broken.error.kind, broken.spec.pool) == (TaskState.FAILED, "syntax_error", "coder")
        checked = await engine.do("code.syntax_check", {"source": "if x:\n"})
        assert (checked.spec.pool, checked.result["ok"]) == ("coder", False)
        assert [what for _, what, _ in checked.history].count("handed on") == 1
        script = await engine.do("code.syntax_check", {"source": "let a = = 1", "language": "javascript"})
        assert (script.spec.pool, script.result["ok"]) == ("coder", False)
        assert script.spec.routed.startswith("regular: ")
        named = await engine.do("code.outline", {"source": SOURCE}, pool="coder")
        assert (named.spec.pool, named.spec.routed) == ("coder", "")
        assert engine.fleet.get_routing_stats().rerouted_tasks == 3


@pytest.mark.row(166, 168, 175, 176, 211)
async def test_an_instance_that_fails_is_replaced_and_a_regular_agent_does_the_task(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, logger="engine.gate.boosting"):
        async with boosted(tmp_path, bad_module(), {"poolSize": 1, "taskTimeout": 300, "memoryLimit": 64}) as engine:
            kinds = {}
            for operation, arguments in ARGUMENTS.items():
                payload = {"source": SOURCE, **arguments}
                task = await engine.do(operation, payload, max_attempts=1)
                assert (task.state, task.spec.pool) == (TaskState.SUCCEEDED, "coder"), task.error
                assert engine.result_of(task) == code.run(operation, payload)
                [told] = [detail for _, what, detail in task.history if what == "handed on"]
                kinds[operation] = told.removeprefix("to coder: ").partition(":")[0]
            assert kinds == {
                "code.outline": "trap",
                "code.metrics": "timed_out",
                "code.find_references": "out_of_memory",
                "code.rename": "stack_overflow",
                "code.remove_calls": "bad_answer",
            }
            await engine.until(lambda: engine.fleet.feed.book.sums().failures == len(ARGUMENTS))
            row = await engine.row()
            assert (row["failures"], row["instances"]) == (len(ARGUMENTS), 1)
            [instance] = await engine.operator.query("instances")  # type: ignore[misc]
            assert (instance["failures"], instance["restarts"]) == (5, 5)  # type: ignore[index]
            assert instance["memory_bytes"] < 2**20, "what it had taken has been given back"  # type: ignore[index]
    cases = sorted((tmp_path / "state" / "booster" / "failures").glob("*.json"))
    assert len(cases) == len(ARGUMENTS)
    for path in cases:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        case = json.loads(path.read_text("utf-8"))
        assert case["request"]["source"] == SOURCE
        assert kinds[case["operation"]] == case["failure"]
    logged = {record.reproducer for record in caplog.records if hasattr(record, "reproducer")}
    assert logged == {str(path) for path in cases}


async def test_without_a_fallback_the_task_fails_and_says_why(tmp_path: Path) -> None:
    async with boosted(tmp_path, bad_module(), {"fallbackEnabled": False}) as engine:
        task = await engine.do("code.outline", {"source": SOURCE})
        assert task.error is not None
        assert (task.state, task.error.kind) == (TaskState.FAILED, "trap")
        assert "booster.fallbackEnabled is false" in task.error.message
        unsure = await engine.do("code.add_docstrings", {"source": SOURCE}, pool="booster")
        assert unsure.error is not None
        assert unsure.error.kind == "not_certain"


async def test_an_operation_that_keeps_failing_is_left_to_regular_agents(tmp_path: Path) -> None:
    async with boosted(tmp_path, bad_module(), {"poolSize": 1, **NOTHING_KEPT}) as engine:
        for _ in range(5):
            await engine.do("code.outline", {"source": SOURCE})
        await engine.until(lambda: engine.fleet.feed.book.breakers(engine.fleet.clock.now()))
        task = await engine.do("code.outline", {"source": SOURCE})
        assert (task.spec.pool, task.attempt) == ("coder", 1)
        assert task.spec.routed == "fallback: code.outline on python failed too often in the booster and is left alone for a while"
        queued = await engine.do("code.outline", {"source": SOURCE}, pool="booster")
        assert "failed too often" in " ".join(detail for _, _, detail in queued.history)
        assert (await engine.row())["breakers"].startswith("code.outline python for ")
        other = await engine.do("code.remove_calls", {"source": SOURCE, "function": "print"})
        assert "bad_answer" in " ".join(detail for _, _, detail in other.history), "the others are asked"


@pytest.mark.row(168)
async def test_a_running_call_is_cancelled_at_once_and_its_instance_is_no_failure(tmp_path: Path) -> None:
    async with boosted(tmp_path, bad_module(), {"poolSize": 1}) as engine:
        task = await engine.submit("code.metrics", {"source": SOURCE})  # endless, for 30 s
        await engine.until(lambda: engine.tasks[task].state is TaskState.RUNNING)
        before = list(engine.fleet.coordinator.state.hosts)
        await engine.operator.execute([CancelTask(task)])
        [ended] = await engine.ended(task)
        assert ended.state is TaskState.CANCELLED
        assert list(engine.fleet.coordinator.state.hosts) == before, "no worker had to be killed for it"
        after = await engine.do("code.remove_calls", {"source": SOURCE, "function": "print"})
        assert after.state is TaskState.SUCCEEDED
        assert engine.fleet.feed.book.sums().failures <= 1, "that of remove_calls"


@pytest.mark.row(172, 174)
async def test_a_worker_that_is_killed_loses_nothing_and_does_nothing_twice(tmp_path: Path) -> None:
    chance = random.Random(7)
    files = chance.sample(sorted(STANDARD_LIBRARY.glob("[a-z]*.py")), 40)
    async with boosted(tmp_path, None, {"poolSize": 4, **NOTHING_KEPT}) as engine:
        ended: list[str] = []
        engine.fleet.on("task.succeeded", lambda record: ended.extend(outcome.task for outcome in record.event.outcomes))
        first = (await engine.do("code.outline", {"source": SOURCE})).spec.id
        commands = [SubmitTask("code.metrics", payload={"path": str(path)}) for path in files * 10]
        tasks = [str(task) for task in (await engine.operator.execute(commands)).values]
        for _ in range(3):
            await engine.until(lambda: any(host.info.kind == "booster" for host in engine.fleet.coordinator.state.hosts.values()))
            for host in list(engine.fleet.coordinator.state.hosts.values()):
                if host.info.kind == "booster":
                    os.kill(host.info.pid, signal.SIGKILL)
            count = len(ended)
            await engine.until(lambda count=count: len(ended) > count + 20 or len(ended) == len(tasks))
        found = await engine.ended(*tasks)
        assert {task.state for task in found} == {TaskState.SUCCEEDED}
        await engine.until(lambda: len(ended) > len(tasks))
        assert sorted(ended) == sorted([first, *tasks]), "each exactly once"
        totals: dict[str, object] = {}
        for task in found:
            path = str(task.spec.payload["path"])
            assert totals.setdefault(path, task.artifact or json.dumps(task.result)) == (task.artifact or json.dumps(task.result))


@pytest.mark.row(162)
async def test_the_pool_grows_with_the_queue_and_a_thousand_files_can_be_cancelled(tmp_path: Path) -> None:
    async with boosted(tmp_path, None, {"poolSize": 5, **NOTHING_KEPT}) as engine:
        await engine.operator.execute([PausePool("booster")])
        files = sorted(STANDARD_LIBRARY.rglob("*.py"))[:1_000]
        commands = [SubmitTask("code.outline", payload={"path": str(path)}) for path in files]
        tasks = [str(task) for task in (await engine.operator.execute(commands)).values]
        await engine.until(lambda: engine.fleet.coordinator.state.pools["booster"].size == 5)
        await engine.operator.execute([UnpausePool("booster")])
        await engine.until(lambda: engine.fleet.coordinator.state.totals.succeeded > 100)
        await engine.operator.execute([CancelTask(task) for task in tasks])
        found = await engine.ended(*tasks)
        states = {task.state for task in found}
        assert states <= {TaskState.SUCCEEDED, TaskState.CANCELLED, TaskState.FAILED}
        assert all(task.error is not None and task.error.kind == "syntax_error" for task in found if task.state is TaskState.FAILED)


@pytest.mark.row(171)
async def test_a_thousand_files_in_one_plan_are_done_by_all_instances(tmp_path: Path) -> None:
    async with boosted(tmp_path, None, {"poolSize": 4, **NOTHING_KEPT}, auto_scaling={"enabled": False}) as engine:
        await engine.operator.execute([ScalePool("booster", "4")])
        await engine.until(lambda: engine.fleet.coordinator.state.pools["booster"].by_status.get("idle", 0) == 4)
        files = sorted(STANDARD_LIBRARY.rglob("*.py"))[:1_000]
        assert len(files) == 1_000
        answer = await engine.operator.execute([SubmitTask("code.outline", payload={"path": str(path)}) for path in files])
        found = await engine.ended(*map(str, answer.values))
        assert all(task.state is TaskState.SUCCEEDED or (task.error is not None and task.error.kind == "syntax_error") for task in found)
        await engine.until(lambda: engine.fleet.feed.book.sums().calls == 1_000)
        rows = await engine.operator.query("instances")
        assert len([row for row in rows if row["calls"] > 0]) == 4, "each instance took its share"  # type: ignore[attr-defined]


@pytest.mark.row(165)
async def test_the_same_question_is_answered_from_the_cache_until_it_is_cleared(tmp_path: Path) -> None:
    async with boosted(tmp_path, None, {"poolSize": 1}) as engine:
        path = tmp_path / "file.py"
        path.write_text(SOURCE)
        answers = [await engine.do("code.metrics", {"path": str(path)}) for _ in range(3)]
        assert answers[0].result == answers[2].result
        book = engine.fleet.feed.book
        await engine.until(lambda: (book.sums().cache_hits, book.sums().cache_misses, book.sums().calls) == (2, 1, 1))
        path.write_text(SOURCE + "\n\ndef more():\n    pass\n")
        changed = await engine.do("code.metrics", {"path": str(path)})
        assert changed.result != answers[0].result, "it is the bytes that count"
        await engine.operator.execute([ClearBoosterCache()])
        await engine.until(lambda: book.living()[0].cache_bytes == 0)
        await engine.do("code.metrics", {"path": str(path)})
        await engine.until(lambda: (book.sums().cache_hits, book.sums().cache_misses) == (2, 3))


@pytest.mark.row(161)
async def test_a_plan_says_who_would_do_it_and_why_says_who_did(tmp_path: Path) -> None:
    async with boosted(tmp_path) as engine:
        plan = await engine.operator.plan([SubmitTask("code.outline", payload={"source": SOURCE})])
        assert "in booster (high-performance: code.outline on python" in plan.steps[0].effect
        task = await engine.do("code.rename", {"source": "a = 1\nprint(a, b)\n", "name": "a", "to": "b"})
        told: Any = await engine.operator.query("explain", kind="tasks", id=task.spec.id)
        lines = [line["text"] for line in told["evidence"]]
        assert lines[0].startswith("it named no pool; high-performance: code.rename on python")
        assert lines[1].startswith("it was handed on to coder: the new name is in use")


@pytest.mark.row(175)
@pytest.mark.parametrize("seed", range(2))
async def test_whatever_the_instances_do_each_task_ends_once_with_the_regular_agents_answer(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    names = list(TROUBLE)
    async with boosted(tmp_path, bad_module(), {"poolSize": 3, "taskTimeout": 100, "memoryLimit": 32, **NOTHING_KEPT}) as engine:
        ended: list[str] = []
        engine.fleet.on("*", lambda record: ended.extend(_ended_in(record.event)))
        payloads = []
        for number in range(120):
            operation = chance.choice(names)
            source = chance.choice([SOURCE, "x =\n", f"name = {number}\nprint(name)\n", "def f(a, a): pass\n"])
            payloads.append((operation, {"source": source, **ARGUMENTS[operation]}))
        tasks = [await engine.submit(operation, payload) for operation, payload in payloads]
        while len(ended) < len(tasks) // 2:
            hosts = [host.info for host in engine.fleet.coordinator.state.hosts.values() if host.info.kind == "booster"]
            if hosts and chance.random() < 0.1:
                os.kill(chance.choice(hosts).pid, signal.SIGKILL)
            await asyncio.sleep(0.05)
        found = await engine.ended(*tasks)
        await engine.until(lambda: len(ended) >= len(tasks))
        assert sorted(ended) == sorted(tasks), "each exactly once"
        for task, (operation, payload) in zip(found, payloads, strict=True):
            expected = ask_agent(operation, payload)
            if isinstance(expected, str):
                assert task.error is not None
                assert (task.state, task.error.kind) == (TaskState.FAILED, expected)
            else:
                assert task.state is TaskState.SUCCEEDED, task.error
                assert without_maker(engine.result_of(task)) == expected


def ask_agent(operation: str, payload: dict[str, object]) -> dict[str, object] | str:
    """The regular agent's answer, or the kind of its refusal."""
    try:
        return without_maker(code.run(operation, payload))
    except code.CodeError as error:
        return error.kind


def _ended_in(event: object) -> list[str]:
    if isinstance(event, TasksSucceeded):
        return [outcome.task for outcome in event.outcomes]
    return [event.outcome.task] if isinstance(event, TaskFailed) else list(event.tasks) if isinstance(event, TasksCancelled) else []


async def test_a_task_that_kills_every_worker_that_takes_it_ends_as_poison(tmp_path: Path) -> None:
    # LibCST takes its process with it, as the sources of the regular agent say: the guard refuses, or supervision ends it.
    async with boosted(tmp_path, None, {"poolSize": 1}) as engine:
        task = await engine.do("code.outline", {"source": "x = " + "(" * 20_000 + ")" * 20_000 + "\n"}, timeout_s=30)
        assert task.state in FINISHED
        after = await engine.do("code.outline", {"source": SOURCE})
        assert after.state is TaskState.SUCCEEDED


@pytest.mark.row(103)
async def test_an_installation_without_the_module_says_so_once_and_does_all_work(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    from engine import kinds as kinds_module
    from engine.booster.failures import ModuleMissing

    def missing() -> Path:
        raise ModuleMissing("it was left out")

    monkeypatch.setattr(kinds_module, "find_module", missing)
    with caplog.at_level(logging.WARNING):
        async with boosted(tmp_path) as engine:
            task = await engine.do("code.outline", {"source": SOURCE})
            assert (task.state, task.spec.pool) == (TaskState.SUCCEEDED, "coder")
            assert task.spec.routed == "fallback: it was left out"
            assert await engine.operator.query("boosters") == []
            assert engine.fleet.get_routing_stats().wasm_utilization is None
    assert [record.message for record in caplog.records if "no booster" in record.message] == ["there is no booster; regular agents do its work"]


async def test_a_module_that_does_not_start_leaves_its_work_to_regular_agents(tmp_path: Path) -> None:
    async with boosted(tmp_path, b"no module") as engine:
        tasks = [await engine.submit("code.outline", {"source": SOURCE}, pool="booster") for _ in range(5)]
        found = await engine.ended(*tasks)
        assert {(task.state, task.spec.pool) for task in found} == {(TaskState.SUCCEEDED, "coder")}
        later = await engine.do("code.outline", {"source": SOURCE})
        assert later.spec.routed == "fallback: the booster does not start"


async def test_a_state_with_handed_on_tasks_is_read_as_it_was(tmp_path: Path) -> None:
    async with boosted(tmp_path, bad_module()) as engine:
        task = (await engine.do("code.outline", {"source": SOURCE})).spec.id
    async with boosted(tmp_path, bad_module()) as engine:
        again = engine.tasks[task]
        assert (again.spec.pool, again.moved, again.state) == ("coder", "coder", TaskState.SUCCEEDED)
        assert engine.fleet.coordinator.state.totals.rerouted == 1


async def test_nobody_is_asked_without_regular_agents(tmp_path: Path) -> None:
    pools = {"fleet": {"default_pools": {"own": {"min": 0, "max": 1, "kind": "command", "command": {"argv": ["cat"]}}}}, "booster": {"enabled": False}}
    async with FleetManager(pools, state_dir=tmp_path) as fleet:
        with pytest.raises(CommandRefused, match="no pool of regular agents"):
            await fleet.operator().execute([SubmitTask("code.outline", payload={"source": SOURCE})])
