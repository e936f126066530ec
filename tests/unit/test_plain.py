"""What JSON keeps of values, and how deep it may be nested."""

from __future__ import annotations

import datetime
import json
from typing import Any

import msgspec
import pytest
from engine.model.plain import NESTING_MAX, NOT_JSON, plain_object, printable, require_shallow
from hypothesis import given
from hypothesis import strategies as st


def nested(levels: int) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = [value]
    return value


def depth(value: Any) -> int:
    if isinstance(value, dict):
        return 1 + max(map(depth, value.values()), default=0)
    return 1 + max(map(depth, value), default=0) if isinstance(value, list) else 0


@pytest.mark.parametrize(
    ("given_", "kept"),
    [
        ({"a": 1, "b": "x", "c": None, "d": 1.5, "e": True}, {"a": 1, "b": "x", "c": None, "d": 1.5, "e": True}),
        ({"a": (1, 2), "b": {3}, 4: "four"}, {"a": [1, 2], "b": [3], "4": "four"}),
        ({"nan": float("nan"), "inf": [float("-inf")]}, {"nan": None, "inf": [None]}),
        ({"at": datetime.date(2026, 1, 2), "bytes": b"ab"}, {"at": "2026-01-02", "bytes": "YWI="}),
    ],
)
def test_object_as_json_keeps_it(given_: Any, kept: dict[str, object]) -> None:
    assert plain_object(given_) == kept


@pytest.mark.parametrize("value", [object(), ["\ud800"], {1j: 0}, nested(NESTING_MAX), lambda: 0])
def test_what_is_no_json_is_refused(value: object) -> None:
    with pytest.raises(NOT_JSON):
        plain_object({"x": value})


def test_nesting_is_counted_outside_of_texts() -> None:
    require_shallow(json.dumps(nested(NESTING_MAX)).encode())
    require_shallow(json.dumps(["[" * 500, '\\"[{' * 500, [[]] * 500]).encode())
    with pytest.raises(ValueError, match="nested deeper than 100 levels"):
        require_shallow(json.dumps(nested(NESTING_MAX + 1)).encode())
    with pytest.raises(ValueError, match="nested deeper"):
        require_shallow(b"[" * 50_000 + b"]" * 50_000)


@given(st.recursive(st.none() | st.text(alphabet='[]{}"\\a', max_size=5), lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner, max_size=3), max_leaves=60), st.integers(80, 110))
def test_nesting_is_what_counting_says(value: Any, levels: int) -> None:
    for _ in range(levels):
        value = [value]
    data = msgspec.json.encode(value)
    if depth(value) <= NESTING_MAX:
        require_shallow(data)
    else:
        with pytest.raises(ValueError, match="nested deeper"):
            require_shallow(data)


def test_text_that_is_none_becomes_escapes() -> None:
    assert printable("ok \ud800 \0") == "ok \\ud800 \0"
