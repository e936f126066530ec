"""Live sampling on real engines: what a regular agent does again, what that tells, and what is never done."""

from __future__ import annotations

import asyncio
import json
import stat
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import pytest
from click.testing import CliRunner
from engine import AgentBooster, FleetManager
from engine.model.code_results import without_engine
from engine.model.tasks import SAMPLER, Task
from fleet_tui.subcommands import cli

WAIT_S = 60.0


def config(**booster: Any) -> dict[str, Any]:
    return {"fleet": {"default_pools": {"coder": {"min": 1, "max": 1}}}, "booster": {"poolSize": 1, "sampleShare": 1.0, "samplesPerMinute": 60, **booster}}


def source(number: int, functions: int = 40) -> str:
    return "".join(f"def function_{number}_{line}(a):\n    return a + {line}\n\n\n" for line in range(functions))


def read(path: str) -> tuple[int, dict[str, Any]]:
    return stat.S_IMODE(Path(path).stat().st_mode), json.loads(Path(path).read_text())


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(WAIT_S):
        while not condition():
            await asyncio.sleep(0.02)  # noqa: TID251  # a real engine in real time


def samples_of(fleet: FleetManager) -> list[Task]:
    return [task for task in fleet.coordinator.state.tasks.values() if task.spec.sample_of]


def run_s(task: Task) -> float:
    return task.finished_at - task.started_at


@pytest.mark.row(169, 282)
async def test_the_speed_up_is_measured_on_what_was_done_and_counted_nowhere_else(tmp_path: Path) -> None:
    async with FleetManager(config(), state_dir=tmp_path) as fleet, AgentBooster(fleet=fleet) as booster:
        samples = fleet.feed.book.samples
        for number in range(4):
            done = await booster.execute_task({"operation": "outline", "payload": {"source": source(number)}})
            assert done.boosted
        await until(lambda: samples.alike == 3)
        assert samples.differences == 0
        assert len(samples_of(fleet)) == 4, "the first one only warmed the regular agent"
        report = await booster.get_performance_report()
        assert report.samples == 3
        assert report.speed_up == samples.speed_up
        pairs = [(again, fleet.coordinator.state.tasks[again.spec.sample_of]) for again in samples_of(fleet)[1:]]
        assert report.speed_up == median([run_s(again) / run_s(boosted) for again, boosted in pairs])
        state = fleet.coordinator.state
        assert (state.pools["coder"].succeeded, state.pools["booster"].succeeded) == (0, 4)
        assert (state.totals.submitted, state.totals.succeeded) == (4, 4)
        assert all(task.spec.submitted_by == SAMPLER and task.spec.priority == 1 for task in samples_of(fleet))
        await booster.execute_task({"operation": "outline", "payload": {"source": source(0)}})
        await booster.execute_task({"operation": "outline", "payload": {"source": source(9)}})
        await until(lambda: samples.alike == 4)
        assert len(samples_of(fleet)) == 5, "what the cache may have answered is not measured"
        fleet.coordinator.check()


async def test_an_edit_that_writes_is_not_done_again_nor_a_file_compared_that_has_changed(tmp_path: Path) -> None:
    work = tmp_path / "work"
    work.mkdir()
    (work / "api.py").write_text(source(1))
    rename = {"path": "api.py", "name": "function_1_1", "to": "other"}
    async with FleetManager(config(), state_dir=tmp_path) as fleet, AgentBooster(fleet=fleet) as booster:
        written = await booster.execute_task({"operation": "rename", "payload": rename, "workspace": str(work), "apply": True})
        assert written.boosted
        assert "other" in (work / "api.py").read_text()
        read = await booster.execute_task({"operation": "outline", "payload": {"path": "api.py"}, "workspace": str(work)})
        assert read.boosted
        (work / "api.py").write_text(source(2))
        for number in (5, 6):
            await booster.execute_task({"operation": "metrics", "payload": {"source": source(number)}})
        await until(lambda: fleet.feed.book.samples.alike == 1)
        assert fleet.feed.book.samples.differences == 0
        assert {task.spec.type for task in samples_of(fleet)} == {"code.outline", "code.metrics"}
        assert all(not task.spec.apply for task in samples_of(fleet))


@pytest.mark.row(211)
async def test_a_difference_is_an_alert_that_keeps_both_answers_and_can_be_repeated(tmp_path: Path) -> None:
    async with FleetManager(config(), state_dir=tmp_path) as fleet, AgentBooster(fleet=fleet) as booster:
        samples = fleet.feed.book.samples
        done = await booster.execute_task({"operation": "metrics", "payload": {"source": source(3, 2)}})
        fleet.coordinator.state.tasks[done.task_id].result = {**done.result, "lines": -1}  # type: ignore[index]  # as if the module had said so
        await until(lambda: samples.differences == 1)
        mode, told = await asyncio.to_thread(read, samples.difference)
        assert mode == 0o600
        assert told["booster"]["lines"] == -1
        assert told["regular"] == without_engine(done.result)
        assert samples.alike == 0
        row = fleet.feed.row("boosters", "booster")
        assert (row.differences, row.difference) == (1, samples.difference)  # type: ignore[union-attr]
    answer = await asyncio.to_thread(CliRunner().invoke, cli, ["repeat", samples.difference])
    assert answer.exit_code == 0, answer.output
    assert "the same" in answer.output


async def test_what_a_regular_agent_finds_too_deep_is_no_difference(tmp_path: Path) -> None:
    """The booster reads by tokens what LibCST cannot nest; nobody's answer is wrong."""
    deep = "x = " + "(" * 5_000 + ")" * 5_000 + "\n"
    async with FleetManager(config(), state_dir=tmp_path) as fleet, AgentBooster(fleet=fleet) as booster:
        done = await booster.execute_task({"operation": "outline", "payload": {"source": deep}})
        assert done.boosted
        await until(lambda: any(task.error is not None for task in samples_of(fleet)))
        (sample,) = samples_of(fleet)
        assert sample.error.kind == "too_deep"
        # Samples are compared in the order in which they end: after a second one, the first has been.
        for number in (1, 2):
            await booster.execute_task({"operation": "outline", "payload": {"source": source(number)}})
        await until(lambda: fleet.feed.book.samples.alike >= 1)
        assert fleet.feed.book.samples.differences == 0


async def test_with_no_share_nothing_is_sampled(tmp_path: Path) -> None:
    async with FleetManager(config(sampleShare=0), state_dir=tmp_path) as fleet, AgentBooster(fleet=fleet) as booster:
        assert (await booster.execute_task({"operation": "outline", "payload": {"source": source(0)}})).boosted
        assert not fleet.sampling._waiting
        assert (await booster.get_performance_report()).speed_up is None
