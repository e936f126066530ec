"""What other agents say by the Agent2Agent protocol is read as what it should be, whatever they say; the token stays where it belongs."""

from __future__ import annotations

from typing import Any

import pytest
from engine.agents.a2a.shapes import (
    calls_url,
    card_url,
    question_of,
    standing_of,
    tells_state,
)
from engine.agents.http_agents import RefusedError
from engine.config import parse_config
from engine.model.errors import ConfigError
from engine.model.pools import A2aSpec
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.examples import examples

URL = "http://here:1/a2a/coder"


def card(**interface: str) -> dict[str, Any]:
    return {"supportedInterfaces": [{"url": "grpc://x", "protocolBinding": "GRPC"}, {"url": "/rpc", "protocolBinding": "JSONRPC", "protocolVersion": "1.0", **interface}]}


def test_a_card_says_where_the_agent_is_called_and_not_at_another_host() -> None:
    assert card_url(URL) == f"{URL}/.well-known/agent-card.json"
    assert card_url(f"{URL}/mine.json") == f"{URL}/mine.json"
    assert calls_url(card(), URL) == "http://here:1/rpc"
    for bad, why in ((card(url="http://there:1/rpc"), "the key stays"), (card(url="https://here:1/rpc"), "the key stays"), (card(protocolVersion="0.3"), "no card"), ({}, "no card")):
        with pytest.raises(RefusedError, match=why) as found:
            calls_url(bad, URL)
        assert not found.value.retryable


def test_a_task_and_a_message_are_read() -> None:
    asked = {"question": "q1", "tool": "Bash", "arguments": {"command": "make"}, "diff": "+x", "options": ["a", 1]}
    status = {"state": "TASK_STATE_INPUT_REQUIRED", "message": {"messageId": "m9", "parts": [{"text": "May \x1b[31mI?"}, {"data": asked}]}}
    found = standing_of({"task": {"id": "t1", "contextId": "c1", "status": status, "artifacts": [{"parts": [{"text": "half"}]}], "metadata": {"usage": {"turns": 2, "tokens": -1}}}})
    assert (found.id, found.context, found.words, found.message, found.text, found.usage) == ("t1", "c1", "May I?", "m9", "half", {"turns": 2})
    ask = question_of("tsk_1.1", found)
    assert (ask.id, ask.ask, ask.text, ask.tool, ask.arguments, ask.diff, ask.options) == ("tsk_1.1", "q1", "May I?", "Bash", {"command": "make"}, "+x", ("a", "1"))
    with pytest.raises(RefusedError, match="nobody can judge"):
        question_of("tsk_1.1", found._replace(asked={"tool": "Write", "arguments": {"text": "x" * 70_000}}))
    message = standing_of({"message": {"parts": [{"text": "at once"}, {"data": {"n": 1}}]}})
    assert (message.state, message.text, message.data) == ("TASK_STATE_COMPLETED", "at once", {"n": 1})
    assert standing_of({"id": "t1", "status": {"state": "TASK_STATE_WORKING"}}).id == "t1", "GetTask answers with the task itself"
    assert standing_of({}).state == ""


@settings(max_examples=examples(100), deadline=None)
@given(st.binary(max_size=40) | st.sampled_from([b"data:[[[", b"data: {}", b"data: 3", b'data: {"error":{}}', b": alive", b"event: x"]))
def test_a_line_of_a_stream_tells_a_state_only_where_one_is(line: bytes) -> None:
    assert not tells_state(line)
    assert not tells_state(b"data:" + line)
    for result, is_told in (("task", True), ("statusUpdate", True), ("artifactUpdate", False)):
        assert tells_state(b'data: {"id":1,"result":{"%s":{}}}\r' % result.encode()) == is_told


_values = st.recursive(st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=6), lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["task", "status", "state", "message", "parts", "text", "data", "artifacts", "metadata", "usage", "options", "arguments", "id", "url"]), inner, max_size=4), max_leaves=12)


@settings(max_examples=examples(100), deadline=None)
@given(st.dictionaries(st.sampled_from(["task", "message", "status", "id", "artifacts", "supportedInterfaces"]), _values, max_size=4))
def test_whatever_is_said_is_no_error(said: dict[str, Any]) -> None:
    ask = question_of("tsk_1.1", standing_of(said))
    assert all(char.isprintable() or char in "\n\t" for char in ask.text)
    with pytest.raises(RefusedError):
        calls_url(said, URL)


def test_a_pool_needs_the_url_of_its_agent_and_gets_no_key_of_the_engine() -> None:
    for pool, why in (({"kind": "a2a"}, r"needs a \[pools.NAME.a2a\]"), ({"kind": "a2a", "a2a": {"url": URL, "token_env": "FLEET_TOKEN"}}, "the engine's own"), ({"kind": "a2a", "a2a": {"url": "here"}}, "url")):
        with pytest.raises(ConfigError, match=why):
            parse_config({"pools": {"far": pool}}, "test")
    specs = {spec.name: spec for spec in parse_config({"pools": {"far": {"kind": "a2a", "a2a": {"url": URL}}}}, "test").pool_specs()}
    assert specs["far"].a2a == A2aSpec(URL)
