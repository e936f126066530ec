"""The engine in the foreground: it starts, is the only one, ends cleanly, and says what is wrong when it cannot start."""

from __future__ import annotations

import json
import os
import signal
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from fleet_tui.attach import is_locked

from tests.integration.cli_shell import Shell

pytestmark = pytest.mark.xdist_group("cli")
not_root = pytest.mark.skipif(os.getuid() == 0, reason="root may write everywhere")


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Shell]:
    with tempfile.TemporaryDirectory(prefix="r", dir="/tmp") as runtime:
        shell = Shell(tmp_path, Path(runtime))
        yield shell
        shell.close()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_ends_it_cleanly(shell: Shell, number: signal.Signals) -> None:
    process = shell.start_engine()
    said = shell.end(process, number)
    assert process.returncode == 0, said
    assert "Traceback" not in said
    assert not shell.paths.socket.exists()
    messages = [json.loads(line)["message"] for line in shell.paths.log.read_text().splitlines()]
    assert "engine started" in messages
    assert "signal received" in messages


def test_stop_ends_it(shell: Shell) -> None:
    process = shell.start_engine()
    assert "engine" in shell.run("stop", "--dry-run").stdout
    shell.run("stop", "--yes")
    # Not before it has let go: the next one can start at once.
    assert not is_locked(shell.paths)
    assert process.wait(30) == 0
    assert "fleet-tui engine" in shell.run("get", "pools", code=3).stderr


def test_there_is_only_one(shell: Shell) -> None:
    process = shell.start_engine()
    refusal = shell.run("engine", code=4)
    assert f"pid {process.pid}" in refusal.stderr
    assert "fleet-tui stop" in refusal.stderr
    # The one that was there first is none the worse.
    assert shell.json("get", "status")["pid"] == process.pid


def test_killed_and_started_again(shell: Shell) -> None:
    process = shell.start_engine()
    shell.run("pause", "tester")
    task = shell.run("submit", "noop", "tester").stdout.strip()
    shell.end(process, signal.SIGKILL)
    assert shell.paths.socket.exists()
    shell.run("get", "tasks", code=3)
    shell.start_engine()
    assert shell.json("get", "task", task)["state"] == "pending"


def test_another_state_directory_is_another_engine(shell: Shell, tmp_path: Path) -> None:
    shell.start_engine()
    assert "no engine runs" in shell.run("--state-dir", tmp_path / "other", "get", "pools", code=3).stderr


# ---- it cannot start


def test_every_wrong_key_is_named(shell: Shell) -> None:
    (shell.project / "fleet.toml").write_text('nam = "x"\n[tasks]\nagin_s = 1\n[fleet]\nworkers = "many"\n')
    for words in (("engine",), ("config", "check")):
        said = shell.run(*words, code=2).stderr
        assert "did you mean 'name'" in said
        assert "did you mean 'aging_s'" in said
        assert "fleet.workers" in said
    assert shell.json("doctor", code=1)[3]["state"] == "wrong"


def test_configuration_that_cannot_be_read(shell: Shell, tmp_path: Path) -> None:
    assert "No such file" in shell.run("engine", "--config", tmp_path / "none.toml", code=2).stderr
    (shell.project / "fleet.toml").write_text("[")
    assert "not valid TOML" in shell.run("engine", code=2).stderr


def test_configuration_check_and_schema(shell: Shell) -> None:
    assert "valid" in shell.run("config", "check").stderr
    assert "tasks" in json.loads(shell.run("config", "schema").stdout)["properties"]
    (shell.project / "fleet.toml").write_text('[memory]\nbackend = "redis"\n')
    assert "note: memory.backend is redis" in shell.run("config", "check").stderr


def test_state_below_a_file(shell: Shell, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    said = shell.run("engine", "--state-dir", tmp_path / "file/state", code=1).stderr
    assert "a file is in the way" in said
    assert "--state-dir" in said


@not_root
def test_state_that_cannot_be_written(shell: Shell, tmp_path: Path) -> None:
    (tmp_path / "state").mkdir(mode=0o500)
    assert "cannot be written" in shell.run("engine", "--state-dir", tmp_path / "state", code=1).stderr


def test_state_on_a_full_disk(shell: Shell) -> None:
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("needs /dev/full")
    # The lock file is the first that the engine writes into a state directory that took the probe.
    shell.paths.state_dir.mkdir(parents=True, mode=0o700)
    shell.paths.lock.symlink_to(full)
    assert "No space left" in shell.run("engine", code=1).stderr


def test_database_that_is_none(shell: Shell) -> None:
    shell.paths.state_dir.mkdir(parents=True, mode=0o700)
    (shell.paths.state_dir / "fleet.db").write_bytes(b"this is not a database" * 500)
    said = shell.run("engine", code=1).stderr
    assert "fleet.db" in said


def test_socket_in_use_by_somebody_else(shell: Shell) -> None:
    path = shell.paths.socket
    path.parent.mkdir(parents=True, mode=0o700)
    path.parent.parent.chmod(0o700)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        assert str(path) in shell.run("engine", code=1).stderr


def test_no_such_directory(shell: Shell) -> None:
    assert "No such file" in shell.run("-C", "/no/such/place", "engine", code=2).stderr
    assert "No such file" in shell.run("engine", "--demo", "/no/such/place", code=2).stderr


# ---- without an engine, without a terminal


@pytest.mark.parametrize(
    "words", [("get", "pools"), ("watch",), ("log", "tsk_1"), ("result", "tsk_1"), ("scale", "coder", "3"), ("stop", "--yes")]
)
def test_no_engine_is_3(shell: Shell, words: tuple[str, ...]) -> None:
    said = shell.run(*words, code=3)
    assert said.stdout == ""
    assert "fleet-tui engine" in said.stderr


def test_no_terminal_is_2(shell: Shell) -> None:
    assert "demo --headless" in shell.run(code=2).stderr
    assert "needs a terminal" in shell.run("attach", code=2).stderr
    assert not shell.paths.state_dir.exists()


def test_version(shell: Shell) -> None:
    assert shell.run("--version").stdout.startswith("fleet-tui ")
    assert shell.run("--help").stdout.startswith("Usage: fleet-tui")
