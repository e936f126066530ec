"""The Agent Client Protocol: what agents say becomes messages, whatever they say; what they are told is by the specification."""

from __future__ import annotations

import json
from typing import Any

import pytest
from engine.agents.sessions.acp import SESSIONS_MAX, AcpClient
from engine.agents.sessions.fields import call_of
from engine.agents.sessions.messages import (
    Bye,
    Failure,
    Hello,
    Message,
    Named,
    Noise,
    Output,
    Progress,
    Result,
    Send,
    Usage,
)
from engine.agents.sessions.objects import LINE_MAX_BYTES
from engine.model.effects import Assignment
from engine.model.ids import AgentId, TaskId
from engine.model.questions import Ask, Reply
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.examples import examples

TASK = Assignment(TaskId("tsk_1"), 1, AgentId("agt_1"), "ask", {"prompt": "go"}, workspace="/work")
CAN = {"loadSession": True, "sessionCapabilities": {"close": {}}}
OPTIONS = [{"optionId": "y", "name": "Yes", "kind": "allow_once"}, {"optionId": "a", "name": "Always", "kind": "allow_always"}, {"optionId": "n", "name": "No", "kind": "reject_once"}]


def lines(data: bytes) -> list[Any]:
    return [json.loads(line) for line in data.splitlines()]


def heard(agent: AcpClient, *said: dict[str, Any]) -> list[Message]:
    return list(agent.hear(b"".join(json.dumps({"jsonrpc": "2.0", **one}).encode() + b"\n" for one in said)))


def update(**fields: Any) -> dict[str, Any]:
    return {"method": "session/update", "params": {"sessionId": "s1", "update": fields}}


def chunk(text: str, **more: Any) -> dict[str, Any]:
    return update(sessionUpdate="agent_message_chunk", content={"type": "text", "text": text}, **more)


def greeted(can: dict[str, Any] | None = None) -> AcpClient:
    agent = AcpClient()
    [hello] = lines(agent.hello("coder-1", "coder", "/home"))
    assert (hello["method"], hello["params"]["protocolVersion"], hello["params"]["clientCapabilities"]) == ("initialize", 1, {"fs": {"readTextFile": False, "writeTextFile": False}, "terminal": False})
    said = {"protocolVersion": 1, "agentCapabilities": CAN if can is None else can, "agentInfo": {"name": "sample", "version": "2"}}
    assert heard(agent, {"id": hello["id"], "result": said}) == [Hello("sample", "2")]
    return agent


def begun(can: dict[str, Any] | None = None, resume: str = "") -> tuple[AcpClient, int]:
    """An agent with a prompt, and the id of the request that it has not answered."""
    agent = greeted(can)
    [opening] = lines(agent.task("tsk_1.1", TASK, "go", {}, resume))
    assert opening["params"]["cwd"] == "/work"
    named, sent = heard(agent, {"id": opening["id"], "result": {} if resume else {"sessionId": "s1"}})
    assert named == Named("tsk_1.1", resume or "s1")
    assert isinstance(sent, Send)
    [prompt] = lines(sent.data)
    assert (prompt["method"], prompt["params"]["prompt"]) == ("session/prompt", [{"type": "text", "text": "go"}])
    return agent, prompt["id"]


def test_a_turn_with_pieces_tools_a_plan_leave_and_figures() -> None:
    agent, prompt = begun()
    said = heard(
        agent, chunk("I lo"), chunk("ok.\nTh"), update(sessionUpdate="agent_thought_chunk", content={"type": "text", "text": "hm"}),
        update(sessionUpdate="tool_call", toolCallId="t1", title="Write a.txt", status="pending"),
        update(sessionUpdate="plan", entries=[{"content": "read", "status": "completed"}, {"content": "write", "status": "in_progress"}]),
        {"id": "x7", "method": "session/request_permission", "params": {"sessionId": "s1", "options": OPTIONS, "toolCall": {"toolCallId": "t1", "name": "Write", "title": "Write a.txt", "rawInput": {"path": "a.txt"}, "content": [{"type": "diff", "path": "a.txt", "oldText": None, "newText": "x\n"}]}}},
    )  # fmt: skip
    assert said == [
        Output("tsk_1.1", "I look.\n"), Output("tsk_1.1", ""), Output("tsk_1.1", "Th\n"), Progress("tsk_1.1", "Write a.txt"), Progress("tsk_1.1", "write", 0.5, "1 of 2 steps of its plan"),
        Ask("tsk_1.1", "1", "Write a.txt", "Write", {"path": "a.txt"}, "--- a.txt\n+++ a.txt\n@@ -0,0 +1 @@\n+x"),
    ]  # fmt: skip
    assert lines(agent.answer("tsk_1.1", "1", Reply("allow"))) == [{"jsonrpc": "2.0", "id": "x7", "result": {"outcome": {"outcome": "selected", "optionId": "y"}}}]
    assert agent.answer("tsk_1.1", "1", Reply("deny")) == b""
    usage = {"inputTokens": 7, "outputTokens": 2, "cachedReadTokens": 1}
    done = update(sessionUpdate="tool_call_update", toolCallId="t1", status="completed")
    cost = update(sessionUpdate="usage_update", used=1, size=2, cost={"amount": 0.25, "currency": "USD"})
    worked, used, output, result, closing = heard(agent, done, chunk("It is "), chunk("there."), cost, {"id": prompt, "result": {"stopReason": "end_turn", "usage": usage}})
    assert used == Usage("tsk_1.1", {"cost": 0.25})
    assert (worked, output) == (Progress("tsk_1.1", "Write a.txt", evidence="done", call=call_of("Write a.txt", {})), Output("tsk_1.1", "It is there.\n"))
    assert result == Result("tsk_1.1", "It is there.", None, {"input_tokens": 7, "output_tokens": 2, "cache_read_tokens": 1, "cost": 0.25}, {"session": "s1"})
    assert isinstance(closing, Send)
    assert lines(closing.data)[0]["method"] == "session/close"


@pytest.mark.parametrize(
    ("answer", "kind", "retryable"),
    [
        ({"result": {"stopReason": "max_tokens"}}, "max_tokens", False),
        ({"result": {"stopReason": "refusal"}}, "refused", False),
        ({"result": {"stopReason": "cancelled"}}, "interrupted", True),
        ({"result": {"stopReason": 7}}, "protocol", False),
        ({"error": {"code": -32603, "message": "Internal error", "data": {"details": "API Error: 429 slow down"}}}, "rate_limit", True),
        ({"error": "odd"}, "agent_error", True),
    ],
)
@pytest.mark.rule(2, "acp")
@pytest.mark.rule(4, "acp")
def test_how_a_turn_ends_badly(answer: dict[str, Any], kind: str, *, retryable: bool) -> None:
    agent, prompt = begun()
    failed = heard(agent, {"id": prompt, **answer})[0]
    assert isinstance(failed, Failure)
    assert (failed.kind, failed.retryable, failed.facts) == (kind, retryable, {"session": "s1"})


def test_a_cancelled_turn_withdraws_what_it_asked_and_ends_as_the_agent_says() -> None:
    agent, prompt = begun()
    heard(agent, {"id": 3, "method": "session/request_permission", "params": {"sessionId": "s1", "options": OPTIONS, "toolCall": {}}})
    assert [one.get("method") or one["result"] for one in lines(agent.cancel("tsk_1.1"))] == [{"outcome": {"outcome": "cancelled"}}, "session/cancel"]
    assert heard(agent, {"id": prompt, "result": {"stopReason": "cancelled"}})[0].kind == "stopped"  # type: ignore[union-attr]
    early = greeted()
    [opening] = lines(early.task("tsk_2.1", TASK, "go", {}, ""))
    assert early.cancel("tsk_2.1") == b""
    _, stopped, *_ = heard(early, {"id": opening["id"], "result": {"sessionId": "s2"}})
    assert (stopped.id, stopped.kind) == ("tsk_2.1", "stopped"), "no prompt is sent for it"  # type: ignore[union-attr]


def test_what_is_not_offered_is_refused_and_a_choice_is_a_question() -> None:
    agent, _ = begun()
    for method in ("fs/read_text_file", "fs/write_text_file", "terminal/create", "elicitation/create"):
        [refused] = heard(agent, {"id": 5, "method": method, "params": {"sessionId": "s1", "path": "/etc/passwd"}})
        assert isinstance(refused, Send)
        assert lines(refused.data)[0]["error"]["code"] == -32601
    choice = [{"optionId": "1", "name": "Red", "kind": "other"}, {"optionId": "2", "name": "Blue", "kind": "other"}]
    [ask] = heard(agent, {"id": 6, "method": "session/request_permission", "params": {"sessionId": "s1", "options": choice, "toolCall": {"title": "Which?"}}})
    assert (ask.tool, ask.text, ask.options) == ("", "Which?", ("Red", "Blue"))  # type: ignore[union-attr]
    assert lines(agent.answer("tsk_1.1", "1", Reply("text", "Blue")))[0]["result"]["outcome"] == {"outcome": "selected", "optionId": "2"}
    [other] = heard(agent, {"id": 7, "method": "session/request_permission", "params": {"sessionId": "s9", "options": OPTIONS, "toolCall": {}}})
    assert isinstance(other, Send), "of a session that is over: nobody is asked"


def test_a_conversation_goes_on_as_the_agent_can_and_its_past_is_no_output() -> None:
    agent = greeted()
    [opening] = lines(agent.task("tsk_1.2", TASK, "go", {}, "s1"))
    assert (opening["method"], opening["params"]["sessionId"]) == ("session/load", "s1")
    assert heard(agent, chunk("of the past")) == []
    [gone] = heard(agent, {"id": opening["id"], "error": {"code": -32002, "message": "no such session"}})
    assert (gone.kind, gone.message) == ("start", "no such session")  # type: ignore[union-attr]
    begun({**CAN, "sessionCapabilities": {"resume": {}, "close": {}}}, resume="s1")


def test_who_cannot_be_spoken_with_says_why() -> None:
    for answer, why, retryable in (
        ({"result": {"protocolVersion": 2}}, "it speaks version 2 of the protocol, this engine version 1", False),
        ({"error": {"code": 1, "message": "broken"}}, "broken", False),
    ):
        agent = AcpClient()
        agent.hello("a", "p", "/")
        [failed] = heard(agent, {"id": 1, **answer})
        assert failed == Failure("", why, "start", retryable=retryable)
    agent = greeted()
    [opening] = lines(agent.task("tsk_1.1", TASK, "go", {}, ""))
    [login] = heard(agent, {"id": opening["id"], "error": {"code": -32000, "message": "Authentication required"}})
    assert (login.kind, login.retryable) == ("authentication", False)  # type: ignore[union-attr]
    [unread] = begun()[0].hear(b"x" * (LINE_MAX_BYTES + 1) + b"\n")
    assert (type(unread), unread.kind) == (Failure, "protocol")  # type: ignore[union-attr]
    assert isinstance(next(iter(begun()[0].hear(b"listening on stdio\n"))), Noise)


def test_an_agent_that_cannot_close_sessions_is_replaced_in_time() -> None:
    agent = greeted({})
    for number in range(SESSIONS_MAX):
        [opening] = lines(agent.task(f"tsk_{number}.1", TASK, "go", {}, ""))
        sent = heard(agent, {"id": opening["id"], "result": {"sessionId": "s1"}})[1]
        ended = heard(agent, {"id": lines(sent.data)[0]["id"], "result": {"stopReason": "end_turn"}})  # type: ignore[union-attr]
        assert [type(one) for one in ended] == [Result, Bye][: 1 + (number == SESSIONS_MAX - 1)]
    assert not agent._waits


_values = st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8), lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["update", "sessionUpdate", "content", "text", "options", "kind", "toolCall", "rawInput", "entries", "cost"]), inner, max_size=3), max_leaves=6)
_updates = st.builds(lambda kind, fields: update(sessionUpdate=kind, **fields), st.sampled_from(["agent_message_chunk", "tool_call", "tool_call_update", "plan", "usage_update", "new"]), st.fixed_dictionaries({}, optional=dict.fromkeys(("content", "toolCallId", "title", "status", "entries", "cost", "messageId"), _values)))
_lines = st.binary(max_size=60) | st.builds(lambda said: json.dumps(said).encode(), _updates | st.fixed_dictionaries({}, optional={"id": st.sampled_from([1, 2, 3]) | _values, "method": st.sampled_from(["session/update", "session/request_permission", "fs/read_text_file"]) | _values, "params": _values, "result": _values, "error": _values}))


@settings(max_examples=examples(150), deadline=None)
@given(st.lists(_lines, max_size=5), st.lists(st.integers(0, 300), max_size=6))
def test_any_bytes_in_any_pieces_give_the_same_messages(said: list[bytes], cuts: list[int]) -> None:
    data = b"\n".join([*said, b""])
    whole, (agent, _), pieces = list(begun()[0].hear(data)), begun(), []
    at = sorted(min(place, len(data)) for place in cuts)
    for start, end in zip([0, *at], [*at, len(data)], strict=True):
        pieces += list(agent.hear(data[start:end]))
    assert repr(pieces) == repr(whole)
