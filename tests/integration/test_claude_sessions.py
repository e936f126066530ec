"""Sessions that speak Claude Code's stream: the process, its place and its conversation, with a program that speaks as it does."""

from __future__ import annotations

import json
import os
import signal
import sys
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest
from engine.model.questions import Reply, TaskAsked

from tests.integration.processes import wait_until
from tests.integration.sessions import WAIT_S, Desk, desk

SPEAKS = r"""
import json, os, signal, sys, time
def say(**message): print(json.dumps(message), flush=True)
resumed = sys.argv[sys.argv.index("--resume") + 1] if "--resume" in sys.argv else ""
if resumed == "gone": sys.exit("No conversation found with session ID: gone")
session, cost, waits = resumed or f"s-{os.getpid()}", 0.0, ""
def end(text, **more):
    global cost; cost += 0.25
    say(type="result", subtype="success", is_error=False, result=text, session_id=session, total_cost_usd=cost, usage={"input_tokens": 3}, permission_denials=[], **more)
for line in sys.stdin:
    told = json.loads(line)
    if told["type"] == "control_request":
        say(type="control_response", response={"subtype": "success", "request_id": told["request_id"]})
        if told["request"]["subtype"] == "interrupt": end("interrupted", terminal_reason="aborted_tools")
    elif told["type"] == "control_response":
        end(json.dumps(told["response"]["response"]))
    else:
        prompt = told["message"]["content"]
        if prompt == "/clear":
            cost = -0.25; session += "c"; end("", local_command="clear"); continue
        say(type="system", subtype="init", session_id=session)
        if "asks" in prompt: say(type="control_request", request_id="r1", request={"subtype": "can_use_tool", "tool_name": "Edit", "input": {"file_path": "a", "old_string": "1", "new_string": "2"}, "tool_use_id": "u1"})
        elif "waits" in prompt: say(type="system", subtype="api_retry", attempt=1, max_retries=10, retry_delay_ms=500)
        elif "circles" in prompt:
            for number in range(40): say(type="assistant", message={"content": [{"type": "tool_use", "id": f"u{number}", "name": "Bash", "input": {"command": ["make", f"make {number}"][number % 2]}}]})
        elif prompt == "leaves": os.kill(os.getpid(), signal.SIGINT)
        else: end(json.dumps([prompt, os.getcwd(), session, os.environ.get("ANTHROPIC_TEST", ""), os.environ.get("CLAUDECODE", "")]))
"""
ARGV = (sys.executable, "-S", "-c", "import signal, sys; signal.signal(signal.SIGINT, lambda *_: sys.exit(0))\n" + SPEAKS)


def claude(folder: Path, **settings: int) -> AbstractAsyncContextManager[Desk]:
    return desk(folder, ARGV, protocol="claude", **settings)


async def until_asked(subject: Desk, count: int = 1) -> TaskAsked:
    def asked() -> list[TaskAsked]:
        return [report for report in subject.reports if isinstance(report, TaskAsked)]

    await wait_until(lambda: len(asked()) >= count, WAIT_S)
    return asked()[-1]


async def test_one_process_does_the_tasks_of_a_place_each_in_a_conversation_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_TEST", "passed on")
    monkeypatch.setenv("CLAUDECODE", "1")
    place = tmp_path / "place"
    place.mkdir()
    async with claude(tmp_path) as subject:
        first = await subject.done(1, "one")
        pid = subject.pid()
        second = await subject.done(2, "two")
        assert subject.pid() == pid
        assert json.loads(first.result["text"]) == ["one", str(tmp_path), f"s-{pid}", "passed on", ""]
        assert second.result["session"] == f"s-{pid}c"
        assert (first.usage, second.usage) == ({"input_tokens": 3, "cost": 0.25},) * 2
        moved = await subject.done(3, "three", workspace=str(place))
        assert json.loads(moved.result["text"])[1] == str(place)
        assert subject.pid() != pid, "it works where it was started"
        followed = await subject.done(4, "four", workspace=str(place), payload={"prompt": "four", "resume": "s-7"})
        assert followed.result["session"] == "s-7"
        refused = await subject.done(5, "five", workspace=str(place / "nowhere"))
        assert (refused.error_kind, refused.retryable) == ("bad_payload", False)
        lost = await subject.done(6, "six", payload={"prompt": "six", "resume": "gone"})
        assert (lost.error_kind, lost.error) == ("start", "it ended before its hello: exit code 1: No conversation found with session ID: gone")


async def test_an_interrupted_task_goes_on_with_its_conversation_also_after_the_engine_died(tmp_path: Path) -> None:
    async with claude(tmp_path) as subject:
        subject.give(1, "asks")
        asked = await until_asked(subject)
        assert (asked.ask.tool, asked.ask.diff) == ("Edit", "--- a\n+++ a\n@@ -1 +1 @@\n-1\n+2")
        pid = subject.pid()
        os.kill(pid, signal.SIGKILL)
        died = await subject.until_ended(1)
        assert (died.error_kind, died.retryable) == ("agent_lost", True)
        run = subject.give(1, "asks", token=2)
        again = await until_asked(subject, 2)
        subject.kind.answer(run, again.ask.ask, Reply("deny", "no"))
        ended = await subject.until_ended(2)
        assert (ended.result["session"], json.loads(ended.result["text"])) == (f"s-{pid}", {"behavior": "deny", "message": "no"})
        left = await subject.done(2, "leaves")
        assert (left.error_kind, left.error) == ("agent_lost", "its process ended: exit code 0"), "an exit without a result is no success"
        subject.give(3, "asks")
        await until_asked(subject, 3)
        held = subject.pid()
    async with claude(tmp_path) as subject:
        next_engine = await subject.done(3, "plain", token=2)
        text, _, session, *_ = json.loads(next_engine.result["text"])
        assert (session, text.endswith("\n\nplain")) == (f"s-{held}", True)
        assert not [*(tmp_path / "conversations").glob("tsk_3")], "an ended task has nothing to go on with"


async def test_a_stopped_task_is_interrupted_and_its_process_kept_and_a_waiting_model_is_no_progress(tmp_path: Path) -> None:
    async with claude(tmp_path) as subject:
        run = subject.give(1, "waits")
        await wait_until(lambda: bool((subject.kind.progress(run[0]) or {}).get("trouble")), WAIT_S)
        said = subject.kind.progress(run[0])
        assert (said["text"], said["trouble"]) == ("", "the model does not answer: attempt 1 of 10, again in 0 s")
        pid = subject.pid()
        subject.kind.stop_runs([run])
        ended = await subject.until_ended(1)
        assert (ended.error_kind, ended.usage["cost"]) == ("stopped", 0.25)
        assert (await subject.done(2, "next")).ok
        assert subject.pid() == pid


async def test_a_task_that_goes_in_circles_is_ended_for_good_and_its_process_kept(tmp_path: Path) -> None:
    async with claude(tmp_path, repeats_max=15) as subject:
        ended = await subject.done(1, "circles")
        why = "it goes in circles: 15 of its last 29 uses of tools were the same: Bash: make"
        assert (ended.error_kind, ended.error, ended.retryable, ended.usage["cost"]) == ("loop", why, False, 0.25)
        pid = subject.pid()
        assert (await subject.done(2, "next")).ok
        assert subject.pid() == pid
    async with claude(tmp_path, repeats_max=0) as subject:
        run = subject.give(3, "circles")
        await wait_until(lambda: (subject.kind.progress(run[0]) or {}).get("text") == "Bash: make 39", WAIT_S)
        assert not subject.ended()


async def test_a_program_that_is_not_there_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    async with desk(tmp_path, (), protocol="claude") as subject:
        [failed] = subject.reports
        assert "'claude' is no program on PATH" in failed.reason
