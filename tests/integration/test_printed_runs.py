"""Programs that say how it went: their word counts, and they are not waited for after it."""

from __future__ import annotations

import json
import sys
from typing import Any

import psutil
import pytest
from engine import FleetManager
from engine.model.task_commands import SubmitTask
from engine.model.tasks import Task, TaskState

from tests.integration.processes import command_line
from tests.integration.test_scaling_library import until

SAID = json.dumps({"type": "result", "subtype": "success", "is_error": False, "result": "done", "session_id": "s1", "total_cost_usd": 0.25, "usage": {"input_tokens": 5, "output_tokens": 2}})


def pool(script: str, **more: object) -> dict[str, Any]:
    return {"kind": "command", "min": 1, "max": 1, "command": {"argv": [sys.executable, "-S", "-c", script], "output": "claude", "linger_s": 0.1, **more}}


SECRET = "sk-" + "Zq9" * 8
TELLS = f"import sys; sys.stdout.buffer.write(b'\\xff\\x1b]52;c;eA==\\x07head\\x1b[2J token={SECRET} ' + b'x' * 200_000 + b' tail'); sys.exit('bad key {SECRET}')"

POOLS = {
    "lingers": pool(f"import time; print({SAID!r}, flush=True); time.sleep(3600)"),
    "adopted": pool(f"print({SAID!r})", on_engine_death="adopt"),
    "silent": pool("print('all is well')"),
    "tells": pool(TELLS, output="text"),
    "tells later": pool(TELLS, output="text", on_engine_death="adopt"),
}


@pytest.mark.rule(2, "command")
@pytest.mark.rule(3, "command")
@pytest.mark.rule(6, "command")
async def test_a_word_about_the_work_counts_more_than_how_its_program_ends() -> None:
    async with FleetManager({"fleet": {"default_pools": POOLS}}) as fleet:
        state = fleet.coordinator.state
        await fleet.operator().execute([SubmitTask("run", name, max_attempts=1) for name in POOLS])
        tasks = {task.spec.pool: task for task in state.tasks.values()}
        await until(lambda: all(task.finished_at for task in tasks.values()))
        for name in ("lingers", "adopted"):
            task = tasks[name]
            assert (task.state, task.result["text"], task.result["session"]) == (TaskState.SUCCEEDED, "done", "s1")
            assert (task.usage["cost"], task.usage["input_tokens"], task.usage["output_tokens"]) == (0.25, 5, 2)
        assert tasks["lingers"].result["signal"] == 15, "it would have slept for an hour"
        silent = tasks["silent"]
        assert silent.error is not None
        assert (silent.error.kind, silent.result["stdout"]) == ("no_result", "all is well\n")
        for name in ("tells", "tells later"):
            await keeps_no_secret(fleet, tasks[name])
        assert not [one for one in psutil.Process().children(recursive=True) if SAID in command_line(one)]


async def keeps_no_secret(fleet: FleetManager, task: Task) -> None:
    """Check what is kept of a program that printed a secret and what moves a terminal: its result, its error and its log."""
    assert task.error is not None
    assert task.error.message.endswith("bad key [hidden]")
    artifact = await fleet.operator().query("artifact", id=task.artifact)
    log = await fleet.operator().query("log", id=task.spec.id)
    for text in (str(artifact["data"]["stdout"]), log["text"].replace("bad key [hidden]\n", "")):
        assert text.startswith("\ufffdhead token=[hidden] xxx")
        assert text.endswith("xxx tail")
    assert SECRET not in f"{task} {artifact} {log}"
