"""What an operation costs, in counts that are the same on every machine: instructions of WebAssembly and calls into the module."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import pytest
import wasmtime
from engine.booster.cache import AnswerCache, KeptAnswers
from engine.booster.module import find_module
from engine.booster.records import (
    Answer,
    File,
    Language,
    Status,
    Tier,
    decode_answer,
    decode_description,
    encode_request,
)
from engine.booster.sandbox import Machine, Sandbox

from tests.integration.booster_agreement import STANDARD_LIBRARY

SMALL_BYTES = 3_000
INSTRUCTIONS_MAX = 1_000_000
"""A core does a thousand million a second and more: an operation takes less than a millisecond, and a thousand less than a second."""
FUEL = 10**12
OPERATIONS: dict[str, dict[str, str]] = {
    "code.outline": {},
    "code.metrics": {},
    "code.find_references": {"name": "self"},
    "code.rename": {"name": "self", "to": "this_9", "attributes": ""},
    "code.remove_calls": {"function": "print"},
    "code.structure": {},
}


class Counted:
    """An instance whose instructions are counted."""

    def __init__(self) -> None:
        config = wasmtime.Config()
        config.consume_fuel = True
        engine = wasmtime.Engine(config)
        self._store = wasmtime.Store(engine)
        self._store.set_fuel(FUEL)
        self._exports = wasmtime.Linker(engine).instantiate(self._store, wasmtime.Module(engine, find_module().read_bytes())).exports(self._store)
        self._description = decode_description(self._read(self._call("booster_describe")))

    def _call(self, name: str, *arguments: int) -> int:
        function = self._exports[name]
        assert isinstance(function, wasmtime.Func)
        result: int = function(self._store, *arguments)
        return result & 0xFFFFFFFFFFFFFFFF

    def _read(self, packed: int) -> bytes:
        memory = self._exports["memory"]
        assert isinstance(memory, wasmtime.Memory)
        return bytes(memory.read(self._store, packed >> 32, (packed >> 32) + (packed & 0xFFFFFFFF)))

    def run(self, operation: str, files: Sequence[File], arguments: Mapping[str, str | int], tier: Tier) -> tuple[list[Answer], int]:
        """Give the answers, and how many instructions they took."""
        row = next(row for row in self._description.operations if row.name == operation)
        request = encode_request(files, row.encode(arguments), tier)
        memory = self._exports["memory"]
        assert isinstance(memory, wasmtime.Memory)
        address = self._call("booster_alloc", len(request)) & 0xFFFFFFFF
        memory.write(self._store, request, address)
        before = self._store.get_fuel()
        packed = self._call("booster_run", row.code, address, len(request))
        return decode_answer(self._read(packed), len(files), self._description.encoding), before - self._store.get_fuel()


@pytest.fixture(scope="module")
def counted() -> Counted:
    return Counted()


@pytest.fixture(scope="module")
def smalls() -> list[bytes]:
    """Files of the standard library of 3 kB or less, the largest first."""
    found = sorted((path for path in STANDARD_LIBRARY.glob("*.py") if path.stat().st_size <= SMALL_BYTES), key=lambda path: -path.stat().st_size)
    return [path.read_bytes() for path in found[:10]]


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Machine() as machine, Sandbox(machine.load(find_module())) as sandbox:
        yield sandbox


@pytest.mark.row(170, 173, 271)
@pytest.mark.parametrize("operation", OPERATIONS)
def test_a_small_operation_takes_less_than_a_million_instructions(counted: Counted, smalls: list[bytes], operation: str) -> None:
    counted.run(operation, [File(Language.PYTHON, b"a = 1\n")], OPERATIONS[operation], Tier.LEXICAL)  # tables are made at first use
    for data in smalls:
        (answer,), spent = counted.run(operation, [File(Language.PYTHON, data)], OPERATIONS[operation], Tier.LEXICAL)
        assert answer.status is Status.DONE
        assert 0 < spent < INSTRUCTIONS_MAX, (len(data), spent)


@pytest.mark.row(173, 271)
def test_tokens_take_a_tenth_of_the_tree_s_instructions(counted: Counted, smalls: list[bytes]) -> None:
    files = [File(Language.PYTHON, data) for data in smalls]
    spent = {}
    for tier in (Tier.LEXICAL, Tier.TREE):
        answers, spent[tier] = counted.run("code.outline", files, {}, tier)
        assert {answer.tier for answer in answers} == {tier}
    assert spent[Tier.LEXICAL] * 10 < spent[Tier.TREE], spent


@pytest.mark.row(173, 271)
def test_a_thousand_operations_are_one_call_into_the_module(sandbox: Sandbox, smalls: list[bytes], monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []
    call = sandbox._instance.call

    def count(name: str, *arguments: int, timeout_s: float) -> int:
        calls.append(name)
        return call(name, *arguments, timeout_s=timeout_s)

    monkeypatch.setattr(sandbox._instance, "call", count)
    files = [File(Language.PYTHON, smalls[number % len(smalls)][:300].rpartition(b"\n")[0] + b"\n# %d" % number) for number in range(1_000)]
    answers = sandbox.run("code.outline", files)
    assert len(answers) == 1_000
    assert calls == ["booster_alloc", "booster_run"]


@pytest.mark.row(170)
def test_what_was_answered_is_not_asked_again(sandbox: Sandbox, smalls: list[bytes]) -> None:
    asked = []

    def run(operation: str, files: Sequence[File], arguments: Mapping[str, str | int], *, timeout_s: float) -> list[Answer]:
        asked.append(operation)
        return sandbox.run(operation, files, arguments, timeout_s=timeout_s)

    kept = KeptAnswers(AnswerCache(), run)
    file = File(Language.PYTHON, smalls[0])
    first, again = (kept.run("code.outline", [file], timeout_s=10.0) for _ in range(2))
    assert first == again
    kept.run("code.outline", [File(Language.PYTHON, smalls[0] + b"\n")], timeout_s=10.0)
    assert asked == ["code.outline"] * 2, "other bytes are another question"
