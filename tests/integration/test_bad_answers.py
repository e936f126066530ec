"""Agents that answer with what no JSON is: each is a recorded end of its task, and the engine goes on."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from engine import FleetManager
from engine.model.task_commands import SubmitTask
from engine.model.tasks import FINISHED, Task

PRINTS = "import sys; sys.stdout.buffer.write(b'nul \\0 half \\xed\\xb2\\x80 \\xff end'); sys.stderr.buffer.write(b'why \\0 \\xed\\xb2\\x80 \\xff'); sys.exit({code})"
CONFIG: dict[str, Any] = {
    "fleet": {
        "workers": 1,
        "default_pools": {
            "bad": {"min": 2, "max": 4, "handler": "tests.integration.light_handlers:answer_badly"},
            "prints": {"min": 1, "max": 2, "kind": "command", "command": {"argv": ["python3", "-c", PRINTS.format(code=0)]}},
            "fails": {"min": 1, "max": 2, "kind": "command", "command": {"argv": ["python3", "-c", PRINTS.format(code=3)]}},
        },
    },
}


async def ended(fleet: FleetManager, *commands: SubmitTask) -> list[Task]:
    """Submit tasks and wait for their ends."""
    answer = await fleet.operator().execute(commands)
    tasks = [fleet.coordinator.state.tasks[task] for task in answer.values]  # type: ignore[index]
    async with asyncio.timeout(30):
        while not all(task.state in FINISHED for task in tasks):
            await asyncio.sleep(0.02)
    return tasks


@pytest.mark.row(23)
async def test_bad_answers_of_python_agents(tmp_path: Path) -> None:
    hows = ["nan", "bytes", "object", "surrogate", "cycle", "key", "number", "raise"]
    asked = [SubmitTask("x", "bad", payload={"how": how}, max_attempts=1) for how in hows]
    asked += [SubmitTask("x", "bad", payload={"how": "nested", "levels": levels}) for levels in (90, 150, 940, 970, 990, 100_000)]
    async with FleetManager(CONFIG, state_dir=tmp_path) as fleet:
        tasks = await ended(fleet, *asked)
        found = {how: (str(task.state), task.error.kind if task.error else task.result) for how, task in zip(hows, tasks, strict=False)}
        assert found == {
            "nan": ("succeeded", {"loss": None, "best": None}),
            "bytes": ("succeeded", {"data": "AP8=", "view": "YWI="}),
            "object": ("failed", "not_json"),
            "surrogate": ("failed", "not_json"),
            "cycle": ("failed", "not_json"),
            "key": ("failed", "not_json"),
            "number": ("failed", "not_json"),
            "raise": ("dead", "LookupError"),
        }
        assert [str(task.state) for task in tasks[len(hows) :]] == ["succeeded", *["failed"] * 5]
        assert {task.attempt for task in tasks} == {1}
        assert tasks[7].error is not None
        assert tasks[7].error.message == "lone \\udc80 \0 text"
        assert not fleet.coordinator.read_only
        assert fleet.coordinator.counters.rebuilt == 0
    async with FleetManager(CONFIG, state_dir=tmp_path) as fleet:
        kept = fleet.coordinator.state.tasks[tasks[0].spec.id]
        assert (kept.state, kept.result) == ("succeeded", {"loss": None, "best": None})


async def test_bad_output_of_programs(tmp_path: Path) -> None:
    async with FleetManager(CONFIG, state_dir=tmp_path) as fleet:
        good, bad = await ended(fleet, SubmitTask("command", "prints"), SubmitTask("command", "fails", max_attempts=1))
        assert (good.state, good.result["stdout"]) == ("succeeded", "nul  half \ufffd\ufffd\ufffd \ufffd end")
        assert bad.error is not None
        assert (bad.state, bad.error.kind, bad.error.message) == ("dead", "exit_code", "exit code 3: why  \ufffd\ufffd\ufffd \ufffd")
    async with FleetManager(CONFIG, state_dir=tmp_path) as fleet:
        assert fleet.coordinator.state.tasks[bad.spec.id].error == bad.error
