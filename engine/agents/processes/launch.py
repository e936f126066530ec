"""Fork, and become the program that was asked for: what happens between fork and exec.

Owner: the spawner, whose only thread calls `launch`. Light, like `process_table`.
A child tells why it could not become the program as `stage errno` on a pipe that exec closes.
"""

from __future__ import annotations

import ctypes
import errno
import os
import resource
import signal
import sys

from . import ledger_lines, process_table

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

PR_SET_PDEATHSIG = 1
PR_SET_NAME = 15
PR_SET_CHILD_SUBREAPER = 36

# The order's names of limits. CPU gets five seconds more as hard limit: SIGXCPU first, SIGKILL after it.
LIMITS = {
    "address_space_bytes": resource.RLIMIT_AS,
    "cpu_s": resource.RLIMIT_CPU,
    "file_size_bytes": resource.RLIMIT_FSIZE,
}
_CPU_GRACE_S = 5
_RESET_SIGNALS = (
    "HUP",
    "INT",
    "QUIT",
    "PIPE",
    "TERM",
    "CHLD",
    "TSTP",
    "TTIN",
    "TTOU",
    "USR1",
    "USR2",
    "XFSZ",
    "ALRM",
)

_libc = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


class Order:
    """One program to start, checked and encoded before the fork, so that little can go wrong after it."""

    __slots__ = ("argv", "cgroup", "cwd", "env", "key", "limits", "nice", "open_files")

    def __init__(self, message: dict[str, object], open_files: tuple[int, int]) -> None:
        argv, env, limits = message["argv"], message["env"], message.get("limits", {})
        assert isinstance(argv, list), "the engine sends a list"
        assert isinstance(env, dict), "the engine sends an object"
        assert isinstance(limits, dict), "the engine sends an object"
        self.key = str(message["key"])
        self.argv = [os.fsencode(part) for part in argv]
        self.env = {os.fsencode(name): os.fsencode(value) for name, value in env.items()}
        self.cwd = os.fsencode(str(message["cwd"]))
        self.cgroup = str(message.get("cgroup", ""))
        """Folder of the control group that it goes into; empty = it stays in its parent's."""
        self.nice = int(str(message.get("nice", 0)))
        self.limits = {str(name): int(value) for name, value in limits.items()}
        self.open_files = open_files  # what the spawner was started with, before it raised its own


def control_process(option: int, value: int | bytes) -> None:
    """Call prctl where there is one; raise OSError if it refuses."""
    if _libc is not None:
        argument = ctypes.c_char_p(value) if isinstance(value, bytes) else ctypes.c_ulong(value)
        if _libc.prctl(option, argument, 0, 0, 0) != 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def launch(
    order: Order, fds: tuple[int, ...], *, entry: ledger_lines.LedgerEntry, ledger: str
) -> tuple[int, int]:
    """Fork a child that becomes the program; return its pid and the pipe on which a failure would be told.

    Only the child knows the pid, group and start of `entry`. Raise OSError if fork fails.
    """
    told, tell = os.pipe()
    os.set_blocking(told, False)
    spawner = os.getpid()
    try:
        pid = os.fork()
    except OSError:
        os.close(told)
        os.close(tell)
        raise
    if pid == 0:
        _Child(tell, spawner).become(order, fds, entry=entry, ledger=ledger)
    os.close(tell)
    return pid, told


class _Child:
    """The forked child; it never returns."""

    def __init__(self, tell: int, spawner: int) -> None:
        self._tell = tell
        self._spawner = spawner
        self._stage = "session"

    def become(
        self, order: Order, fds: tuple[int, ...], *, entry: ledger_lines.LedgerEntry, ledger: str
    ) -> NoReturn:
        try:
            self._settle(fds)
            if order.cgroup:
                _enter(order.cgroup)
            self._stage = "ledger"
            entry.pid = entry.pgid = os.getpid()
            entry.start = process_table.read_start(entry.pid)
            ledger_lines.append_line(ledger, entry.line())
            self._stage = "cwd"
            os.chdir(order.cwd)
            candidates = _candidates(order)
            self._stage = "limits"
            _limit(order, entry.tag)
            self._stage = "exec"
            _execute(candidates, order)
        except OSError as error:
            self._tell_failure(error.errno or errno.EINVAL)
        except BaseException:  # noqa: BLE001 - whatever it is, a child must not run on as a second spawner
            self._tell_failure(errno.EINVAL)
        finally:
            os._exit(127)

    def _settle(self, fds: tuple[int, ...]) -> None:
        os.setsid()
        control_process(PR_SET_PDEATHSIG, signal.SIGKILL)
        if (
            os.getppid() != self._spawner
        ):  # it died before the death signal was set, so nobody would send it
            os._exit(127)
        self._stage = "streams"
        _reset_signals()
        for target, fd in enumerate(fds):
            os.dup2(fd, target)
        os.closerange(len(fds), self._tell)  # what lies above closes on exec

    def _tell_failure(self, number: int) -> None:
        os.write(self._tell, f"{self._stage} {number}".encode())


def _reset_signals() -> None:
    # exec keeps what is ignored: Python ignores PIPE and XFSZ, the spawner INT, TERM and HUP.
    for name in _RESET_SIGNALS:
        signal.signal(getattr(signal, f"SIG{name}"), signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())


def _enter(cgroup: str) -> None:
    """Go into a control group; one that has gone is no reason not to start: the engine sees that nobody is in it."""
    _tell_kernel(f"{cgroup}/cgroup.procs", b"0")


def kill_group(cgroup: str) -> None:
    """End everything in a control group, where there is one and the kernel can do that at once (5.14)."""
    if cgroup:
        _tell_kernel(f"{cgroup}/cgroup.kill", b"1")


def _tell_kernel(file: str, word: bytes) -> None:
    try:
        fd = os.open(file, os.O_WRONLY | os.O_CLOEXEC)
        try:
            os.write(fd, word)
        finally:
            os.close(fd)
    except OSError:
        pass


def _candidates(order: Order) -> list[bytes]:
    program = order.argv[0]
    if b"/" in program:
        return [program]
    path = order.env.get(b"PATH") or os.fsencode(os.defpath)
    return [(folder or b".") + b"/" + program for folder in path.split(b":")]


def _limit(order: Order, tag: int) -> None:
    if order.nice:
        os.nice(order.nice)
    resource.setrlimit(resource.RLIMIT_NOFILE, order.open_files)
    for name, value in order.limits.items():
        limit = LIMITS[name]
        _lower(limit, value, value + _CPU_GRACE_S if limit == resource.RLIMIT_CPU else value)
    if tag and sys.platform == "linux":
        _, hard = resource.getrlimit(resource.RLIMIT_RTTIME)
        if hard == resource.RLIM_INFINITY:
            resource.setrlimit(resource.RLIMIT_RTTIME, (tag, hard))


def _lower(limit: int, soft: int, hard: int) -> None:
    _, ceiling = resource.getrlimit(limit)
    if ceiling != resource.RLIM_INFINITY:
        soft, hard = min(soft, ceiling), min(hard, ceiling)
    resource.setrlimit(limit, (soft, hard))


def _execute(candidates: list[bytes], order: Order) -> None:
    """Try each place in PATH; the first failure other than absence is the one worth telling."""
    failure: OSError | None = None
    for path in candidates:
        try:
            os.execve(path, order.argv, order.env)
        except OSError as error:
            absent = error.errno in (errno.ENOENT, errno.ENOTDIR)
            if failure is None or (not absent and failure.errno in (errno.ENOENT, errno.ENOTDIR)):
                failure = error
    raise failure or FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
