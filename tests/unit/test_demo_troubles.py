"""What goes wrong while the demo runs: refusals, silence, meddling; and keep_busy, which outlives them."""

from __future__ import annotations

import asyncio
import math
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from engine.clock import Rng
from engine.model.effects import Assignment
from engine.model.errors import CommandRefused, EngineUnavailable, ReadOnly, UsageError
from engine.model.pool_commands import PausePool
from engine.model.rows import Frame
from engine.model.task_commands import CancelTask, RetryTask
from engine.model.tasks import Outcome, TaskState
from engine.model.verbs import Command
from fleet_tui.demo import planner as planner_module
from fleet_tui.demo import runs
from fleet_tui.demo.discovery import discover
from fleet_tui.demo.planner import Planner, Shape
from fleet_tui.demo.report import DemoReport
from fleet_tui.demo.runs import keep_busy
from tests.unit.demo_world import Watched, at_once, demo, make_tree, play, work


@pytest.fixture(autouse=True)
def no_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    """Virtual time cannot wait for a real thread."""
    monkeypatch.setattr(asyncio, "to_thread", at_once)


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


def test_a_fleet_without_the_pools_is_refused_at_once(tmp_path: Path) -> None:
    make_tree(tmp_path)

    async def scenario(operator: Watched) -> None:
        before = operator.world.clock.now()
        with pytest.raises(CommandRefused, match="tester"):
            await demo(operator, tmp_path)
        assert operator.world.clock.now() - before < 1

    play(scenario, {"fleet": {"default_pools": {"coder": {"min": 1}}}})


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
