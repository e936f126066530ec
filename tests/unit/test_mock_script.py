"""Scripts of the mock model: what is refused and where, and which turn comes next."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from engine.model.errors import UsageError
from fleet_tui.mock_model.answers import (
    PIECES_MAX,
    Answer,
    BadRequest,
    encode,
    said_by_people,
    split,
)
from fleet_tui.mock_model.conversations import Ask, Conversations
from fleet_tui.mock_model.script import Script, Turn, load_script
from fleet_tui.mock_model.server import WIRES, object_of
from hypothesis import given
from hypothesis import strategies as st

ASK = Ask("chat", "m", is_streamed=False, session="", first="fix it", last="fix it", answers=0)


def load(folder: Path, text: str, name: str = "s.toml") -> Script:
    path = folder / name
    path.write_text(text, "utf-8")
    return load_script(path)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[[turn]]\ntext = "a"\n\n[[turn]]\ntexxt = "b"\n', "line 5: 'texxt' is not known; did you mean 'text'?"),
        ('[[turn]]\ntext = "a"\ndelay_s = "long"\n', "line 3: delay_s: Expected `float`, got `str`"),
        ('[[turn]]\ntext = "a"\ndelay_s = -1\n', "line 3: delay_s: Expected `float` >= 0.0"),
        ("[[turn]]\nstatus = 200\n", "line 2: status: Expected `int` >= 400"),
        ('[[turn]]\nmatch = "a"\n', "line 1: the turn says nothing: give it text, tool, status or cut"),
        ('[[turn]]\ntext = "a"\nstatus = 500\n', "line 3: a turn with a status has no text, tool or cut"),
        ('[[turn]]\ntext = "a"\nretry_after_s = 1\n', "line 3: retry_after_s belongs to a turn with a status"),
        ('[[turn]]\ntext = "a"\ninput = { a = 1 }\n', "line 3: input belongs to a turn with a tool"),
        ('[[turn]]\ncut = "during"\n', "line 2: cut = 'during' needs a text or a tool that is cut"),
        ('[[turn]]\ncut = "later"\n', "line 2: cut: Invalid enum value 'later'"),
        ('[turn]\ntext = "a"\n', "write [[turn]], in two brackets"),
        ('[[turns]]\ntext = "a"\n', "'turns' is not known; a script is a list of [[turn]] tables"),
        ('[[turn]]\ntext = \n', "line 2"),
    ],
)
def test_a_wrong_script_is_refused_with_line_and_cause(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(UsageError) as refused:
        load(tmp_path, text)
    assert said in str(refused.value)
    assert "s.toml" in str(refused.value)


def test_json_lines_are_refused_by_line_and_other_files_by_name(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"line 3: 'tezt' is not known"):
        load(tmp_path, '{"text": "a"}\n\n{"tezt": "b"}\n', "s.jsonl")
    with pytest.raises(UsageError, match=r"line 1: Input data was truncated"):
        load(tmp_path, '{"text": \n', "s.jsonl")
    with pytest.raises(UsageError, match=r"ends in \.toml, \.jsonl"):
        load(tmp_path, "", "s.yaml")
    with pytest.raises(UsageError, match="cannot be read"):
        load_script(tmp_path / "none.toml")


def test_turns_come_in_order_then_the_model_repeats_what_it_hears(tmp_path: Path) -> None:
    script = load(tmp_path, '{"text": "for all"}\n{"match": "fix", "text": "one", "repeat": 2}\n{"match": "fix", "text": "two"}\n', "s.jsonl")
    known = Conversations(script)
    said = [known.next_turn(replace(ASK, answers=count, last=f"word {count}")) for count in range(4)]
    assert [(turn.text, number) for turn, number in said] == [("one", 1), ("one", 1), ("two", 2), ("word 3", 0)]
    assert known.next_turn(replace(ASK, first="other"))[0].text == "for all"


def test_a_retry_goes_on_and_a_new_conversation_begins_anew() -> None:
    known = Conversations(Script({"": [Turn(status=429), Turn(text="one"), Turn(text="two")]}))
    assert [known.next_turn(ASK)[1], known.next_turn(ASK)[1], known.next_turn(replace(ASK, answers=1))[1]] == [1, 2, 3]
    assert known.next_turn(ASK)[1] == 1, "nothing was answered in it, and nothing failed"
    assert known.next_turn(replace(ASK, session="b"))[1] == 1, "each session is a conversation of its own"


def test_what_programs_add_is_no_word_of_the_user() -> None:
    assert said_by_people(["<system-reminder>\nbe nice\n</system-reminder>\n", "# AGENTS.md instructions for /x", "hello <b>you</b>"]) == "hello <b>you</b>"


@pytest.mark.parametrize("text", ["a", "a b", " a  b\n", "\n", "word " * 5_000])
def test_pieces_of_a_text_are_the_text(text: str) -> None:
    assert "".join(split(text)) == text
    assert len(split(text)) <= PIECES_MAX


_ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["type", "text", "content", "role", "name", "function", "output"]), inner, max_size=4),
    max_leaves=8,
)
_ITEMS = st.lists(st.fixed_dictionaries({"role": st.sampled_from(["user", "assistant", "tool"]), "content": _ANY}, optional={"type": st.just("x_output"), "output": _ANY}), max_size=4)
_BODIES = st.fixed_dictionaries(
    {"model": st.just("m") | _ANY},
    optional={"messages": _ITEMS | _ANY, "input": _ITEMS | _ANY, "tools": _ANY, "metadata": _ANY, "stream_options": _ANY, "user": _ANY, "prompt_cache_key": _ANY},
)


@given(_BODIES, st.sampled_from(sorted(WIRES)))
def test_anything_that_is_sent_is_answered_or_refused(body: dict[str, object], path: str) -> None:
    wire = WIRES[path]
    try:
        sent = object_of(json.dumps(body).encode())
        ask = wire.read(sent, {})
    except BadRequest:
        return
    turn, _ = Conversations(Script({})).next_turn(ask)
    answer = Answer("1", 1, ask, turn)
    assert encode(wire.whole(answer))
    assert b"".join(piece.data for piece in wire.pieces(answer))


def test_a_body_that_is_nested_too_deeply_is_refused() -> None:
    with pytest.raises(BadRequest, match="nested too deeply"):
        object_of(b"[" * 100_000)
