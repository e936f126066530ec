"""Nothing that an agent prints or says gets further with a secret in it, or with what moves a terminal."""

from __future__ import annotations

import json

import pytest
from engine.agents.sessions.json_lines import JsonLines
from engine.agents.sessions.messages import shielded
from engine.model.questions import AnswerRule, Ask, matches, suggested_rule
from engine.model.secrets import HIDDEN, conceal_in_command
from engine.model.shielding import (
    KEY_LINES_MAX,
    LINE_MAX_BYTES,
    ShieldedStream,
    shield_arguments,
    shield_values,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.examples import examples

SECRET = "sk-" + "Zq9" * 8
KEY = "-----BEGIN RSA " + "PRIVATE KEY-----"
END = "-----END RSA " + "PRIVATE KEY-----"

_noise = st.sampled_from([b"\x1b[31m", b"\x1b]0;title\x07", b"\x1b]52;c;eA==\x1b\\", b"\x9b2J", b"\xc2\x9b5n", b"\xff\xfe", b"\xe2\x80\xae", b"\r", b"\n", b"\0", b" "])
_planted = st.sampled_from([f" {SECRET} ", f"\ntoken={SECRET}\n", f' "api_key": "{SECRET}" ', f" s\x1b[1mk-{SECRET[3:]} "]).map(str.encode)
_pieces = st.lists(st.binary(max_size=20) | _noise | _planted, max_size=8)


def printed(data: bytes, cuts: list[int]) -> bytes:
    stream, at = ShieldedStream(), sorted(min(place, len(data)) for place in cuts)
    return b"".join(stream.feed(data[start:end]) for start, end in zip([0, *at], [*at, len(data)], strict=True)) + stream.end()


def moves_a_terminal(text: str) -> bool:
    return any(ord(char) < 32 and char not in "\n\t" or 0x7F <= ord(char) < 0xA0 or char in "\u202e\u2066" for char in text)


@settings(max_examples=examples(200), deadline=None)
@given(_pieces, st.lists(st.integers(0, 400), max_size=6), st.booleans())
def test_any_bytes_in_any_pieces_are_written_alike_without_secrets_and_controls(pieces: list[bytes], cuts: list[int], is_long: bool) -> None:  # noqa: FBT001  # drawn
    data = (b"x " * (LINE_MAX_BYTES // 2 - 30) if is_long else b"") + b"".join(pieces)
    whole = printed(data, [])
    assert printed(data, [place + (LINE_MAX_BYTES - 60) * is_long for place in cuts]) == whole
    text = whole.decode("utf-8")
    assert SECRET[3:] not in text
    assert not moves_a_terminal(text)


def test_a_secret_at_the_cut_of_a_line_without_end_is_hidden_and_memory_is_bounded() -> None:
    stream = ShieldedStream()
    for place in (LINE_MAX_BYTES - 10, LINE_MAX_BYTES - 1, LINE_MAX_BYTES):
        assert SECRET[5:] not in printed(b"x" * (place - 1) + b" " + SECRET.encode() + b" y" * LINE_MAX_BYTES, []).decode()
    written = sum(len(stream.feed(b"\xc3\xa4" * 30_000 + b"\xc3")) + len(stream.feed(b"\xa4")) for _ in range(50))
    assert len(stream._held) <= 2 * LINE_MAX_BYTES
    assert written + len(stream.end()) == 50 * 60_002, "no letter was divided"


def test_a_private_key_is_left_out_line_by_line_and_one_that_never_ends_hides_not_all() -> None:
    assert printed(f"a\n{KEY}\nMIIa\nMIIb\n{END}\nb\n".encode(), [9, 40, 43]).decode() == f"a\n{HIDDEN}\nb\n"
    shown = printed((KEY + "\n" + "line\n" * (KEY_LINES_MAX + 5)).encode(), []).decode()
    assert shown == f"{HIDDEN}\n" + "line\n" * 5
    certificate = "-----BEGIN CERTIFICATE-----\nMIIa\n-----END CERTIFICATE-----\n"
    assert printed(certificate.encode(), []).decode() == certificate


_values = st.sampled_from([SECRET, f"curl -H 'Authorization: Bearer {SECRET}' x", f"a\nsecret: {SECRET}", {"password": SECRET}, [SECRET, {"x": SECRET}], f"\x1b[2J{SECRET}", 7, None])


@settings(max_examples=examples(100), deadline=None)
@given(st.dictionaries(st.sampled_from(["text", "evidence", "message", "question", "tool", "diff", "data", "arguments", "options", "token"]), _values), st.sampled_from(["progress", "output", "ask", "result", "error", "new"]))
def test_no_message_of_a_session_has_a_secret(fields: dict[str, object], kind: str) -> None:
    line = json.dumps({"ask": "1", "message": "m", **fields, "type": kind, "id": "tsk_1.1"}).encode()
    for message in JsonLines().hear(line + b"\n"):
        assert SECRET not in repr(shielded(message))  # type: ignore[type-var]  # neither hello nor bye


@pytest.mark.parametrize(
    ("command", "shown"),
    [
        (f"curl -H 'x-api-key: {SECRET}' host", f"curl -H 'x-api-key: {HIDDEN}' host"),
        ("git status --token=\"x; rm -rf /\"", "git status --token=\"x; rm -rf /\""),
        ("export TOKEN=$(cat key) && go", "export TOKEN=$(cat key) && go"),
        (f"echo {KEY}\n{'MIIa' * 16}\nreboot now", f"echo -----BEGIN RSA PRIVATE KEY-----\n{HIDDEN}\nreboot now"),
    ],
)  # fmt: skip
def test_who_is_to_allow_a_command_sees_all_that_would_run(command: str, shown: str) -> None:
    assert conceal_in_command(command) == shown
    assert shield_arguments({"command": command, "n": 1, "deep": [{"password": "hunter2"}]}) == {"command": shown, "n": 1, "deep": [{"password": HIDDEN}]}


def test_no_rule_allows_what_is_hidden() -> None:
    ask = Ask("t.1", "1", tool="Bash", arguments={"command": conceal_in_command(f"deploy --token={SECRET} now")})
    assert not matches(AnswerRule("allow", "Bash(command=deploy *)"), ask)
    assert matches(AnswerRule("deny", "Bash(command=deploy *)"), ask)
    assert suggested_rule(ask) == ""


def test_values_keep_their_shape() -> None:
    assert shield_values({"text": "a\x1b[31mb", "n": 1.5, "list": [SECRET, None], "token": SECRET, "tokens": 3}) == {"text": "ab", "n": 1.5, "list": [HIDDEN, None], "token": HIDDEN, "tokens": 3}
