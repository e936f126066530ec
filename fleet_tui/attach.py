"""Find the engine of a directory, start one if there is none, and keep it the only one of its state directory.

Owner: whoever calls `hold_lock` owns the lock until it leaves the context; everything else keeps nothing.
Limits: an engine gets START_TIMEOUT_S to answer; at most ERROR_BYTES_MAX of what it wrote before it died are shown.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

from engine.model.acting import SOCKET_VARIABLE
from engine.model.errors import EXIT_REFUSED, EngineStartError, EngineUnavailable, UsageError
from fleet_tui.settings import Address, Paths, find_paths, find_socket, prepare_state

PROBE_TIMEOUT_S = 2.0
"""Longest that a healthy engine takes to answer on its own machine."""

START_TIMEOUT_S = 60.0
"""Longest recovery of a large journal that a console waits for."""

TELL_AFTER_S = 1.5
POLL_S = 0.02
LOOK_S = 0.05
ERROR_BYTES_MAX = 4096

_PROBE = b"GET /v1/status HTTP/1.1\r\nHost: engine\r\nConnection: close\r\n\r\n"


class EngineRunning(EngineStartError):
    """Another engine holds the state directory."""

    code = "running"
    exit_code: ClassVar[int] = EXIT_REFUSED


@dataclass(frozen=True, slots=True)
class Holder:
    """What the engine that last took the lock of a state directory said of itself; it may have ended since."""

    pid: int = 0
    socket: Path | None = None
    directory: Path | None = None


@dataclass(frozen=True, slots=True)
class Attached:
    """An engine that answers."""

    socket: Path
    started: bool
    """True when this process started it; then it may end it, too."""
    process: subprocess.Popen[bytes] | None = None
    """The started engine, so that its end can be noticed; None when somebody else started it."""


def find_engine(paths: Paths) -> Path | None:
    """Return the socket of the engine that answers for these paths, or None. Blocks for PROBE_TIMEOUT_S at most, twice."""
    candidates = [paths.socket]
    # An engine started from another environment (cron, su) may have had another runtime directory.
    told = find_holder(paths).socket
    if told is not None and told != paths.socket:
        candidates.append(told)
    return next((candidate for candidate in candidates if is_answering(candidate)), None)


def find_address(paths: Paths) -> Address | None:
    """Return where the engine of these paths answers; one elsewhere says by itself when it does not."""
    return paths.remote or find_engine(paths)


def require_address(paths: Paths) -> Address:
    """Return where the engine of these paths answers, else that of the agent whose program this is. Raises EngineUnavailable that says how to start one."""
    return find_address(paths) or engine_of_agent(os.environ) or require_engine(paths)


def engine_of_agent(environment: Mapping[str, str]) -> Path | None:
    """Return the socket of the engine whose agent runs this program, if it answers."""
    socket = Path(environment.get(SOCKET_VARIABLE, ""))
    return socket if socket.is_absolute() and is_answering(socket) else None


def require_engine(paths: Paths) -> Path:
    """Return the socket of the engine of these paths. Raises EngineUnavailable that says how to start one."""
    found = find_engine(paths)
    if found is None:
        raise EngineUnavailable(
            f"no engine runs for {paths.directory} (state in {paths.state_dir}): start one with `fleet-tui engine`, or open the"
            " console with `fleet-tui`, or name another directory with -C"
        )
    return found


def attach_to(target: str | None, paths: Paths) -> tuple[Paths, Path]:
    """Return the places and the socket of a running engine: of these paths, a directory, or a socket. Raises FleetError."""
    if not target:
        return paths, require_engine(paths)
    scheme, found, rest = target.partition("://")
    if found and scheme != "unix":
        raise UsageError(
            f"{target}: `attach` takes a directory or a socket of this machine; for another one, use `ssh -t HOST fleet-tui attach"
            " DIRECTORY`, or write the address down as a context ([contexts.NAME] of console.toml) for `fleet-tui --context NAME`"
        )
    path = Path(rest if found else target).absolute()
    if path.is_dir():
        paths = find_paths(path)
        return paths, require_engine(paths)
    if not is_answering(path):
        raise EngineUnavailable(f"no engine answers at {path}; `fleet-tui attach DIRECTORY` finds the one of a directory")
    return replace(paths, socket=path), path


def is_answering(path: Path, timeout_s: float = PROBE_TIMEOUT_S) -> bool:
    """Tell whether an engine answers at a socket; a file that nobody serves, or a hung engine, does not."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(timeout_s)
        try:
            connection.connect(os.fspath(path))
            connection.sendall(_PROBE)
            return connection.recv(16).startswith(b"HTTP/")
        except OSError:
            return False


def ensure_engine(paths: Paths, argv_extra: Sequence[str] = (), tell: Callable[[str], None] | None = None) -> Attached:
    """Return the engine of these paths; start one in its own session if there is none. Blocks. Raises EngineStartError.

    `tell` gets a sentence when that takes long enough to wonder.
    """
    found = find_engine(paths)
    if found is not None:
        return Attached(found, started=False)
    prepare_state(paths)
    return _Start(paths, argv_extra, tell).wait_answering()


class _Start:
    """One console's attempt to have an engine. Owner: of the process that it started, until that answers or ends."""

    def __init__(self, paths: Paths, argv_extra: Sequence[str], tell: Callable[[str], None] | None) -> None:
        self._paths = paths
        self._argv_extra = argv_extra
        self._tell = tell
        self._process = _start(paths, argv_extra)

    def wait_answering(self) -> Attached:
        """Return the engine that answers, this one's or another console's. Raises EngineStartError."""
        from engine.clock import SystemClock

        clock = SystemClock()
        began = clock.now()
        while (waited := clock.now() - began) < START_TIMEOUT_S:
            if waited > TELL_AFTER_S and self._tell is not None:
                self._tell(f"the engine is still starting; its log is {self._paths.log}")
                self._tell = None
            attached = self._look()
            if attached is not None:
                return attached
        raise self._give_up()

    def _look(self) -> Attached | None:
        """Wait a moment, and return the engine if there is one by then. Raises EngineStartError if ours could not start."""
        try:
            code = self._process.wait(POLL_S)
        except subprocess.TimeoutExpired:
            # The one that answers may be another console's, and ours about to leave.
            is_ours = holder_pid(self._paths) == self._process.pid and is_answering(self._paths.socket)
            return Attached(self._paths.socket, started=True, process=self._process) if is_ours else None
        if code != EXIT_REFUSED:
            raise EngineStartError(_explain_end(self._paths, code))
        # Another engine held the lock: one that came first and will answer, or one that was just ending.
        found = find_engine(self._paths)
        if found is None and not is_locked(self._paths):
            self._process = _start(self._paths, self._argv_extra)
        else:
            _pause(POLL_S)
        return Attached(found, started=False) if found else None

    def _give_up(self) -> EngineStartError:
        if self._process.poll() is None:
            self._process.terminate()
            return EngineStartError(f"the engine did not answer within {START_TIMEOUT_S:g} s and was ended; its log is {self._paths.log}")
        return EngineStartError(
            f"an engine (pid {holder_pid(self._paths)}) holds {self._paths.state_dir} and does not answer; its log is"
            f" {self._paths.log}. If it is hung, end it with kill"
        )


def _start(paths: Paths, argv_extra: Sequence[str]) -> subprocess.Popen[bytes]:
    # -P: a package named `engine` in the user's directory must not be taken for ours.
    argv = [sys.executable, "-P", "-m", "fleet_tui"]
    if paths.socket != find_socket(paths.state_dir, os.environ):
        argv += ["--socket", str(paths.socket)]
    argv += ["engine", "--detached"]
    argv += ["--directory", str(paths.directory), "--state-dir", str(paths.state_dir)]
    if paths.config is not None:
        argv += ["--config", str(paths.config)]
    try:
        with paths.start_errors.open("wb") as errors:
            return subprocess.Popen(
                [*argv, *argv_extra],
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=errors,
                cwd=paths.directory, start_new_session=True,
            )  # fmt: skip
    except OSError as error:
        raise EngineStartError(f"the engine could not be started: {error.strerror} ({error.filename})") from error


def _pause(seconds: float) -> None:
    import threading

    threading.Event().wait(seconds)


def _explain_end(paths: Paths, code: int) -> str:
    """Return why a started engine ended: the last it said."""
    from engine.model.shielding import shield

    said = shield(read_tail(paths.start_errors, ERROR_BYTES_MAX)).strip().removeprefix("error: ")
    if said:
        return f"the engine could not start:\n{said}"
    how = f"was killed by signal {-code}" if code < 0 else f"ended with code {code}"
    return f"the engine {how} and said nothing; its log is {paths.log}"


def read_tail(path: Path, size: int) -> str:
    """Return the end of a text file, in bytes at most `size`; empty if it cannot be read."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - size))
            return file.read(size).decode("utf-8", "replace")
    except OSError:
        return ""


@contextlib.contextmanager
def hold_lock(paths: Paths) -> Iterator[None]:
    """Be the one engine of a state directory; the kernel gives the lock back even after kill -9. Raises EngineStartError."""
    try:
        descriptor = os.open(paths.lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise EngineStartError(f"cannot write the lock file {paths.lock}: {error.strerror}") from error
    try:
        _take_lock(paths, descriptor)
        _tell_holder(paths, descriptor)
        yield
    finally:
        # The file stays: removing it would let two engines lock two files of one name.
        os.close(descriptor)


def _take_lock(paths: Paths, descriptor: int) -> None:
    try:
        if not _try_lock(descriptor, fcntl.LOCK_EX):
            # Who only looks (`is_locked`) holds it for a moment, too.
            _pause(LOOK_S)
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        pid = holder_pid(paths) or "unknown"
        raise EngineRunning(
            f"an engine (pid {pid}) already runs on {paths.state_dir}: attach to it with `fleet-tui`, end it with"
            " `fleet-tui stop`, or choose another state directory with --state-dir"
        ) from error
    except OSError as error:
        raise EngineStartError(
            f"{paths.lock} cannot be locked ({error.strerror}): choose a local file system with --state-dir"
        ) from error


def _try_lock(descriptor: int, kind: int) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def is_locked(paths: Paths) -> bool:
    """Tell whether an engine, even one that does not answer, has the state directory."""
    try:
        descriptor = os.open(paths.lock, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        return not _try_lock(descriptor, fcntl.LOCK_SH)
    finally:
        os.close(descriptor)


def _tell_holder(paths: Paths, descriptor: int) -> None:
    holder = json.dumps({"pid": os.getpid(), "socket": str(paths.socket), "directory": str(paths.directory)}).encode()
    try:
        os.pwrite(descriptor, holder, 0)
        os.ftruncate(descriptor, len(holder))
    except OSError as error:
        raise EngineStartError(f"cannot write the lock file {paths.lock}: {error.strerror}; free some space, or choose another directory with --state-dir") from error


def holder_pid(paths: Paths) -> int:
    """Return the pid that last took the lock, 0 if nobody did; it may have ended since."""
    return find_holder(paths).pid


def find_holder(paths: Paths) -> Holder:
    """Return what the engine that last took the lock said of itself; nothing where there is no file of an engine."""
    told: object = None
    with contextlib.suppress(OSError, ValueError):
        told = json.loads(paths.lock.read_bytes())
    if not isinstance(told, dict):
        return Holder()
    pid, socket_, directory = (told.get(name) for name in ("pid", "socket", "directory"))
    return Holder(
        pid if isinstance(pid, int) else 0,
        Path(socket_) if isinstance(socket_, str) else None,
        Path(directory) if isinstance(directory, str) else None,
    )


def is_alive(pid: int) -> bool:
    """Tell whether there is a process of a number, whosever it is."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
