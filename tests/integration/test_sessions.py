"""Agents of kind `session`: one process for many tasks, whatever it prints, however it ends."""

# A test may hold up its own loop.
# ruff: noqa: ASYNC240

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import pytest
from engine.agents.sessions.json_lines import LINE_MAX_BYTES
from engine.model.questions import Reply, TaskAsked

from tests.integration.processes import is_gone, wait_until
from tests.integration.sessions import AGENT, WAIT_S, Desk, desk, python, sample


@pytest.mark.parametrize("argv", [(sys.executable, "-c", sample("python")), ("sh", "-c", sample("sh"))], ids=["python", "shell"])
async def test_the_samples_do_one_task_after_another_in_one_process(tmp_path: Path, argv: tuple[str, ...]) -> None:
    async with desk(tmp_path, argv) as subject:
        first = await subject.done(1, 'say "three words"')
        pid = subject.pid()
        second = await subject.done(2, "two words")
        assert subject.pid() == pid, "the process is kept"
        assert (first.ok, second.ok) == (True, True), (first, second)
        texts = [str(first.result["text"]), str(second.result["text"])]
        assert texts in (["3 words", "2 words"], ['say "three words"', "two words"])
        assert [outcome.result["turn"] for outcome in (first, second)] == [1, 2]
        await wait_until(lambda: "[progress]" in subject.log(1), WAIT_S)
        await asks_and_obeys(subject)
        subject.kind.stop(["agt_1"])
        await wait_until(lambda: pid and is_gone(pid), WAIT_S)


async def asks_and_obeys(subject: Desk) -> None:
    """Check that it goes on once it is answered, and that only the answer to its own question of this attempt counts."""
    run = subject.give(3, "write x", token=4)
    await wait_until(lambda: any(isinstance(report, TaskAsked) for report in subject.reports), WAIT_S)
    asked = next(report for report in subject.reports if isinstance(report, TaskAsked))
    assert (asked.task, asked.token, asked.ask.tool, asked.ask.arguments, asked.ask.diff) == (*run, "Write", {"path": "notes.txt"}, "+x")
    subject.kind.answer((run[0], 3), asked.ask.ask, Reply("allow"))
    subject.kind.answer(run, "of nobody", Reply("allow"))
    subject.kind.answer(run, asked.ask.ask, Reply("deny", "not now"))
    subject.kind.answer(run, asked.ask.ask, Reply("allow"))
    ended = await subject.until_ended(3)
    assert (ended.error, ended.retryable) == ("not allowed: not now", False)


NOISY = r"""
for turn, told in turns():
    raw(b"loading model\n\xff\xfe\x00\x9b31m\n{\"type\":\n[1, 2\n\"text\"\nnull\n")
    raw(json.dumps({"type": "output", "id": turn, "text": "\x1b[31mred\x1b[0m \x1b]0;title\x07and \u202eback"}).encode()[:20])
    time.sleep(0.05)
    raw(json.dumps({"type": "output", "id": turn, "text": "\x1b[31mred\x1b[0m \x1b]0;title\x07and \u202eback"}).encode()[20:] + b"\n")
    raw(b"x" * int(told["prompt"]) + b"\n")
    raw(b'{"type":"output","id":"' + turn.encode() + b'","text":"caf\xe9"}\n')
    sys.stderr.write("\x1b[2Jdebug\x07\n"); sys.stderr.flush()
    say(type="output", id="tsk_0.9", text="of another attempt")
    say(type="result", id=turn, text="done", data={"n": 1}, usage={"input_tokens": 3, "odd": "x"}, cost_usd=0.25)
    say(type="result", id=turn, text="again")
"""


async def test_whatever_is_printed_beside_messages_breaks_nothing_and_is_shown_safely(tmp_path: Path) -> None:
    async with desk(tmp_path, python(NOISY)) as subject:
        first = await subject.done(1, str(3 * LINE_MAX_BYTES))
        second = await subject.done(2, "10")
        assert (first.ok, second.ok) == (True, True), (first, second)
        assert first.result["text"] == "done"
        assert first.result["data"] == {"n": 1}
        assert first.result["output"] == "red and backcaf\ufffd"
        assert first.usage == {"input_tokens": 3, "cost": 0.25}
        await wait_until(lambda: "debug" in subject.log(1) and "not understood" in subject.log(1), WAIT_S)
        assert all(char.isprintable() or char == "\n" for char in subject.log(1))
        assert f"a line of {3 * LINE_MAX_BYTES:,} bytes" in subject.log(1)
        assert "of another attempt" not in subject.log(1)


ENDS = """
for turn, told in turns():
    what = told["prompt"]
    if what == "dies":
        sys.stderr.write("out of luck\\n"); sys.stderr.flush(); os._exit(3)
    elif what == "fails":
        say(type="error", id=turn, message="no such model", kind="model", retryable=False)
    elif what == "unreadable":
        say(type="result", text="without its id")
    elif what == "deep":
        raw(b'{"type":"result","id":"' + turn.encode() + b'","data":' + b"[" * 5000 + b"]" * 5000 + b"}\\n")
    elif what == "last":
        say(type="result", id=turn, text="done"); say(type="bye"); sys.exit(0)
    elif what == "waits":
        say(type="ask", id=turn, ask="1", text="Well?"); answer = hear(); say(type="result", id=turn, text=answer["text"])
    elif what == "large":
        say(type="ask", id=turn, ask="1", tool="Write", arguments={"text": "x" * 70_000}); say(type="result", id=turn, text=hear()["decision"])
    elif what == "silent":
        time.sleep(600)
    else:
        say(type="result", id=turn, text=str(os.getpid()))
"""


async def test_a_turn_ends_as_its_agent_or_its_process_does_and_the_next_one_goes_on(tmp_path: Path) -> None:
    async with desk(tmp_path, python(ENDS), silence_timeout_s=WAIT_S) as subject:
        died = await subject.done(1, "dies")
        assert (died.error_kind, died.error) == ("agent_lost", "its process ended: exit code 3: out of luck")
        failed = await subject.done(2, "fails")
        assert (failed.error_kind, failed.error, failed.retryable) == ("model", "no such model", False)
        unreadable = await subject.done(3, "unreadable")
        assert (unreadable.error_kind, unreadable.ok) == ("protocol", False)
        assert (await subject.done(4, "deep")).error_kind == "protocol"
        assert (await subject.done(5, "last")).ok
        assert (await subject.done(10, "large")).result["text"] == "deny", "nobody can judge so much"
        run = subject.give(11, "waits")
        await wait_until(lambda: any(isinstance(report, TaskAsked) for report in subject.reports), WAIT_S)
        session = subject.kind._sessions[AGENT]
        assert session.turn is not None
        assert session._due(session.turn) is None, "who waits for an answer is not silent"
        subject.kind.answer(run, "1", Reply("text", "well"))
        assert (await subject.until_ended(7)).result["text"] == "well"
        refused = await subject.done(7, "where", workspace=str(tmp_path / "nowhere"))
        assert (refused.error_kind, refused.retryable) == ("bad_payload", False)
        alive = await subject.done(8)
        os.kill(int(str(alive.result["text"])), signal.SIGKILL)
        await wait_until(lambda: subject.pid() is None, WAIT_S)
        assert (await subject.done(9)).ok, "a process that died between two tasks is replaced"
    async with desk(tmp_path, python(ENDS), silence_timeout_s=1.0, grace_s=0.2) as subject:
        silent = await subject.done(6, "silent")
        assert (silent.error_kind, silent.retryable) == ("no_output", True)


CANCELLED = """
for turn, told in turns():
    if told["prompt"] == "deaf":
        import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); say(type="output", id=turn, text="working"); time.sleep(600)
    if told["prompt"] == "polite":
        say(type="output", id=turn, text="working")
        word = hear()
        say(type="error", id=turn, message=word["type"])
    else:
        say(type="result", id=turn)
"""


async def test_a_stopped_turn_keeps_a_process_that_obeys_and_ends_one_that_does_not(tmp_path: Path) -> None:
    async with desk(tmp_path, python(CANCELLED), grace_s=0.5, keep_idle_s=0.0) as subject:
        polite = subject.give(1, "polite")
        await wait_until(lambda: "working" in subject.log(1), WAIT_S)
        pid = subject.pid()
        subject.kind.stop_runs([polite])
        ended = await subject.until_ended(1)
        assert (ended.error_kind, ended.error) == ("stopped", "cancel")
        await wait_until(lambda: pid and is_gone(pid), WAIT_S)  # it is not kept without a task, by this pool's setting
        deaf = subject.give(2, "deaf")
        await wait_until(lambda: "working" in subject.log(2), WAIT_S)
        pid = subject.pid()
        subject.kind.stop_runs([deaf])
        ended = await subject.until_ended(2)
        assert ended.error_kind == "stopped"
        assert pid
        assert is_gone(pid)
        assert (await subject.done(3)).ok


@pytest.mark.rule(3, "lines")
async def test_a_program_that_does_not_speak_the_protocol_fails_the_task_with_the_reason(tmp_path: Path) -> None:
    async with desk(tmp_path, ("sh", "-c", "echo usage: agent FILE >&2; exit 2")) as subject:
        ended = await subject.done(1)
        assert (ended.error_kind, ended.error) == ("start", "it ended before its hello: exit code 2: usage: agent FILE")
    async with desk(tmp_path, ("sleep", "600"), start_timeout_s=0.3, grace_s=0.2) as subject:
        ended = await subject.done(1)
        assert (ended.error_kind, ended.error) == ("start", "no hello within 0.3 s")
    async with desk(tmp_path, python("say(type='hello', protocol=7); time.sleep(600)"), grace_s=0.2) as subject:
        ended = await subject.done(1)
        assert (ended.error_kind, ended.retryable, ended.error) == ("start", False, "it speaks version 7 of the protocol, this engine version 1")
    async with desk(tmp_path, ("no-such-agent",)) as subject:
        [failed] = subject.reports
        assert "'no-such-agent' is no program on PATH" in failed.reason
