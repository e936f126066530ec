"""Bulk decoding of commands gives what `wire.command_of` gives, refusals included."""

from __future__ import annotations

import dataclasses

import msgspec
import pytest
from engine.api.calls import WireCall, commands_of
from engine.api.client import calls_of
from engine.model import wire
from engine.model.commands import COMMANDS
from engine.model.errors import UsageError
from engine.model.fleet_commands import StopEngine
from engine.model.pool_commands import ScalePool
from engine.model.task_commands import SubmitTask
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.examples import examples

SCALARS = st.none() | st.booleans() | st.integers(-20_000, 20_000) | st.floats(allow_nan=False) | st.text(max_size=8)
VALUES = SCALARS | st.lists(SCALARS, max_size=3) | st.dictionaries(st.text(max_size=4), SCALARS, max_size=2)


@st.composite
def calls(draw: st.DrawFn) -> dict[str, object]:
    kind = draw(st.sampled_from(list(COMMANDS.values())))
    args = {}
    for spec in dataclasses.fields(kind):
        fitting = {"str": st.text(max_size=8), "int": st.integers(0, 12), "float": st.floats(0, 100), "bool": st.booleans()}
        choice = draw(st.sampled_from(["fit", "fit", "fit", "leave", "odd"]))
        if choice == "fit":
            args[spec.name] = draw(fitting.get(str(spec.type), VALUES))
        elif choice == "odd":
            args[spec.name] = draw(VALUES)
    if draw(st.sampled_from([False] * 5 + [True])):
        args[draw(st.text(max_size=5))] = 1
    return {"name": kind.name, "args": args}


@settings(max_examples=examples(300), deadline=None)
@given(calls())
def test_agrees_with_command_of(call: dict[str, object]) -> None:
    wire_call = msgspec.json.decode(wire.encode(call), type=WireCall)
    try:
        expected: object = wire.command_of(wire.decode(wire.encode(call)))
    except UsageError as error:
        expected = str(error)
    try:
        got: object = commands_of([wire_call])[0]
    except UsageError as error:
        got = str(error)
    assert got == expected
    assert type(got) is type(expected)


@pytest.mark.parametrize("kind", COMMANDS.values(), ids=COMMANDS)
def test_every_verb_comes_back(kind: type) -> None:
    samples = {"str": "a", "int": 3, "float": 2.5, "bool": True, "tuple[str, ...]": ("x", "y"), "dict[str, Any]": {"k": [1]}}
    def sample(spec: dataclasses.Field[object]) -> object:
        if "choices" in spec.metadata:
            return spec.metadata["choices"][0]
        return spec.metadata["le"] if spec.type == "float" and "le" in spec.metadata else samples[str(spec.type)]

    full = kind(**{spec.name: sample(spec) for spec in dataclasses.fields(kind)})
    needed = {s.name for s in dataclasses.fields(kind) if s.default is s.default_factory is dataclasses.MISSING}
    least = kind(**{spec.name: sample(spec) for spec in dataclasses.fields(kind) if spec.name in needed})
    sent = [full, least]
    assert commands_of(msgspec.json.decode(wire.encode(calls_of(sent)), type=list[WireCall])) == sent
    assert wire.encode(calls_of(sent)) == wire.encode([wire.call_of(command) for command in sent])


def test_names_the_wrong_one_of_many() -> None:
    fine = WireCall("engine.stop")
    wrong = WireCall("task.submit", msgspec.Raw(b'{"type":"noop","priority":11}'))
    with pytest.raises(UsageError, match=r"^command 2 of 3: task.submit: priority is 11, the most is 10$"):
        commands_of([fine, wrong, fine])
    with pytest.raises(UsageError, match=r"^no verb 'pool.scal'; did you mean 'pool.scale'\?$"):
        commands_of([WireCall("pool.scal")])


@pytest.mark.parametrize("args", [b"[]", b"null", b"3", b'"x"', b'{"type":' + b"[" * 5000 + b"]" * 5000 + b"}"])
def test_arguments_are_an_object_of_sane_depth(args: bytes) -> None:
    with pytest.raises(UsageError):
        commands_of([WireCall("task.submit", msgspec.Raw(args))])


def test_long_words_are_not_looked_up() -> None:
    with pytest.raises(UsageError, match="no verb 'xxx"):
        commands_of([WireCall("x" * 100_000)])
    with pytest.raises(UsageError, match="has no argument 'xxx"):
        commands_of([WireCall("engine.stop", msgspec.Raw(b'{"' + b"x" * 100_000 + b'":1}'))])


def test_plain_examples() -> None:
    data = b'[{"name":"pool.scale","args":{"pool":"coder","size":"+3"}},{"name":"engine.stop"},' \
        b'{"name":"task.submit","args":{"type":"noop","depends_on":["tsk_1"],"payload":{"a":1}}}]'  # fmt: skip
    assert commands_of(msgspec.json.decode(data, type=list[WireCall])) == [
        ScalePool("coder", "+3"),
        StopEngine(),
        SubmitTask("noop", depends_on=("tsk_1",), payload={"a": 1}),
    ]
