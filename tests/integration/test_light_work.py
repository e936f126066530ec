"""What light agents do with their tasks: results, failures, output, code, coroutines."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import pytest
from engine.agents.light import output
from engine.agents.light.answers import ERROR_MAX_CHARS, RESULT_MAX_BYTES, TRACEBACK_MAX_CHARS
from engine.agents.light.process import LOG_MAX_BYTES
from engine.agents.runtime import INLINE_RESULT_MAX_BYTES
from engine.model.effects import Assignment
from engine.model.ids import TaskId
from engine.model.reports import HostDown, HostUp

from tests.integration.light import open_light


async def test_five_thousand_tasks_come_back_once_each() -> None:
    async with open_light(2) as rig:
        agents = await rig.start(500)
        before = rig.clock.now()
        tasks = [Assignment(TaskId(f"tsk_{number:05d}"), 3, agents[number % 500], "noop", {}) for number in range(5_000)]
        rig.light.deliver(tasks)
        await rig.until(lambda: len(rig.outcomes) == 5_000)
        after = rig.clock.now()
    assert set(rig.outcomes) == {(task.task, 3) for task in tasks}
    assert all(one.ok and before <= one.started_at <= one.ended_at <= after for one in rig.outcomes.values())
    assert len(set(rig.where.values())) == 2
    assert not rig.of(HostDown)


async def test_agents_are_spread_evenly_and_told_of_once() -> None:
    async with open_light(2) as rig:
        agents = await rig.start(11)
        more = await rig.start(5)
        counts = sorted(sample.agents for sample in rig.samples())
        again = rig.where[agents[0]]
        rig.light.start([rig._specs[agents[0]]])
        rig.light.stop(more)
        assert sorted(sample.agents for sample in rig.samples()) < counts
    assert counts == [8, 8]
    assert rig.where[agents[0]] == again
    told = [agent for report in rig.reports for agent in getattr(report, "agents", ())]
    assert sorted(told) == sorted([*agents, *more, agents[0]])
    assert all(report.host.kind == "python" and report.host.started > 0 for report in rig.of(HostUp))


async def test_built_in_types() -> None:
    async with open_light() as rig:
        [agent] = await rig.start()
        assert (await rig.run(agent, "noop", {"a": 1})).result == {}
        assert (await rig.run(agent, "echo", {"a": [1, "ü"]})).result == {"a": [1, "ü"]}
        slept = await rig.run(agent, "sleep", {"seconds": 0.05})
        assert slept.result == {"slept_s": 0.05}
        assert slept.ended_at - slept.started_at >= 0.05
        wrong = await rig.run(agent, "sleep", {"seconds": "long"})
        assert (wrong.error_kind, wrong.retryable) == ("bad_parameter", False)
        unknown = await rig.run(agent, "make_coffee")
    assert (unknown.ok, unknown.error_kind, unknown.retryable) == (False, "unknown_type", False)
    assert "make_coffee" in unknown.error
    assert "noop, echo, sleep, code.outline" in unknown.error


async def test_code_operations_get_the_workspace_of_their_task(tmp_path: Path) -> None:
    file, folder = tmp_path / "a.py", tmp_path / "folder.py"
    file.write_text("def f():\n    return f\n")
    folder.mkdir()
    async with open_light() as rig:
        [agent] = await rig.start()
        outline = await rig.run(agent, "code.outline", {"path": str(file)}, workspace=str(tmp_path))
        rename = {"path": str(file), "name": "f", "to": "g"}
        shown = await rig.run(agent, "code.rename", dict(rename, apply=True), workspace=str(tmp_path))
        assert file.read_text().count("f") == 3, "only the task itself may ask for writing"
        done = await rig.run(agent, "code.rename", rename, workspace=str(tmp_path), apply=True)
        unreadable = await rig.run(agent, "code.outline", {"path": str(folder)}, workspace=str(tmp_path))
        broken = await rig.run(agent, "code.outline", {"source": "x = 1\ndef (:\n"})
    assert outline.ok
    assert shown.result["applied"] is False
    assert done.result["applied"] is True
    assert "def g" in file.read_text()
    assert (unreadable.error_kind, unreadable.retryable) == ("unreadable", False)
    assert (broken.error_kind, broken.retryable, broken.result["line"]) == ("syntax_error", False, 2)


async def test_handler_gets_type_payload_and_inputs() -> None:
    async with open_light() as rig:
        [agent] = await rig.start(handler="describe")
        outcome = await rig.run(agent, "code.mine", {"a": 1}, inputs={"tsk_0": {"b": 2}}, workspace="/w")
        full = json.loads(rig.artifacts[outcome.artifact].data) if outcome.artifact else outcome.result
    assert full["type"] == "code.mine"
    assert full["payload"] == {"a": 1, "inputs": {"tsk_0": {"b": 2}}, "workspace": "/w"}
    assert full["path"] == sys.path
    assert outcome.result["pid"] in rig.pids.values()


@pytest.mark.parametrize(
    ("handler", "kind", "text"),
    [
        ("fail", "LookupError", "nothing there"),
        ("fail_unprintably", "Bad", "Bad"),
        ("recurse", "RecursionError", "maximum recursion depth"),
        ("exhaust", "MemoryError", "MemoryError"),
        ("leave", "SystemExit", "good bye"),
        ("cancel_itself", "CancelledError", "on its own"),
        ("leave_async", "SystemExit", "3"),
    ],
)
async def test_exceptions_are_failures_with_a_traceback(handler: str, kind: str, text: str) -> None:
    async with open_light() as rig:
        [agent] = await rig.start(handler=handler)
        outcome = await rig.run(agent)
        again = await rig.run(agent)
    assert (outcome.ok, outcome.error_kind, outcome.retryable) == (False, kind, True)
    assert text in outcome.error
    assert kind in str(outcome.result["traceback"])
    assert len(str(outcome.result["traceback"])) <= TRACEBACK_MAX_CHARS
    assert again.error_kind == kind
    assert not rig.of(HostDown)


async def test_long_and_odd_error_texts_are_bounded() -> None:
    async with open_light() as rig:
        [agent] = await rig.start(handler="fail")
        outcome = await rig.run(agent, payload={"text": "ü" * 100_000})
    assert len(outcome.error) == ERROR_MAX_CHARS + 1


async def test_results_that_are_no_objects() -> None:
    async with open_light() as rig:
        [listing, broken] = [(await rig.start(handler=name))[0] for name in ("give_list", "give_object")]
        assert (await rig.run(listing)).result == {"value": [1, 2, 3]}
        outcome = await rig.run(broken)
    assert (outcome.error_kind, outcome.retryable) == ("not_json", False)
    assert "lock" in outcome.error


async def test_large_results_become_artifacts_and_too_large_ones_failures() -> None:
    async with open_light() as rig:
        [agent] = await rig.start(handler="give_text")
        small = await rig.run(agent, payload={"chars": 1_000})
        large = await rig.run(agent, payload={"chars": 5_000_000})
        huge = await rig.run(agent, payload={"chars": RESULT_MAX_BYTES})
    assert small.result["text"] == "x" * 1_000
    assert not small.artifact
    artifact = rig.artifacts[large.artifact]
    assert (artifact.id, artifact.media, artifact.task) == (hashlib.sha256(artifact.data).hexdigest(), "application/json", large.task)
    assert json.loads(artifact.data)["text"] == "x" * 5_000_000
    assert large.result == {"text": "x" * 200 + "…", "lines": 7, "name": "n" * 200 + "…", "truncated": True}
    assert len(json.dumps(large.result)) < INLINE_RESULT_MAX_BYTES
    assert (huge.ok, huge.error_kind, huge.retryable) == (False, "too_large", False)


async def test_payload_that_cannot_travel_fails_alone() -> None:
    async with open_light() as rig:
        agents = await rig.start(3)
        payloads: list[dict[str, object]] = [{"a": 1}, {"a": object()}, {"a": 3}]
        keys = [TaskId(f"tsk_{number}") for number in range(3)]
        triples = zip(keys, agents, payloads, strict=True)
        rig.light.deliver([Assignment(key, 1, agent, "echo", payload) for key, agent, payload in triples])
        ends = [await rig.outcome((key, 1)) for key in keys]
    assert [end.error_kind for end in ends] == ["", "bad_payload", ""]
    assert ends[2].result == {"a": 3}
    assert not ends[1].retryable


async def test_output_goes_to_a_bounded_log(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    async with open_light(options={"log_dir": tmp_path / "logs"}) as rig:
        [agent] = await rig.start(handler="shout")
        outcome = await rig.run(agent, payload={"lines": 10})
        log = tmp_path / "logs" / "light-0.log"
        text = log.read_text()
        await rig.run(agent, payload={"lines": 100_000})
        size = log.stat().st_size
    assert outcome.ok, outcome.error
    for part in ("nobody should see on a terminal 9", "to the other stream", "past sys.stdout", "from a program"):
        assert part in text
    assert 0 < size <= LOG_MAX_BYTES + 1_000
    assert output._DROPPED.decode() in log.read_text()
    assert capfd.readouterr() == ("", "")
    assert log.stat().st_mode & 0o777 == 0o600


async def test_forked_child_does_not_answer_for_its_worker() -> None:
    async with open_light() as rig:
        [agent] = await rig.start(handler="fork_and_return")
        outcomes = [await rig.run(agent) for _ in range(3)]
    assert {one.result["pid"] for one in outcomes} == set(rig.pids.values())
    assert not rig.of(HostDown)


async def test_coroutines_run_side_by_side_and_let_plain_functions_in() -> None:
    async with open_light() as rig:
        nappers = await rig.start(100, "nap")
        [napper] = await rig.start(handler="napper")
        [plain] = await rig.start(handler="give_list")
        before = rig.clock.now()
        keys = [rig.give(agent, payload={"seconds": 0.5}) for agent in nappers]
        await rig.has_begun(keys[-1])
        assert (await rig.run(napper)).result == {"object": True}
        assert (await rig.run(plain)).ok
        assert rig.clock.now() - before < 0.5, "they waited for the coroutines"
        outcomes = [await rig.outcome(key) for key in keys]
        assert rig.clock.now() - before < 5, "one after the other would take 50 s"
        assert (await rig.run(plain)).ok
        assert (await rig.run(nappers[0], payload={"seconds": 0})).ok
    assert all(one.ok and one.result == {"napped": True} for one in outcomes)


async def test_task_that_runs_on_is_reported_to_have_begun_one_that_ends_at_once_is_not() -> None:
    async with open_light() as rig:
        short, long = await rig.start(2, "work")
        await rig.warm_up([short])
        quick = rig.give(short, payload={"seconds": 0})
        slow = rig.give(long, payload={"seconds": 0.3})
        first = await rig.outcome(quick)
        await rig.has_begun(slow)
        assert slow not in rig.outcomes
        second = await rig.outcome(slow)
    assert quick not in rig.began
    assert rig.began[slow] == second.started_at >= first.ended_at
    assert second.ended_at - second.started_at >= 0.3


def test_worker_starts_without_the_heavy_libraries() -> None:
    code = "import sys, engine.agents.light.worker; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    loaded = set(done.stdout.split())
    assert loaded.isdisjoint({"pydantic", "textual", "sqlite3", "asyncio", "libcst", "psutil", "engine.model.tasks", "engine.config"})
