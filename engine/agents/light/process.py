"""One worker process as the engine sees it: started, heard, ended, reaped.

Owner: the process, its socket, its shared page and its log file, until `close`.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import mmap
import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from struct import Struct

import msgspec

from engine.agents.light.frames import PAGE_BYTES, WorkerOptions
from engine.agents.light.link import Listener, WorkerLink
from engine.agents.processes.process_table import read_start
from engine.agents.runtime import INLINE_RESULT_MAX_BYTES
from engine.clock import Clock
from engine.printing import LOG_MAX_BYTES, Outlet

LOG_TAIL_BYTES = 2_048
DEATH_WAIT_S = 0.5
"""How long a worker whose link is closed may take to end by itself, and its last words to arrive."""
KILL_WAIT_S = 2.0
"""How long a killed process may take to end; one that waits for a device can take longer and is left to `reap`."""
LAST_WAIT_S = 0.2
"""How long `close` blocks for a process that was killed just now."""
_POLL_S = 0.005

_PAGE = Struct("=Qd")
# The engine's own search path, so that the worker finds the same modules, and none by accident in the directory.
_BOOT = (
    "import sys; sys.path[:] = sys.argv[2:]; del sys.argv[2:]; "
    "from engine.agents.light.worker import main; main(sys.argv[1])"
)


@dataclass(frozen=True, slots=True)
class Spawn:
    """How workers are started."""

    python: str
    environment: Mapping[str, str]
    """Added to the engine's own."""
    heartbeat_interval_s: float
    log_path: Path | None
    """None = in memory, gone with the worker."""
    resident: str = ""
    """What does all jobs of the worker, as `module:function`; empty = handlers do."""
    resident_options: Mapping[str, object] = field(default_factory=dict)
    directory: Path | None = None
    """Where relative paths of tasks without a workspace begin; None = where the engine was started."""
    withheld: Collection[str] = ()
    """Variables of the engine's environment that it does not get."""


@dataclass(frozen=True, slots=True)
class _Log:
    """An open log, and where this worker's part of it begins."""

    fd: int
    start: int
    outlet: Outlet
    """What writes there what programs and C code print."""


class WorkerProcess:
    """A worker; made by start()."""

    def __init__(self, popen: subprocess.Popen[bytes], link: WorkerLink, page: mmap.mmap, log: _Log) -> None:
        self.pid = popen.pid
        self.started = float(read_start(popen.pid) or 0)
        self.link = link
        self._popen = popen
        self._page = page
        self._log = log
        self.clock_offset_s = 0.0
        """What the worker adds to the loop's time to get its instants."""

    @classmethod
    async def start(cls, spawn: Spawn, listener: Listener, clock: Clock) -> WorkerProcess:
        """Start a worker and connect to it. Raises OSError when that is not possible here."""
        ours, theirs = socket.socketpair()
        with theirs, contextlib.ExitStack() as passed_on, contextlib.ExitStack() as undo:
            undo.callback(ours.close)
            page_fd = _shared_file("fleet-worker-page")
            passed_on.callback(os.close, page_fd)
            os.ftruncate(page_fd, PAGE_BYTES)
            page = mmap.mmap(page_fd, PAGE_BYTES)
            undo.callback(page.close)
            log = _open_log(spawn.log_path)
            undo.callback(os.close, log.fd)
            passed_on.callback(log.outlet.let_go)
            # The loop's time is CLOCK_MONOTONIC, which the worker reads too.
            options = WorkerOptions(
                link_fd=theirs.fileno(),
                page_fd=page_fd,
                parent=os.getpid(),
                clock_offset_s=clock.now() - asyncio.get_running_loop().time(),
                heartbeat_interval_s=spawn.heartbeat_interval_s,
                inline_result_max_bytes=INLINE_RESULT_MAX_BYTES,
                log_fd=log.fd,
                log_max_bytes=LOG_MAX_BYTES,
                resident=spawn.resident,
                resident_options=dict(spawn.resident_options),
            )
            popen = _start_process(spawn, options, log.outlet.fd)
            undo.pop_all()
        worker = cls(popen, WorkerLink(listener), page, log)
        worker.clock_offset_s = options.clock_offset_s
        await worker._connect(ours)
        return worker

    async def _connect(self, ours: socket.socket) -> None:
        try:
            ours.setblocking(False)  # noqa: FBT003  # positional only
            await asyncio.get_running_loop().create_connection(lambda: self.link, sock=ours)
        except BaseException:
            self.close()
            ours.close()
            raise

    def kill(self) -> None:
        """Kill it and the programs that its handlers have started; nothing happens once it is reaped."""
        if self._popen.returncode is not None:
            return  # its number may be somebody else's by now
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)

    def ask_to_end(self) -> None:
        """Send TERM, upon which it unwinds what it runs and ends."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGTERM)

    def has_ended(self) -> bool:
        """Answer whether the process has ended, without reaping it."""
        if self._popen.returncode is not None:
            return True
        with contextlib.suppress(ChildProcessError):
            return os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
        return True

    async def wait_end(self, clock: Clock, seconds: float) -> bool:
        """Wait for its end, at most so long; answer whether it has ended."""
        until = clock.now() + seconds
        while not self.has_ended():
            if clock.now() >= until:
                return False
            await clock.sleep(_POLL_S)
        return True

    async def wait_printed(self, clock: Clock, seconds: float) -> None:
        """Wait until all that it printed is in its log, at most so long."""
        until = clock.now() + seconds
        while not self._log.outlet.has_ended and clock.now() < until:
            await clock.sleep(_POLL_S)

    def reap(self) -> int | None:
        """Take the exit status of an ended process and let the kernel forget it; None while it lives."""
        return self._popen.poll()

    def read_current(self) -> tuple[int, float]:
        """Return the number of the job that it is or was last in, 0 before the first, and when that began."""
        number, began = _PAGE.unpack(self._page[:PAGE_BYTES])
        return number, began

    def read_log(self) -> str:
        """Return the end of what it has printed."""
        with contextlib.suppress(OSError):
            size = os.fstat(self._log.fd).st_size
            start = self._log.start if size >= self._log.start else 0  # it started its log anew
            return os.pread(self._log.fd, LOG_TAIL_BYTES, max(start, size - LOG_TAIL_BYTES)).decode("utf-8", "replace").strip()
        return ""

    def close(self) -> None:
        """Let go of it; a process that still lives is killed, and reaped if that is a matter of moments."""
        self.kill()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._popen.wait(LAST_WAIT_S)
        self.link.abort()
        self._page.close()
        os.close(self._log.fd)


def describe_end(pid: int, status: int) -> str:
    """Return how a worker ended, for people."""
    if status >= 0:
        return f"worker {pid} ended with status {status}"
    try:
        name = signal.Signals(-status).name
    except ValueError:
        name = f"signal {-status}"
    return f"worker {pid} was killed by {name}"


def _start_process(spawn: Spawn, options: WorkerOptions, out_fd: int) -> subprocess.Popen[bytes]:
    path = [entry or str(Path.cwd()) for entry in sys.path]
    # Started from the loop's own thread, because the death signal is bound to the thread that starts a child.
    return subprocess.Popen(  # noqa: S603  # our own interpreter
        [spawn.python, "-P", "-c", _BOOT, msgspec.json.encode(options).decode(), *path],
        stdin=subprocess.DEVNULL,
        stdout=out_fd,
        stderr=out_fd,
        cwd=spawn.directory,
        env={**{name: value for name, value in os.environ.items() if name not in spawn.withheld}, **spawn.environment},
        pass_fds=(options.link_fd, options.page_fd, options.log_fd),
        start_new_session=True,
    )


def _shared_file(name: str) -> int:
    """Return a file in memory, without a name where there is memfd, else with one that is removed at once."""
    if hasattr(os, "memfd_create"):
        return os.memfd_create(name, os.MFD_CLOEXEC)
    fd, path = tempfile.mkstemp(prefix=name)
    Path(path).unlink()
    return fd


def _open_log(path: Path | None) -> _Log:
    """Return the log to which a worker appends, below what earlier ones have left."""
    if path is None:
        fd = _shared_file("fleet-worker-log")
        fcntl.fcntl(fd, fcntl.F_SETFL, fcntl.fcntl(fd, fcntl.F_GETFL) | os.O_APPEND)
        return _Log(fd, 0, Outlet(os.dup(fd)))
    path.parent.mkdir(parents=True, exist_ok=True)
    fd = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    return _Log(fd, os.fstat(fd).st_size, Outlet(os.dup(fd)))
