"""The wire form: what goes out comes back, and what is wrong is named."""

from __future__ import annotations

import dataclasses
from typing import Any, get_type_hints

import msgspec
import pytest
from engine.model import commands as c
from engine.model import wire
from engine.model.errors import UsageError
from engine.model.events import EVENTS, Record
from engine.model.journal_entries import record_of
from engine.model.plans import Call
from engine.model.rows import ROW_KINDS, AgentCounts, EventRow, FleetStatus, Frame, TaskCounts
from engine.model.task_commands import SubmitTask
from engine.model.verbs import Command
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.examples import examples

texts = st.text(max_size=8)
objects = st.dictionaries(texts, st.one_of(texts, st.integers(-(2**53), 2**53), st.booleans(), st.none()), max_size=3)
_BY_FIELD: dict[str, st.SearchStrategy[Any]] = {
    "priority": st.integers(1, 10),
    "count": st.integers(1, 10_000),
    "max_attempts": st.integers(1, 100),
    "expires_s": st.floats(1, 1e6),
    "keep_s": st.floats(1, 1e6),
    "agents": st.integers(1, 100_000),
    "backoff_s": st.floats(0, 3600),
    "last_s": st.floats(60, 3 * 86_400),
    "for_s": st.floats(1, 86_400),
    "keep_firing_for_s": st.floats(0, 86_400),
    "payload": objects,
    "policy": objects,
    "changes": objects,
    "weights": objects,
    "delegates": objects,
    "groups": objects,
    "threshold": st.floats(0, 1),
    "ratio": st.floats(0, 1),
    "min_turnout": st.floats(0, 1),
    "confidence": st.floats(0, 1),
    "depth": st.integers(0, 16),
    "timeout_s": st.floats(1, 1e9),
    "vote_timeout_s": st.floats(1, 1e9),
    "ttl_s": st.floats(0, 1e6),
    "reviewers": st.integers(1, 100),
    "attempts": st.integers(1, 100),
    "patience_s": st.floats(0, 86_400),
    "budget_tasks": st.integers(1, 10_000),
}
_BY_TYPE: dict[str, st.SearchStrategy[Any]] = {
    "str": texts,
    "int": st.integers(0, 2**53),
    "float": st.floats(0, 1e9),
    "bool": st.booleans(),
    "tuple[str, ...]": st.lists(texts, max_size=3).map(tuple),
}


@st.composite
def commands(draw: st.DrawFn) -> Command:
    kind = draw(st.sampled_from(list(c.COMMANDS.values())))
    values = {
        spec.name: draw(st.sampled_from(spec.metadata["choices"]) if "choices" in spec.metadata else _BY_FIELD[spec.name] if spec.name in _BY_FIELD else _BY_TYPE[str(spec.type)])
        for spec in dataclasses.fields(kind)
    }
    return kind(**values)


@given(commands())
@settings(max_examples=examples(60), deadline=None)
def test_command_comes_back(command: Command) -> None:
    call = wire.call_of(command)
    assert wire.command_of(call) == command
    assert wire.command_of(wire.decode(wire.encode(call))) == command


st.register_type_strategy(msgspec.Raw, st.sampled_from([b"null", b"-1", b'"x"', b'{"a":[1]}']).map(msgspec.Raw))


@given(st.data())
@settings(max_examples=examples(40), deadline=None)
def test_every_event_comes_back(data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(sorted(EVENTS)))
    event = data.draw(st.from_type(EVENTS[name]).filter(lambda value: "nan" not in repr(value) and "inf" not in repr(value)))
    try:
        text = wire.encode(event)
    except (UnicodeEncodeError, TypeError, OverflowError):
        return  # what no program puts in
    try:
        found = record_of(1, 2.0, "ada", name, text)
    except UsageError:
        return  # an integer beyond 64 bits
    assert found == Record(1, 2.0, "ada", event) or wire.encode(found.event) == text


def test_row_is_an_array_and_comes_back_in_its_frame() -> None:
    rows = {kind: [row(*[_sample(type_) for type_ in get_type_hints(row).values()])] for kind, row in ROW_KINDS.items()}
    status = FleetStatus("f", "e", "0", 1, 0.0, 1.0, 2, "", ("a",), 1, AgentCounts(1, 1, {}), TaskCounts(1, 0, 0, 0, 0, 0, {}))
    event = EventRow("ev_1", 1.0, "x", "info", "s", "t", "c")
    frame = Frame(2, 1.0, True, status, rows, {"tasks": ["tsk_1"]}, [event], 3)
    assert wire.decode_frame(wire.encode(frame)) == frame


def _sample(type_: type) -> Any:
    return {str: "x", int: 3, float: 1.5, bool: True, float | None: 1.5}[type_]


@pytest.mark.parametrize("data", [b"{", b"{}", b'{"seq":1}', b"[]"])
def test_frame_that_is_none_is_refused(data: bytes) -> None:
    with pytest.raises(UsageError, match="not a valid frame"):
        wire.decode_frame(data)


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (Call("pool.scal"), "no verb 'pool.scal'; did you mean 'pool.scale'"),
        (Call("pool.scale", {"pol": "x"}), "pool.scale has no argument 'pol'; did you mean 'pool'"),
        (Call("pool.scale", {"pool": "x"}), "not a valid ScalePool: Object missing required field `size`"),
        (Call("pool.scale", {"pool": 3, "size": "1"}), r"Expected `str`, got `int` - at `\$.pool`"),
        (Call("task.submit", {"type": "noop", "priority": 11}), "task.submit: priority is 11, the most is 10"),
        (Call("task.submit", {"type": "noop", "priority": 0}), "task.submit: priority is 0, the least is 1"),
        (Call("agent.register", {"type": "coder", "count": 0}), "agent.register: count is 0, the least is 1"),
    ],
)
def test_wrong_calls_name_the_place(call: Call, text: str) -> None:
    with pytest.raises(UsageError, match=text):
        wire.command_of(call)


def test_torn_and_unknown_records_are_refused() -> None:
    with pytest.raises(UsageError, match="journal row 7 has the unknown type 'pool.melted'; it is from a newer version"):
        record_of(7, 0.0, "", "pool.melted", "{}")
    with pytest.raises(UsageError, match="not a valid PoolScaled"):
        record_of(7, 0.0, "", "pool.scaled", '{"pool":')


def test_json_that_is_none_is_refused() -> None:
    with pytest.raises(UsageError, match="not valid JSON"):
        wire.decode(b"{")


def test_arguments_equal_to_their_default_are_left_out() -> None:
    assert wire.call_of(SubmitTask("noop", priority=5, capabilities=("a",))) == Call("task.submit", {"type": "noop", "capabilities": ["a"]})


def test_every_verb_has_words_and_its_inverse_exists() -> None:
    for name, kind in c.COMMANDS.items():
        assert (kind.name, c.VERBS[kind.verb]) == (name, kind)
        assert kind.help and not kind.help.endswith(".")
        assert not kind.inverse or kind.inverse in c.COMMANDS
        for spec in dataclasses.fields(kind):
            assert spec.metadata["help"], f"{name}.{spec.name}"
