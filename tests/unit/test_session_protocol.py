"""The JSON-lines session protocol takes any bytes, in any pieces."""

from __future__ import annotations

import json

from engine.agents.sessions.json_lines import JsonLines
from engine.agents.sessions.lines import Lines
from engine.agents.sessions.messages import Failure, Message, Noise, Result
from engine.model.shielding import clean
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.examples import examples

_values = st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8), lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3), max_leaves=6)
_fields = st.fixed_dictionaries(
    {},
    optional=dict.fromkeys(("id", "text", "data", "usage", "cost_usd", "ask", "tool", "arguments", "options", "ratio", "message", "protocol", "retryable"), _values),
)
_lines = st.binary(max_size=60) | st.builds(
    lambda kind, fields: json.dumps({"type": kind, **fields}).encode(), st.sampled_from(["hello", "progress", "output", "ask", "result", "error", "bye", "new"]) | _values, _fields
)


@settings(max_examples=examples(150), deadline=None)
@given(st.lists(_lines, max_size=5), st.lists(st.integers(0, 300), max_size=6))
def test_any_bytes_in_any_pieces_give_the_same_messages_and_nothing_that_moves_a_terminal(lines: list[bytes], cuts: list[int]) -> None:
    data = b"\n".join([*lines, b""])
    whole = list(JsonLines().hear(data))
    pieces, at = [], sorted(min(place, len(data)) for place in cuts)
    for start, end in zip([0, *at], [*at, len(data)], strict=True):
        pieces.append(data[start:end])
    protocol = JsonLines()
    assert [message for piece in pieces for message in protocol.hear(piece)] == whole
    for message in whole:
        assert all(ord(char) >= 32 and not 0x7F <= ord(char) < 0xA0 or char in "\n\t" for char in _shown(message))


def _shown(message: Message) -> str:
    return "".join(value for name in message.__struct_fields__ if isinstance(value := getattr(message, name), str))


def test_of_an_endless_line_only_its_head_is_kept() -> None:
    lines = Lines(10)
    for _ in range(1_000):
        assert list(lines.feed(b"x" * 100)) == []
    assert [(line.data, line.left_out) for line in lines.feed(b"\nnext\n")] == [(b"x" * 10, 99_990), (b"next", 0)]
    assert list(lines.end()) == []


def test_an_end_that_cannot_be_read_ends_the_turn() -> None:
    said = list(JsonLines().hear(b'{"type":"result","id":7}\n{"type":"progress","id":7}\n{"type":"result","id":"a.1","text":"x"}\n'))
    assert [type(message) for message in said] == [Failure, Noise, Result]


def test_escape_sequences_leave_the_text_around_them() -> None:
    assert clean("a\x1b[1;31mb\x1b]8;;http://x\x1b\\c\x9b2Jd\x1bPq\x07e\r\nf\rg\x00\x7f\u202eh") == "abcde\nf\nghi"[:-1]
    assert clean("\x1b]0;no end\nnext") == "\nnext"
