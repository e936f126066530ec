"""Modules of operators: the samples of the page work as it says, and what is wrong with a module is said before it is kept."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

import pytest
from engine.booster import build
from engine.booster.failures import BadModule, SandboxFailure
from engine.booster.module_folder import ModuleFolder
from engine.booster.records import File, Language, Status
from engine.booster.sandbox import Machine, Sandbox
from engine.booster.user_modules import MODULE_MAX_BYTES, apply_splices, check_module
from engine.model.errors import CommandRefused, UsageError

from tests.integration.booster_modules import assemble, describe
from tests.integration.user_modules import NO_FILE, make

ROOT = Path(__file__).parents[2]
SAMPLES = ROOT / "docs" / "samples"
PAGE = ROOT / "docs" / "modules.md"
COMPILE_S = 170


@pytest.fixture(scope="module")
def machine() -> Iterator[Machine]:
    with Machine(tick_s=0.002) as machine:
        yield machine


@lru_cache
def compile_sample() -> bytes:
    """Build the sample in C as its first lines say, where zig is in reach."""
    source = SAMPLES / "blanks.c"
    (command,) = re.findall(r"uvx (--from \S+ python-zig cc .*) -o blanks\.wasm blanks\.c", source.read_text())
    uv = shutil.which(os.environ.get("UV", "uv")) or shutil.which("uv")
    words = [uv, "tool", "run", *command.split()] if uv else [sys.executable, "-m", "ziglang", *command.split()[3:]]
    assert f"ziglang=={build.ZIG_VERSION}" in command
    output = Path(os.environ["SAMPLE_FOLDER"]) / "blanks.wasm"
    done = subprocess.run([*words, "-o", str(output), str(source)], capture_output=True, text=True, timeout=COMPILE_S, check=False)
    if done.returncode and not uv:
        pytest.skip("neither uv nor ziglang is here")
    if done.returncode and re.search(r"network|index|resolve|fetch|connect|download", done.stderr, re.IGNORECASE):
        pytest.skip(f"zig cannot be had: {done.stderr.strip()[-200:]}")
    assert done.returncode == 0, done.stderr
    return output.read_bytes()


@pytest.fixture
def blanks(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> bytes:
    monkeypatch.setenv("SAMPLE_FOLDER", str(tmp_path_factory.mktemp("sample")))
    return compile_sample()


def test_the_sample_in_c_does_what_it_says(machine: Machine, blanks: bytes) -> None:
    module = check_module(machine, blanks)
    assert [row.name for row in module.operations] == ["user.count_blanks", "user.remove_blanks"]
    data = "a = 1  \n\tb\t\r\n  \nc é\t".encode()
    with Sandbox(machine.load_bytes(blanks)) as sandbox:
        edited, clean = sandbox.run("user.remove_blanks", [File(Language.PYTHON, data), File(Language.TSX, b"x\n")])
        (counted, *_) = sandbox.run("user.count_blanks", [File(Language.JAVASCRIPT, data)])
    assert apply_splices(data, edited.value) == "a = 1\n\tb\r\n\nc é".encode()
    assert clean.value == {"splices": [], "count": 0}
    assert counted.value == {"lines": 4}


def test_the_sample_in_c_takes_broken_requests(machine: Machine, blanks: bytes) -> None:
    program = machine.load_bytes(blanks)
    whole = b"".join(number.to_bytes(4, "little") for number in (3, 0, 1, 0, 2)) + b"x \0\0"
    for at in range(0, len(whole), 4):
        for number in (b"\xff\xff\xff\xff", b"\0\0\0\x80", b"\x04\0\0\0"):
            with Sandbox(program, memory_max_bytes=8 * 2**20) as sandbox:
                sandbox._call(1, whole[:at] + number + whole[at + 4 :], 5)
                assert sandbox.run("user.count_blanks", [File(Language.PYTHON, b"x \n")])[0].value == {"lines": 1}
    with Sandbox(program) as sandbox:
        assert sandbox._call(1, whole[:-4], 5) == b""


def test_the_sample_in_rust_works_or_at_least_compiles(machine: Machine, tmp_path: Path) -> None:
    """With the target wasm32-unknown-unknown it is built and run; with another rustc only its types are checked."""
    source = SAMPLES / "todo.rs"
    rustc = shutil.which("rustc")
    text = source.read_text()
    (command,) = re.findall(r"rustc (--edition .*) -o todo\.wasm todo\.rs", text)
    for name in ("booster_abi", "booster_describe", "booster_alloc", "booster_run"):
        assert f'pub extern "C" fn {name}(' in text
    if rustc is None:
        pytest.skip("no rustc here: the sample was only read")
    output = tmp_path / "todo.wasm"
    folder = subprocess.run([rustc, "--print", "target-libdir", "--target", "wasm32-unknown-unknown"], capture_output=True, text=True, check=False)
    if not Path(folder.stdout.strip() or "/nowhere").is_dir():
        done = subprocess.run([rustc, "--edition", "2021", "--crate-type", "lib", "--emit", "metadata", "-o", str(output), str(source)], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return
    subprocess.run([rustc, *command.split(), "-o", str(output), str(source)], check=True, capture_output=True)
    with Sandbox(machine.load(output)) as sandbox:
        files = [File(Language.PYTHON, b"x = 1  # TODO a\nTODO = 2\n#TODO\n"), File(Language.TSX, b"// TODO\n"), File(Language.PYTHON, b"")]
        assert [answer.value for answer in sandbox.run("user.find_todos", files, {"word": "TODO"})] == [{"lines": [1, 3]}, {"lines": [1]}, {"lines": []}]


def test_the_page_names_what_there_is() -> None:
    page = PAGE.read_text()
    for path in SAMPLES.iterdir():
        assert f"samples/{path.name}" in page, path
    assert f"{MODULE_MAX_BYTES // 2**20} MB" in page


def test_the_example_of_the_page_runs(blanks: bytes, tmp_path: Path) -> None:
    (found,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    snippet = textwrap.dedent(found)
    (tmp_path / "blanks.wasm").write_bytes(blanks)
    done = subprocess.run([sys.executable, "-c", snippet], cwd=tmp_path, capture_output=True, text=True, check=False, env=os.environ | {"PYTHONPATH": str(ROOT)})
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["blanks: user.count_blanks, user.remove_blanks", "b'x = 1\\n'"]


@pytest.mark.parametrize(
    ("wasm", "reason"),
    [
        (b"no module", "no WebAssembly module"),
        (make("code.outline"), "'code.outline': use user."),
        (make("user.One"), "use user. and small letters"),
        (make("user."), "use user. and small letters"),
        (make("user.one\n"), "use user. and small letters"),
        (make(), "offers 0 operations"),
        (make(*(f"user.o{number}" for number in range(33))), "offers 33 operations"),
        (make("user.one", languages=["cobol"]), "cobol"),
        (make("user.one", languages=[]), "use some of"),
        (make("user.one", languages=["python", "python"]), "a language twice"),
        (make("user.one", arguments=["a", "a"]), "or one twice"),
        (make("user.one", arguments=["a b"]), "an argument 'a b'"),
        (make("user.one", arguments=["path"]), "an argument path, which every payload may have"),
        (make("user.one", title="../x"), "its name is '../x'"),
        (make("user.one", title=""), "its name is ''"),
        (make("user.one", edits=True), "no list of splices"),
        (assemble(description=describe(names=["unreachable"]).replace(b"unreachable", b"user.broken")), "unreachable"),
        (assemble(description=describe(names=["endless"]).replace(b"endless", b"user.endless")), "stopped after 1 s"),
        (assemble(description=describe(names=["bomb"]).replace(b"bomb", b"user.bomb")), "more than its 64 MB"),
        (assemble(description=describe(names=["no_json"]).replace(b"no_json", b"user.no_json"), body=NO_FILE), "no json"),
        (assemble(imports='(import "env" "clock" (func))', description=describe(names=["fine"])), "env.clock"),
    ],
)
def test_what_is_wrong_with_a_module_is_said(machine: Machine, wasm: bytes, reason: str) -> None:
    with pytest.raises(SandboxFailure, match=re.escape(reason)):
        check_module(machine, wasm)


def test_a_module_that_is_too_large_is_not_compiled(machine: Machine) -> None:
    with pytest.raises(UsageError, match="at most 8,388,608"):
        check_module(machine, bytes(MODULE_MAX_BYTES + 1))


def test_modules_are_kept_for_their_owner_alone(tmp_path: Path) -> None:
    folder = ModuleFolder(tmp_path / "modules")
    wasm = make("user.one")
    sha256 = hashlib.sha256(wasm).hexdigest()
    with pytest.raises(BadModule, match="it was removed, or its file was"):
        folder.read(sha256)
    folder.write(sha256, wasm)
    folder.write(sha256, wasm)
    assert folder.read(sha256) == wasm
    assert folder.path_of(sha256).parent.stat().st_mode & 0o777 == 0o700
    assert folder.path_of(sha256).stat().st_mode & 0o777 == 0o600
    folder.tidy({sha256})
    assert folder.has(sha256)
    folder.path_of(sha256).write_bytes(make("user.one", "user.two"))
    with pytest.raises(BadModule, match="was changed"):
        folder.read(sha256)
    assert not folder.has(sha256)
    folder.tidy(())
    assert not list((tmp_path / "modules").iterdir())


def test_a_folder_open_to_others_is_not_used(tmp_path: Path) -> None:
    folder = tmp_path / "modules"
    folder.mkdir(mode=0o755)
    with pytest.raises(CommandRefused, match="chmod 700"):
        ModuleFolder(folder).write("0", b"")


def test_modules_of_operators_never_push_the_boosters_own_out(machine: Machine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Compiled modules are kept in two places, each with its own bound."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    machine.load_bytes(make("user.own"))
    for number in range(34):
        check_module(machine, make(f"user.o{number}"))
    places = {path.name: len(list(path.iterdir())) for path in (tmp_path / "fleet-tui" / "booster").iterdir() if path.is_dir()}
    assert places == {"compiled": 1, "compiled-user": 32}


@pytest.mark.parametrize("splices", [None, [[0, 1]], [["0", 1, ""]], [[0, 1, b"x"]], [[2, 1, ""]], [[0, 9, ""]], [[2, 3, ""], [0, 1, ""]], [[0, 2, ""], [1, 3, ""]], [[0, 1, ""]]])
def test_wrong_splices_are_the_modules_failure(splices: object) -> None:
    with pytest.raises(BadModule):
        apply_splices("é = 1".encode(), {"splices": splices})


def test_right_splices_are_applied() -> None:
    assert apply_splices("é = 1".encode(), {"splices": [[0, 2, "x"], [5, 6, "2"], [6, 6, "0"]]}) == b"x = 20"


def test_an_answer_that_is_done_is_an_answer(machine: Machine) -> None:
    with Sandbox(machine.load_bytes(make("user.one"))) as sandbox:
        assert [answer.status for answer in sandbox.run("user.one", [])] == []
        assert sandbox.run("user.one", [File(Language.PYTHON, b"x")])[0].status is Status.DONE
