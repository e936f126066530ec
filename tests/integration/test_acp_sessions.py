"""Sessions that speak the Agent Client Protocol, with a small agent of its specification, and with a real one."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import pytest
from engine import FleetManager
from engine.clock import SystemClock
from engine.model.question_commands import AnswerTask
from engine.model.questions import Reply, TaskAsked
from engine.model.task_commands import SubmitTask
from engine.model.tasks import TaskState
from fleet_tui.mock_model.script import Script, Turn
from fleet_tui.mock_model.server import MockModel

from tests.integration.processes import wait_until
from tests.integration.real_agents import KEY, WAIT_S
from tests.integration.sessions import Desk, desk
from tests.integration.test_scaling_library import until
from tests.tools.agent_programs import need_acp_agent

SPEAKS = r"""
import json, os, sys
def say(**message): print(json.dumps({"jsonrpc": "2.0", **message}), flush=True)
def write(text): say(method="session/update", params={"sessionId": session, "update": {"sessionUpdate": "agent_message_chunk", "content": {"type": "text", "text": text}}})
session, cwd, waits, made = "", "", 0, 0
for line in sys.stdin:
    told = json.loads(line); method, given = told.get("method"), told.get("params", {})
    if method == "initialize": say(id=told["id"], result={"protocolVersion": 1, "agentCapabilities": {"loadSession": True, "sessionCapabilities": {"close": {}}}})
    elif method in ("session/new", "session/load"):
        made += 1; cwd = given["cwd"]; session = given.get("sessionId") or f"s-{os.getpid()}-{made}"
        say(id=told["id"], result={"sessionId": session} if method == "session/new" else None)
    elif method == "session/close": say(id=told["id"], result={})
    elif method == "session/cancel": say(id=waits, result={"stopReason": "cancelled"})
    elif method == "session/prompt":
        prompt, waits = given["prompt"][0]["text"], told["id"]
        if prompt.endswith("asks"): say(id="q", method="session/request_permission", params={"sessionId": session, "toolCall": {"toolCallId": "t", "title": "Run it", "kind": "execute", "rawInput": {"command": "make"}}, "options": [{"optionId": "1", "name": "Yes", "kind": "allow_once"}, {"optionId": "2", "name": "No", "kind": "reject_once"}]})
        elif prompt == "waits": write("working\n")
        else: write(f"{prompt} in {cwd} by {session}"); say(id=waits, result={"stopReason": "end_turn", "usage": {"inputTokens": 3, "outputTokens": 1}})
    elif told.get("id") == "q": write(told["result"]["outcome"].get("optionId", "none")); say(id=waits, result={"stopReason": "end_turn"})
"""
ARGV = (sys.executable, "-S", "-c", SPEAKS)


async def until_asked(subject: Desk, count: int) -> TaskAsked:
    def asked() -> list[TaskAsked]:
        return [report for report in subject.reports if isinstance(report, TaskAsked)]

    await wait_until(lambda: len(asked()) >= count, WAIT_S)
    return asked()[-1]


async def test_one_process_has_a_session_for_each_task_asks_is_stopped_and_goes_on_after_a_kill(tmp_path: Path) -> None:
    async with desk(tmp_path, ARGV, protocol="acp") as subject:
        first = await subject.done(1, "one")
        pid = subject.pid()
        assert pid
        second = await subject.done(2, "two", workspace=str(tmp_path / "logs"))
        assert [one.result["text"] for one in (first, second)] == [f"one in {tmp_path} by s-{pid}-1", f"two in {tmp_path}/logs by s-{pid}-2"]
        assert (first.usage, second.result["session"], subject.pid()) == ({"input_tokens": 3, "output_tokens": 1}, f"s-{pid}-2", pid)
        run = subject.give(3, "asks")
        asked = await until_asked(subject, 1)
        assert (asked.ask.tool, asked.ask.text, asked.ask.arguments) == ("execute", "Run it", {"command": "make"})
        subject.kind.answer(run, asked.ask.ask, Reply("deny"))
        assert (await subject.until_ended(3)).result["text"] == "2"
        run = subject.give(4, "waits")
        await wait_until(lambda: "working" in subject.log(4), WAIT_S)
        subject.kind.stop_runs([run])
        assert (await subject.until_ended(4)).error_kind == "stopped"
        assert subject.pid() == pid
        subject.give(5, "asks")
        await until_asked(subject, 2)
        os.kill(pid, signal.SIGKILL)
        assert (await subject.until_ended(5)).error_kind == "agent_lost"
        run = subject.give(5, "asks", token=2)
        again = await until_asked(subject, 3)
        subject.kind.answer(run, again.ask.ask, Reply("allow"))
        ended = await subject.until_ended(6)
        assert (ended.result["text"], ended.result["session"]) == ("1", f"s-{pid}-5")


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.xdist_group("agent programs")
async def test_a_real_agent_of_the_protocol_is_asked_for_leave_and_does_its_work(tmp_path: Path) -> None:
    argv = need_acp_agent()
    made, home = tmp_path / "made.txt", tmp_path / "home"
    home.mkdir()
    turns = [
        Turn(match="write it", tool="Write", input={"file_path": str(made), "content": "hello\n"}, input_tokens=100, output_tokens=5),
        Turn(match="write it", text="It is made.", input_tokens=200, output_tokens=5),
        Turn(match="leave it", tool="Write", input={"file_path": str(tmp_path / "not.txt"), "content": "x"}), Turn(match="leave it", text="I leave it."),
    ]  # fmt: skip
    async with MockModel(Script({match: [one for one in turns if one.match == match] for match in ("write it", "leave it")}), clock=SystemClock()) as model:
        env = {"HOME": str(home), "ANTHROPIC_BASE_URL": model.url, "ANTHROPIC_API_KEY": KEY, "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1", "IS_SANDBOX": "1"}
        pool = {"kind": "session", "min": 1, "max": 1, "session": {"protocol": "acp", "argv": argv, "env": env}}
        async with FleetManager({"fleet": {"default_pools": {"acp": pool}}, "booster": {"enabled": False}}) as fleet:
            for prompt, word, text in (("write it", "allow", "It is made."), ("leave it", "deny", "I leave it.")):
                known = set(fleet.coordinator.state.tasks)
                await fleet.operator().execute([SubmitTask("ask", "acp", prompt=prompt, workspace=str(tmp_path), max_attempts=1)])
                (id_,) = set(fleet.coordinator.state.tasks) - known
                task = fleet.coordinator.state.tasks[id_]
                await until(lambda task=task: bool(task.questions or task.finished_at), WAIT_S)  # type: ignore[misc]
                assert task.questions, task.error
                ask = next(iter(task.questions.values())).ask
                assert (ask.tool, ask.arguments["content"]) == ("Write", "hello\n" if word == "allow" else "x")
                assert ask.diff.splitlines()[2].startswith("@@")
                await fleet.operator().execute([AnswerTask(id_, word)])
                await until(lambda task=task: bool(task.finished_at), WAIT_S)  # type: ignore[misc]
                assert (task.state, task.result["text"]) == (TaskState.SUCCEEDED, text), task.error
                assert task.usage["cost"] > 0
            assert made.read_text() == "hello\n"
            assert not (tmp_path / "not.txt").exists()
