"""Real Claude Code and Codex run by the engine, offline: results, usage, errors, 429, and nothing of them left when one is killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import psutil
import pytest
from engine.model.ids import TaskId
from engine.model.task_commands import CancelTask
from engine.model.tasks import TaskState
from fleet_tui.mock_model.script import Turn

from tests.integration.engines import engine
from tests.integration.engines import until as until_now
from tests.integration.real_agents import KEY, WAIT_S, agent_world, commands_of, quoted, shell
from tests.integration.test_scaling_library import until
from tests.tools.agent_programs import need_agents

# What the programs are fetched with may take longer than a test.
pytestmark = [pytest.mark.xdist_group("agent programs"), pytest.mark.timeout(600)]

POOLS = ("claude", "codex")
REFUSAL: dict[str, object] = {"type": "error", "error": {"type": "invalid_request_error", "message": "no such beast"}}


def turns_of(pool: str, command: str) -> list[Turn]:
    name, given = shell(pool, command)
    ask = Turn(match=f"{pool} makes", text="I run it.", tool=name, input=given, input_tokens=1_000, output_tokens=20)
    return [ask, Turn(match=f"{pool} makes", text="It is made.", input_tokens=1_500, output_tokens=5, cached_tokens=400)]


def processes_of(task: TaskId) -> list[psutil.Process]:
    """The live processes that a task's program began, itself included."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.status() != psutil.STATUS_ZOMBIE and process.environ().get("FLEET_TASK_ID") == task:
                found.append(process)
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
    return found


async def test_a_task_runs_a_tool_and_its_answer_usage_and_cost_are_the_tasks(tmp_path: Path) -> None:
    programs = need_agents()
    made = {pool: tmp_path / f"{pool}.txt" for pool in POOLS}
    turns = [turn for pool in POOLS for turn in turns_of(pool, f"echo $((40 + 2)) > {quoted(made[pool])}")]
    async with agent_world(programs, tmp_path, turns) as world:
        tasks = {pool: await world.submit(pool, f"{pool} makes a file") for pool in POOLS}
        await world.finish(list(tasks.values()))
        for pool, task in tasks.items():
            assert task.state is TaskState.SUCCEEDED, (task.error, task.result)
            assert task.result["text"] == "It is made."
            assert made[pool].read_text() == "42\n"
            used = {name: task.usage[name] for name in ("input_tokens", "cache_read_tokens", "output_tokens")}
            assert used == {"input_tokens": 2_100, "cache_read_tokens": 400, "output_tokens": 25}
            sessions = {line["session"] for line in world.model.requests if f"{pool} makes" in str(line["first"])}
            assert sessions == {task.result["session"]}, "the model was asked under the name that resumes it"
        assert tasks["claude"].usage["cost"] > 0
        assert "cost" not in tasks["codex"].usage, "it tells none"
        headers = [str(line["headers"]) for line in world.model.requests]
        assert headers
        assert not [one for one in headers if KEY in one], "the log has no key"


async def test_errors_say_what_happened_and_429_is_waited_out(tmp_path: Path) -> None:
    programs = need_agents()
    turns = [
        Turn(match="is refused", status=400, body=REFUSAL, repeat=100),
        Turn(match="is busy", status=429, retry_after_s=1),
        Turn(match="is busy", text="at last"),
    ]
    async with agent_world(programs, tmp_path, turns) as world:
        for task in await world.ask_both("this is refused"):
            assert task.state is TaskState.FAILED
            assert task.error is not None
            assert task.error.kind == "api_error"
            assert "no such beast" in task.error.message
        for task in await world.ask_both("this is busy"):
            assert (task.state, task.result["text"]) == (TaskState.SUCCEEDED, "at last"), task.error
        for path in ("/messages", "/responses"):
            asked = [line for line in world.model.requests if line["path"] == path and line["first"] == "this is busy"]
            assert [line["status"] for line in asked] == [429, 200]
            assert float(str(asked[1]["at"])) - float(str(asked[0]["at"])) >= 0.9, "it waited as long as it was told to"


async def test_nothing_is_left_of_a_program_that_is_killed_or_stopped_at_work(tmp_path: Path) -> None:
    programs = need_agents()
    started = {pool: tmp_path / f"{pool}.pid" for pool in POOLS}
    turns = []
    for pool in POOLS:
        name, given = shell(pool, f"echo $$ > {quoted(started[pool])}; exec tail -f /dev/null")
        turns.append(Turn(match=f"{pool} waits", tool=name, input=given))
    async with agent_world(programs, tmp_path, turns) as world:
        tasks = {pool: await world.submit(pool, f"{pool} waits") for pool in POOLS}
        await until(lambda: all(path.exists() and path.read_text().strip() for path in started.values()), WAIT_S)
        for pool, task in tasks.items():
            tool = int(started[pool].read_text())  # it carries the task's name, too; not while it becomes another program
            await until(lambda task=task, tool=tool: tool in {process.pid for process in processes_of(task.spec.id)}, WAIT_S)  # type: ignore[misc]
        for process in processes_of(tasks["claude"].spec.id):
            if process.exe() == str(programs.claude):
                os.kill(process.pid, signal.SIGKILL)
        await world.fleet.operator().execute([CancelTask(tasks["codex"].spec.id)])
        await world.finish(list(tasks.values()))
        await until(lambda: not any(processes_of(task.spec.id) for task in tasks.values()), WAIT_S)
        killed, stopped = tasks["claude"], tasks["codex"]
        assert killed.error is not None
        assert "SIGKILL" in killed.error.message
        assert stopped.state is TaskState.CANCELLED


@pytest.mark.slow
def test_kill_of_the_engine_leaves_no_program_of_theirs(tmp_path: Path) -> None:
    programs = need_agents()
    script = tmp_path / "script.toml"
    script.write_text(
        '[[turn]]\nmatch = "claude"\ntool = "Bash"\ninput = { command = "exec tail -f /dev/null", description = "wait" }\n'
        '[[turn]]\nmatch = "codex"\ntool = "exec_command"\ninput = { cmd = "exec tail -f /dev/null" }\n'
    )
    words = [sys.executable, "-m", "fleet_tui", "mock-model", str(script)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        url = json.loads(process.stdout.readline())["url"]
        try:
            commands = commands_of(programs, url, tmp_path / "home")
            pools = "".join(f'[pools.{pool}]\nkind = "command"\nmin = 2\nmax = 2\n[pools.{pool}.command]\n{toml_of(commands[pool])}' for pool in POOLS)
            with engine(tmp_path, f"[fleet]\ndefault_pools = false\n{pools}") as subject:
                for pool in POOLS:
                    for number in range(2):
                        assert subject.run("submit", "ask", pool, "--prompt", f"{pool} waits {number}").returncode == 0
                until_now(lambda: sum(command_line(pid)[:1] == ["tail"] for pid in subject.marked()) == 4, WAIT_S)
                subject.kill()
                until_now(lambda: not subject.marked(), WAIT_S)
        finally:
            process.terminate()


def toml_of(command: Mapping[str, Any]) -> str:
    """Keys of a table, whose values TOML writes as JSON does; tables apart."""
    plain = [f"{key} = {json.dumps(value)}\n" for key, value in command.items() if not isinstance(value, dict)]
    return "".join(plain) + "env = { " + ", ".join(f"{name} = {json.dumps(value)}" for name, value in command["env"].items()) + " }\n"


def command_line(pid: int) -> list[str]:
    try:
        return psutil.Process(pid).cmdline()
    except psutil.NoSuchProcess:
        return []
