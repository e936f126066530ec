"""Readers of bytes that come from outside: whatever comes, nothing raises, pieces tell the same as the whole, nothing moves a terminal.

Each target takes any bytes; it raises when something is not kept. `make fuzz` has them guided by coverage, the unit tests by chance.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator

import msgspec
from engine.agents.a2a.shapes import question_of, standing_of, tells_state
from engine.agents.http_agents import RefusedError
from engine.agents.openai.answers import Answer, error_in
from engine.agents.printed import reader_of
from engine.agents.sessions.lines import Lines
from engine.agents.sessions.messages import Send, SessionProtocol
from engine.agents.sessions.protocols import PROTOCOLS
from engine.model.effects import Assignment
from engine.model.ids import AgentId, TaskId
from engine.model.shielding import ShieldedStream

MOVES = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
"""What a terminal or the direction of writing would obey; not tabs and line ends."""
TURN = "tsk_1.1"
TASK = Assignment(TaskId("tsk_1"), 1, AgentId("agt_1"), "ask", {"prompt": "go"}, workspace="/work")
"""What the turn under way is about."""


def pieces_of(data: bytes) -> Iterator[bytes]:
    """Yield bytes in pieces of lengths that the bytes give themselves."""
    at = 0
    while at < len(data):
        until = at + 1 + data[at] % 61
        yield data[at:until]
        at = until


def texts_in(value: object) -> Iterator[str]:
    """Yield the texts in a value, those of its fields and members too. What is in a table is a value as it was given: who shows one makes it safe."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, msgspec.Struct):
        for name in value.__struct_fields__:
            yield from texts_in(getattr(value, name))
    elif isinstance(value, Iterable) and not isinstance(value, bytes | dict):
        for item in value:
            yield from texts_in(item)


_ANSWERS: dict[str, tuple[dict[str, object], dict[str, object]]] = {
    "acp": ({"protocolVersion": 1, "agentCapabilities": {"loadSession": True}}, {"sessionId": "s1"}),
    "codex": ({"userAgent": "codex/0.169"}, {"thread": {"id": "t1"}}),
}
"""What an agent says to the greeting and to the opening of a conversation, where it is asked."""


SEEDS: dict[str, tuple[bytes, ...]] = {
    "session-lines": (
        b'{"type":"progress","id":"tsk_1.1","text":"seen","ratio":0.5,"evidence":"make: 0"}', b'{"type":"output","id":"tsk_1.1","text":"seen"}',
        b'{"type":"ask","id":"tsk_1.1","ask":"q1","text":"seen?","tool":"Bash","arguments":{"command":"make"},"diff":"+x","options":["a","b"]}',
        b'{"type":"usage","id":"tsk_1.1","cost":0.1,"model":"m"}\n{"type":"result","id":"tsk_1.1","text":"seen","data":{"x":1},"usage":{"turns":1}}',
        b'{"type":"error","id":"tsk_1.1","message":"seen","retryable":true}', b'{"type":"bye"}\nseen \x1b[2J',
    ),
    "session-claude": (
        b'{"type":"assistant","message":{"id":"m1","content":[{"type":"text","text":"seen"},{"type":"tool_use","id":"u1","name":"seen","input":{"command":"make"}}],"usage":{"output_tokens":1}}}',
        b'{"type":"control_request","request_id":"r1","request":{"subtype":"can_use_tool","tool_name":"Edit","tool_use_id":"u1","input":{"file_path":"seen","old_string":"a","new_string":"b"}}}',
        b'{"type":"control_request","request_id":"r2","request":{"subtype":"can_use_tool","tool_name":"AskUserQuestion","input":{"questions":[{"question":"seen?","options":[{"label":"a"}]}]}}}',
        b'{"type":"system","subtype":"api_retry","error_status":529,"attempt":1,"max_retries":10,"error":"seen"}\nseen',
        b'{"type":"result","subtype":"success","is_error":false,"result":"seen","session_id":"s1","num_turns":1,"total_cost_usd":0.1,"usage":{"input_tokens":1},"modelUsage":{"m":{"inputTokens":1}}}',
        b'{"type":"result","subtype":"error_during_execution","is_error":true,"result":"seen","session_id":"s1"}',
    ),
    "session-codex": (
        b'{"method":"item/agentMessage/delta","params":{"threadId":"t1","turnId":"u1","itemId":"i1","delta":"seen"}}\nseen',
        b'{"method":"item/started","params":{"threadId":"t1","turnId":"u1","item":{"type":"commandExecution","id":"i1","command":"seen","status":"inProgress"}}}\nseen',
        b'{"id":0,"method":"item/commandExecution/requestApproval","params":{"threadId":"t1","turnId":"u1","itemId":"i1","command":"seen","reason":"seen"}}\nseen',
        b'{"method":"turn/completed","params":{"threadId":"t1","turn":{"id":"u1","status":"failed","error":{"message":"seen"}}}}\nseen',
    ),
    "session-acp": (
        b'{"jsonrpc":"2.0","method":"session/update","params":{"sessionId":"s1","update":{"sessionUpdate":"agent_message_chunk","content":{"type":"text","text":"seen"}}}}\nseen',
        b'{"jsonrpc":"2.0","method":"session/update","params":{"sessionId":"s1","update":{"sessionUpdate":"tool_call","toolCallId":"c1","title":"seen","kind":"edit","status":"pending"}}}\nseen',
        b'{"jsonrpc":"2.0","id":7,"method":"session/request_permission","params":{"sessionId":"s1","toolCall":{"toolCallId":"c1","title":"seen"},"options":[{"optionId":"o1","name":"Allow","kind":"allow_once"}]}}\nseen',
        b'{"jsonrpc":"2.0","id":3,"error":{"code":-32000,"message":"seen"}}\nseen',
    ),
    "openai": (
        b'data: {"model":"m","choices":[{"delta":{"content":"seen"},"finish_reason":null}]}\n\ndata: {"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":1}}\n\ndata: [DONE]\n',
        b'data: {"error":{"message":"seen","type":"overloaded"}}\n', b'{"error":"seen"}',
    ),
    "a2a": (
        b'{"task":{"id":"t1","contextId":"c1","status":{"state":"TASK_STATE_INPUT_REQUIRED","message":{"messageId":"m1","parts":[{"text":"seen?"},{"data":{"question":"q1","tool":"Bash","arguments":{"command":"make"},"options":["a"]}}]}}}}',
    ),
    "shielded": (b"seen \x1b[31mred\x1b[0m \xc3\xa4 token=0123456789abcdef\n",),
}  # fmt: skip
"""What is said in truth: where coverage begins from. The word `seen` stands where people see it."""


def begun(name: str) -> SessionProtocol:
    """Return a protocol with a turn under way."""
    protocol = PROTOCOLS[name]()
    asked = (lambda: protocol.hello("coder-1", "coder", "/home"), lambda: protocol.task(TURN, TASK, "go", {}, ""))
    for ask, answer in zip(asked, _ANSWERS.get(name, ({}, {})), strict=True):
        said = ask()
        if answer:
            heard = list(protocol.hear(json.dumps({"jsonrpc": "2.0", "id": json.loads(said)["id"], "result": answer}).encode() + b"\n"))
            assert heard
    return protocol


def _session(name: str) -> Callable[[bytes], None]:
    def target(data: bytes) -> None:
        data += b"\n"
        whole, in_pieces = list(begun(name).hear(data)), begun(name)
        parts = [message for piece in pieces_of(data) for message in in_pieces.hear(piece)]
        assert repr(parts) == repr(whole)
        shown = [message for message in whole if not isinstance(message, Send)]  # what is sent back goes to the agent alone
        assert not [text for text in texts_in(shown) if MOVES.search(text)], shown

    return target


def _lines(data: bytes) -> None:
    """Lines of at most 16 bytes: none is longer, and no byte is lost without being counted."""
    for chunks in ([data], list(pieces_of(data))):
        lines = Lines(16)
        found = [line for chunk in chunks for line in lines.feed(chunk)] + list(lines.end())
        assert all(len(line.data) <= 16 for line in found)
        ended = data.endswith(b"\n") or not data
        assert sum(len(line.data) + line.left_out + 1 for line in found) - (not ended) == len(data)


def _openai(data: bytes) -> None:
    whole, in_pieces = Answer(), Answer()
    whole.feed(data + b"\n")
    for piece in pieces_of(data + b"\n"):
        in_pieces.feed(piece)
    for answer in (whole, in_pieces):
        answer.failure()
        assert not MOVES.search(shown := answer.text + answer.error + answer.model), shown
    assert (whole.text, whole.error, whole.usage) == (in_pieces.text, in_pieces.error, in_pieces.usage)
    assert not MOVES.search(error := error_in(data)), error


def _a2a(data: bytes) -> None:
    tells_state(data)
    try:
        said = json.loads(data)
    except (ValueError, RecursionError):
        return
    if isinstance(said, dict):
        found = standing_of(said)
        try:
            ask = question_of(TURN, found)
        except RefusedError:
            return
        assert not [text for text in texts_in(ask) if MOVES.search(text)], ask


def _printed(form: str) -> Callable[[bytes], None]:
    def target(data: bytes) -> None:
        reader = reader_of(form)
        assert reader is not None
        for piece in pieces_of(data):
            reader.feed(piece)
        reader.end()

    return target


def _shielded(data: bytes) -> None:
    whole, in_pieces = ShieldedStream(), ShieldedStream()
    written = whole.feed(data) + whole.end()
    assert b"".join(map(in_pieces.feed, pieces_of(data))) + in_pieces.end() == written
    assert not MOVES.search(text := written.decode("utf-8")), text


TARGETS: dict[str, Callable[[bytes], None]] = {
    **{f"session-{name}": _session(name) for name in PROTOCOLS},
    "lines": _lines,
    "openai": _openai,
    "a2a": _a2a,
    "printed-claude": _printed("claude"),
    "printed-codex": _printed("codex"),
    "shielded": _shielded,
}
