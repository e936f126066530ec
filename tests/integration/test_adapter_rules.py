"""The rules of tests/unit/test_adapter_rules.py for agents that keep a process, with one program that speaks all their protocols."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from engine.model.pools import SessionSpec

from tests.integration.processes import is_gone, wait_until
from tests.integration.sessions import WAIT_S, Desk, desk

SPEAKS = r"""
import json, os, subprocess, sys, time
way, folder = sys.argv[1:3]
def say(**message): print(json.dumps(message), flush=True)
def turns():
    if way == "lines": say(type="hello", protocol=1)
    for line in sys.stdin:
        told = json.loads(line); what, given = told.get("method") or told["type"], told.get("params") or {}
        if what == "control_request": say(type="control_response", response={"subtype": "success", "request_id": told["request_id"]})
        elif what == "initialize": say(id=told["id"], result={"protocolVersion": 1})
        elif what in ("thread/start", "session/new"): say(id=told["id"], result={"thread": {"id": "t1"}, "sessionId": "t1"})
        elif what == "turn/start": say(id=told["id"], result={"turn": {"id": "u1"}}); yield told["id"], given["input"][0]["text"]
        elif what == "session/prompt": yield told["id"], given["prompt"][0]["text"]
        elif what == "task": yield told["id"], told["prompt"]
        elif what == "user": yield "", told["message"]["content"]
def end(turn, text):
    if way == "lines": say(type="result", id=turn, text=text)
    elif way == "claude": say(type="result", subtype="success", is_error=False, result=text, session_id="t1", **({"local_command": "clear"} if text == "/clear" else {}))
    elif way == "codex":
        say(method="item/completed", params={"threadId": "t1", "item": {"type": "agentMessage", "text": text}})
        say(method="turn/completed", params={"threadId": "t1", "turn": {"id": "u1", "status": "completed"}})
    else:
        say(method="session/update", params={"sessionId": "t1", "update": {"sessionUpdate": "agent_message_chunk", "content": {"type": "text", "text": text}}})
        say(id=turn, result={"stopReason": "end_turn"})
for turn, prompt in turns():
    if prompt == "dies": sys.exit("out of luck")
    elif prompt == "leaves": sys.exit(0)
    elif prompt == "silent": time.sleep(600)
    elif prompt == "retries":
        if way == "claude": say(type="system", subtype="api_retry", attempt=1, max_retries=10, retry_delay_ms=500)
        else: say(method="error", params={"threadId": "t1", "willRetry": True, "error": {"message": "Reconnecting... 1/5"}})
    elif prompt == "who":
        child = subprocess.Popen(["sleep", "600"])
        end(turn, json.dumps([child.pid, os.getpgid(0) == os.getpid(), [name for name in os.environ if name.startswith("CLAUDE")]]))
    else: end(turn, prompt)
open(folder + "/ended", "a").write(way)
if os.path.exists(folder + "/stay"): time.sleep(600)
"""


def spec_of(protocol: str, folder: Path, **more: Any) -> SessionSpec:
    return SessionSpec((sys.executable, "-S", "-c", SPEAKS, protocol, str(folder)), protocol, **more)


@pytest.mark.parametrize("protocol", ["lines", "claude", "codex", "acp"])
@pytest.mark.rule(1, "lines", "claude", "codex", "acp")
@pytest.mark.rule(2, "lines", "claude", "codex", "acp")
@pytest.mark.rule(3, "lines", "claude", "codex", "acp")
@pytest.mark.rule(6, "lines", "claude", "codex", "acp")
@pytest.mark.rule(7, "lines", "claude", "codex", "acp")
@pytest.mark.rule(8, "lines", "claude", "codex", "acp")
async def test_a_session_keeps_to_the_rules_whatever_it_speaks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, protocol: str) -> None:
    for name in ("CLAUDECODE", "CLAUDE_CODE_ENTRYPOINT"):
        monkeypatch.setenv(name, "1")
    spec = spec_of(protocol, tmp_path, grace_s=0.2)
    async with desk(tmp_path, spec.argv, protocol=protocol) as subject:
        who = await subject.done(1, "who")
        child, leads_its_group, inherited = json.loads(str(who.result["text"]))
        assert (leads_its_group, inherited) == (True, [])
        pid = subject.pid()
        await subject.leave()
        await wait_until(lambda: pid and is_gone(pid) and is_gone(child), WAIT_S)
        assert (tmp_path / "ended").read_text() == protocol, "it saw the end of its input, and nobody had to stop it"
        subject.start(spec)
        left = await subject.done(2, "leaves")
        assert (left.ok, left.error_kind, left.error) == (False, "agent_lost", "its process ended: exit code 0")
        died = await subject.done(3, "dies")
        assert (died.error_kind, died.error) == ("agent_lost", "its process ended: exit code 1: out of luck")
        await outstays(subject, tmp_path)
        subject.start(spec_of(protocol, tmp_path, silence_timeout_s=0.3, grace_s=0.2))
        silent = await subject.done(5, "silent")
        assert (silent.error_kind, silent.retryable) == ("no_output", True)


async def outstays(subject: Desk, folder: Path) -> None:
    """Check that what lives on after its last word is ended, and that the word counts."""
    (folder / "stay").touch()
    assert (await subject.done(4, "well")).ok
    pid = subject.pid()
    await subject.leave()
    await wait_until(lambda: pid and is_gone(pid), WAIT_S)


@pytest.mark.parametrize("protocol", ["claude", "codex"])
@pytest.mark.rule(5, "claude", "codex")
async def test_a_model_that_does_not_answer_ends_the_task_in_the_end(tmp_path: Path, protocol: str) -> None:
    spec = spec_of(protocol, tmp_path)
    async with desk(tmp_path, spec.argv, protocol=protocol, wait_max_s=0.3, grace_s=0.2) as subject:
        ended = await subject.done(1, "retries")
        assert (ended.error_kind, ended.retryable) == ("unreachable", True)
        assert ended.error.startswith("its model has not answered for 0.3 s: ")


@pytest.mark.rule(8, "lines", "claude", "codex", "acp")
async def test_processes_start_one_after_another_and_who_waits_says_so(tmp_path: Path) -> None:
    spec = spec_of("lines", tmp_path)
    async with desk(tmp_path, spec.argv, starts_per_s=0.01) as subject:
        assert (await subject.done(1, "well")).ok, "the first one starts at once"
        subject.start(spec)
        run = subject.give(2, "well")
        await wait_until(lambda: subject.kind.progress(run[0]), WAIT_S)
        said = subject.kind.progress(run[0])
        assert said is not None
        assert said["trouble"] == "waits for its start: 1 before it, 0.01 a second"
        subject.kind.stop_runs([run])
        ended = await subject.until_ended(2)
        assert (ended.error_kind, subject.began()) == ("stopped", 1)
