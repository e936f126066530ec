"""Broken inputs, requests, answers and modules: everything is answered or told apart, and nothing outlives its time.

The short run is always the same; `FUZZ_SEED=7 make test-long ARGS=tests/integration/test_booster_fuzz.py` does a million inputs of another.
"""

from __future__ import annotations

import json
import os
import random
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from engine.booster.failures import BadAnswer, BadModule, SandboxFailure, StackOverflow
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
from engine.booster.sandbox import Machine, Program, Sandbox
from hypothesis import given, settings
from hypothesis import strategies as some

from tests.examples import examples
from tests.integration import booster_fuzz
from tests.integration.booster_modules import assemble, describe

SHORT = 3_000
LONG = 1_000_000
MODULES = 600
SEED = os.environ.get("FUZZ_SEED", "20261121")
DEEP = 100_000


@pytest.fixture(scope="module")
def booster() -> Iterator[Program]:
    with Machine() as machine:
        yield machine.load(find_module())


@pytest.mark.row(166)
def test_broken_inputs_are_answered() -> None:
    report = booster_fuzz.run_share("1", SHORT)
    edited = [operation for operation, status in report.answers if status == "DONE" and operation in ("code.rename", "code.remove_calls")]
    assert len(set(edited)) == 2, report
    assert report.compiled > 10, report
    assert report.requests > 10, report


@pytest.mark.slow
@pytest.mark.timeout(0)
@pytest.mark.row(166)
def test_a_million_broken_inputs() -> None:
    print(f"seed {SEED}")
    report = booster_fuzz.run(SEED, LONG, processes=2)
    print(report)
    assert report.inputs >= LONG
    assert report.compiled > 1_000, report


def test_a_run_is_the_same_again(booster: Program) -> None:
    corpus = booster_fuzz.load_corpus()
    first, second = (booster_fuzz.Fuzz(booster, corpus, "again").run(150) for _ in range(2))
    assert first.answers == second.answers
    other = booster_fuzz.Fuzz(booster, corpus, "another").run(150)
    assert other.answers != first.answers


@pytest.mark.parametrize("broken", ["order", "overlap", "outside", "letter"])
def test_the_judge_of_edits_finds_wrong_ones(broken: str) -> None:
    data = "name = 'é'\n".encode()
    splices = {
        "order": [[5, 6, "x"], [0, 4, "y"]],
        "overlap": [[0, 4, "x"], [3, 5, "y"]],
        "outside": [[0, 99, "x"]],
        "letter": [[0, 9, "x"]],
    }[broken]
    with pytest.raises(AssertionError):
        booster_fuzz.apply(data, {"splices": splices, "count": 1})
    assert booster_fuzz.apply(data, {"splices": [[0, 4, "x"]], "count": 1}) == "x = 'é'\n".encode()


def test_scripts_nested_too_deep_cost_an_instance_and_no_more(booster: Program) -> None:
    """The core of tree-sitter merges its stacks by recursion; Python's tokens say so before."""
    deep = [File(Language.TYPESCRIPT, b"x" + b"{a:" * 20_000)]
    sandbox = Sandbox(booster)
    with pytest.raises(StackOverflow):
        sandbox.run("code.syntax_check", deep)
    assert sandbox.is_lost
    assert booster_fuzz.is_deep(deep[0].data)
    assert not booster_fuzz.is_deep(b"x = f(a)\n" * 900 + b"x = {a: [b, c]}\n")
    with Sandbox(booster) as fresh:
        (answer,) = fresh.run("code.syntax_check", [File(Language.TYPESCRIPT, b"x" + b"{a:" * 1_500)])
        assert answer.status is Status.UNSURE


@pytest.mark.parametrize("operation", ["code.syntax_check", "code.parses", "code.nodes", "code.ast_dump", "code.search", "code.outline", "code.rename"])
@pytest.mark.parametrize("source", [b"<a e{[{c/o:y:.e}", b"<a {{b:>c:d(e f)"])
def test_a_file_that_keeps_the_parser_busy_for_ever_is_left_to_the_regular_agent(booster: Program, operation: str, source: bytes) -> None:
    """Issue 323 of tree-sitter-typescript: some broken TSX of a few bytes has no end; found here by chance, too."""
    row = booster.operations.get(operation)
    if row is None or "tsx" not in row.languages:
        pytest.skip(f"the module has no {operation} for TSX")
    arguments = {"query": "(identifier) @a", "max_matches": "9", "max_nodes": "9", "named": True, "name": "e", "to": "f", "attributes": False}
    with Sandbox(booster) as sandbox:
        (answer,) = sandbox.run(operation, [File(Language.TSX, source)], {name: arguments[name] for name in row.arguments}, timeout_s=20)
        assert (answer.status, answer.value["reason"]) == (Status.UNSURE, "the parser finds no end in this file")
        assert not sandbox.is_lost


def _make_answer(payloads: list[bytes]) -> bytes:
    rows = [b"\0\0\0\0\1\0\0\0" + len(payload).to_bytes(4, "little") + payload + bytes(-len(payload) % 4) for payload in payloads]
    return len(payloads).to_bytes(4, "little") + b"".join(rows)


@given(some.binary(max_size=200), some.integers(0, 5))
def test_any_bytes_are_answers_or_a_bad_answer(data: bytes, count: int) -> None:
    try:
        answers = decode_answer(data, count)
    except BadAnswer:
        return
    assert len(answers) == count


@given(some.lists(some.binary(max_size=40), max_size=4), some.data())
def test_a_flipped_byte_of_an_answer_is_read_or_refused(payloads: list[bytes], data: some.DataObject) -> None:
    whole = _make_answer(payloads)
    assert [answer.payload for answer in decode_answer(whole, len(payloads))] == payloads
    at = data.draw(some.integers(0, len(whole) - 1))
    broken = whole[:at] + bytes([data.draw(some.integers(0, 255))]) + whole[at + 1 :]
    try:
        answers = decode_answer(broken, len(payloads))
    except BadAnswer:
        return
    assert len(answers) == len(payloads)
    assert sum(len(answer.payload) for answer in answers) <= len(whole)


_VALUES = some.recursive(
    some.none() | some.booleans() | some.integers(-(2**63), 2**64 - 1) | some.floats() | some.text() | some.binary(),
    lambda inner: some.lists(inner, max_size=4) | some.dictionaries(some.text() | some.integers(0, 9), inner, max_size=4),
    max_leaves=8,
)


@given(_VALUES, some.data(), some.sampled_from(["msgpack", "json"]))
def test_a_broken_payload_is_a_value_or_a_bad_answer(value: object, data: some.DataObject, encoding: str) -> None:
    whole = msgspec.msgpack.encode(value) if encoding == "msgpack" else json.dumps(repr(value)).encode()
    at = data.draw(some.integers(0, len(whole) - 1))
    broken = whole[:at] + data.draw(some.binary(max_size=4)) + whole[at + data.draw(some.integers(0, 3)) :]
    for payload in (whole, broken, b"\x81\xa1a" + broken):
        try:
            assert isinstance(Answer(Status.DONE, Tier.TREE, payload, encoding).value, dict)
        except BadAnswer:
            continue


@pytest.mark.parametrize(
    ("payload", "encoding"),
    [(b"\x81\xa1a" + b"\x91" * DEEP + b"\xc0", "msgpack"), (b'{"a":' + b"[" * DEEP + b"]" * DEEP + b"}", "json")],
)
def test_a_payload_nested_too_deep_is_a_bad_answer(payload: bytes, encoding: str) -> None:
    with pytest.raises(BadAnswer):
        _ = Answer(Status.DONE, Tier.TREE, payload, encoding).value


@given(some.data())
def test_a_broken_description_is_read_or_refused(data: some.DataObject) -> None:
    whole = describe()
    at = data.draw(some.integers(0, len(whole) - 1))
    broken = whole[:at] + data.draw(some.binary(max_size=6)) + whole[at + data.draw(some.integers(0, 8)) :]
    try:
        description = decode_description(broken)
    except BadModule:
        return
    for row in description.operations:
        assert 0 <= row.code < 2**31
        assert len(encode_request([], row.encode(dict.fromkeys(row.arguments, "x")))) >= 12


@pytest.mark.parametrize("code", [-1, 2**31, 2**32, 10**30])
def test_a_number_that_no_module_can_take_is_refused(code: int) -> None:
    with pytest.raises(BadModule, match="number of an operation"):
        decode_description(describe(names=["fine"]).replace(b'"code": 1', f'"code": {code}'.encode()))


def test_a_description_nested_too_deep_is_refused() -> None:
    with pytest.raises(BadModule, match="cannot be read"):
        decode_description(describe().replace(b'"version": "1"', b'"version": "1", "other": ' + b"[" * DEEP + b"]" * DEEP))


def test_broken_modules_are_refused_or_kept_in_their_sandbox(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A module of somebody else with some bytes flipped: it is refused, it fails, or it answers; the process goes on."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    whole = assemble()
    chance = random.Random(SEED)
    ended: set[str] = set()
    with Machine(tick_s=0.002) as machine:
        for number in range(MODULES):
            broken = bytearray(whole)
            for _ in range(chance.randint(1, 3)):
                broken[chance.randrange(len(broken))] = chance.randrange(256)
            try:
                program = machine.load_bytes(bytes(broken))
                if not program.operations:
                    continue
                operation = chance.choice(list(program.operations))
                with Sandbox(program, memory_max_bytes=8 * 2**20) as sandbox:
                    for answer in sandbox.run(operation, [File(Language.PYTHON, b"x = 1\n")], timeout_s=0.02):
                        assert isinstance(answer.value, dict), number
                    ended.add("answered")
            except SandboxFailure as failure:
                ended.add(failure.kind)
            except msgspec.MsgspecError as error:
                raise AssertionError(f"module {number} of seed {SEED}: {error!r}") from error
    assert {"answered", "bad_module", "trap", "timed_out", "bad_answer"} <= ended, ended


@settings(max_examples=examples(300))
@given(some.binary(max_size=120), some.integers(0, 2**32 - 1), some.integers(0, 2**32 - 1))
def test_any_place_for_a_request_is_answered(booster: Program, data: bytes, address: int, length: int) -> None:
    """A host that names places outside the memory, or a request of any bytes: the module answers, it does not stop."""
    instance = booster.start(64 * 2**20)
    try:
        at = instance.call("booster_alloc", len(data), timeout_s=5) & 0xFFFFFFFF
        instance.write(at, data)
        for place, size in ((at, len(data)), (address, length)):
            packed = instance.call("booster_run", 1, _signed(place), _signed(size), timeout_s=5)
            instance.read(packed >> 32 & 0xFFFFFFFF, packed & 0xFFFFFFFF)
    finally:
        instance.close()


def _signed(number: int) -> int:
    return number - 2**32 if number >= 2**31 else number
