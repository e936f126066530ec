"""What the planner submits and reads, against the real coordinator and gate in virtual time."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from engine.clock import Rng
from engine.model.effects import Assignment
from engine.model.plans import Answer
from engine.model.rows import Frame
from engine.model.tasks import Outcome
from fleet_tui.demo.planner import BATCH_MAX, OUTSTANDING_MAX
from fleet_tui.demo.report import DemoReport
from tests.unit.demo_world import Watched, at_once, demo, make_tree, play, work


@pytest.fixture(autouse=True)
def no_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    """Virtual time cannot wait for a real thread."""
    monkeypatch.setattr(asyncio, "to_thread", at_once)


def test_a_round_does_every_file_and_reports_it(tmp_path: Path) -> None:
    make_tree(tmp_path)

    async def scenario(operator: Watched) -> DemoReport:
        report: DemoReport = await demo(operator, tmp_path)
        by_id = operator.world.state.tasks
        for task in by_id.values():
            needs = {by_id[needed].spec.type for needed in task.spec.depends_on}
            second = task.spec.type in ("code.find_references", "code.add_docstrings")
            assert needs == (set() if task.spec.type == "code.syntax_check" else {"code.outline"} if second else {"code.syntax_check"})
            assert task.spec.fairness_key.startswith("pkg")
        pools = {task.spec.type: task.spec.pool for task in by_id.values()}
        assert pools["code.metrics"] == "analyst"
        return report

    report = play(scenario)
    assert (report.files, report.files_found, report.functions, report.classes) == (8, 8, 9, 8)
    assert report.ok
    assert not report.stopped
    assert report.tasks.submitted == report.tasks.succeeded == report.engine.succeeded == report.engine.submitted
    # 8 checks, outlines, metrics and removals; a search for shared_name and a proposal of docstrings in each file.
    # C is defined in every file and only_N is never called: no search for them.
    assert report.tasks.submitted == 8 * 6
    assert report.names[0].name == "shared_name"
    assert (report.names[0].files, report.names[0].references) == (8, 9)
    assert report.removed == 16
    assert report.documented_files == 8
    assert report.agents_peak >= 16
    assert [row.name for row in report.packages] == ["pkg0", "pkg1", "pkg2"]
    assert report.largest[0].figure == 4


def test_load_comes_in_bounded_bursts(tmp_path: Path) -> None:
    make_tree(tmp_path, 400)

    async def scenario(operator: Watched) -> DemoReport:
        report: DemoReport = await demo(operator, tmp_path)
        assert operator.open_max <= OUTSTANDING_MAX
        return report

    operators: list[Watched] = []

    async def noting(operator: Watched) -> DemoReport:
        operators.append(operator)
        return await scenario(operator)  # type: ignore[no-any-return]

    report = play(noting)
    assert report.files == 400
    sizes = [len(call) for call in operators[0].calls]
    assert max(sizes) <= BATCH_MAX
    assert len(set(sizes)) > 4
    checks = Counter(command.type for command in operators[0].submitted)
    assert checks["code.syntax_check"] == 400
    keys = [command.idempotency_key for command in operators[0].submitted]
    assert len(set(keys)) == len(keys)


def test_a_second_run_continues_and_repeats_nothing(tmp_path: Path) -> None:
    make_tree(tmp_path)

    async def scenario(operator: Watched) -> tuple[DemoReport, DemoReport, DemoReport]:
        first = await demo(operator, tmp_path)
        count = len(operator.world.state.tasks)
        again = await demo(operator, tmp_path)
        assert len(operator.world.state.tasks) == count
        (tmp_path / "pkg0" / "m0.py").write_text("x = 1\n")
        changed = await demo(operator, tmp_path)
        return first, again, changed

    first, again, changed = play(scenario)
    assert first.tasks.continued == 0
    assert again.tasks.continued == again.tasks.submitted == first.tasks.submitted
    assert again.functions == first.functions
    assert 0 < changed.tasks.submitted - changed.tasks.continued <= 12
    assert changed.functions == first.functions - 2


def test_a_task_that_no_frame_shows_is_asked_for(tmp_path: Path) -> None:
    make_tree(tmp_path)

    async def scenario(operator: Watched) -> DemoReport:
        await demo(operator, tmp_path)
        # As in a fleet with more ended tasks than a full frame holds.
        operator.frame = lambda frame: Frame(frame.seq, frame.at, frame.full, frame.status)
        report: DemoReport = await demo(operator, tmp_path)
        return report

    assert play(scenario).files == 8


def test_tasks_that_the_engine_forgot_are_still_read(tmp_path: Path) -> None:
    make_tree(tmp_path, 40)
    report = play(lambda operator: demo(operator, tmp_path), {"tasks": {"finished_max": 100}})
    assert report.files == 40
    assert report.tasks.submitted == report.tasks.succeeded == 240


def test_a_large_result_is_read_from_its_artifact(tmp_path: Path) -> None:
    make_tree(tmp_path)

    async def scenario(operator: Watched) -> DemoReport:
        world = operator.world
        tell = world.agents._report

        def store(report: Any, artifacts: Any = ()) -> None:
            from engine.agents.runtime import Artifact
            from engine.model.reports import TasksEnded

            if isinstance(report, TasksEnded):
                outcome = report.outcomes[0]
                data = json.dumps(outcome.result).encode()
                artifact = Artifact(hashlib.sha256(data).hexdigest(), "application/json", data, outcome.task)
                report = TasksEnded((Outcome(outcome.task, outcome.token, ok=True, result={"truncated": True}, artifact=artifact.id),))
                artifacts = (artifact,)
            tell(report, artifacts)

        world.agents._report = store
        report: DemoReport = await demo(operator, tmp_path)
        assert all(task.artifact for task in world.state.tasks.values())
        world.journal._artifacts.clear()
        lost: DemoReport = await demo(operator, tmp_path)
        assert lost.failures[0].reason == "its result is no longer kept"
        return report

    assert play(scenario).functions == 9


def test_broken_files_are_listed_with_their_reason(tmp_path: Path) -> None:
    make_tree(tmp_path)
    (tmp_path / "bad.py").write_text("def f(:\n    pass\n")
    report = play(lambda operator: demo(operator, tmp_path))
    assert report.ok
    assert report.files == 9
    assert report.tasks.failed == 2
    assert {(row.file, row.state) for row in report.failures} == {("bad.py", "not Python"), ("bad.py", "failed")}
    assert "invalid syntax (line 1)" in {row.reason for row in report.failures}


def test_dead_tasks_make_the_run_fail(tmp_path: Path) -> None:
    make_tree(tmp_path)

    def fragile(assignment: Assignment, rng: Rng) -> tuple[float, Outcome]:
        if assignment.type == "code.metrics" and str(assignment.payload["path"]).endswith("m1.py"):
            return 0.0, Outcome(assignment.task, assignment.token, ok=False, error_kind="broken", error="no luck")
        return work(assignment, rng)

    report = play(lambda operator: demo(operator, tmp_path), do=fragile)
    assert report.tasks.dead == 1
    assert report.tasks.retried == 2
    assert not report.ok
    assert [(row.step, row.reason) for row in report.failures] == [("measure pkg1/m1.py", "no luck")]


def test_what_needs_a_failed_task_is_listed_not_repeated(tmp_path: Path) -> None:
    make_tree(tmp_path)

    def unreadable(assignment: Assignment, rng: Rng) -> tuple[float, Outcome]:
        if str(assignment.payload["path"]).endswith("m1.py"):
            return 0.0, Outcome(assignment.task, assignment.token, ok=False, error="gone", retryable=False)
        return work(assignment, rng)

    async def scenario(operator: Watched) -> DemoReport:
        # The check of m1.py has failed before what depends on it is submitted: the engine refuses the whole batch.
        execute = operator.gate.execute

        async def slow(commands: Any, *, reason: str = "") -> Answer:
            done = await execute(commands, reason=reason)
            await operator.world.clock.sleep(1)
            return done

        operator.gate.execute = slow  # type: ignore[method-assign]
        report: DemoReport = await demo(operator, tmp_path)
        return report

    report = play(scenario, do=unreadable)
    assert report.files == 8
    assert report.ok
    failed = {(row.step, row.state) for row in report.failures}
    assert failed == {
        ("check pkg1/m1.py", "failed"),
        ("outline pkg1/m1.py", "not submitted"),
        ("measure pkg1/m1.py", "not submitted"),
        ("remove print() from pkg1/m1.py", "not submitted"),
        ("find shared_name in pkg1/m1.py", "not submitted"),
    }


def test_when_the_time_is_up_waiting_tasks_are_taken_back_and_a_second_run_does_them(tmp_path: Path) -> None:
    make_tree(tmp_path, 60)

    def slow(assignment: Assignment, rng: Rng) -> tuple[float, Outcome]:
        return 0.5, work(assignment, rng)[1]

    async def scenario(operator: Watched) -> tuple[DemoReport, DemoReport]:
        stopped: DemoReport = await demo(operator, tmp_path, seconds=5.0)
        return stopped, await demo(operator, tmp_path)

    stopped, finished = play(scenario, do=slow)
    assert stopped.stopped
    assert 0 < stopped.files < 60
    assert 5 <= stopped.seconds < 7
    assert stopped.tasks.cancelled > 0
    assert stopped.tasks.unfinished == 0
    assert stopped.ok
    assert stopped.failures == ()
    assert "stopped after" in stopped.to_text()
    assert finished.files == 60
    assert finished.tasks.cancelled == 0
    assert finished.tasks.continued > 0
    assert finished.ok


def test_a_task_that_outlasts_the_grace_is_unfinished(tmp_path: Path) -> None:
    make_tree(tmp_path, 3)

    def endless(assignment: Assignment, rng: Rng) -> tuple[float, Outcome]:
        return 1e6, work(assignment, rng)[1]

    report = play(lambda operator: demo(operator, tmp_path, seconds=1.0), do=endless)
    assert report.tasks.unfinished == 3
    assert not report.ok
    assert report.files == 0
    assert 20 < report.seconds < 25


