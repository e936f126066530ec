"""Never swap: real programs that hold memory keep back the next ones of a small machine, also those that grow while they run."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
from engine import FleetManager
from engine.model.task_commands import SubmitTask
from engine.model.tasks import Task, TaskState

from tests.integration.test_scaling_library import until

pytestmark = pytest.mark.row(93)

HOLDER = """
import os, sys, time
folder, first, then = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
held = b"x" * (first << 20)
while not os.path.exists(folder + "/grow"): time.sleep(0.02)
held += b"x" * (then << 20)
while not os.path.exists(folder + "/end"): time.sleep(0.02)
"""


def config(folder: Path, first_mb: int, then_mb: int, all_mb: int) -> dict[str, Any]:
    """A pool of four agents whose programs hold memory in a child; their machine has `all_mb` for them."""
    python = [sys.executable, "-S", "-c", HOLDER, str(folder), str(first_mb), str(then_mb)]
    argv = ["/bin/sh", "-c", '"$@" & wait', "holder", *python]
    pool = {"kind": "command", "command": {"argv": argv}, "min": 4, "max": 4}
    machine = {"memory": 64 + all_mb, "reserve_memory": 64}
    return {"fleet": {"default_pools": {"tool": pool}, "health_check_interval_s": 0.05, "workers": 1}, "machine": machine}


async def submit(fleet: FleetManager, count: int) -> None:
    await fleet.operator().execute([SubmitTask("hold", "tool") for _ in range(count)])


def held_mb(fleet: FleetManager) -> float:
    return sum(fleet.usage.used.programs.values())


async def test_the_next_program_waits_for_memory_and_starts_when_one_has_ended(tmp_path: Path) -> None:
    async with FleetManager(config(tmp_path, 60, 0, 150), state_dir=tmp_path) as fleet:
        pool = fleet.coordinator.state.pools["tool"]
        await submit(fleet, 1)
        await until(lambda: held_mb(fleet) > 60)
        await submit(fleet, 2)
        await until(lambda: pool.by_state.get("running", 0) == 2)
        await until(lambda: bool(pool.tasks_wait))
        each = fleet.room.use.each_program("tool")
        assert pool.tasks_wait.startswith(f"waits for memory: needs {each:.0f} MB, ")
        waiting = next(task for task in fleet.coordinator.state.tasks.values() if task.state is TaskState.PENDING)
        row = fleet.feed.row("tasks", waiting.spec.id)
        assert row is not None
        assert row.reason == pool.tasks_wait  # type: ignore[union-attr]
        await until(lambda: held_mb(fleet) > 120)
        assert pool.by_state.get("running", 0) == 2
        (tmp_path / "grow").touch()
        (tmp_path / "end").touch()
        await until(lambda: pool.succeeded == 3)
        assert pool.tasks_wait == ""


async def test_a_program_that_grows_while_it_runs_keeps_back_the_next(tmp_path: Path) -> None:
    async with FleetManager(config(tmp_path, 5, 100, 150), state_dir=tmp_path) as fleet:
        pool = fleet.coordinator.state.pools["tool"]
        await submit(fleet, 1)
        await until(lambda: held_mb(fleet) > 5)
        small = held_mb(fleet)
        (tmp_path / "grow").touch()
        await until(lambda: held_mb(fleet) > small + 95)
        await submit(fleet, 1)
        await until(lambda: bool(pool.tasks_wait))
        assert pool.by_state.get("running", 0) == 1
        (tmp_path / "end").touch()
        await until(lambda: pool.succeeded == 2)


async def test_without_admission_programs_start_whatever_they_take(tmp_path: Path) -> None:
    settings = config(tmp_path, 60, 0, 1)
    settings["machine"]["memory_admission"] = False
    async with FleetManager(settings, state_dir=tmp_path) as fleet:
        pool = fleet.coordinator.state.pools["tool"]
        await submit(fleet, 3)
        await until(lambda: held_mb(fleet) > 180)
        assert pool.by_state.get("running", 0) == 3
        assert pool.tasks_wait == ""


KEEPER = """
import json, sys
def say(**message): print(json.dumps(message), flush=True)
say(type="hello", protocol=1)
held = b""
for line in sys.stdin:
    told = json.loads(line)
    if told["type"] == "bye": break
    if told["type"] != "task": continue
    megabytes, _, how = told["prompt"].partition(" ")
    held = b"x" * (int(megabytes) << 20)
    if not how: say(type="result", id=told["id"], text=str(len(held)))
"""


def kept(**more: object) -> dict[str, Any]:
    return {"kind": "session", "session": {"argv": [sys.executable, "-S", "-c", KEEPER], "grace_s": 0.5}, "min": 2, "max": 2, **more}


async def test_programs_that_are_kept_make_room_for_others_and_end_at_their_limit(tmp_path: Path) -> None:
    leaks = {"argv": [sys.executable, "-S", "-c", "import time; held = b'x' * (90 << 20); time.sleep(3600)"]}
    pools = {"kept": kept(), "greedy": kept(memory_max=50, min=1), "leaks": {"kind": "command", "command": leaks, "memory_max": "50MB", "min": 1, "max": 1}}
    settings = {"fleet": {"default_pools": pools, "health_check_interval_s": 0.05, "workers": 1}, "machine": {"memory": 164, "reserve_memory": 64}, "booster": {"enabled": False}}
    async with FleetManager(settings, state_dir=tmp_path) as fleet:
        state = fleet.coordinator.state

        async def submit(pool: str, prompt: str) -> Task:
            known = set(state.tasks)
            await fleet.operator().execute([SubmitTask("hold", pool, prompt=prompt, max_attempts=1)])
            return state.tasks[(set(state.tasks) - known).pop()]

        first = await submit("kept", "60")
        await until(lambda: held_mb(fleet) > 60)
        await until(lambda: first.state is TaskState.SUCCEEDED)
        [holder] = fleet.usage.used.programs
        row = fleet.feed.row("agents", holder)
        assert row is not None
        assert row.rss_mb > 60  # type: ignore[union-attr]
        explained = await fleet.operator().query("explain", kind="agents", id=holder)
        assert any(line["text"].startswith("its program uses ") for line in explained["evidence"])
        waited: list[str] = []
        fleet.on("pool.tasks_wait", lambda record: waited.append(record.event.text))
        second = await submit("kept", "60")
        await until(lambda: second.state is TaskState.SUCCEEDED)
        assert waited[0].startswith("waits for memory: needs "), "40 MB are left, until the program that waits has made room"
        assert waited[-1] == ""

        for pool in ("greedy", "leaks"):
            task = await submit(pool, "90 and more")
            await until(lambda task=task: bool(task.finished_at))  # type: ignore[misc]
            assert task.error is not None
            assert task.error.kind == "memory_limit"
            assert f"with all it started, and pool {pool} allows 50 MB (memory_max)" in task.error.message
        again = await submit("greedy", "5")
        await until(lambda: again.state is TaskState.SUCCEEDED)
