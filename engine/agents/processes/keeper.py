"""The keeper: a small process that runs one program for an engine and, when the engine dies, goes on without one.

Owner: this process owns its program and, as subreaper, every orphan that it leaves behind; one thread, one poll loop.
It holds the program's pipes, so that nothing breaks with the engine, and writes what became of it into its directory
(see `keeping`), from which the next engine takes it. Orders come as signals: TERM stops the program with its grace, USR1
without. If no engine comes back within the time that was set, it stops the program by itself.
Bounded: head and tail of each stream in memory, a log up to its maximum. Light, like `process_table`.
"""

from __future__ import annotations

import base64
import contextlib
import errno
import json
import os
import resource
import select
import signal
import sys
import time
import zlib

from engine.agents.processes import capture, keeping, launch, ledger_lines, process_table
from engine.model.shielding import ShieldedStream

ENGINE_CHECK_S = 1.0
RECHECK_S = 0.02  # while something that was killed has not gone yet
DRAIN_S = 0.5  # how long a pipe may stay open and silent after the program has ended
DRAIN_MAX_S = 5.0
KILL_AGAIN_S = 0.5
GIVE_UP_S = 5.0  # what ignores SIGKILL this long is reported as a survivor
WRITE_AGAIN_S = 1.0  # between two attempts to write the end to a full disk
READ_BYTES = 1 << 16

NO_OUTPUT = "no output"
NOT_ADOPTED = "not adopted"
STOPPED = "stopped"


def monotonic_s() -> float:
    """Return seconds for this process's own deadlines."""
    return time.monotonic()  # noqa: TID251 - a process of its own: the fleet's clock does not reach it


class Output:
    """One stream of the program: its pipe, and what is kept of it."""

    __slots__ = ("capture", "fd")

    def __init__(self, fd: int, max_bytes: int) -> None:
        self.fd = fd
        self.capture = capture.OutputCapture(max_bytes)
        os.set_blocking(fd, False)


class Keeper:
    """The poll loop around one program."""

    def __init__(self, order: keeping.KeeperOrder) -> None:
        self._order = order
        self._pid = os.getpid()
        self._poll = select.poll()
        self._outputs: dict[int, Output] = {}
        self._streams: list[Output] = []
        self._input = bytearray(base64.b64decode(order.stdin))
        self._input_fd = -1
        self._log = Log(order.log_path, order.log_max_bytes)
        self._woken = -1
        self._program = 0
        self._started_at = 0.0
        self._ended_at = 0.0
        self._stopped_reason = ""
        self._stopped_detail = ""
        self._kill_at: float | None = None
        self._exited_at: float | None = None
        self._reaped: tuple[int, resource.struct_rusage] | None = None
        self._heard_at = monotonic_s()
        self._heard_told = 0.0
        self._engine_check_at = 0.0
        self._alone_since: float | None = None

    # -- starting ----------------------------------------------------------------------------------------------------

    def start(self) -> dict[str, object]:
        """Start the program; return what the engine is told."""
        self._prepare()
        order = self._order
        try:
            entry = self._enter_ledger()
            fds = self._open_pipes()
            try:
                limits = resource.getrlimit(resource.RLIMIT_NOFILE)
                marks = {process_table.ENGINE_PID: f"{self._pid}:{entry.engine_start}"}
                message: dict[str, object] = {**order.program, "key": order.key}
                message["env"] = {**order.environment, **marks}
                child, error_fd = launch.launch(launch.Order(message, limits), fds, entry=entry, ledger=order.ledger)
            finally:
                for fd in fds:
                    os.close(fd)
            self._program = child
            failure = _read_failure(error_fd)
            if failure:
                return failure
            self._started_at = time.time()  # noqa: TID251 - as above; the engine compares it with its own instants
            keeping.write_bytes(order.heard, b"")
            self._tell_heard()
            keeping.write_record(order.started, {"pid": child, "at": self._started_at, "grace_s": order.grace_s})
        except OSError as error:
            return {"stage": "keeper", "errno": error.errno or 0}
        except ValueError:
            return {"stage": "exec", "errno": errno.EINVAL}
        return {"pid": child, "at": self._started_at}

    def _prepare(self) -> None:
        launch.control_process(launch.PR_SET_CHILD_SUBREAPER, 1)
        launch.control_process(launch.PR_SET_NAME, b"fleet-keeper")
        for name in ("SIGINT", "SIGHUP", "SIGQUIT", "SIGTSTP"):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
        self._woken, wake = os.pipe()
        os.set_blocking(self._woken, False)
        os.set_blocking(wake, False)
        for name in ("SIGCHLD", "SIGTERM", "SIGUSR1"):
            signal.signal(getattr(signal, name), lambda *_: None)
        signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
        self._poll.register(self._woken, select.POLLIN)

    def _enter_ledger(self) -> ledger_lines.LedgerEntry:
        """Write the own line; return what the program's shares with it: the keeper is its engine."""
        start = process_table.read_start(self._pid)
        boot = process_table.read_boot()
        family = zlib.crc32(f"{boot} {self._pid} {start}".encode())
        entry = ledger_lines.LedgerEntry(
            {
                "pid": self._pid,
                "start": start,
                "engine_pid": self._pid,
                "engine_start": start,
                "boot": boot,
                "tag": process_table.TAG_FLOOR | (family << process_table.TAG_TASK_BITS),
            }
        )
        ledger_lines.append_line(self._order.ledger, entry.line())
        entry.key = self._order.key
        entry.tag += 1
        return entry

    def _open_pipes(self) -> tuple[int, int, int]:
        """Make the program's pipes; return its ends."""
        if self._order.has_stdin:
            theirs, self._input_fd = os.pipe()
            os.set_blocking(self._input_fd, False)
            self._poll.register(self._input_fd, select.POLLOUT)
        else:
            theirs = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
        ends = [theirs]
        for _ in range(2):
            ours, theirs = os.pipe()
            ends.append(theirs)
            output = Output(ours, self._order.output_max_bytes)
            self._streams.append(output)
            self._outputs[ours] = output
            self._poll.register(ours, select.POLLIN)
        return (ends[0], ends[1], ends[2])

    # -- keeping -----------------------------------------------------------------------------------------------------

    def run(self) -> None:
        """Follow the program to its end and write down what became of it."""
        while not self._is_drained():
            for fd, _ in self._poll.poll(self._wait_ms()):
                if fd == self._woken:
                    self._take_signals(os.read(self._woken, 4096))
                elif fd == self._input_fd:
                    self._feed()
                elif fd in self._outputs:
                    self._read(self._outputs[fd])
            self._meet_deadlines()
        survivors = self._kill_all()
        for output in list(self._outputs.values()):
            self._read(output)  # what came while the last of it was killed
        self._ended_at = time.time()  # noqa: TID251 - as above
        status, usage = self._reaped or os.wait4(self._program, 0)[1:]
        self._write_end(status, usage, survivors)

    def _take_signals(self, numbers: bytes) -> None:
        if signal.SIGTERM in numbers:
            self._obey()
        if signal.SIGUSR1 in numbers:
            self._stop(STOPPED, 0.0)
        for pid in process_table.read_children(self._pid):
            if pid != self._program:
                _bury(pid)
        if self._exited_at is None and self._has_exited():
            self._exited_at = monotonic_s()

    def _has_exited(self) -> bool:
        """Answer whether the program itself has ended, leaving it unreaped where the platform can."""
        if hasattr(os, "waitid"):
            return os.waitid(os.P_PID, self._program, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
        pid, status, usage = os.wait4(self._program, os.WNOHANG)
        self._reaped = (status, usage) if pid else None
        return pid != 0

    def _obey(self) -> None:
        """Stop the program for the reason that the engine has written down, if it has."""
        ending = keeping.read_record(self._order.ending)
        if ending is None:
            self._stop(STOPPED, self._order.grace_s)
            return
        if not self._stopped_reason:
            self._stopped_detail = str(ending["why"])
        self._stop(str(ending["reason"]), min(float(str(ending["grace_s"])), self._order.grace_s))

    def _stop(self, reason: str, grace_s: float) -> None:
        self._stopped_reason = self._stopped_reason or reason
        if grace_s > 0 and self._kill_at is None and self._exited_at is None:
            self._signal(signal.SIGTERM)
            self._signal(signal.SIGCONT)  # a stopped program could not hear it
        at = monotonic_s() + grace_s
        self._kill_at = at if self._kill_at is None else min(at, self._kill_at)

    def _signal(self, number: int) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._program, number)  # safe: the leader is not reaped before the end

    def _feed(self) -> None:
        try:
            while self._input:
                del self._input[: os.write(self._input_fd, memoryview(self._input)[:READ_BYTES])]
        except BlockingIOError:
            return
        except OSError:
            pass  # it has closed its input
        self._poll.unregister(self._input_fd)
        os.close(self._input_fd)
        self._input_fd = -1

    def _read(self, output: Output) -> None:
        """Read once what is there."""
        try:
            chunk = os.read(output.fd, READ_BYTES)
        except BlockingIOError:
            return
        if chunk:
            self._heard_at = monotonic_s()
            output.capture.add(chunk)
            self._log.add(chunk, output.fd)
            return
        self._poll.unregister(output.fd)
        del self._outputs[output.fd]
        os.close(output.fd)

    # -- deadlines ---------------------------------------------------------------------------------------------------

    def _wait_ms(self) -> int:
        now = monotonic_s()
        waits = [max(self._engine_check_at - now, 0.0)]
        if self._kill_at is not None:
            waits.append(max(self._kill_at - now, 0.0))
        if self._exited_at is not None:
            waits.append(DRAIN_S / 5)
        elif self._order.idle_timeout_s and self._kill_at is None:
            waits.append(max(self._heard_at + self._order.idle_timeout_s - now, 0.0))
        return int(min(waits) * 1000) + 1

    def _meet_deadlines(self) -> None:
        now = monotonic_s()
        if now >= self._engine_check_at:
            self._engine_check_at = now + ENGINE_CHECK_S
            self._look_for_engine(now)
            self._tell_heard()
        if self._exited_at is not None:
            return
        idle_s = self._order.idle_timeout_s
        if idle_s and now - self._heard_at >= idle_s and self._kill_at is None:
            self._stop(NO_OUTPUT, self._order.grace_s)
        if self._kill_at is not None and now >= self._kill_at:
            self._signal(signal.SIGKILL)
            self._kill_at = now + KILL_AGAIN_S  # it may wait for a device

    def _tell_heard(self) -> None:
        """Have the engine see when the program last said something."""
        if self._heard_at > self._heard_told:
            self._heard_told = self._heard_at
            with contextlib.suppress(OSError):  # its directory was taken away
                os.utime(self._order.heard, (self._heard_at, self._heard_at))

    def _look_for_engine(self, now: float) -> None:
        """Notice that the engine is gone, that another one has come, and that none has come in time."""
        if keeping.has_engine(self._order.owner):
            self._alone_since = None
            return
        if self._alone_since is None:
            self._alone_since = now
        if now - self._alone_since >= self._order.adopt_within_s and self._kill_at is None:
            self._stop(NOT_ADOPTED, self._order.grace_s)

    def _is_drained(self) -> bool:
        """Answer whether the program has ended and its output is read, as far as it is going to be."""
        if self._exited_at is None:
            return False
        now = monotonic_s()
        is_silent = now - max(self._heard_at, self._exited_at) >= DRAIN_S
        return not self._outputs or is_silent or now - self._exited_at >= DRAIN_MAX_S

    # -- ending ------------------------------------------------------------------------------------------------------

    def _kill_all(self) -> list[int]:
        """Kill what the program has left behind; return what does not die."""
        give_up_at = monotonic_s() + GIVE_UP_S
        while True:
            self._signal(signal.SIGKILL)
            left = [pid for pid in process_table.read_children(self._pid) if pid != self._program and not _bury(pid)]
            if not left or monotonic_s() >= give_up_at:
                return left
            for pid in [*left, *process_table.read_descendants(self._pid)]:
                if pid != self._program:
                    with contextlib.suppress(ProcessLookupError, PermissionError):
                        os.kill(pid, signal.SIGKILL)
            launch.kill_group(str(self._order.program.get("cgroup", "")))
            self._poll.poll(int(RECHECK_S * 1000))

    def _write_end(self, status: int, usage: resource.struct_rusage, survivors: list[int]) -> None:
        """Write the end; to a full disk again and again, as long as an engine is there or may come."""
        self._log.end()
        code = os.waitstatus_to_exitcode(status)
        out, err = (output.capture for output in self._streams)
        record: dict[str, object] = {
            "exit_code": code if code >= 0 else None,
            "signal": -code if code < 0 else None,
            "stdout_bytes": out.total_bytes,
            "stderr_bytes": err.total_bytes,
            "truncated": out.is_truncated or err.is_truncated,
            "started_at": self._started_at,
            "ended_at": self._ended_at,
            "cpu_s": usage.ru_utime + usage.ru_stime,
            "max_rss_bytes": usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024),
            "stopped_reason": self._stopped_reason,
            "stopped_detail": self._stopped_detail,
            "survivors": survivors,
        }
        until = None
        while True:
            try:
                keeping.write_bytes(self._order.stdout, out.content())
                keeping.write_bytes(self._order.stderr, err.content())
                keeping.write_record(self._order.ended, record)
                return
            except FileNotFoundError:
                return  # its directory was taken away: nobody wants to know
            except OSError:
                now = monotonic_s()
                if until is None or keeping.has_engine(self._order.owner):
                    until = now + self._order.adopt_within_s
                if now >= until:
                    return
                self._poll.poll(int(WRITE_AGAIN_S * 1000))


class Log:
    """The log of one run, up to a maximum, shielded as an engine's are."""

    def __init__(self, path: str, max_bytes: int) -> None:
        self._fd = -1
        self._room = self._left = max_bytes
        """What it may take yet, and write: what is shielded may become longer."""
        self._streams: dict[int, ShieldedStream] = {}
        """By the pipe that it comes from."""
        if path:
            flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
            self._fd = os.open(path, flags, 0o600)

    def add(self, chunk: bytes, pipe: int) -> None:
        """Write what still fits; a disk that refuses ends the log, not the program."""
        if self._room > 0:
            part = chunk[: self._room]
            self._room -= len(part)
            self._write(self._streams.setdefault(pipe, ShieldedStream()).feed(part))

    def end(self) -> None:
        """Write what was held back: the unfinished lines."""
        for stream in self._streams.values():
            self._write(stream.end())

    def _write(self, data: bytes) -> None:
        part = memoryview(data)[: self._left] if self._fd >= 0 else memoryview(b"")
        self._left -= len(part)
        try:
            while part:
                part = part[os.write(self._fd, part) :]
        except OSError:
            self._room = self._left = 0


def _read_failure(error_fd: int) -> dict[str, object] | None:
    """Return why the child could not become the program, None once it has."""
    os.set_blocking(error_fd, True)
    told = os.read(error_fd, 256).decode("ascii", "replace").split()
    os.close(error_fd)
    return {"stage": told[0], "errno": int(told[1])} if told else None


def _bury(pid: int) -> bool:
    """Reap `pid` if it has ended; answer whether it has."""
    try:
        return os.waitpid(pid, os.WNOHANG)[0] == pid
    except ChildProcessError:
        return True


def main() -> None:
    """Take the order from standard input, tell on standard output whether the program runs, and keep it."""
    data = b""
    while part := os.read(0, READ_BYTES):
        data += part
    order = keeping.KeeperOrder(json.loads(data))
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 0)
    try:
        keeper = Keeper(order)
        told = keeper.start()
    except OSError as error:
        keeper, told = None, {"stage": "log", "errno": error.errno or 0}
    with contextlib.suppress(OSError):  # the engine may be dead already
        os.write(1, json.dumps(told).encode())
    os.dup2(null, 1)
    os.close(null)
    if keeper is not None and "pid" in told:
        keeper.run()
