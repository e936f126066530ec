"""One running program, seen from the engine: its pipes, its time-outs, and how it came to its end.

Owner: `RunningProcess` is changed only on the engine's loop, by events of the spawner, its pipes and its own timers.
Order of an end: the program exits → what it left in the pipes is read (`DRAIN_S` if descendants hold them open) →
descendants are killed → the spawner reports `ended` → the pipes are read to their end → the result is there.
"""

from __future__ import annotations

import asyncio
import errno
import os
import signal
from collections.abc import Callable

from engine.agents.processes.capture import OutputCapture
from engine.agents.processes.pipes import (
    INPUT_PENDING_MAX_BYTES,
    InputPipe,
    LogFile,
    LogWriter,
    OutputPipe,
)
from engine.agents.processes.spec import (
    ProcessResult,
    ProcessSpec,
    StopReason,
    StreamName,
    explain_start_failure,
)

DRAIN_S = 0.5
"""How long a pipe may stay open after the program has exited, with nobody of it left to close it."""
DRAIN_MAX_S = 5.0
"""How long reading what is left may take in all, if it keeps coming."""

OutputSink = Callable[[StreamName, bytes], None]


class RunningProcess:
    """A program from the moment it is asked for until nothing of it runs."""

    def __init__(
        self,
        spec: ProcessSpec,
        key: str,
        *,
        post: Callable[[dict[str, object]], None],
        now: Callable[[], float],
    ) -> None:
        self.spec = spec
        self.key = key
        self.pid: int | None = None
        self.started_at = now()
        self.stopped_reason: StopReason | None = None
        self.stopped_detail = ""
        self.outgrown: Callable[[], str] = str
        """Says that the kernel ended it for its memory; empty = it did not."""
        self.is_posted = False
        self._post = post
        self._now = now
        self._loop = asyncio.get_running_loop()
        self._on_output: OutputSink | None = None
        self._captures = {name: OutputCapture(spec.output_max_bytes) for name in _STREAMS}
        self._outputs: dict[StreamName, OutputPipe] = {}
        self._input: InputPipe | None = None
        self._log: LogFile | None = None
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._last_output = self._loop.time()
        self._started = asyncio.Event()
        self._done = asyncio.Event()
        self._ended_at: float | None = None
        self._ended: dict[str, object] = {}
        self._has_exited = False
        self._drain_until = 0.0
        self._failure: Exception | None = None

    # -- for the owner of the program ---------------------------------------------------------------------------------

    @property
    def is_done(self) -> bool:
        """Answer whether nothing of it runs any more and its output is complete."""
        return self._done.is_set()

    @property
    def quiet_s(self) -> float:
        """Return the seconds since its last byte of output, or since it began."""
        return self._loop.time() - self._last_output

    def write(self, data: bytes) -> bool:
        """Send to an interactive program; False if its input is closed or it has not read what was sent before."""
        pipe = self._input
        if (
            pipe is None
            or not pipe.is_open
            or pipe.pending_bytes + len(data) > INPUT_PENDING_MAX_BYTES
        ):
            return False
        pipe.write(data)
        return True

    def close_stdin(self) -> None:
        """End its input after what was written."""
        if self._input:
            self._input.close()

    def stop(self, reason: StopReason = "stopped", *, grace_s: float | None = None) -> None:
        """SIGTERM to its group, SIGKILL to all of it after `grace_s` (default: its spec's). Returns at once."""
        if self._ended_at is None and not self.is_done:
            if not self._has_exited:
                self.stopped_reason = self.stopped_reason or reason
            self._post({"op": "stop", "grace_s": self.spec.grace_s if grace_s is None else grace_s})

    def signal(self, number: int) -> None:
        """Send a signal to its group; STOP, CONT and KILL reach descendants outside of the group, too."""
        if not self.is_done:
            self._post({"op": "signal", "signal": int(number)})

    async def wait_done(self) -> None:
        """Wait until nothing of it runs. Safe to cancel."""
        await self._done.wait()

    async def wait_result(self) -> ProcessResult:
        """Wait for the end and return the result; raise what `on_output` raised. Safe to cancel."""
        await self._done.wait()
        if self._failure:
            raise self._failure
        out, err = self._captures["stdout"], self._captures["stderr"]
        end = self._ended
        survivors = end.get("survivors")
        return ProcessResult(
            exit_code=_whole(end.get("exit_code")),
            signal=_whole(end.get("signal")),
            stdout=out.content(),
            stderr=err.content(),
            stdout_bytes=out.total_bytes,
            stderr_bytes=err.total_bytes,
            truncated=out.is_truncated or err.is_truncated,
            started_at=self.started_at,
            ended_at=self.started_at if self._ended_at is None else self._ended_at,
            cpu_s=float(str(end.get("cpu_s", 0.0))),
            max_rss_bytes=_whole(end.get("max_rss_bytes")) or 0,
            stopped_reason=self.stopped_reason,
            stopped_detail=self.stopped_detail,
            survivors=tuple(survivors) if isinstance(survivors, list) else (),
        )

    # -- for the host -------------------------------------------------------------------------------------------------

    def open_pipes(
        self, null_fd: int, log_writer: LogWriter, on_output: OutputSink | None
    ) -> tuple[int, ...]:
        """Make its pipes; return the three ends for the program, which the caller owns. Raise ProcessStartError."""
        self._on_output = on_output
        ends: list[int] = []
        stage = "log"
        try:
            if self.spec.log_path:
                self._log = LogFile(self.spec.log_path, self.spec.log_max_bytes, log_writer)
            stage = "pipes"
            if self.spec.stdin is None and not self.spec.is_interactive:
                ends.append(os.dup(null_fd))
            else:
                theirs, ours = os.pipe()
                ends.append(theirs)
                self._input = InputPipe(ours, stays_open=self.spec.is_interactive)
                self._input.write(self.spec.stdin or b"")
            for name in _STREAMS:
                ours, theirs = os.pipe()
                ends.append(theirs)
                self._open_output(name, ours)
        except OSError as error:
            for fd in ends:
                os.close(fd)
            self.release()
            raise explain_start_failure(self.spec, stage=stage, number=error.errno or 0) from error
        return tuple(ends)

    async def wait_started(self) -> None:
        """Wait until the program runs; raise ProcessStartError if it cannot. Safe to cancel."""
        await self._started.wait()
        if self._failure and self.pid is None:
            raise self._failure

    def take_event(self, message: dict[str, object]) -> None:
        """Follow what the spawner reports."""
        match message:
            case {"event": "started", "pid": int(pid)}:
                self.pid = pid
                self.started_at = self._now()
                self._started.set()
                self._start_timers()
            case {"event": "failed", "stage": str(stage), "errno": int(number)}:
                self._failure = explain_start_failure(self.spec, stage=stage, number=number)
                self._complete()
            case {"event": "exited"}:
                self._has_exited = True
                self._cancel_timers()
                self._timers["drain"] = self._loop.call_later(DRAIN_S, self._finish)
                self._finish_if_silent()
            case {"event": "ended"}:
                self._end(message)

    def lose(self, reason: StopReason) -> None:
        """Take note that its spawner is gone, and that whatever ran of it has been killed."""
        if not self._started.is_set():
            self._failure = explain_start_failure(self.spec, stage="spawner", number=errno.EPIPE)
            self._complete()
        elif self._ended_at is None:
            self.stopped_reason = self.stopped_reason or reason
            self._end({})

    def release(self) -> None:
        """Close everything it holds; for good."""
        self._cancel_timers()
        for pipe in self._outputs.values():
            pipe.close()
        if self._input:
            self._input.abort()
        if self._log:
            self._log.close()
            self._log = None

    # -- inside ---------------------------------------------------------------------------------------------------------

    def _open_output(self, name: StreamName, fd: int) -> None:
        self._outputs[name] = OutputPipe(
            fd, on_chunk=lambda chunk: self._take_output(name, chunk), on_end=self._finish_if_silent
        )

    def _take_output(self, name: StreamName, chunk: bytes) -> None:
        self._last_output = self._loop.time()
        self._captures[name].add(chunk)
        if self._log:
            self._log.add(chunk, name)
            if self._log.wait_for_disk(self._resume):
                for pipe in self._outputs.values():
                    pipe.pause()
        if self._on_output:
            try:
                self._on_output(name, chunk)
            except Exception as error:  # noqa: BLE001 - a plug-in's; wait_result raises it to whoever asked for the run
                self._on_output = None
                self._failure = error
                self.stop("output failed")

    def _resume(self) -> None:
        for pipe in self._outputs.values():
            pipe.resume()

    def _start_timers(self) -> None:
        spec = self.spec
        if spec.timeout_s is not None:
            self._timers["timeout"] = self._loop.call_later(spec.timeout_s, self.stop, "timeout")
        if spec.idle_timeout_s is not None:
            self._last_output = self._loop.time()
            self._watch_idle(spec.idle_timeout_s)

    def _watch_idle(self, idle_timeout_s: float) -> None:
        """Look again when the time-out could be over at the earliest, not at every output."""
        if any(pipe.is_paused for pipe in self._outputs.values()):
            self._last_output = (
                self._loop.time()
            )  # it may well talk, but nobody listens: the log's disk is slow
        due = self._last_output + idle_timeout_s
        if self._loop.time() >= due:
            self.stop("no output")
        else:
            self._timers["idle"] = self._loop.call_at(due, self._watch_idle, idle_timeout_s)

    def _cancel_timers(self) -> None:
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()

    def _finish_if_silent(self) -> None:
        if any(pipe.is_open for pipe in self._outputs.values()):
            return
        if self._ended_at is not None:
            self._complete()
        elif self._has_exited:
            self._finish()

    def _finish(self) -> None:
        self._cancel_timers()
        self._post({"op": "finish"})

    def _end(self, message: dict[str, object]) -> None:
        self._ended = message
        self._ended_at = self._now()
        if self.stopped_reason is None and message.get("signal") == signal.SIGKILL and (why := self.outgrown()):
            self.stopped_reason, self.stopped_detail = "memory limit", why
        self._cancel_timers()
        if self._input:
            self._input.abort()
        self._drain_until = self._loop.time() + DRAIN_MAX_S
        self._last_output = self._loop.time()
        self._finish_if_silent()
        if not self.is_done:
            self._timers["drain"] = self._loop.call_later(DRAIN_S, self._give_up_pipes)

    def _give_up_pipes(self) -> None:
        """Nothing of the program is left, yet a pipe is open: somebody else got hold of it, or there is much to read."""
        now = self._loop.time()
        is_coming = now - self._last_output < DRAIN_S or any(
            pipe.is_paused for pipe in self._outputs.values()
        )
        if is_coming and now < self._drain_until:
            self._timers["drain"] = self._loop.call_later(DRAIN_S, self._give_up_pipes)
        else:
            self._complete()

    def _complete(self) -> None:
        self.release()
        self._started.set()
        self._done.set()


_STREAMS: tuple[StreamName, StreamName] = ("stdout", "stderr")


def _whole(value: object) -> int | None:
    return value if isinstance(value, int) else None
