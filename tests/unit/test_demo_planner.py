"""The planner against the real coordinator and gate in virtual time; what the agents answer is made up here by `ast`."""

from __future__ import annotations

import ast
import asyncio
import hashlib
import json
import math
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from engine.clock import Rng
from engine.model.commands import CancelTask, Command, PausePool, RetryTask, SubmitTask
from engine.model.effects import Assignment
from engine.model.errors import CommandRefused, EngineUnavailable, FleetError, ReadOnly, UsageError
from engine.model.plans import Answer
from engine.model.rows import Frame
from engine.model.tasks import FINISHED, Outcome, TaskState
from engine.operations import Following
from engine.simulation.loop import run_virtual
from engine.simulation.world import World
from fleet_tui.demo import planner as planner_module
from fleet_tui.demo import runs
from fleet_tui.demo.discovery import discover
from fleet_tui.demo.planner import BATCH_MAX, OUTSTANDING_MAX, Planner, Shape
from fleet_tui.demo.report import DemoReport
from fleet_tui.demo.runs import keep_busy, run_demo

Answers = dict[str, Any] | str
"""A result, or why there is none."""


@pytest.fixture(autouse=True)
def no_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    """Virtual time cannot wait for a real thread."""

    async def at_once(work: Callable[..., object], *args: object) -> object:
        return work(*args)

    monkeypatch.setattr(asyncio, "to_thread", at_once)


def answer(type_: str, payload: dict[str, Any]) -> Answers:
    """Answer as the code operations do, by other means."""
    text = Path(payload["path"]).read_text()
    try:
        tree = ast.parse(text)
    except SyntaxError as error:
        problem = {"by": "compile", "message": error.msg, "line": error.lineno, "column": 0}
        return {"ok": False, "errors": [problem]} if type_ == "code.syntax_check" else error.msg
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    classes = [node for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]
    lines = text.count("\n")
    edit = {"path": payload["path"], "changed": True, "diff": "-a\n+b\n", "edits": 2, "applied": False}
    rows = [
        {"qualname": node.name, "line": node.lineno, "length": node.end_lineno - node.lineno + 1, "complexity": 1}
        for node in functions
    ]  # fmt: skip
    definitions = [
        {"kind": "class" if node in classes else "function", "name": node.name, "qualname": node.name, "line": node.lineno,
         "docstring": ast.get_docstring(node) is not None}
        for node in (*functions, *classes)
    ]  # fmt: skip
    totals = {"functions": len(functions), "classes": len(classes), "lines": lines}
    answers: dict[str, Answers] = {
        "code.syntax_check": {"ok": True, "errors": []},
        "code.outline": {"definitions": definitions, "totals": totals},
        "code.metrics": {"functions": rows, "totals": totals},
        "code.find_references": {"references": [], "totals": {"call": text.count(payload.get("name", "?") + "(")}},
        "code.remove_calls": edit,
        "code.add_docstrings": edit,
    }
    return answers[type_]


def work(assignment: Assignment, _rng: Rng) -> tuple[float, Outcome]:
    """Take 0.02 s for an answer."""
    found = answer(assignment.type, assignment.payload)  # type: ignore[arg-type]
    key = (assignment.task, assignment.token)
    if isinstance(found, str):
        return 0.02, Outcome(*key, ok=False, error_kind="syntax_error", error=found, retryable=False)
    return 0.02, Outcome(*key, ok=True, result=found)


class Watched:
    """An operator that passes everything on and notes what is executed; a test may put something between."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.gate = world.gate()
        self.calls: list[Sequence[Command]] = []
        self.open_max = 0
        self.before: Callable[[Sequence[Command]], None] = lambda _commands: None
        self.frame: Callable[[Frame], Frame] = lambda frame: frame

    async def plan(self, commands: Sequence[Command], *, reason: str = "") -> Any:
        raise NotImplementedError

    async def execute(self, commands: Sequence[Command] | str, *, reason: str = "") -> Answer:
        assert not isinstance(commands, str)
        assert reason.startswith("demo ")
        self.calls.append(commands)
        self.before(commands)
        done = await self.gate.execute(commands, reason=reason)
        tasks = self.world.state.tasks.values()
        self.open_max = max(self.open_max, sum(task.state not in FINISHED for task in tasks))
        return done

    async def query(self, what: str, **parameters: object) -> object:
        return await self.gate.query(what, **parameters)

    def follow(self, kinds: Sequence[str]) -> Following:
        return self._following(kinds)

    @asynccontextmanager
    async def _following(self, kinds: Sequence[str]) -> AsyncIterator[AsyncIterator[Frame]]:
        async with self.gate.follow(kinds) as frames:
            yield (self.frame(frame) async for frame in frames)

    @property
    def submitted(self) -> list[SubmitTask]:
        return [command for call in self.calls for command in call if isinstance(command, SubmitTask)]


def make_tree(root: Path, count: int = 8) -> Path:
    """Write modules, each with a function that all of them call, one without a docstring, and a print."""
    for number in range(count):
        folder = root / f"pkg{number % 3}"
        folder.mkdir(exist_ok=True, parents=True)
        text = f'def only_{number}():\n    """Do."""\n    shared_name()\n    print()\n\n\nclass C:\n    pass\n'
        (folder / f"m{number}.py").write_text(text + ("\n\ndef shared_name():\n    pass\n" if number == 0 else ""))
    return root


Scenario = Callable[[Watched], Any]


def play(scenario: Scenario, config: dict[str, Any] | None = None, do: Any = work) -> Any:
    """Run a scenario against an engine of its own in virtual time, and check the engine's state after it."""

    async def life() -> Any:
        async with World(config, 1, hosts=2, work=do).running() as world:
            try:
                told = await scenario(Watched(world))
            except (FleetError, AssertionError) as error:
                return error  # raised below: the engine's own group would wrap it
            world.state.check()
            return told

    told = run_virtual(life())
    if isinstance(told, Exception):
        raise told
    return told


def demo(operator: Watched, root: Path, **options: Any) -> Any:
    return run_demo(operator, root, clock=operator.world.clock, **options)


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


@pytest.mark.parametrize("refusal", [ReadOnly("disk full"), CommandRefused("too many tasks")])
def test_a_refusal_is_waited_out(tmp_path: Path, refusal: CommandRefused) -> None:
    make_tree(tmp_path)

    async def scenario(operator: Watched) -> DemoReport:
        def refuse(_commands: Sequence[Command]) -> None:
            if 3 < len(operator.calls) < 20:
                raise refusal

        operator.before = refuse
        report: DemoReport = await demo(operator, tmp_path)
        assert len(operator.calls) >= 20 or report.tasks.submitted
        return report

    report = play(scenario)
    assert report.files == 8
    assert report.ok


@pytest.mark.parametrize("refusal", [ReadOnly("disk full"), CommandRefused("too many tasks")])
def test_a_refusal_that_lasts_is_passed_on(tmp_path: Path, refusal: CommandRefused) -> None:
    make_tree(tmp_path)

    async def scenario(operator: Watched) -> None:
        def refuse(_commands: Sequence[Command]) -> None:
            raise refusal

        operator.before = refuse
        await demo(operator, tmp_path)

    with pytest.raises(type(refusal), match=str(refusal)):
        play(scenario)


def test_a_paused_pool_holds_up_only_its_own_work(tmp_path: Path) -> None:
    make_tree(tmp_path, 200)

    async def scenario(operator: Watched) -> Counter[str]:
        await operator.gate.execute([PausePool("analyst")])
        run = asyncio.ensure_future(demo(operator, tmp_path))  # noqa: TID251  # the test ends it
        await operator.world.clock.sleep(60)
        run.cancel()
        states = Counter(task.state for task in operator.world.state.tasks.values() if task.spec.pool == "analyst")
        done = Counter(task.spec.pool for task in operator.world.state.tasks.values() if task.state == TaskState.SUCCEEDED)
        assert states == {TaskState.PENDING: 200}
        return done

    assert play(scenario)["coder"] == 200


def test_a_silent_engine_is_given_up(tmp_path: Path) -> None:
    make_tree(tmp_path)

    async def scenario(operator: Watched) -> None:
        @asynccontextmanager
        async def silence(_kinds: Sequence[str]) -> AsyncIterator[AsyncIterator[Frame]]:
            async def none() -> AsyncIterator[Frame]:
                await operator.world.clock.sleep(1e9)
                yield  # type: ignore[misc]

            yield none()

        operator._following = silence  # type: ignore[method-assign]
        await demo(operator, tmp_path)

    with pytest.raises(EngineUnavailable, match="no word from the engine for 30 s"):
        play(scenario)


def test_a_feed_that_ends_is_given_up(tmp_path: Path) -> None:
    make_tree(tmp_path)

    async def scenario(operator: Watched) -> None:
        @asynccontextmanager
        async def ended(_kinds: Sequence[str]) -> AsyncIterator[AsyncIterator[Frame]]:
            yield aiter_of([])

        operator._following = ended  # type: ignore[method-assign]
        await demo(operator, tmp_path)

    async def aiter_of(frames: list[Frame]) -> AsyncIterator[Frame]:
        for frame in frames:
            yield frame

    with pytest.raises(EngineUnavailable, match="ended the feed"):
        play(scenario)


def test_a_call_that_is_not_answered_is_given_up(tmp_path: Path) -> None:
    make_tree(tmp_path)

    async def scenario(operator: Watched) -> None:
        async def hang(what: str, **_parameters: object) -> object:
            return await operator.world.clock.sleep(1e9)

        operator.query = hang  # type: ignore[method-assign]
        await demo(operator, tmp_path)

    with pytest.raises(EngineUnavailable, match="no answer from the engine for 60 s"):
        play(scenario)


def test_progress_is_told(tmp_path: Path) -> None:
    make_tree(tmp_path)
    told: list[planner_module.Progress] = []
    play(lambda operator: demo(operator, tmp_path, on_progress=told.append))
    assert told[-1].files_done == told[-1].files == 8
    assert told[-1].open == 0
    assert [one.ended for one in told] == sorted(one.ended for one in told)


def test_more_rounds_do_the_work_again(tmp_path: Path) -> None:
    make_tree(tmp_path)
    report = play(lambda operator: demo(operator, tmp_path, rounds=2))
    assert report.files == 8
    assert report.tasks.submitted == 2 * 48
    assert report.tasks.continued == 0


@pytest.mark.parametrize("rounds", [0, -1])
def test_no_rounds_are_refused(tmp_path: Path, rounds: int) -> None:
    make_tree(tmp_path)
    with pytest.raises(UsageError, match="the least is 1"):
        play(lambda operator: demo(operator, tmp_path, rounds=rounds))


def test_cancelled_by_an_operator_is_a_failure_not_a_retry(tmp_path: Path) -> None:
    make_tree(tmp_path, 30)

    async def scenario(operator: Watched) -> DemoReport:
        await operator.gate.execute([PausePool("security")])

        async def meddle() -> None:
            state = operator.world.state
            while not (waiting := list(state.pending_of.get("security", ()))):
                await operator.world.clock.sleep(0.1)
            await operator.gate.execute([CancelTask(task) for task in waiting])

        async with asyncio.TaskGroup() as group:
            run = group.create_task(demo(operator, tmp_path))
            group.create_task(meddle())
        assert not any(isinstance(command, RetryTask) for call in operator.calls for command in call)
        report: DemoReport = run.result()
        return report

    report = play(scenario)
    assert report.tasks.cancelled == 30
    assert report.failures_count == 30
    assert "by ada" in report.failures[0].reason


def test_keep_busy_goes_on_in_rounds_until_cancelled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_tree(tmp_path)
    monkeypatch.setattr(runs, "REFUSED_PAUSE_S", 1.0)

    async def scenario(operator: Watched) -> list[str]:
        run = asyncio.ensure_future(keep_busy(operator, tmp_path, clock=operator.world.clock))  # noqa: TID251
        await operator.world.clock.sleep(30)

        def refuse(_commands: Sequence[Command]) -> None:
            raise ReadOnly("disk full")

        operator.before = refuse
        await operator.world.clock.sleep(200)
        operator.before = lambda _commands: None
        done = len(operator.world.state.tasks)
        await operator.world.clock.sleep(100)
        assert len(operator.world.state.tasks) > done
        assert not run.done()
        run.cancel()
        return [command.idempotency_key for command in operator.submitted]

    keys = play(scenario)
    assert len({key.split("/")[1] for key in keys}) > 3


def test_keep_busy_without_anything_to_do_says_so(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no Python file"):
        play(lambda operator: keep_busy(operator, tmp_path, clock=operator.world.clock))


def test_a_step_whose_result_is_no_result_is_a_failure(tmp_path: Path) -> None:
    make_tree(tmp_path, 1)

    def odd(assignment: Assignment, rng: Rng) -> tuple[float, Outcome]:
        if assignment.type == "code.outline":
            return 0.0, Outcome(assignment.task, assignment.token, ok=True, result={"definitions": 1})
        return work(assignment, rng)

    report = play(lambda operator: demo(operator, tmp_path), do=odd)
    assert "its result cannot be read: not a valid OutlineResult" in report.failures[0].reason


def test_a_planner_alone_can_have_another_shape(tmp_path: Path) -> None:
    make_tree(tmp_path, 10)

    async def scenario(operator: Watched) -> list[int]:
        shape = Shape(files=(1, 2), steps=(3,), low_water=0)
        planner = Planner(operator, discover(tmp_path), "mine", clock=operator.world.clock, shape=shape)
        await planner.run(math.inf)
        assert planner.unfinished == 0
        return [len(call) for call in operator.calls if call[0].type == "code.syntax_check"]  # type: ignore[attr-defined]

    assert play(scenario) == [1, 2, 1, 2, 1, 2, 1]
