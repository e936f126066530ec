"""Claude Code's stream: what it says becomes messages, whatever it says; what it is told is what it waits for."""

from __future__ import annotations

import json
from typing import Any

import pytest
from engine.agents.sessions.claude import ClaudeStream
from engine.agents.sessions.fields import call_of
from engine.agents.sessions.messages import (
    Bye,
    Degraded,
    Failure,
    Hello,
    Message,
    Named,
    Noise,
    Output,
    Progress,
    Result,
    Send,
)
from engine.agents.sessions.objects import LINE_MAX_BYTES
from engine.model.effects import Assignment
from engine.model.ids import AgentId, TaskId
from engine.model.questions import Ask, Reply
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.examples import examples

TASK = Assignment(TaskId("tsk_1"), 1, AgentId("agt_1"), "ask", {"prompt": "go"})


def begun(turn: str = "tsk_1.1") -> ClaudeStream:
    protocol = ClaudeStream()
    protocol.task(turn, TASK, "go", {}, "")
    return protocol


def heard(protocol: ClaudeStream, *said: dict[str, Any]) -> list[Message]:
    return list(protocol.hear(b"".join(json.dumps(one).encode() + b"\n" for one in said)))


def lines(data: bytes) -> list[Any]:
    return [json.loads(line) for line in data.splitlines()]


def request(tool: str, arguments: dict[str, Any], id_: str = "r1", use: str = "u1") -> dict[str, Any]:
    return {"type": "control_request", "request_id": id_, "request": {"subtype": "can_use_tool", "tool_name": tool, "input": arguments, "description": "why", "tool_use_id": use}}


def result(**more: Any) -> dict[str, Any]:
    return {"type": "result", "subtype": "success", "is_error": False, "result": "done", "session_id": "s1", "total_cost_usd": 0.5, "num_turns": 2, "usage": {"input_tokens": 10, "output_tokens": 2}, "permission_denials": [], **more}


def test_a_turn_with_its_tools_its_question_and_its_figures() -> None:
    protocol = ClaudeStream()
    assert lines(protocol.hello("coder-1", "coder", "/"))[0]["request"]["subtype"] == "initialize"
    assert heard(protocol, {"type": "control_response", "response": {"subtype": "success", "request_id": "hello coder-1 coder"}}) == [Hello("Claude Code")]
    assert lines(protocol.task("tsk_1.1", TASK, "go", {}, "")) == [{"type": "user", "message": {"role": "user", "content": "go"}}]
    use = {"type": "tool_use", "id": "u1", "name": "Bash", "input": {"command": "ls\n-l"}}
    said = heard(
        protocol,
        {"type": "system", "subtype": "init", "session_id": "s1"},
        {"type": "system", "subtype": "ui_invalidate"},
        {"type": "assistant", "message": {"content": [{"type": "text", "text": "\x1b[1mI look."}, use]}},
        {"type": "assistant", "parent_tool_use_id": "u9", "message": {"content": [{"type": "text", "text": "a helper's"}]}},
        request("Bash", {"command": "ls\n-l"}),
        {"type": "system", "subtype": "api_retry", "attempt": 2, "max_retries": 10, "retry_delay_ms": 1_600},
        {"type": "user", "message": {"content": [{"type": "tool_result", "tool_use_id": "u1", "is_error": True}]}},
        result(),
    )
    assert said == [
        Named("tsk_1.1", "s1"), Output("tsk_1.1", "I look.\n"), Progress("tsk_1.1", "Bash: ls -l", call=call_of("Bash", {"command": "ls\n-l"})), Ask("tsk_1.1", "1", "why", "Bash", {"command": "ls\n-l"}),
        Degraded("tsk_1.1", "the model does not answer: attempt 2 of 10, again in 2 s"), Progress("tsk_1.1", "Bash: ls -l", evidence="failed"),
        Result("tsk_1.1", "done", None, {"input_tokens": 10, "output_tokens": 2, "cost": 0.5, "turns": 2}, {"session": "s1"}),
    ]  # fmt: skip


def test_a_second_task_has_a_conversation_of_its_own_and_pays_for_itself_only() -> None:
    protocol = begun()
    assert heard(protocol, result())[0].usage["cost"] == 0.5  # type: ignore[union-attr]
    assert [one["message"]["content"] for one in lines(protocol.task("tsk_2.1", TASK, "next", {}, ""))] == ["/clear", "next"]
    [second] = heard(protocol, result(local_command="clear", total_cost_usd=0), result(total_cost_usd=0.2))
    assert (second.id, second.usage["cost"]) == ("tsk_2.1", 0.2)  # type: ignore[union-attr]
    protocol.task("tsk_3.1", TASK, "third", {}, "")
    [third] = heard(protocol, result(total_cost_usd=0.9))
    assert third.usage["cost"] == pytest.approx(0.7)  # type: ignore[union-attr]  # where nothing was cleared, the sum goes on


def test_a_prompt_that_is_a_command_of_its_own_ends_its_turn() -> None:
    [first] = heard(begun(), result(local_command="clear"))
    assert isinstance(first, Result)
    protocol = begun()
    heard(protocol, result())
    protocol.task("tsk_2.1", TASK, "/clear", {}, "")
    [second] = heard(protocol, result(local_command="clear"), result(local_command="clear"))
    assert second.id == "tsk_2.1"  # type: ignore[union-attr]


def test_answers_are_what_it_waits_for_and_each_is_given_once() -> None:
    protocol, given = begun(), {"file_path": "a.txt", "content": "x", "deep": [1, {"y": None}]}
    heard(protocol, request("Write", given, "r1", "u1"), request("Bash", {"command": "rm x"}, "r2", "u2"))
    [allowed] = lines(protocol.answer("tsk_1.1", "1", Reply("allow")))
    assert allowed == {"type": "control_response", "response": {"subtype": "success", "request_id": "r1", "response": {"behavior": "allow", "updatedInput": given}}}
    [denied] = lines(protocol.answer("tsk_1.1", "2", Reply("deny", "not today")))
    assert denied["response"]["response"] == {"behavior": "deny", "message": "not today"}
    assert protocol.answer("tsk_1.1", "2", Reply("allow")) == b""
    refusals = [{"tool_name": "Bash", "tool_use_id": "u2"}]
    [told] = heard(protocol, result(permission_denials=refusals))
    assert isinstance(told, Result), "it was told, and went on without"
    assert told.facts["denied"] == ["Bash"]
    [silent] = heard(begun(), result(permission_denials=refusals))
    assert isinstance(silent, Failure), "nobody was asked: the work was not done"
    assert (silent.kind, silent.retryable, silent.usage["cost"]) == ("permission_denied", False, 0.5)


def test_a_question_is_put_in_words_and_its_reply_goes_to_each() -> None:
    questions = [{"question": "Which?", "options": [{"label": "A"}, {"label": "B"}]}, {"question": "How?", "options": "none"}]
    protocol = begun()
    [ask] = heard(protocol, request("AskUserQuestion", {"questions": questions}))
    assert ask == Ask("tsk_1.1", "1", "Which?\nHow?", options=("A", "B"))
    [told] = lines(protocol.answer("tsk_1.1", "1", Reply("text", "A\nquickly")))
    assert told["response"]["response"]["updatedInput"] == {"questions": questions, "answers": {"Which?": "A", "How?": "quickly"}}


@pytest.mark.parametrize(
    ("tool", "given", "diff"),
    [
        ("Edit", {"file_path": "a.py", "old_string": "x\ny", "new_string": "x\nz"}, "--- a.py\n+++ a.py\n@@ -1,2 +1,2 @@\n x\n-y\n+z"),
        ("Write", {"file_path": "a.py", "content": "x\n"}, "--- a.py\n+++ a.py\n@@ -0,0 +1 @@\n+x"),
        ("MultiEdit", {"file_path": "a", "edits": [{"old_string": "1", "new_string": "2"}, {"old_string": "3", "new_string": ""}]}, "--- a\n+++ a\n@@ -1 +1 @@\n-1\n+2\n@@ -1 +0,0 @@\n-3"),
        ("Bash", {"command": "ls"}, ""),
        ("Write", {"content": 7}, ""),
    ],
)  # fmt: skip
def test_a_change_of_a_file_is_asked_with_its_diff(tool: str, given: dict[str, Any], diff: str) -> None:
    [ask] = heard(begun(), request(tool, given))
    assert (ask.tool, ask.arguments, ask.diff) == (tool, given, diff)  # type: ignore[union-attr]


@pytest.mark.rule(2, "claude")
@pytest.mark.rule(4, "claude")
def test_how_it_ends_badly() -> None:
    [failed] = heard(begun(), result(is_error=True, result="API Error: 529 overloaded", api_error_status=529))
    assert (type(failed), failed.kind, failed.retryable) == (Failure, "rate_limit", True)  # type: ignore[union-attr]
    limited = heard(begun(), result(subtype="error_max_budget_usd", is_error=True, result=""))
    assert [type(one) for one in limited] == [Failure, Bye], "the limit holds for the process: it is replaced"
    assert (limited[0].kind, limited[0].retryable) == ("max_budget_usd", False)  # type: ignore[union-attr]
    cancelled = begun()
    assert lines(cancelled.cancel("tsk_1.1"))[0]["request"] == {"subtype": "interrupt"}
    [stopped] = heard(cancelled, result(terminal_reason="aborted_tools"))
    assert (type(stopped), stopped.kind, stopped.usage["cost"]) == (Failure, "stopped", 0.5)  # type: ignore[union-attr]
    [outside] = heard(begun(), result(terminal_reason="aborted_tools", permission_denials=[{"tool_name": "Bash", "tool_use_id": "u1"}]))
    assert (type(outside), outside.kind, outside.retryable) == (Failure, "interrupted", True), "somebody sent it a signal"  # type: ignore[union-attr]
    [unread] = begun().hear(b"x" * (LINE_MAX_BYTES + 1) + b"\n")
    assert (type(unread), unread.kind) == (Failure, "protocol")  # type: ignore[union-attr]
    [refused] = heard(begun(), {"type": "control_request", "request_id": "r7", "request": {"subtype": "hook_callback"}})
    assert isinstance(refused, Send)
    assert lines(refused.data)[0]["response"]["subtype"] == "error"
    assert isinstance(next(iter(begun().hear(b"Warning: no stdin\n"))), Noise)


@pytest.mark.rule(7, "claude")
def test_what_is_run() -> None:
    words = ClaudeStream.command((), "")
    assert words[0] == "claude"
    assert {"-p", "--permission-prompt-tool", "--strict-mcp-config"} <= set(words)
    assert ClaudeStream.command(("x", "--model", "m"), "s-1")[-2:] == ("--resume", "s-1")


_values = st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8), lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["type", "text", "content", "input", "id", "question", "questions", "edits", "subtype"]), inner, max_size=3), max_leaves=6)
_fields = st.fixed_dictionaries({}, optional=dict.fromkeys(("message", "request", "request_id", "response", "subtype", "result", "usage", "total_cost_usd", "permission_denials", "is_error", "session_id", "modelUsage"), _values))
_lines = st.binary(max_size=60) | st.builds(lambda kind, fields: json.dumps({"type": kind, **fields}).encode(), st.sampled_from(["assistant", "user", "system", "result", "control_request", "control_response"]) | _values, _fields)


@settings(max_examples=examples(150), deadline=None)
@given(st.lists(_lines, max_size=5), st.lists(st.integers(0, 300), max_size=6))
def test_any_bytes_in_any_pieces_give_the_same_messages(said: list[bytes], cuts: list[int]) -> None:
    data = b"\n".join([*said, b""])
    whole, protocol, pieces = list(begun().hear(data)), begun(), []
    for start, end in zip([0, *(at := sorted(min(place, len(data)) for place in cuts))], [*at, len(data)], strict=True):
        pieces += list(protocol.hear(data[start:end]))
    assert repr(pieces) == repr(whole)
