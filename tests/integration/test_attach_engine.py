"""Finding the engine of a directory and starting one: exactly one, in its own session, with its last words when it dies."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from engine.model.errors import CommandRefused, EngineStartError, EngineUnavailable, UsageError
from fleet_tui import attach
from fleet_tui.attach import (
    Attached,
    EngineRunning,
    attach_to,
    ensure_engine,
    find_engine,
    hold_lock,
    is_answering,
)
from fleet_tui.settings import Paths, find_paths, prepare_state

from tests.integration.cli_shell import SMALL
from tests.integration.words import CACHE_HOME

pytestmark = pytest.mark.xdist_group("cli")


@pytest.fixture
def paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Paths]:
    with tempfile.TemporaryDirectory(prefix="r", dir="/tmp") as runtime:
        monkeypatch.setenv("XDG_CACHE_HOME", str(CACHE_HOME))
        monkeypatch.setenv("HOME", str(tmp_path))
        monkeypatch.setenv("XDG_RUNTIME_DIR", runtime)
        monkeypatch.delenv("XDG_STATE_HOME", raising=False)
        project = tmp_path / "project"
        project.mkdir()
        (project / "fleet.toml").write_text(SMALL)
        yield find_paths(project)


def end(attached: Attached) -> None:
    assert attached.process is not None
    attached.process.terminate()
    assert attached.process.wait(30) == 0


def test_one_is_started_and_found_again(paths: Paths) -> None:
    assert find_engine(paths) is None
    attached = ensure_engine(paths)
    try:
        assert attached.started
        assert attached.process is not None
        pid = attached.process.pid
        assert os.getsid(pid) == pid
        assert attach.holder_pid(paths) == pid
        assert find_engine(paths) == paths.socket
        assert ensure_engine(paths) == Attached(paths.socket, started=False)
        # A hang-up by mistake does not end it: it has no terminal that could be gone.
        attached.process.send_signal(signal.SIGHUP)
        assert is_answering(paths.socket)
    finally:
        end(attached)
    assert find_engine(paths) is None


def test_two_consoles_at_once_share_one(paths: Paths) -> None:
    with ThreadPoolExecutor(2) as pool:
        both = list(pool.map(ensure_engine, [paths, paths]))
    started = [attached for attached in both if attached.started]
    try:
        assert len(started) == 1
        assert {attached.socket for attached in both} == {paths.socket}
    finally:
        end(started[0])


def test_one_that_is_just_ending_is_waited_for(paths: Paths) -> None:
    prepare_state(paths)
    told: list[str] = []
    with ThreadPoolExecutor(1) as pool:
        with hold_lock(paths):
            assert attach.is_locked(paths)
            waiting = pool.submit(ensure_engine, paths, (), told.append)
            # The engine that it starts finds the lock held, and leaves; only then there is something to wait for.
            while not paths.start_errors.exists() or f"pid {os.getpid()}" not in paths.start_errors.read_text():
                assert not waiting.done()
        attached = waiting.result(30)
    assert attached.started
    end(attached)
    assert not attach.is_locked(paths)


def test_one_that_holds_the_lock_and_is_mute(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    prepare_state(paths)
    told: list[str] = []
    monkeypatch.setattr(attach, "_start", lambda _paths, _extra: subprocess.Popen(["sh", "-c", "exit 4"]))
    monkeypatch.setattr(attach, "START_TIMEOUT_S", 0.3)
    monkeypatch.setattr(attach, "TELL_AFTER_S", 0.0)
    with hold_lock(paths), pytest.raises(EngineStartError, match=f"pid {os.getpid()}.*does not answer"):
        ensure_engine(paths, (), told.append)
    assert len(told) == 1


def test_the_last_words_of_one_that_cannot_start(paths: Paths) -> None:
    assert paths.config is not None
    paths.config.write_text("nam = 1\n")
    with pytest.raises(EngineStartError, match="did you mean 'name'"):
        ensure_engine(paths)


def test_one_that_dies_without_a_word(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    def start(_paths: Paths, _extra: object) -> subprocess.Popen[bytes]:
        return subprocess.Popen(["sh", "-c", "kill -9 $$"])

    monkeypatch.setattr(attach, "_start", start)
    with pytest.raises(EngineStartError, match=r"killed by signal 9.*engine\.log"):
        ensure_engine(paths)


def test_one_that_never_answers_is_ended(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[subprocess.Popen[bytes]] = []

    def start(_paths: Paths, _extra: object) -> subprocess.Popen[bytes]:
        started.append(subprocess.Popen(["sleep", "60"]))
        return started[0]

    monkeypatch.setattr(attach, "_start", start)
    monkeypatch.setattr(attach, "START_TIMEOUT_S", 0.1)
    with pytest.raises(EngineStartError, match="did not answer"):
        ensure_engine(paths)
    assert started[0].wait(10) == -signal.SIGTERM


def test_a_program_that_cannot_be_run(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.executable", "/no/such/python")
    with pytest.raises(EngineStartError, match="could not be started"):
        ensure_engine(paths)


# ---- sockets


def test_a_stale_socket_is_no_engine(paths: Paths) -> None:
    prepare_state(paths)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(paths.socket))
    assert paths.socket.exists()
    assert find_engine(paths) is None
    # Who only looks removes nothing.
    assert paths.socket.exists()
    attached = ensure_engine(paths)
    end(attached)


def test_a_mute_socket_is_no_engine(paths: Paths) -> None:
    prepare_state(paths)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(paths.socket))
        listener.listen()
        assert not is_answering(paths.socket, timeout_s=0.05)
    assert not is_answering(Path("/" + "x" * 200))


def test_an_engine_of_another_runtime_directory_is_found(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    attached = ensure_engine(paths)
    try:
        with tempfile.TemporaryDirectory(prefix="r", dir="/tmp") as other:
            monkeypatch.setenv("XDG_RUNTIME_DIR", other)
            moved = find_paths(paths.directory)
            assert moved.socket != paths.socket
            assert find_engine(moved) == paths.socket
    finally:
        end(attached)


# ---- the lock


def test_the_lock_is_one_engines(paths: Paths) -> None:
    prepare_state(paths)
    assert not attach.is_locked(paths)
    with hold_lock(paths):
        assert attach.is_locked(paths)
        with pytest.raises(EngineRunning, match=f"pid {os.getpid()}") as refusal, hold_lock(paths):
            pass
        assert refusal.value.exit_code == CommandRefused.exit_code
    with hold_lock(paths):
        pass


def test_a_torn_lock_file_is_none(paths: Paths) -> None:
    prepare_state(paths)
    for content in (b"", b"{", b"[1]", b'{"pid": "x"}'):
        paths.lock.write_bytes(content)
        assert attach.holder_pid(paths) == 0
        assert find_engine(paths) is None


# ---- where to attach


def test_attaching_where_there_is_none(paths: Paths, tmp_path: Path) -> None:
    with pytest.raises(EngineUnavailable, match="no engine runs"):
        attach_to(None, paths)
    with pytest.raises(EngineUnavailable, match="no engine runs"):
        attach_to(str(tmp_path), paths)
    with pytest.raises(EngineUnavailable, match="no engine answers"):
        attach_to(str(tmp_path / "engine.sock"), paths)
    with pytest.raises(EngineUnavailable, match="no engine answers"):
        attach_to("unix:///no/such.sock", paths)
    for url in ("ws://host:1", "https://host"):
        with pytest.raises(UsageError, match="ssh -t"):
            attach_to(url, paths)


def test_attaching_to_a_directory_and_to_a_socket(paths: Paths, tmp_path: Path) -> None:
    attached = ensure_engine(paths)
    elsewhere = find_paths(tmp_path)
    try:
        assert attach_to(None, paths) == (paths, paths.socket)
        assert attach_to(str(paths.directory), elsewhere) == (paths, paths.socket)
        for target in (str(paths.socket), f"unix://{paths.socket}"):
            assert attach_to(target, elsewhere)[1] == paths.socket
    finally:
        end(attached)
