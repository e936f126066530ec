"""Programs that outlive their engine, by their pool's setting: really killed engines, keepers and spawners.

No task is lost, no result is applied twice, no process is left behind.
"""

from __future__ import annotations

import os
import random
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from engine import FleetManager
from engine.model.ids import TaskId
from engine.model.task_commands import SubmitTask

from tests.integration.engines import EngineProcess, engine, until
from tests.integration.processes import is_gone, read_pids
from tests.integration.test_losses import row_of, spawner_of, submit

ADOPT = """
[pools.keep]
min = 3
max = 9
kind = "command"
[pools.keep.command]
argv = ["sh", "-c", {script}]
on_engine_death = "adopt"
adopt_within_s = {within_s}
grace_s = 2
"""
WAITS = "echo $$ >> pids; echo $FLEET_TASK_ID $FLEET_TASK_ATTEMPT >> effects; read word; echo before; while [ ! -e go ]; do sleep 0.05; done; echo after $word"


def config(script: str = WAITS, within_s: float = 60) -> str:
    """A configuration whose pool keeps its programs."""
    return ADOPT.format(script=f"'''{script}'''", within_s=within_s)


def lines(subject: EngineProcess, name: str) -> list[str]:
    """What programs have written to a file."""
    path = subject.directory / name
    return path.read_text().splitlines() if path.exists() else []


def kept(subject: EngineProcess) -> list[Path]:
    """The directories of kept runs."""
    return [folder for folder in next((subject.root / "state").rglob("kept")).iterdir() if folder.is_dir()]


def keepers(subject: EngineProcess) -> list[int]:
    """The keepers of the programs that run."""
    return [psutil.Process(int(pid)).ppid() for pid in lines(subject, "pids") if not is_gone(int(pid))]


def all_are(subject: EngineProcess, tasks: list[str], state: str) -> bool:
    """Answer whether tasks are in a state."""
    return {row_of(subject, task)["state"] for task in tasks} == {state}


@pytest.fixture(autouse=True)
def _nothing_is_left(tmp_path: Path) -> Iterator[None]:
    yield
    left = [pid for line in (tmp_path / "project").glob("pids") for pid in line.read_text().split() if not is_gone(int(pid))]
    for pid in left:
        os.kill(int(pid), signal.SIGKILL)
    assert not left, "a program was left behind"


def begin(subject: EngineProcess, count: int = 3) -> list[str]:
    """Have programs running that wait for `go`."""
    tasks = [submit(subject, "command", "keep", "--prompt", f"word{number}", "--max-attempts", "1") for number in range(count)]
    until(lambda: len(lines(subject, "pids")) == count and all_are(subject, tasks, "running"))
    return tasks


@pytest.mark.row(10, 22)
def test_programs_outlive_the_engine_and_the_next_one_follows_them(tmp_path: Path) -> None:
    with engine(tmp_path, config()) as subject:
        tasks = begin(subject)
        pids = [int(pid) for pid in lines(subject, "pids")]
        spawner = spawner_of(subject)
        subject.kill()
        until(lambda: is_gone(spawner), within_s=60.0)
        assert not any(is_gone(pid) for pid in pids)
        subject.start()
        for task in tasks:
            row = row_of(subject, task)
            assert (row["state"], row["attempt"], row["tries"], row["deaths"]) == ("running", 1, 1, 0)
            assert "adopted" in [what for _, what, _ in subject.get("task", task)["history"]]
        assert "adopted 3 running tasks" in str(subject.get("events"))
        (subject.directory / "go").touch()
        until(lambda: all_are(subject, tasks, "succeeded"))
        results = [subject.get("task", task)["result"] for task in tasks]
        assert [result["stdout"] for result in results] == [f"before\nafter word{number}\n" for number in range(3)]
        assert sorted(lines(subject, "effects")) == sorted(f"{task} 1" for task in tasks)
        assert next((subject.root / 'state').rglob(f'{tasks[0]}.log')).read_text() == 'before\nafter word0\n'
        until(lambda: not kept(subject))
        until(lambda: {row["status"] for row in subject.get("agents") if row["pool"] == "keep"} == {"idle"})


def test_programs_that_end_without_an_engine_have_their_results_applied_once(tmp_path: Path) -> None:
    with engine(tmp_path, config()) as subject:
        tasks = begin(subject)
        pids = [int(pid) for pid in lines(subject, "pids")]
        subject.kill()
        (subject.directory / "go").touch()
        until(lambda: all(is_gone(pid) for pid in pids))
        subject.start()
        until(lambda: all_are(subject, tasks, "succeeded"))
        assert [row_of(subject, task)["attempt"] for task in tasks] == [1, 1, 1]
        assert len(lines(subject, "effects")) == 3
        until(lambda: not kept(subject))
        subject.kill()
        subject.start()
        assert all_are(subject, tasks, "succeeded")
        assert len(lines(subject, "effects")) == 3


def test_program_whose_engine_does_not_come_back_ends_by_itself(tmp_path: Path) -> None:
    with engine(tmp_path, config(within_s=2)) as subject:
        [task] = begin(subject, 1)
        [pid], [keeper] = lines(subject, "pids"), keepers(subject)
        subject.kill()
        until(lambda: is_gone(int(pid)), within_s=60.0)
        until(lambda: is_gone(keeper), within_s=60.0)
        subject.start()
        until(lambda: row_of(subject, task)["attempt"] == 2)
        row = row_of(subject, task)
        assert (row["tries"], row["deaths"]) == (1, 0)
        assert "no engine came back in time" in str(subject.get("task", task)["history"])
        (subject.directory / "go").touch()
        until(lambda: all_are(subject, [task], "succeeded"))


def test_killed_spawner_and_second_kill_of_the_engine_do_no_harm(tmp_path: Path) -> None:
    with engine(tmp_path, config()) as subject:
        tasks = begin(subject)
        os.kill(spawner_of(subject), signal.SIGKILL)
        for _ in range(2):
            subject.kill()
            subject.start()
        (subject.directory / "go").touch()
        until(lambda: all_are(subject, tasks, "succeeded"))
        assert len(lines(subject, "effects")) == 3


def test_adopted_program_is_stopped_by_a_cancel_with_its_grace(tmp_path: Path) -> None:
    script = f"trap 'echo bye >> byes; exit 7' TERM; (setsid sleep 600 & echo $! >> pids); {WAITS}"
    with engine(tmp_path, config(script)) as subject:
        task = submit(subject, "command", "keep", "--prompt", "x")
        until(lambda: all_are(subject, [task], "running") and len(lines(subject, "pids")) == 2)
        subject.kill()
        subject.start()
        assert subject.run("cancel", task, "--yes").returncode == 0
        until(lambda: all_are(subject, [task], "cancelled"))
        assert lines(subject, "byes") == ["bye"]
        until(lambda: all(is_gone(int(pid)) for pid in lines(subject, "pids")))
        until(lambda: not kept(subject))


def test_killed_keeper_takes_its_program_along_and_the_task_runs_again(tmp_path: Path) -> None:
    with engine(tmp_path, config(f"(setsid sleep 600 & echo $! >> pids); {WAITS}")) as subject:
        task = submit(subject, "command", "keep", "--prompt", "x", "--max-attempts", "1")
        until(lambda: all_are(subject, [task], "running") and len(lines(subject, "pids")) == 2)
        first = [int(pid) for pid in lines(subject, "pids")]
        os.kill(max(keepers(subject)), signal.SIGKILL)
        until(lambda: row_of(subject, task)["attempt"] == 2 and all_are(subject, [task], "running"))
        assert all(is_gone(pid) for pid in first)
        assert (row_of(subject, task)["tries"], row_of(subject, task)["deaths"]) == (1, 1)
        subject.kill()
        os.kill(max(keepers(subject)), signal.SIGKILL)
        subject.start()
        until(lambda: row_of(subject, task)["attempt"] == 3 and all_are(subject, [task], "running"))
        assert row_of(subject, task)["deaths"] == 1
        assert len([pid for pid in lines(subject, "pids") if not is_gone(int(pid))]) == 2


def test_clean_stop_ends_the_programs_and_a_changed_setting_is_obeyed(tmp_path: Path) -> None:
    with engine(tmp_path, config()) as subject:
        tasks = begin(subject)
        subject.end()
        assert all(is_gone(int(pid)) for pid in lines(subject, "pids"))
        assert not kept(subject)
        subject.start()
        until(lambda: len(lines(subject, "pids")) == 6 and all_are(subject, tasks, "running"))
        subject.kill()
        (subject.directory / "fleet.toml").write_text(config().replace('"adopt"', '"kill"'), "utf-8")
        subject.start()
        assert all(is_gone(int(pid)) for pid in lines(subject, "pids")[:6])
        until(lambda: len(lines(subject, "pids")) == 9 and all_are(subject, tasks, "running"))
        subject.kill()
        until(lambda: all(is_gone(int(pid)) for pid in lines(subject, "pids")), within_s=60.0)


def test_engine_killed_again_and_again_loses_nothing_and_applies_nothing_twice(tmp_path: Path) -> None:
    chance = random.Random(7)
    script = "echo $$ >> pids; echo $FLEET_TASK_ID $FLEET_TASK_ATTEMPT >> effects; read seconds; sleep $seconds; echo done $seconds"
    with engine(tmp_path, config(script)) as subject:
        words = [f"{chance.random() * 4:.2f}" for _ in range(24)]
        tasks = [submit(subject, "command", "keep", "--prompt", word) for word in words]
        for _ in range(5):
            time.sleep(chance.random() * 1.5)  # when the engine dies is chance, that is the point
            subject.kill()
            time.sleep(chance.random() * 1.5)
            subject.start()
        until(lambda: all_are(subject, tasks, "succeeded"), within_s=90.0)
        rows: dict[str, Any] = {task: subject.get("task", task) for task in tasks}
        assert [rows[task]["result"]["stdout"] for task in tasks] == [f"done {word}\n" for word in words]
        ran = lines(subject, "effects")
        assert len(ran) == len(set(ran)), "an attempt ran twice"
        assert all(f"{task} {rows[task]['attempt']}" in ran for task in tasks)
        assert sum([what for _, what, _ in rows[task]["history"]].count("succeeded") for task in tasks) == len(tasks)
        until(lambda: not kept(subject))


async def test_engine_that_breaks_leaves_its_programs_to_the_next_one(tmp_path: Path) -> None:
    """A broken invariant stops the engine in order, yet not what may outlive it."""
    (tmp_path / "project").mkdir()
    script = "echo $$ >> pids; while [ ! -e go ]; do sleep 0.05; done; echo done"
    command = {"argv": ["sh", "-c", script], "on_engine_death": "adopt"}
    settings = {"fleet": {"workers": 1, "default_pools": {"keep": {"min": 1, "max": 1, "kind": "command", "command": command}}}}

    def new_engine() -> FleetManager:
        return FleetManager(settings, directory=tmp_path / "project", state_dir=tmp_path / "state")

    (tmp_path / "state").mkdir()
    tasks: list[TaskId] = []
    with pytest.raises(ExceptionGroup):
        await break_at_work(new_engine(), tasks)
    [task] = tasks
    [pid] = read_pids(tmp_path / "project", ["pids"])
    assert not is_gone(pid)
    async with new_engine() as fleet:
        kept_task = fleet.coordinator.state.tasks[task]
        assert (kept_task.state, kept_task.attempt) == ("running", 1)
        (tmp_path / "project" / "go").touch()
        while fleet.coordinator.state.unfinished:
            await fleet.clock.sleep(0.02)
        assert (kept_task.state, kept_task.attempt, kept_task.result["stdout"]) == ("succeeded", 1, "done\n")


GROWS = "import os, time; print(os.getpid(), file=open('pids', 'a'), flush=True)\nwhile not os.path.exists('go'): time.sleep(0.05)\nheld = b'x' * (90 << 20); time.sleep(3600)"


async def test_adopted_programs_are_measured_limited_and_watched(tmp_path: Path) -> None:
    (tmp_path / "project").mkdir()
    (tmp_path / "state").mkdir()
    adopt: dict[str, Any] = {"on_engine_death": "adopt", "grace_s": 30}
    rests = "import os, time; print(os.getpid(), file=open('pids', 'a'), flush=True); print('begun', flush=True); time.sleep(3600)"

    def new_engine(**stalled: object) -> FleetManager:
        pools: dict[str, Any] = {
            "grows": {"memory_max": 50, "command": {"argv": [sys.executable, "-S", "-c", GROWS], **adopt}},
            "rests": {"stalled": stalled, "command": {"argv": [sys.executable, "-S", "-c", rests], **adopt}},
        }
        settings = {"default_pools": {name: {"kind": "command", "min": 1, "max": 1, **pool} for name, pool in pools.items()}, "workers": 1}
        return FleetManager({"fleet": settings, "booster": {"enabled": False}}, directory=tmp_path / "project", state_dir=tmp_path / "state")

    tasks: list[TaskId] = []
    with pytest.raises(ExceptionGroup):
        await break_at_work(new_engine(), tasks, "grows", "rests")
    async with new_engine(after_s=1.0, then="stop") as fleet:
        grown, rested = (fleet.coordinator.state.tasks[task] for task in tasks)
        assert (grown.state, grown.attempt) == ("running", 1)
        while grown.agent not in fleet.feed.programs.used:
            await fleet.clock.sleep(0.02)
        (tmp_path / "project" / "go").touch()
        while fleet.coordinator.state.unfinished:
            await fleet.clock.sleep(0.02)
        assert grown.error is not None
        assert (grown.error.kind, "with all it started, and pool grows allows 50 MB (memory_max)" in grown.error.message) == ("memory_limit", True)
        assert rested.error is not None
        assert (rested.error.kind, "stalled: no output for " in rested.error.message) == ("stalled", True)


async def break_at_work(engine: FleetManager, tasks: list[TaskId], *pools: str) -> None:
    """Run the engine until a task of each pool runs, then have it meet what no engine can make sense of."""
    async with engine as fleet:
        tasks += [TaskId(str(task)) for task in (await fleet.operator().execute([SubmitTask("command", pool, max_attempts=1) for pool in pools or ("keep",)])).values]
        while {fleet.coordinator.state.tasks[task].state for task in tasks} != {"running"}:
            await fleet.clock.sleep(0.02)
        fleet.coordinator.report("no report")  # type: ignore[arg-type]
        await fleet.clock.sleep(30)
