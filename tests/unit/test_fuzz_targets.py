"""The targets of `make fuzz`, by chance: each holds for what agents really say, and for anything else; and each can fail."""

from __future__ import annotations

import json
import re

import pytest
from engine.agents.sessions.messages import Output
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.examples import examples
from tests.fuzz.targets import SEEDS, TARGETS, pieces_of, texts_in

_values = st.recursive(st.none() | st.integers() | st.text(max_size=8), lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["id", "type", "text", "method", "params", "content", "data"]), inner, max_size=3), max_leaves=6)
_lines = st.binary(max_size=60) | _values.map(lambda value: json.dumps(value).encode())


@pytest.mark.parametrize("name", TARGETS)
def test_any_lines(name: str) -> None:
    @settings(max_examples=examples(100))
    @given(st.lists(_lines, max_size=4))
    def check(lines: list[bytes]) -> None:
        TARGETS[name](b"\n".join(lines))

    check()


def test_pieces_are_the_whole_and_texts_are_found_where_they_are() -> None:
    data = bytes(range(256)) * 3
    assert b"".join(pieces_of(data)) == data
    assert list(texts_in([("a", 1), Output("b", "c"), {"d": "a value"}, b"e"])) == ["a", "b", "c"]


@pytest.mark.parametrize("name", SEEDS)
def test_what_is_really_said_reaches_what_is_looked_at(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for seed in SEEDS[name]:
        TARGETS[name](seed)
    monkeypatch.setattr("tests.fuzz.targets.MOVES", re.compile("seen"))
    for seed in SEEDS[name]:
        with pytest.raises(AssertionError, match="seen"):
            TARGETS[name](seed)
