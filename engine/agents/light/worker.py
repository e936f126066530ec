"""The process that carries light agents: takes jobs from the engine, runs them, tells what became of them.

Owner: everything in its process. Three threads: the reader takes frames, the main thread runs jobs in order of
arrival, the pulse sends beats and what the main thread is too busy to send. Plain functions run one at a time;
coroutine functions run side by side on a loop, which exists only while there are any. Limit: one job for each agent.
Programs that a handler starts end when the engine ends the worker, but outlive a killed engine until its sweep:
run programs as agents of kind `command`.
Light: no model, no pydantic, asyncio at the first coroutine; it must be ready in a fraction of a second.
"""

from __future__ import annotations

import contextlib
import ctypes
import mmap
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Awaitable, Callable
from queue import SimpleQueue
from types import FrameType
from typing import TYPE_CHECKING, NoReturn

import msgspec

from engine.agents.acting import ActingCoroutine, acting
from engine.agents.light.answers import describe_failure, pack_result, text_of
from engine.agents.light.frames import (
    PAGE_BYTES,
    Beat,
    Ended,
    FrameDecoder,
    FrameKind,
    Job,
    LargeResult,
    Loaded,
    WorkerOptions,
)
from engine.agents.light.handlers import Handlers, payload_for
from engine.agents.light.outbox import BATCH_MAX, Outbox
from engine.agents.light.output import BoundedLog, redirect_output
from engine.agents.light.resident import settle

if TYPE_CHECKING:
    import asyncio

FLUSH_INTERVAL_S = 0.005
"""Longest wait of an end, or of the news that a job is running, while the main thread is busy."""
READ_BYTES = 1 << 18
PR_SET_PDEATHSIG = 1
EXIT_BROKEN = 4

Key = tuple[str, int]
"""Task and token."""

_jobs_decoder = msgspec.msgpack.Decoder(list[Job])
_load_decoder = msgspec.msgpack.Decoder(str)
_stop_decoder = msgspec.msgpack.Decoder(list[tuple[str, int]])


class TaskStopped(BaseException):
    """Raised inside a handler whose attempt was told to stop; let it pass."""


class Worker:
    """Runs jobs."""

    def __init__(self, link: socket.socket, page: memoryview, options: WorkerOptions, log: BoundedLog) -> None:
        self._link = link
        # What the main thread is in, where the engine can read it after a crash: number, then instant.
        self._page_number, self._page_began = page[:8].cast("Q"), page[8:].cast("d")
        self._options = options
        self._log = log
        self._outbox = Outbox(link)
        self._resident = settle(options, self._now)
        self._handlers = Handlers(self._resident)
        self._inbox: SimpleQueue[Key | str] = SimpleQueue()
        """Jobs by key, and the names of handlers to import, in order of arrival."""
        self._waiting: dict[Key, Job] = {}
        """Jobs that have not begun; whoever pops one, main thread or reader, answers for it."""
        self._stops: set[Key] = set()
        """Attempts told to stop after they began; the main thread forgets them between jobs."""
        self._stoppable = False
        """TaskStopped may be raised in the main thread now."""
        self._main_thread = 0
        self._ending = False
        self._resting = False
        self._wake_pulse = threading.Event()
        self._coroutines: dict[Key, asyncio.Task[None]] = {}
        self._runner: asyncio.Runner | None = None
        self._group: asyncio.TaskGroup | None = None
        """Not None while the loop runs."""
        self._changed: asyncio.Event | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    def run(self) -> None:
        """Work until told to end; returns then."""
        self._main_thread = threading.get_ident()
        signal.signal(signal.SIGUSR1, self._on_stop_signal)
        signal.signal(signal.SIGTERM, self._on_end_signal)
        try:
            threading.Thread(target=run_thread, args=(self._read,), name="reader", daemon=True).start()
            threading.Thread(target=run_thread, args=(self._pulse,), name="pulse", daemon=True).start()
            self._outbox.send(FrameKind.READY)
            self._serve()
        except SystemExit:
            if self._runner is not None:
                self._runner.close()  # cancels what still runs on the loop

    # ---- the main thread

    def _serve(self) -> NoReturn:
        while True:
            if self._inbox.empty():
                self._outbox.flush()
            key = self._inbox.get()
            if self._stops:
                self._stops.clear()  # of jobs that have ended: this one is still in `waiting`, or answered for
            self._take(key)

    def _take(self, key: Key | str) -> None:
        if isinstance(key, str):
            self._load(key)
            return
        job = self._waiting.pop(key, None)
        if job is not None:
            self._perform(job, key)

    def _load(self, handler: str) -> None:
        """Import a handler, so that one that cannot be is an error of its agents and not of their first task."""
        self._outbox.send(FrameKind.LOADED, Loaded(handler, is_done=False))
        error = ""
        try:
            self._handlers.load(handler)
        except BaseException as raised:
            if self._ending:
                raise
            error = text_of(raised)
        self._outbox.send(FrameKind.LOADED, Loaded(handler, is_done=True, error=error))

    def _perform(self, job: Job, key: Key) -> None:
        """Run a job to its end, or begin it if its handler is a coroutine function."""
        ended = Ended(job.task, job.token, ok=True, started_at=self._now())
        self._page_began[0] = ended.started_at
        self._page_number[0] = job.number
        self._outbox.running = (job.task, job.token, ended.started_at)
        if self._resting:
            self._wake_pulse.set()
        large, awaited = None, None
        try:
            large, awaited = self._attempt(job, key, ended)
        except TaskStopped:
            self._stoppable = False
            stopped(ended)
        self._outbox.running = None
        if awaited is not None:
            self._begin_coroutine(key, ended, awaited)
            return
        ended.ended_at = self._now()
        self._outbox.add_ended(ended, large)

    def _attempt(self, job: Job, key: Key, ended: Ended) -> tuple[LargeResult | None, Awaitable[object] | None]:
        """Call the handler; return a large result, or what is to be awaited on the loop. Raises TaskStopped."""
        try:
            # Not to be interrupted: a module that is half imported would be broken for the jobs after this one.
            function, is_async = self._handlers.find(job)
            payload = payload_for(job)
            if is_async:
                with acting(job.agent_token):
                    awaited = function(job.type, payload)
                return None, ActingCoroutine(awaited, job.agent_token) if job.agent_token else awaited  # type: ignore[arg-type, return-value]  # is_async says that it is
            with acting(job.agent_token):
                self._stoppable = True
                if key in self._stops:
                    raise TaskStopped
                value = function(job.type, payload)
            return self._pack(ended, value, conceals=bool(job.handler)), None
        except TaskStopped:
            raise
        except BaseException as error:
            self._stoppable = False
            if self._ending:
                raise
            failed(ended, error)
            return None, None
        finally:
            self._stoppable = False

    def _pack(self, ended: Ended, value: object, *, conceals: bool) -> LargeResult | None:
        """Keep a result; what operations on code write is not touched, for it is applied."""
        ended.result, large = pack_result(ended.task, value, self._options.inline_result_max_bytes, conceals=conceals)
        ended.artifact = large.id if large is not None else ""
        return large

    def _now(self) -> float:
        return time.monotonic() + self._options.clock_offset_s  # noqa: TID251  # a worker process has no Clock

    # ---- coroutines, in the main thread too

    def _begin_coroutine(self, key: Key, ended: Ended, awaited: Awaitable[object]) -> None:
        if self._group is not None:
            self._spawn(self._group, key, ended, awaited)
            return
        import asyncio  # a worker of plain functions never pays for it

        if self._runner is None:
            self._runner, self._changed = asyncio.Runner(), asyncio.Event()
            self._loop = self._runner.get_loop()
        try:
            self._runner.run(self._serve_coroutines(key, ended, awaited))
        finally:
            self._group = None

    async def _serve_coroutines(self, key: Key, ended: Ended, awaited: Awaitable[object]) -> None:
        """Run coroutines, and the jobs that come meanwhile, until no coroutine is left."""
        import asyncio

        changed = self._changed
        assert changed is not None, "made together with the loop"
        async with asyncio.TaskGroup() as group:
            self._group = group
            self._spawn(group, key, ended, awaited)
            while self._coroutines:
                self._outbox.flush()
                changed.clear()
                if self._inbox.empty():
                    await changed.wait()
                else:
                    self._take_some()
                    self._outbox.flush()  # a crash in a first step is blamed on those that have begun
                    await asyncio.sleep(0)  # noqa: TID251  # lets the coroutines go on between plain functions

    def _take_some(self) -> None:
        """Take jobs, for a moment only."""
        until = self._now() + FLUSH_INTERVAL_S
        for _ in range(BATCH_MAX):
            if self._inbox.empty() or self._now() > until:
                return
            self._take(self._inbox.get())

    def _spawn(self, group: asyncio.TaskGroup, key: Key, ended: Ended, awaited: Awaitable[object]) -> None:
        if key in self._stops:  # cancelled before its first step, it could not answer
            self._stops.discard(key)
            close_unawaited(awaited)
            ended.ended_at = self._now()
            self._outbox.add_ended(stopped(ended))
            return
        self._outbox.add_began((ended.task, ended.token, ended.started_at))
        self._coroutines[key] = group.create_task(self._run_coroutine(key, ended, awaited), name=ended.task)

    async def _run_coroutine(self, key: Key, ended: Ended, awaited: Awaitable[object]) -> None:
        large = None
        try:
            large = self._pack(ended, await awaited, conceals=True)
        except BaseException as error:
            if self._ending:
                raise
            if key in self._stops:
                stopped(ended)
            else:
                failed(ended, error)
        ended.ended_at = self._now()
        self._outbox.add_ended(ended, large)
        self._stops.discard(key)
        del self._coroutines[key]
        assert self._changed is not None, "made together with the loop"
        self._changed.set()

    def _cancel(self, key: Key) -> None:
        task = self._coroutines.get(key)
        if task is not None:
            task.cancel()

    # ---- the reader

    def _read(self) -> None:
        decoder = FrameDecoder()
        while data := self._receive():
            for kind, body in decoder.feed(data):
                if kind == FrameKind.JOBS:
                    self._accept(_jobs_decoder.decode(body))
                elif kind == FrameKind.LOAD:
                    self._inbox.put(_load_decoder.decode(body))
                    self._notify_loop()
                elif kind == FrameKind.STOP:
                    for key in _stop_decoder.decode(body):
                        self._stop(key)
                elif kind == FrameKind.WORD and self._resident is not None:
                    self._resident.tell(_load_decoder.decode(body))
        os._exit(0)  # the engine has closed the link, or is no more

    def _receive(self) -> bytes:
        try:
            return self._link.recv(READ_BYTES)
        except ConnectionError:
            return b""

    def _accept(self, jobs: list[Job]) -> None:
        for job in jobs:
            key = (job.task, job.token)
            self._waiting[key] = job
            self._inbox.put(key)
        self._notify_loop()

    def _stop(self, key: Key) -> None:
        job = self._waiting.pop(key, None)
        if job is not None:
            self._outbox.add_ended(stopped(Ended(job.task, job.token, ok=False, ended_at=self._now())))
            self._outbox.flush()
            return
        self._stops.add(key)
        signal.pthread_kill(self._main_thread, signal.SIGUSR1)
        running = self._outbox.running
        if self._resident is not None and running is not None and running[:2] == key:
            self._resident.interrupt()  # no signal ends a call of native code
        self._notify_loop(key)

    def _notify_loop(self, cancelled: Key | None = None) -> None:
        loop, changed = self._loop, self._changed
        if loop is None or changed is None:
            return
        with contextlib.suppress(RuntimeError):  # closed: the worker is ending
            loop.call_soon_threadsafe(changed.set)
            if cancelled is not None:
                loop.call_soon_threadsafe(self._cancel, cancelled)

    # ---- the pulse

    def _pulse(self) -> None:
        next_beat = 0.0
        while True:
            now = self._now()
            if now >= next_beat:
                self._beat()
                next_beat = now + self._options.heartbeat_interval_s
            self._resting = True
            # The main thread sets `running` and then looks at `resting`: one of the two sees the other.
            if not self._outbox.has_news():
                self._wake_pulse.wait(max(0.0, next_beat - now))
            self._resting = False
            self._wake_pulse.clear()
            if self._outbox.has_news():
                time.sleep(FLUSH_INTERVAL_S)
                self._outbox.flush()

    def _beat(self) -> None:
        running = self._outbox.running
        task, elapsed = (running[0], self._now() - running[2]) if running else ("", 0.0)
        figures = self._resident.figures() if self._resident is not None else None
        self._outbox.send(FrameKind.BEAT, Beat(task, elapsed, len(self._waiting), figures))
        self._log.trim()

    # ---- signals, in the main thread

    def _on_stop_signal(self, _number: int, _frame: FrameType | None) -> None:
        running = self._outbox.running
        if self._stoppable and running is not None and running[:2] in self._stops:
            self._stoppable = False  # once: whoever handles it must not be hit again
            raise TaskStopped

    def _on_end_signal(self, _number: int, _frame: FrameType | None) -> None:
        self._ending = True
        raise SystemExit


def run_thread(work: Callable[[], object]) -> NoReturn:
    """Run a thread without which the worker is of no use."""
    try:
        work()
    except BaseException as error:  # noqa: BLE001  # the last words of a process
        sys.excepthook(type(error), error, error.__traceback__)
    finally:
        os._exit(EXIT_BROKEN)


def stopped(ended: Ended) -> Ended:
    """Make it the end of an attempt that was told to stop."""
    ended.ok, ended.result, ended.artifact = False, {}, ""
    ended.error_kind, ended.error = "stopped", "stopped as it was told to"
    return ended


def failed(ended: Ended, error: BaseException) -> None:
    """Make it the end of an attempt whose handler raised."""
    failure = describe_failure(error)
    ended.ok, ended.retryable, ended.result = False, failure.retryable, failure.result
    ended.error_kind, ended.error = failure.kind, str(failure)


def close_unawaited(awaited: Awaitable[object]) -> None:
    """Give up a coroutine before its first step."""
    close = getattr(awaited, "close", None)
    if close is not None:
        close()


def die_with_parent(parent: int) -> None:
    """Have the kernel kill this process when its parent dies; end now if that has happened."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
    if os.getppid() != parent:
        os._exit(0)


def guard_forks(link: socket.socket) -> None:
    """See to it that a process which a handler forks dies with the worker and cannot speak for it."""
    worker = os.getpid()
    os.register_at_fork(after_in_child=link.close)  # without it, the outbox ends the process that tries to send
    os.register_at_fork(after_in_child=lambda: die_with_parent(worker))


def main(arguments: str) -> NoReturn:
    """Be a worker; arguments are WorkerOptions as JSON."""
    options = msgspec.json.decode(arguments, type=WorkerOptions)
    die_with_parent(options.parent)
    log = redirect_output(options.log_fd, options.log_max_bytes)
    link = socket.socket(fileno=options.link_fd)
    guard_forks(link)
    page = memoryview(mmap.mmap(options.page_fd, PAGE_BYTES))
    status = EXIT_BROKEN
    try:
        Worker(link, page, options, log).run()
        status = 0
    except BaseException as error:  # noqa: BLE001  # the last words of a process
        sys.excepthook(type(error), error, error.__traceback__)
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)  # threads and whatever handlers left behind end here
