"""Sandboxes keep what goes wrong inside: every failure is told apart, costs one instance, and keeps nothing alive."""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
import wasmtime
from engine.booster import build
from engine.booster.failures import (
    BadAnswer,
    BadModule,
    OutOfMemory,
    SandboxFailure,
    StackOverflow,
    TimedOut,
    Trapped,
)
from engine.booster.module import find_module
from engine.booster.records import File, Language, Status, Tier
from engine.booster.sandbox import Machine, Program, Sandbox
from engine.model.errors import UsageError

from tests.integration.booster_modules import assemble, describe

ONE = [File(Language.PYTHON, b"x = 1\n")]
MEGABYTE = 1024 * 1024


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "fleet-tui" / "booster" / "compiled"


@pytest.fixture
def machine(cache: Path) -> Iterator[Machine]:
    with Machine(tick_s=0.002) as machine:
        yield machine


@pytest.fixture
def trouble(machine: Machine) -> Program:
    return machine.load_bytes(assemble())


@pytest.fixture(scope="module")
def booster() -> Iterator[Program]:
    with Machine() as machine:
        yield machine.load(find_module())


@pytest.mark.row(166)
@pytest.mark.parametrize(
    ("operation", "failure", "reason"),
    [
        ("unreachable", Trapped, "unreachable"),
        ("stray_read", Trapped, "out of bounds"),
        ("bomb", OutOfMemory, "more than its 8 MB"),
        ("recursion", StackOverflow, "too deep"),
        ("endless", TimedOut, "0.02 s"),
        ("outside", BadAnswer, "4294967295"),
        ("garbage", BadAnswer, "answers"),
        ("too_few", BadAnswer, "0 answers"),
        ("cut_off", BadAnswer, "longer than"),
    ],
)
def test_failures_are_told_apart_and_cost_one_instance(
    trouble: Program, operation: str, failure: type[SandboxFailure], reason: str
) -> None:
    sandbox = Sandbox(trouble, memory_max_bytes=8 * MEGABYTE)
    with pytest.raises(failure, match=reason) as caught:
        sandbox.run(operation, ONE, timeout_s=0.02)
    assert type(caught.value) is failure
    assert sandbox.is_lost
    assert sandbox.memory_bytes == 0
    # The next one is as good as new.
    with Sandbox(trouble) as fresh:
        (answer,) = fresh.run("fine", ONE)
        assert (answer.status, answer.tier, answer.value) == (Status.DONE, Tier.LEXICAL, {"files": 1})


def test_a_failure_that_is_kept_keeps_no_memory(trouble: Program) -> None:
    process = psutil.Process()
    before = process.memory_info().vms
    failures: list[SandboxFailure] = []
    for _ in range(8):
        sandbox = Sandbox(trouble, memory_max_bytes=128 * MEGABYTE)
        with pytest.raises(OutOfMemory) as caught:
            sandbox.run("bomb", ONE)
        failures.append(caught.value)
        assert caught.value.__context__ is None
        assert caught.value.__cause__ is None
    gc.collect()
    assert len(failures) == 8
    # Each memory that is kept holds 4 GB of addresses.
    assert process.memory_info().vms - before < 1024 * MEGABYTE


def test_a_payload_that_cannot_be_decoded_says_so(trouble: Program) -> None:
    with Sandbox(trouble) as sandbox:
        (answer,) = sandbox.run("no_json", ONE)
        with pytest.raises(BadAnswer, match="no json"):
            _ = answer.value


def test_a_request_without_room_is_out_of_memory(trouble: Program) -> None:
    with Sandbox(trouble) as sandbox, pytest.raises(OutOfMemory, match="no room"):
        sandbox.run("fine", [File(Language.PYTHON, bytes(100_000))])


def test_unknown_operations_and_arguments_cost_no_instance(trouble: Program) -> None:
    with Sandbox(trouble) as sandbox:
        with pytest.raises(UsageError, match="no operation 'other'"):
            sandbox.run("other", ONE)
        with pytest.raises(UsageError, match="takes the arguments"):
            sandbox.run("fine", ONE, {"name": "x"})
        assert not sandbox.is_lost


@pytest.mark.parametrize(
    ("wasm", "reason"),
    [
        (b"", "no WebAssembly module"),
        (b"\0asm\1\0\0\0", "does not export its `memory`"),
        (assemble(abi=2), "version 2 of the ABI"),
        (assemble(description=b"{"), "description cannot be read"),
        (assemble(description=b"\xff"), "description cannot be read"),
        (assemble(description=describe(encoding="xml")), "xml"),
        (assemble(description=describe(names=["fine", "fine"])), "two operations"),
        (assemble(imports='(import "wasi_snapshot_preview1" "fd_write" (func (param i32)))'), "fd_write"),
        (assemble(memory='(memory (export "memory") 9000)'), "does not start"),
        (
            bytes(wasmtime.wat2wasm('(module (memory (export "memory") 1) (func (export "booster_abi")))')),
            "booster_abi",
        ),
        (
            bytes(wasmtime.wat2wasm('(module (memory (export "memory") 1) (func $s unreachable) (start $s))')),
            "booster_abi",
        ),
    ],
)
def test_what_is_no_module_is_refused(machine: Machine, wasm: bytes, reason: str) -> None:
    with pytest.raises(BadModule, match=reason):
        machine.load_bytes(wasm)


def test_a_module_that_fails_while_it_starts_is_refused(machine: Machine) -> None:
    wasm = assemble(imports="(func $start (loop $again (br $again))) (start $start)")
    with pytest.raises(BadModule, match="does not start"):
        machine.load_bytes(wasm)


def test_calls_let_other_threads_run(trouble: Program) -> None:
    ran = threading.Event()
    thread = threading.Thread(target=ran.set)
    sandbox = Sandbox(trouble)

    def run() -> None:
        with pytest.raises(TimedOut):
            sandbox.run("endless", ONE, timeout_s=0.5)

    endless = threading.Thread(target=run)
    endless.start()
    thread.start()
    assert ran.wait(10)
    thread.join()
    endless.join()


@pytest.mark.row(166)
def test_compiled_modules_are_kept_and_found(machine: Machine, cache: Path) -> None:
    machine.load_bytes(assemble())
    (kept,) = cache.glob("*.cwasm")
    written = kept.stat().st_mtime_ns
    machine.load_bytes(assemble())
    assert [path.stat().st_mtime_ns for path in cache.glob("*.cwasm")] == [written]
    assert cache.stat().st_mode & 0o777 == 0o700


def test_a_damaged_compiled_module_is_made_anew(machine: Machine, cache: Path) -> None:
    machine.load_bytes(assemble())
    (kept,) = cache.glob("*.cwasm")
    whole = kept.read_bytes()
    for damaged in (whole[:100], whole[: len(whole) // 2] + b"\xff" + whole[len(whole) // 2 + 1 :], b""):
        kept.write_bytes(damaged)
        program = machine.load_bytes(assemble())
        assert kept.read_bytes() == whole
        with Sandbox(program) as sandbox:
            assert sandbox.run("fine", ONE)[0].status is Status.DONE


def test_a_folder_open_to_others_is_not_used(machine: Machine, cache: Path) -> None:
    cache.mkdir(parents=True)
    cache.chmod(0o755)
    with Sandbox(machine.load_bytes(assemble())) as sandbox:
        assert sandbox.run("fine", ONE)[0].status is Status.DONE
    assert list(cache.iterdir()) == []


def test_without_a_place_for_compiled_modules_all_works(
    machine: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    with Sandbox(machine.load_bytes(assemble())) as sandbox:
        assert sandbox.run("fine", ONE)[0].status is Status.DONE


def test_old_compiled_modules_are_removed(machine: Machine, cache: Path) -> None:
    for number in range(12):
        machine.load_bytes(assemble(body=f"(drop (i32.const {number}))"))
    assert len(list(cache.glob("*.cwasm"))) == 8


def test_the_module_is_of_these_sources(booster: Program) -> None:
    assert booster.description.version == build.recipe_hash(), "run `make setup`"


def test_batches_are_answered_in_order(booster: Program) -> None:
    files = [
        File(Language.PYTHON, b"x = 1\n"),
        File(Language.JAVASCRIPT, b"let x = `a${1}b`\n"),
        File(Language.TYPESCRIPT, b"let x: number = <any>1\n"),
        File(Language.TSX, b"let x = <p>a</p>\n"),
        File(Language.PYTHON, b"x = = 1\n"),
        File(99, b"x"),
        File(Language.PYTHON, b"\xff"),
        File(Language.PYTHON, b""),
    ]
    with Sandbox(booster) as sandbox:
        answers = sandbox.run("code.nodes", files)
        assert [answer.status for answer in answers] == [0, 0, 0, 0, 0, Status.BAD_REQUEST, Status.UNSURE, 0]
        checks = sandbox.run("code.syntax_check", files)
    assert [answer.status for answer in checks] == [0, 0, 0, 0, 1, 3, 1, 0]
    assert checks[4].value == {"reason": "this is not known to be Python", "line": 1, "column": 4}
    assert checks[6].value == {"reason": "the text is no UTF-8", "line": None, "column": None}
    nodes = answers[0].value["nodes"]
    kinds = answers[0].value["kinds"]
    assert [kinds[kind] for kind in nodes[::5]] == ["module", "expression_statement", "assignment", "identifier", "=", "integer"]


def test_memory_is_used_again_from_call_to_call(booster: Program) -> None:
    batch = [File(Language.PYTHON, b"def f(a):\n    return a + 1\n" * 2000)]
    with Sandbox(booster) as sandbox:
        sandbox.run("code.parses", batch, tiers=Tier.TREE)
        first = sandbox.memory_bytes
        for _ in range(5):
            sandbox.run("code.parses", batch, tiers=Tier.TREE)
        assert sandbox.memory_bytes == first
        assert 0.9 * first <= sandbox.measure_used_bytes() <= first
