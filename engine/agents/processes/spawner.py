"""The spawner: a small process of its own that starts the agents' programs and lets none of them outlive the engine.

Owner: this process owns every program it started and, as subreaper, every orphan they leave behind. One thread, one
poll loop, nothing blocks in it. It follows only its socket: when the engine's end closes, it kills all and exits.
It never imports the engine package (see `spawner_link`, which starts it), so it is small and quick to fork.

From the engine: start, signal, stop, finish. To the engine: ready, beat, started | failed, [exited,] ended.
`exited` says that the program ended but left descendants; the engine drains its pipes, then asks to `finish`.
"""

from __future__ import annotations

import contextlib
import errno
import os
import resource
import select
import signal
import socket
import sys
import time
import zlib

from . import framing, launch, ledger_lines, process_table

BEAT_S = 1.0  # sent that often, and the engine looked for, whatever else there is to do
RECHECK_S = 0.02  # while something that was killed has not gone yet
LEFTOVER_MAX_S = 5.0  # leftovers nobody asked to finish are killed after this
GIVE_UP_S = 5.0  # what ignores SIGKILL this long (a hung disk, another user's process) is reported as a survivor
FAREWELL_S = 3.0


def monotonic_s() -> float:
    """Return seconds for this process's own deadlines."""
    return time.monotonic()  # noqa: TID251 - a process of its own: the fleet's clock does not reach it


class Task:
    """One program from fork to reaping. The leader stays unreaped until its group is gone, so that its pid, which is
    also the group's id, cannot be given to a stranger before the group has been killed."""

    __slots__ = (
        "cgroup",
        "run",
        "entry",
        "error_fd",
        "give_up_at",
        "has_exited",
        "is_killing",
        "kill_at",
        "pid",
        "reaped",
    )

    def __init__(self, run: int, entry: ledger_lines.LedgerEntry, error_fd: int, cgroup: str) -> None:
        self.run = run
        self.cgroup = cgroup
        self.pid = entry.pid
        self.entry = entry
        self.error_fd: int | None = error_fd  # open until exec has succeeded or failed
        self.has_exited = False
        self.is_killing = False
        self.kill_at: float | None = None
        self.give_up_at: float | None = None
        # Reaped early, on a platform where one cannot look without reaping.
        self.reaped: tuple[int, resource.struct_rusage] | None = None

    def look(self) -> bool:
        """Answer whether the leader has ended, leaving it unreaped where the platform can."""
        if hasattr(os, "waitid"):
            self.has_exited = (
                os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
            )
        elif self.reaped is None:
            pid, status, usage = os.wait4(self.pid, os.WNOHANG)
            self.reaped = (status, usage) if pid else None
            self.has_exited = pid != 0
        return self.has_exited

    def reap(self) -> tuple[int, resource.struct_rusage]:
        """Reap the leader, which has ended; return its wait status and what it used."""
        return self.reaped or os.wait4(self.pid, 0)[1:]


class Spawner:
    """The poll loop and its table of tasks."""

    def __init__(
        self, control: socket.socket, mark: ledger_lines.LedgerEntry, *, state_dir: str, ledger: str
    ) -> None:
        self._control = control
        self._mark = mark  # what every entry shares: engine, boot
        self._state_dir = state_dir
        self._ledger = ledger
        self._decoder = framing.FrameDecoder()
        self._outbox = bytearray()
        self._tasks: dict[int, Task] = {}  # by run, the engine's number for one program
        self._leaders: dict[int, Task] = {}  # also those given up on, until they can be reaped
        self._by_error_fd: dict[int, Task] = {}
        self._pid = os.getpid()
        self._engine = os.getppid()
        self._sequence = 0
        self._ledger_bytes = 0
        self._beat_at = 0.0
        self._poll = select.poll()
        self._open_files = resource.getrlimit(resource.RLIMIT_NOFILE)

    def prepare(self) -> int:
        """Take over orphans, ignore the terminal's signals, write the own ledger line; return the wake-up descriptor."""
        launch.control_process(launch.PR_SET_CHILD_SUBREAPER, 1)
        launch.control_process(launch.PR_SET_NAME, b"fleet-spawner")
        for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT", "SIGTSTP"):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
        woken, wake = os.pipe()
        os.set_blocking(woken, False)
        os.set_blocking(wake, False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
        with contextlib.suppress(OSError, ValueError):  # macOS allows less than it says
            resource.setrlimit(resource.RLIMIT_NOFILE, (self._open_files[1], self._open_files[1]))
        mark = self._mark
        mark.pid = mark.pgid = self._pid
        mark.start = process_table.read_start(self._pid)
        family = zlib.crc32(f"{mark.boot} {mark.pid} {mark.start}".encode())
        mark.tag = process_table.TAG_FLOOR | (family << process_table.TAG_TASK_BITS)
        ledger_lines.append_line(self._ledger, mark.line())
        self._control.settimeout(0)
        self._poll.register(self._control, select.POLLIN)
        self._poll.register(woken, select.POLLIN)
        return woken

    def run(self) -> None:
        """Serve the engine until it is gone, then kill everything."""
        woken = self.prepare()
        self._send({"event": "ready", "pid": self._pid, "tag": self._mark.tag})
        while os.getppid() == self._engine:
            for fd, _ in self._poll.poll(self._wait_ms()):
                if fd == woken:
                    os.read(woken, 4096)
                    self._reap()
                elif fd in self._by_error_fd:
                    self._end_start(self._by_error_fd[fd])
                elif not self._serve():
                    self._end_all()
                    return
            self._meet_deadlines()
            if monotonic_s() >= self._beat_at:
                self._beat_at = monotonic_s() + BEAT_S
                self._send({"event": "beat"})
        self._end_all()

    # -- the engine's side -------------------------------------------------------------------------------------------

    def _serve(self) -> bool:
        try:
            self._flush()
            if not self._decoder.receive(self._control):
                return False
        except BlockingIOError:
            return True
        except OSError:
            return False
        while message := self._decoder.next_frame():
            if message["op"] == "start":
                self._start(message, self._decoder.take_fds())
            elif task := self._tasks.get(int(str(message["run"]))):
                self._obey(task, message)
        return True

    def _obey(self, task: Task, message: dict[str, object]) -> None:
        match message:
            case {"op": "signal", "signal": int(number)}:
                self._signal(task, number)
            case {"op": "stop", "grace_s": int() | float() as grace_s}:
                if grace_s > 0:
                    self._signal(task, signal.SIGTERM)
                    self._signal(task, signal.SIGCONT)  # a stopped program could not hear it
                self._kill_after(task, grace_s)
            case {"op": "finish"}:
                self._kill_after(task, 0)

    def _send(self, message: dict[str, object]) -> None:
        self._outbox += framing.encode_frame(message)
        self._flush()

    def _flush(self) -> None:
        try:
            while self._outbox:
                del self._outbox[: self._control.send(self._outbox)]
        except BlockingIOError:
            pass
        except OSError:
            self._outbox.clear()  # the engine is gone; the poll loop sees it next
        events = select.POLLIN | (select.POLLOUT if self._outbox else 0)
        self._poll.modify(self._control, events)

    # -- starting ----------------------------------------------------------------------------------------------------

    def _start(self, message: dict[str, object], fds: tuple[int, ...]) -> None:
        run = int(str(message["run"]))
        try:
            if len(fds) != framing.FDS_PER_FRAME:
                self._fail(run, "streams", errno.EMFILE)
            else:
                self._launch(run, launch.Order(message, self._open_files), fds)
        except OSError as error:
            self._fail(run, "fork", error.errno or 0)
        except (
            ValueError
        ):  # one order that cannot be encoded must not cost all the others their spawner
            self._fail(run, "exec", errno.EINVAL)
        finally:
            for fd in fds:
                os.close(fd)

    def _launch(self, run: int, order: launch.Order, fds: tuple[int, ...]) -> None:
        self._sequence = (self._sequence + 1) % (1 << process_table.TAG_TASK_BITS)
        entry = ledger_lines.LedgerEntry(
            {name: getattr(self._mark, name) for name in self._mark.__slots__}
        )
        entry.key, entry.tag = order.key, self._mark.tag + self._sequence
        pid, error_fd = launch.launch(order, fds, entry=entry, ledger=self._ledger)
        entry.pid = entry.pgid = pid
        entry.start = process_table.read_start(pid)
        task = Task(run, entry, error_fd, order.cgroup)
        self._tasks[run] = self._leaders[pid] = self._by_error_fd[error_fd] = task
        self._poll.register(error_fd, select.POLLIN | select.POLLHUP)

    def _end_start(self, task: Task) -> None:
        """Learn whether exec succeeded: the pipe closed without a word."""
        if task.error_fd is None:
            return
        try:
            told = os.read(task.error_fd, 256).decode("ascii", "replace").split()
        except BlockingIOError:
            return  # the number was closed and reused since the poll
        self._poll.unregister(task.error_fd)
        del self._by_error_fd[task.error_fd]
        os.close(task.error_fd)
        task.error_fd = None
        if told:
            del self._tasks[task.run]
            self._fail(task.run, told[0], int(told[1]))
        else:
            self._send({"event": "started", "run": task.run, "pid": task.pid})

    def _fail(self, run: int, stage: str, number: int) -> None:
        self._send({"event": "failed", "run": run, "stage": stage, "errno": number})

    # -- ending ------------------------------------------------------------------------------------------------------

    def _reap(self) -> None:
        """See which programs ended, and bury orphans that died."""
        for pid in (
            process_table.read_children(self._pid)
            if process_table.HAS_PROC
            else list(self._leaders)
        ):
            task = self._leaders.get(pid)
            if task is None:
                _bury(pid)
            elif not task.has_exited and task.look():
                self._leave(task)
        for task in list(self._tasks.values()):
            if task.is_killing and task.has_exited:
                self._finish(task)

    def _leave(self, task: Task) -> None:
        """The program itself ended: finish it, or tell that something of it still runs."""
        task.has_exited = True
        self._end_start(task)
        if self._tasks.get(task.run) is not task:  # never became the program, or was given up on
            self._close(task)
            return
        leftovers = self._leftovers(task)
        if not leftovers or task.is_killing:
            self._finish(task)
        else:
            task.kill_at = monotonic_s() + LEFTOVER_MAX_S
            self._send({"event": "exited", "run": task.run, "leftovers": len(leftovers)})

    def _finish(self, task: Task) -> None:
        """Kill what is left; once nothing is (or it will not die), report the end."""
        leftovers = self._leftovers(task)
        if leftovers or not process_table.HAS_PROC:
            self._kill(task, leftovers)
            leftovers = self._leftovers(task)
        if leftovers and not self._is_given_up(task):
            return
        del self._tasks[task.run]
        status, usage = self._close(task)
        code = os.waitstatus_to_exitcode(status)
        self._send(
            {
                "event": "ended",
                "run": task.run,
                "exit_code": code if code >= 0 else None,
                "signal": -code if code < 0 else None,
                "cpu_s": usage.ru_utime + usage.ru_stime,
                "max_rss_bytes": usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024),
                "survivors": leftovers,
            }
        )

    def _close(self, task: Task) -> tuple[int, resource.struct_rusage]:
        """Reap the leader and close its ledger entry."""
        status, usage = task.reap()
        del self._leaders[task.pid]
        self._record_end(task)
        return status, usage

    def _record_end(self, task: Task) -> None:
        line = ledger_lines.ended_line(task.pid, task.entry.start)
        self._ledger_bytes += len(line) + len(task.entry.line())
        try:
            ledger_lines.append_line(self._ledger, line)
            # Not while a child may be appending to the file that would be replaced.
            if self._ledger_bytes > ledger_lines.COMPACT_AT_BYTES and not self._by_error_fd:
                living = [other.entry for other in self._leaders.values()]
                ledger_lines.rewrite_ledger(self._ledger, [self._mark, *living])
                self._ledger_bytes = 0
        except OSError:
            pass  # a full disk: the entry stays open, and the next sweep finds that its process is gone

    # -- signals and leftovers -----------------------------------------------------------------------------------------

    def _signal(self, task: Task, number: int) -> None:
        if not task.has_exited and not _send_signal(-task.pid, number):
            _send_signal(task.pid, number)  # it has not come as far as its own group
        if number == signal.SIGKILL:
            launch.kill_group(task.cgroup)
        if number in (signal.SIGSTOP, signal.SIGCONT, signal.SIGKILL):
            # A freeze must hold those who left the group, too; other signals are the program's to pass on.
            for pid in [*process_table.read_descendants(task.pid), *self._leftovers(task)]:
                _send_signal(pid, number)

    def _kill_after(self, task: Task, grace_s: float) -> None:
        at = monotonic_s() + grace_s
        task.kill_at = at if task.kill_at is None else min(at, task.kill_at)

    def _leftovers(self, task: Task) -> list[int]:
        """Return the living orphans of this task. Once its leader is dead, every process of it descends from one."""
        found = []
        for pid in process_table.read_children(self._pid):
            if pid not in self._leaders:
                stat = process_table.read_stat(pid)
                if stat and not stat.is_dead and self._owner(stat) in (task, None):
                    found.append(pid)
        return found

    def _owner(self, stat: process_table.ProcessStat) -> Task | None:
        """Return the running task an orphan belongs to. None: its task has ended, so it has no reason to live."""
        by_group = self._leaders.get(stat.pgid)
        if by_group and by_group.run in self._tasks:
            return by_group
        tag = process_table.read_tag(stat.pid)
        for task in self._tasks.values():
            if task.entry.tag == tag:
                return task
        key = process_table.read_environment(stat.pid).get(process_table.TASK_KEY)
        return next((task for task in self._tasks.values() if task.entry.key == key), None)

    def _kill(self, task: Task, leftovers: list[int]) -> None:
        launch.kill_group(task.cgroup)
        _send_signal(
            -task.pid, signal.SIGKILL
        )  # safe: the unreaped leader holds the group's number
        for pid in leftovers:
            _send_signal(
                pid, signal.SIGKILL
            )  # safe: a child of this process, reaped by nobody else
        if task.give_up_at is None:
            task.give_up_at = monotonic_s() + GIVE_UP_S

    def _is_given_up(self, task: Task) -> bool:
        return task.give_up_at is not None and monotonic_s() >= task.give_up_at

    def _wait_ms(self) -> int:
        now = monotonic_s()
        waits = [max(self._beat_at - now, 0.0)]
        for task in self._tasks.values():
            if task.is_killing:
                waits.append(RECHECK_S)
            elif task.kill_at is not None:
                waits.append(max(task.kill_at - now, 0.0))
        return int(min(waits) * 1000) + 1

    def _meet_deadlines(self) -> None:
        now = monotonic_s()
        for task in list(self._tasks.values()):
            if task.is_killing and task.has_exited:
                self._finish(task)
            elif task.is_killing and self._is_given_up(task):
                self._abandon(task)
            elif not task.is_killing and task.kill_at is not None and now >= task.kill_at:
                task.is_killing = True
                task.give_up_at = now + GIVE_UP_S
                self._signal(task, signal.SIGKILL)
                if task.has_exited:
                    self._finish(task)

    def _abandon(self, task: Task) -> None:
        """Report a program that SIGKILL does not end; it is reaped whenever it does."""
        del self._tasks[task.run]
        if task.error_fd is not None:
            self._fail(task.run, "start", errno.ETIMEDOUT)
        else:
            self._send({"event": "ended", "run": task.run, "survivors": [task.pid]})

    def _end_all(self) -> None:
        """The engine is gone: kill every descendant and everything that carries its marks, within `FAREWELL_S`."""
        self._decoder.close()
        deadline = monotonic_s() + FAREWELL_S
        for task in self._leaders.values():
            launch.kill_group(task.cgroup)
        while True:
            for pid in self._leaders:
                _send_signal(-pid, signal.SIGKILL)
            for pid in process_table.read_descendants(self._pid) or list(self._leaders):
                _send_signal(pid, signal.SIGKILL)
            self._bury_all()
            if monotonic_s() >= deadline or not (
                self._leaders or process_table.read_children(self._pid)
            ):
                break
            self._poll.poll(1)
        for pid in process_table.iterate_pids():
            if pid != self._pid and self._is_marked(pid):
                _send_signal(pid, signal.SIGKILL)

    def _bury_all(self) -> None:
        for pid in (
            process_table.read_children(self._pid)
            if process_table.HAS_PROC
            else list(self._leaders)
        ):
            task = self._leaders.get(pid)
            if _bury(pid) and task:
                del self._leaders[pid]
                self._record_end(task)

    def _is_marked(self, pid: int) -> bool:
        tag = process_table.read_tag(pid)
        if tag is not None and process_table.tag_family(tag) == process_table.tag_family(
            self._mark.tag
        ):
            return True
        environment = process_table.read_environment(pid)
        engine = f"{self._mark.engine_pid}:{self._mark.engine_start}"
        return (
            environment.get(process_table.ENGINE_STATE) == self._state_dir
            and environment.get(process_table.ENGINE_PID) == engine
        )


def _send_signal(pid: int, number: int) -> bool:
    """Send, and answer whether somebody was there to get it."""
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _bury(pid: int) -> bool:
    """Reap `pid` if it has ended; answer whether it has."""
    try:
        return os.waitpid(pid, os.WNOHANG)[0] == pid
    except ChildProcessError:
        return True


def main(arguments: list[str]) -> None:
    """Run with: control descriptor, engine pid, engine start, engine id, state directory, ledger."""
    control, engine_pid, engine_start, engine, state_dir, ledger = arguments
    mark = ledger_lines.LedgerEntry(
        {
            "pid": os.getpid(),
            "engine": engine,
            "engine_pid": int(engine_pid),
            "engine_start": int(engine_start) if engine_start else None,
            "boot": process_table.read_boot(),
        }
    )
    sock = socket.socket(fileno=int(control))
    sock.set_inheritable(False)  # noqa: FBT003 - an agent that held this socket could give orders
    Spawner(sock, mark, state_dir=state_dir, ledger=ledger).run()
