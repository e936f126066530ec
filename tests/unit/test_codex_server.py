"""Codex's app-server: what it says becomes messages, whatever it says; what it is told is by the schema that it generates."""

from __future__ import annotations

import json
from typing import Any

import pytest
from engine.agents.sessions.codex import CodexServer
from engine.agents.sessions.fields import call_of
from engine.agents.sessions.messages import (
    Degraded,
    Failure,
    Hello,
    Message,
    Named,
    Output,
    Progress,
    Result,
    Send,
    Usage,
)
from engine.model.effects import Assignment
from engine.model.ids import AgentId, TaskId
from engine.model.questions import Ask, Reply
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.examples import examples

TASK = Assignment(TaskId("tsk_1"), 1, AgentId("agt_1"), "ask", {"prompt": "go"}, workspace="/work")


def lines(data: bytes) -> list[Any]:
    return [json.loads(line) for line in data.splitlines()]


def heard(agent: CodexServer, *said: dict[str, Any]) -> list[Message]:
    return list(agent.hear(b"".join(json.dumps(one).encode() + b"\n" for one in said)))


def note(method: str, **fields: Any) -> dict[str, Any]:
    return {"method": method, "params": {"threadId": "t1", "turnId": "u1", **fields}}


def sent(message: Message) -> dict[str, Any]:
    assert isinstance(message, Send)
    [line] = lines(message.data)
    return dict(line)


def begun(resume: str = "") -> CodexServer:
    agent = CodexServer()
    [hello] = lines(agent.hello("coder-1", "coder", "/home"))
    ready, greeting = heard(agent, {"id": hello["id"], "result": {"userAgent": "codex/0.169"}})
    assert (sent(ready)["method"], greeting) == ("initialized", Hello("Codex", "codex/0.169"))
    again(agent, resume)
    return agent


def again(agent: CodexServer, resume: str = "") -> None:
    [opening] = lines(agent.task("tsk_1.1", TASK, "go", {}, resume))
    assert (opening["method"], opening["params"]["cwd"]) == ("thread/resume" if resume else "thread/start", "/work")
    named, prompt = heard(agent, {"id": opening["id"], "result": {"thread": {"id": "t1"}}})
    assert named == Named("tsk_1.1", "t1")
    request = sent(prompt)
    assert (request["method"], request["params"]) == ("turn/start", {"threadId": "t1", "input": [{"type": "text", "text": "go"}]})
    assert heard(agent, {"id": request["id"], "result": {"turn": {"id": "u1"}}}) == []


def tokens(total: tuple[int, int, int], last: tuple[int, int, int]) -> dict[str, Any]:
    names = ("inputTokens", "cachedInputTokens", "outputTokens")
    return note("thread/tokenUsage/updated", tokenUsage={"total": dict(zip(names, total, strict=True)), "last": dict(zip(names, last, strict=True))})


def ended(status: str = "completed", **error: Any) -> dict[str, Any]:
    return note("turn/completed", turn={"id": "u1", "status": status, "error": error or None})


def test_a_turn_with_its_commands_its_plan_and_its_tokens() -> None:
    agent = begun()
    run = {"type": "commandExecution", "id": "c1", "command": "make\ntest", "status": "inProgress"}
    retry = {"error": {"message": "Reconnecting... 1/5", "additionalDetails": "429 Too Many Requests"}, "willRetry": True}
    said = heard(
        agent, note("item/agentMessage/delta", delta="I r"), note("item/completed", item={"type": "agentMessage", "text": "I run."}), note("item/started", item=run),
        tokens((100, 40, 5), (100, 40, 5)), note("turn/plan/updated", plan=[{"step": "look", "status": "completed"}, {"step": "run", "status": "inProgress"}]),
        note("error", **retry), note("item/completed", item={**run, "status": "completed", "exitCode": 0}), {"method": "item/started", "params": {"threadId": "t9", "item": run}},
        note("item/completed", item={"type": "agentMessage", "text": "It ran."}), tokens((250, 140, 9), (150, 100, 4)), ended(),
    )  # fmt: skip
    assert said[:-1] == [
        Output("tsk_1.1", ""), Output("tsk_1.1", "I run.\n"), Progress("tsk_1.1", "commandExecution: make test"),
        Usage("tsk_1.1", {"input_tokens": 60, "output_tokens": 5, "cache_read_tokens": 40, "turns": 1}), Progress("tsk_1.1", "run", 0.5, "1 of 2 steps of its plan"),
        Degraded("tsk_1.1", "Reconnecting... 1/5: 429 Too Many Requests"), Progress("tsk_1.1", "commandExecution: make test", evidence="exit code 0", call=call_of("commandExecution", ["make\ntest", None, []])), Output("tsk_1.1", "It ran.\n"),
        Usage("tsk_1.1", {"input_tokens": 110, "output_tokens": 9, "cache_read_tokens": 140, "turns": 2}),
        Result("tsk_1.1", "It ran.", None, {"input_tokens": 110, "output_tokens": 9, "cache_read_tokens": 140, "turns": 2}, {"session": "t1"}),
    ]  # fmt: skip
    assert sent(said[-1])["method"] == "thread/unsubscribe"
    again(agent, "t1")
    result = heard(agent, tokens((300, 150, 12), (50, 10, 3)), ended())[1]
    assert result.usage == {"input_tokens": 40, "output_tokens": 3, "cache_read_tokens": 10, "turns": 1}, "what the thread had used before is not this task's"  # type: ignore[union-attr]


def test_leave_and_questions() -> None:
    agent = begun()
    change = {"type": "fileChange", "id": "f1", "changes": [{"path": "a.py", "kind": {"type": "update"}, "diff": "@@ -1 +1 @@\n-x\n+y"}]}
    _, command, files, question = heard(
        agent, note("item/started", item=change),
        {"id": 7, **note("item/commandExecution/requestApproval", command="rm x", cwd="/work", reason="to clean")},
        {"id": 8, **note("item/fileChange/requestApproval", itemId="f1")},
        {"id": 9, **note("item/tool/requestUserInput", questions=[{"id": "q1", "question": "Which?", "options": [{"label": "A"}]}, {"id": "q2", "question": "How?"}])},
    )  # fmt: skip
    assert command == Ask("tsk_1.1", "1", "to clean", "shell", {"command": "rm x", "cwd": "/work"})
    assert files == Ask("tsk_1.1", "2", "", "apply_patch", {"path": "a.py"}, "update a.py\n@@ -1 +1 @@\n-x\n+y")
    assert question == Ask("tsk_1.1", "3", "Which?\nHow?", options=("A",))
    assert lines(agent.answer("tsk_1.1", "1", Reply("allow")))[0] == {"jsonrpc": "2.0", "id": 7, "result": {"decision": "accept"}}
    assert lines(agent.answer("tsk_1.1", "2", Reply("deny", "no")))[0]["result"] == {"decision": "decline"}
    assert lines(agent.answer("tsk_1.1", "3", Reply("text", "A\nfast")))[0]["result"] == {"answers": {"q1": {"answers": ["A"]}, "q2": {"answers": ["fast"]}}}
    assert agent.answer("tsk_1.1", "3", Reply("allow")) == b""
    [refused] = heard(agent, {"id": 10, **note("item/tool/call")})
    assert sent(refused)["error"]["code"] == -32601


@pytest.mark.parametrize(
    ("error", "kind", "retryable"),
    [
        ({"message": '{"error":{"type":"invalid_request_error","message":"no such beast"}}', "codexErrorInfo": "other"}, "api_error", False),
        ({"message": "slow down", "codexErrorInfo": {"responseStreamDisconnected": {"httpStatusCode": 429}}}, "rate_limit", True),
        ({"message": "who are you", "codexErrorInfo": "unauthorized"}, "authentication", False),
        ({"message": 7, "codexErrorInfo": ["odd"]}, "agent_error", True),
    ],
)
@pytest.mark.rule(2, "codex")
def test_how_a_turn_fails(error: dict[str, Any], kind: str, *, retryable: bool) -> None:
    failed = heard(begun(), ended("failed", **error))[0]
    assert isinstance(failed, Failure)
    assert (failed.kind, failed.retryable, failed.facts) == (kind, retryable, {"session": "t1"})
    assert failed.message in ("no such beast", "slow down", "who are you", "it failed")


def test_a_cancelled_turn_is_interrupted_also_before_it_has_a_name() -> None:
    agent = begun()
    assert lines(agent.cancel("tsk_1.1"))[0]["params"] == {"threadId": "t1", "turnId": "u1"}
    assert heard(agent, ended("interrupted"))[0].kind == "stopped"  # type: ignore[union-attr]
    assert heard(begun(), ended("interrupted"))[0].kind == "interrupted"  # type: ignore[union-attr]
    [opening] = lines(agent.task("tsk_2.1", TASK, "go", {}, ""))
    _, prompt = heard(agent, {"id": opening["id"], "result": {"thread": {"id": "t1"}}})
    assert agent.cancel("tsk_2.1") == b""
    [late] = heard(agent, {"id": sent(prompt)["id"], "result": {"turn": {"id": "u2"}}})
    assert sent(late)["params"]["turnId"] == "u2"
    [opening] = lines(begun_anew := agent.task("tsk_3.1", TASK, "go", {}, "gone"))
    assert begun_anew
    [lost] = heard(agent, {"id": opening["id"], "error": {"code": -32600, "message": "no rollout found"}})
    assert (lost.kind, lost.message) == ("start", "no rollout found")  # type: ignore[union-attr]


def test_what_is_run() -> None:
    assert CodexServer.command((), "t1") == ("codex", "app-server")
    assert CodexServer.command(("codex", "-c", "model=x"), "") == ("codex", "-c", "model=x", "app-server")


_values = st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8), lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["item", "type", "changes", "turn", "status", "error", "codexErrorInfo", "tokenUsage", "total", "questions", "plan"]), inner, max_size=3), max_leaves=6)
_notes = st.builds(lambda method, fields: note(method, **fields), st.sampled_from(["item/started", "item/completed", "turn/completed", "thread/tokenUsage/updated", "turn/plan/updated", "error", "new"]), st.fixed_dictionaries({}, optional=dict.fromkeys(("item", "turn", "tokenUsage", "plan", "error", "willRetry"), _values)))
_asks = st.builds(lambda id_, method, fields: {"id": id_, **note(method, **fields)}, _values, st.sampled_from(["item/commandExecution/requestApproval", "item/fileChange/requestApproval", "item/tool/requestUserInput"]), st.fixed_dictionaries({}, optional=dict.fromkeys(("command", "cwd", "reason", "itemId", "questions"), _values)))
_answers = st.fixed_dictionaries({"id": st.sampled_from([1, 2, 3, 4])}, optional={"result": _values, "error": _values})
_lines = st.binary(max_size=60) | (_notes | _asks | _answers).map(lambda said: json.dumps(said).encode())


@settings(max_examples=examples(150), deadline=None)
@given(st.lists(_lines, max_size=5), st.lists(st.integers(0, 300), max_size=6))
def test_any_bytes_in_any_pieces_give_the_same_messages(said: list[bytes], cuts: list[int]) -> None:
    data = b"\n".join([*said, b""])
    whole, agent, pieces = list(begun().hear(data)), begun(), []
    at = sorted(min(place, len(data)) for place in cuts)
    for start, end in zip([0, *at], [*at, len(data)], strict=True):
        pieces += list(agent.hear(data[start:end]))
    assert repr(pieces) == repr(whole)
