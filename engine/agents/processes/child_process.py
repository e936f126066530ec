"""Run programs for agents so that none outlives the engine by accident.

Owner: one `ProcessHost` a state directory and engine, on the engine's loop. It owns the spawner process, the log
thread and the table of running programs, which is bounded by its callers: each run is somebody waiting.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import os
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from types import TracebackType

from engine.agents.liveness import Verdict, Watch, read_usage
from engine.agents.processes.cgroups import Groups
from engine.agents.processes.finishing import Finishers
from engine.agents.processes.kept import Keepers
from engine.agents.processes.ledger import EngineMarker, SweepReport, sweep
from engine.agents.processes.ledger_lines import LedgerEntry
from engine.agents.processes.pipes import LogFile, LogWriter
from engine.agents.processes.running import OutputSink, RunningProcess
from engine.agents.processes.spawner import BEAT_S
from engine.agents.processes.spawner_link import SpawnerLink
from engine.agents.processes.spec import (
    ProcessResult,
    ProcessSpec,
    StopReason,
    build_environment,
    check_passable,
    explain_start_failure,
)
from engine.clock import Clock
from engine.model.agents import Health
from engine.model.errors import EngineStartError

logger = logging.getLogger(__name__)

LEDGER_NAME = "processes.jsonl"
START_TIMEOUT_S = 10.0
END_TIMEOUT_S = 12.0
"""On top of the grace: SIGKILL, its wait in the spawner, and reading the rest of the output."""
END_GRACE_S = 1.0
"""How long a program may take to end that has more memory than it may, or does nothing."""
RESTART_PAUSE_S = 0.1
RESTART_PAUSE_MAX_S = 5.0
STEADY_S = 10.0
"""A spawner that lived this long did not die of its start."""
MISSED_BEATS = 3
"""A spawner that is silent for so many beats and uses no CPU is killed and replaced."""

SpawnerSeen = Callable[[int, Health, str], None]
"""Told of the spawner's process id, its health and the evidence."""


class ProcessHost:
    """Starts programs through the spawner, follows them to their end, and replaces the spawner if it dies.

    Use as an async context manager. Entering sweeps what a former engine of `state_dir` left behind (see
    `sweep_report`); leaving kills everything. Only one host may be open on a state directory.
    """

    def __init__(self, state_dir: Path, *, engine_id: str, clock: Clock) -> None:
        self.sweep_report = SweepReport()
        self._marker = EngineMarker.of_this_process(state_dir, engine_id)
        self._ledger = Path(self._marker.state_dir) / LEDGER_NAME
        self._clock = clock
        self.groups = Groups(self._marker.state_dir)
        """Control groups of the programs, where there can be some."""
        self.keepers = Keepers(self._marker, clock, self.groups)
        """Programs that may outlive the engine."""
        self.finishers = Finishers(Path(self._marker.state_dir), clock)
        """Programs that no end of the engine cuts off."""
        self._runs: dict[int, RunningProcess] = {}
        self._by_key: dict[str, RunningProcess] = {}
        self._run_count = 0
        self._link: SpawnerLink | None = None
        self._ready = asyncio.Event()
        self._lost = asyncio.Event()
        self._heard = asyncio.Event()  # the spawner said something, or died
        self._tasks = asyncio.TaskGroup()
        self._null_fd = -1
        self._heard_at = 0.0
        self._seen = (0, Health.UNKNOWN, "")
        self._listeners: list[SpawnerSeen] = []

    async def __aenter__(self) -> ProcessHost:
        """Sweep, start the spawner, and wait until it serves; raise EngineStartError if it does not."""
        try:
            kept = await asyncio.to_thread(self.keepers.claim)
            self.sweep_report = await self._sweep(with_own=False, others=kept)
            self.groups.open()
            self.groups.keep_only(self.keepers.survivors())
            self._null_fd = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
            self._logs = LogWriter()
            await self._connect()
        except (OSError, TimeoutError) as error:
            await self._release()
            why = f"cannot start the process spawner in {self._marker.state_dir}: {error or 'it does not answer'}"
            raise EngineStartError(
                f"{why}; the directory must be writable, see spawner.log there"
            ) from error
        except BaseException:
            await self._release()
            raise
        await self._tasks.__aenter__()
        self._supervision = [
            self._tasks.create_task(self._supervise(), name="process-spawner"),
            self._tasks.create_task(self._watch(), name="watch over the process spawner"),
        ]
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Kill everything and wait until it is gone; runs still awaited end with reason `host closed`."""
        for task in self._supervision:
            task.cancel()
        if kind is None or not issubclass(kind, asyncio.CancelledError):
            kind = error = trace = (
                None  # the group would wrap the caller's own error; it is raised as it is anyway
            )
        try:
            await self._tasks.__aexit__(kind, error, trace)
        finally:
            await self._release()

    async def run(
        self, spec: ProcessSpec, *, key: str, on_output: OutputSink | None = None
    ) -> ProcessResult:
        """Run a program to its end and return how it ended.

        `on_output` gets every chunk as it is read, also those that the result leaves out; what it raises stops the
        program and is raised here. Raise ProcessStartError if the program cannot be started. Cancelling stops the
        program with its grace, kills what is left, and only then returns.
        """
        async with self.program(spec, key=key, on_output=on_output) as process:
            return await process.wait_result()

    @asynccontextmanager
    async def program(
        self, spec: ProcessSpec, *, key: str, on_output: OutputSink | None = None
    ) -> AsyncIterator[RunningProcess]:
        """Start a program to converse with; leaving the context stops it and waits until nothing of it runs.

        Raise ProcessStartError if it cannot be started, or if a program with this key runs already.
        """
        check_passable(key)
        if key in self._by_key:
            raise explain_start_failure(spec, stage="key", number=errno.EEXIST)
        self._run_count += 1
        run = self._run_count
        process = RunningProcess(spec, key, post=partial(self._post, run), now=self._clock.now)
        process.outgrown = partial(self.groups.outgrown, key)
        self._runs[run] = self._by_key[key] = process
        try:
            await self._start(process, run, on_output)
            yield process
        finally:
            try:
                await self._end(process)
            finally:
                del self._runs[run], self._by_key[key]
                self.groups.remove(key)

    def signal(self, key: str, number: int) -> bool:
        """Send a signal to the program's group; False if none with this key runs. STOP, CONT and KILL reach all of it."""
        process = self._by_key.get(key)
        if process is None or process.is_done:
            return False
        process.signal(number)
        return True

    async def stop(self, key: str, *, grace_s: float | None = None) -> bool:
        """SIGTERM, after the grace SIGKILL, and wait until nothing of it runs; False if none with this key runs."""
        process = self._by_key.get(key)
        if process is None or process.is_done:
            return False
        process.stop("stopped", grace_s=grace_s)
        await process.wait_done()
        return True

    def end(self, key: str, reason: StopReason, why: str) -> bool:
        """Stop a program of which nothing good is expected, once, with little grace; False if none with this key runs."""
        process = self._by_key.get(key)
        if process is None:
            return self.keepers.cut(key, reason, why, END_GRACE_S)
        if process.is_done:
            return False
        if process.stopped_reason is None:
            process.stopped_detail = why
            process.stop(reason, grace_s=min(END_GRACE_S, process.spec.grace_s))
        return True

    def quiet(self) -> dict[str, float]:
        """Return for how many seconds each running program has said nothing, by key."""
        kept = self.keepers.quiet(asyncio.get_running_loop().time())
        return kept | {key: one.quiet_s for key, one in self._by_key.items() if not one.is_done}

    def pids(self) -> dict[str, int]:
        """Return the process id of every running program by key."""
        return self.keepers.pids() | {
            key: one.pid
            for key, one in self._by_key.items()
            if one.pid is not None and not one.is_done
        }

    def listen(self, tell: SpawnerSeen) -> None:
        """Have one more function told whenever the spawner is another one, or its health changes."""
        self._listeners.append(tell)

    def open_log(self, path: Path, max_bytes: int) -> LogFile:
        """Return a log that the log thread writes, for who divides a program's output; closed by its owner. Raise OSError."""
        return LogFile(path, max_bytes, self._logs)

    @property
    def spawner_pid(self) -> int | None:
        """Return the spawner's process id, None while it is being replaced."""
        return self._link.pid if self._link else None

    # -- one run ------------------------------------------------------------------------------------------------------

    async def _start(self, process: RunningProcess, run: int, on_output: OutputSink | None) -> None:
        spec = process.spec
        environment = build_environment(spec, os.environ) | self._marker.environment(process.key)
        message: dict[str, object] = {
            "op": "start",
            "run": run,
            "key": process.key,
            "argv": list(spec.argv),
            "env": environment,
            "cwd": str(spec.cwd.absolute()),
            "limits": spec.limits.as_order(),
            "nice": spec.limits.nice,
            "cgroup": self.groups.make(process.key),
        }
        try:
            async with asyncio.timeout(START_TIMEOUT_S):
                await self._ready.wait()
                if self._link is None:
                    raise explain_start_failure(spec, stage="spawner", number=errno.ESHUTDOWN)
                fds = process.open_pipes(self._null_fd, self._logs, on_output)
                self._post_start(process, message, fds)
                await process.wait_started()
        except TimeoutError as error:
            raise explain_start_failure(spec, stage="spawner", number=errno.ETIMEDOUT) from error

    def _post_start(
        self, process: RunningProcess, message: dict[str, object], fds: tuple[int, ...]
    ) -> None:
        assert self._link is not None, "only called while the spawner serves"
        try:
            self._link.post(message, fds)
        except ValueError as error:
            raise explain_start_failure(process.spec, stage="exec", number=errno.E2BIG) from error
        except OSError as error:
            raise explain_start_failure(
                process.spec, stage="spawner", number=error.errno or 0
            ) from error
        process.is_posted = True

    async def _end(self, process: RunningProcess) -> None:
        """Leave nothing of a program running; a second cancellation kills it without grace."""
        if process.is_done or not process.is_posted:
            process.release()
            return
        process.stop("cancelled", grace_s=None if process.pid else 0.0)
        try:
            async with asyncio.timeout(process.spec.grace_s + END_TIMEOUT_S):
                await process.wait_done()
        except TimeoutError:
            pass  # told below
        finally:
            if not process.is_done:
                logger.error("program does not end", extra={"key": process.key, "pid": process.pid})
                process.stop(grace_s=0.0)
            process.release()

    def _post(self, run: int, message: dict[str, object]) -> None:
        if self._link:
            self._link.post({**message, "run": run})

    # -- the spawner ----------------------------------------------------------------------------------------------------

    async def _connect(self) -> None:
        """Start a spawner and wait until it serves. Raise OSError or TimeoutError."""
        starting = asyncio.get_running_loop().run_in_executor(None, SpawnerLink.start, self._marker, self._ledger)
        try:
            link = await asyncio.shield(starting)
        except asyncio.CancelledError:
            with contextlib.suppress(OSError):
                self._link = await starting  # the thread goes on to its end: _release ends what it started
            raise
        self._lost.clear()
        self._heard.clear()
        self._link = link
        link.listen(on_event=self._take_event, on_lost=self._note_lost)
        async with asyncio.timeout(START_TIMEOUT_S):
            await self._heard.wait()
        if not self._ready.is_set():
            raise ChildProcessError(errno.ECHILD, "it exited at once")

    def _take_event(self, message: dict[str, object]) -> None:
        self._heard_at = self._clock.now()
        run = message.get("run")
        if message["event"] == "ready":
            self._ready.set()
            self._heard.set()
        elif isinstance(run, int) and (process := self._runs.get(run)):
            process.take_event(message)

    def _note_lost(self) -> None:
        self._ready.clear()
        self._lost.set()
        self._heard.set()

    async def _supervise(self) -> None:
        """Replace the spawner whenever it dies; slower each time if it dies at once."""
        pause_s = RESTART_PAUSE_S
        while True:
            since = self._clock.now()
            await self._lost.wait()
            steady = self._clock.now() - since >= STEADY_S
            pause_s = RESTART_PAUSE_S if steady else min(pause_s * 2, RESTART_PAUSE_MAX_S)
            try:
                await self._recover()
            except (OSError, TimeoutError) as error:
                logger.warning("process spawner cannot be replaced", extra={"reason": str(error)})
                self._lost.set()
                await self._clock.sleep(pause_s)
            else:
                if not steady and pause_s > 2 * RESTART_PAUSE_S:
                    await self._clock.sleep(pause_s)

    async def _watch(self) -> None:
        """Look after the spawner: one that hangs or was stopped is killed, upon which it is replaced."""
        link, watch = self._link, self._new_watch()
        while True:
            before = self._clock.now()
            await self._clock.sleep(BEAT_S / 2)
            now = self._clock.now()
            if self._link is not link:
                link, watch = self._link, self._new_watch()
            if link is None or not self._ready.is_set():
                continue
            usage = read_usage(link.pid)
            watch.note(usage, now)
            if now - before > BEAT_S:
                continue  # the engine itself was late, so that silence means nothing
            verdict = watch.judge(now - self._heard_at, usage, now)
            self._note_seen(link.pid, verdict)
            if verdict.hung and not (usage and usage.state == "D"):  # what waits for a device cannot be killed either
                logger.error("process spawner hangs", extra={"pid": link.pid, "evidence": verdict.evidence})
                link.kill()

    def _new_watch(self) -> Watch:
        return Watch(BEAT_S, MISSED_BEATS, self._clock.now())

    def _note_seen(self, pid: int, verdict: Verdict) -> None:
        seen = (pid, verdict.health, verdict.evidence)
        if seen != self._seen:
            self._seen = seen
            for tell in self._listeners:
                tell(*seen)

    async def _recover(self) -> None:
        link, self._link = self._link, None
        logger.warning("process spawner died", extra={"running": len(self._runs)})
        if link:
            link.close()
            await asyncio.to_thread(link.wait_gone)
        try:
            await self._sweep(with_own=True)
        finally:
            for process in list(self._runs.values()):
                if process.is_posted:
                    process.lose("spawner lost")
        await self._connect()

    async def _sweep(self, *, with_own: bool, others: Sequence[LedgerEntry] = ()) -> SweepReport:
        report = await asyncio.to_thread(sweep, self._ledger, self._marker, with_own=with_own, others=others)
        if report.killed or report.survivors:
            counts = {"killed": len(report.killed), "survivors": len(report.survivors)}
            logger.warning("swept processes of a former engine or spawner", extra=counts)
        return report

    async def _release(self) -> None:
        link, self._link = self._link, None
        self._ready.set()  # whoever waits to start something learns that there is no spawner
        try:
            if link:
                link.close()
                await asyncio.to_thread(link.wait_gone)
        finally:
            for process in list(self._runs.values()):
                if process.is_posted:
                    process.lose("host closed")
            if self._null_fd >= 0:
                os.close(self._null_fd)
                self._null_fd = -1
                self._logs.close()
            self.groups.close()

