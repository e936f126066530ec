"""Pools of kind `openai` against the mock model: answers, usage, a provider that has too much, errors, and a task that is hung up."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from engine import FleetManager
from engine.clock import SystemClock
from engine.model.agents import AgentStatus
from engine.model.task_commands import CancelTask, SubmitTask
from engine.model.tasks import Task, TaskState
from fleet_tui.mock_model.script import Script, Turn
from fleet_tui.mock_model.server import MockModel

from tests.integration.test_scaling_library import until

WAIT_S = 60
KEY = "sk-" + "Zq9" * 8
BODY: dict[str, object] = {"error": {"message": f"no such model for {KEY}", "type": "invalid_request_error"}}
TURNS = [
    Turn(match="is well", text="All is well, says three.", input_tokens=100, output_tokens=7, cached_tokens=40),
    Turn(match="is busy", status=429, retry_after_s=1), Turn(match="is busy", text="at last"),
    Turn(match="is refused", status=400, body=BODY), Turn(match="is cut", text="half of it and more", cut="during", repeat=3),
    Turn(match="is slow", text="too late", delay_s=600, repeat=2),
]  # fmt: skip


def pool(url: str, **more: Any) -> dict[str, Any]:
    return {"kind": "openai", "min": 2, "max": 2, "openai": {"base_url": f"{url}/v1", "model": "mock-model", "key_env": "MODEL_KEY", **more}}


@pytest.mark.rule(2, "openai")
@pytest.mark.rule(5, "openai")
@pytest.mark.rule(8, "openai")
async def test_a_model_is_asked_waited_for_and_hung_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODEL_KEY", KEY)
    script: dict[str, list[Turn]] = {}
    for turn in TURNS:
        script.setdefault(turn.match, []).append(turn)
    async with MockModel(Script(script), clock=SystemClock()) as model:
        pools = {"writer": pool(model.url), "keyless": pool(model.url, key_env="NO_SUCH_KEY"), "nobody": pool("http://127.0.0.1:9"), "hasty": pool(model.url, silence_timeout_s=0.3)}
        async with FleetManager({"fleet": {"default_pools": pools}, "booster": {"enabled": False}}) as fleet:
            state = fleet.coordinator.state

            async def submit(prompt: str, pool: str = "writer") -> Task:
                known = set(state.tasks)
                await fleet.operator().execute([SubmitTask("ask", pool, prompt=prompt, max_attempts=1)])
                return state.tasks[(set(state.tasks) - known).pop()]

            tasks = {word: await submit(f"this {word}") for word in ("is well", "is busy", "is refused", "is cut")}
            tasks |= {"unreached": await submit("hello", "nobody"), "silent": await submit("this is slow", "hasty")}
            await until(lambda: all(task.finished_at for task in tasks.values()), WAIT_S)
            well, busy, refused, cut = (tasks[word] for word in ("is well", "is busy", "is refused", "is cut"))
            assert (well.state, well.result) == (TaskState.SUCCEEDED, {"text": "All is well, says three.", "model": "mock-model"}), well.error
            assert {name: well.usage[name] for name in ("input_tokens", "cache_read_tokens", "output_tokens", "turns")} == {"input_tokens": 60, "cache_read_tokens": 40, "output_tokens": 7, "turns": 1}
            assert (busy.state, busy.result["text"], busy.attempt) == (TaskState.SUCCEEDED, "at last", 1), busy.error
            errors = {name: (task.error.kind, task.error.message) for name, task in tasks.items() if task.error is not None}
            assert (errors["is refused"], errors["silent"]) == (("api_error", "HTTP 400: no such model for [hidden]"), ("api_error", f"{model.url}/v1: ReadTimeout"))
            assert (cut.state, errors["is cut"][0]) == (TaskState.DEAD, "api_error") or cut.state is TaskState.FAILED
            assert errors["unreached"][1].startswith("http://127.0.0.1:9/v1: ConnectError")
            assert [line["status"] for line in model.requests if line["first"] == "this is busy"] == [429, 200]
            keyless = [agent for agent in state.agents.values() if agent.spec.pool == "keyless"]
            assert {agent.status for agent in keyless} == {AgentStatus.FAILED}
            assert KEY not in str(model.requests)

            slow = await submit("this is slow")
            await until(lambda: slow.state is TaskState.RUNNING, WAIT_S)
            await fleet.operator().execute([CancelTask(slow.spec.id)])
            await until(lambda: bool(slow.finished_at), WAIT_S)
            assert slow.state is TaskState.CANCELLED
            again = await submit("this is well, again")
            await until(lambda: bool(again.finished_at), WAIT_S)
            assert again.state is TaskState.SUCCEEDED, "its agent is free again"
            log = await fleet.operator().query("log", id=well.spec.id)
            assert log["text"] == "All is well, says three."
