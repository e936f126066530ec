"""The engine's end of the socket to one worker: frames in and out, with bounded buffers.

Owner: what waits to be written while the socket is full, which is at most one job for each agent of the worker.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from typing import Protocol

import msgspec

from engine.agents.light.frames import (
    Beat,
    FrameDecoder,
    FrameError,
    FrameKind,
    Job,
    Loaded,
    encode_frame,
)
from engine.agents.runtime import Artifact
from engine.model.ids import TaskId
from engine.model.plain import NOT_JSON
from engine.model.tasks import Outcome

WRITE_BUFFER_MAX_BYTES = 1 << 20
"""Above it, jobs wait here as objects; what gathers goes out in the next frames."""
JOBS_IN_FRAME_MAX = 128


class Results(msgspec.Struct, array_like=True):
    """A frame of results, in the words of the model."""

    began: list[tuple[TaskId, int, float]]
    ended: list[Outcome]
    artifacts: list[Artifact]


_results_decoder = msgspec.msgpack.Decoder(Results)
_beat_decoder = msgspec.msgpack.Decoder(Beat)
_loaded_decoder = msgspec.msgpack.Decoder(Loaded)


class Listener(Protocol):
    """Who is told what a worker says; plain calls on the loop."""

    def heard(self) -> None:
        """Something came: the worker lives."""
        ...

    def ready(self) -> None:
        """The worker takes jobs."""
        ...

    def beat(self, beat: Beat) -> None:
        """A sign of life came."""
        ...

    def loaded(self, loaded: Loaded) -> None:
        """A handler is being imported, or has been."""
        ...

    def results(self, began: list[tuple[TaskId, int, float]], ended: list[Outcome], artifacts: list[Artifact]) -> None:
        """Attempts began or ended."""
        ...

    def refused(self, job: Job, reason: str) -> None:
        """A job cannot be sent."""
        ...

    def closed(self, reason: str) -> None:
        """The link is gone; reason is empty when the other end closed it."""
        ...


class WorkerLink(asyncio.Protocol):
    """Talks with one worker."""

    def __init__(self, listener: Listener) -> None:
        self._listener = listener
        self._transport: asyncio.Transport | None = None
        self._decoder = FrameDecoder()
        self._full = True
        """The socket takes no more now, or is not there yet."""
        self._jobs: deque[Job] = deque()
        self._singles = 0
        """So many of the next jobs go in a frame of their own."""
        self._stops: list[tuple[TaskId, int]] = []
        self._loads: list[str] = []
        self._words: list[str] = []
        self._fault = ""

    # ---- to the worker

    def send_jobs(self, jobs: Sequence[Job]) -> None:
        """Send jobs, now or when the socket has room; one that cannot be sent is refused through the listener."""
        self._jobs.extend(jobs)
        self._write()

    def send_load(self, handler: str) -> None:
        """Have the worker import a handler."""
        self._loads.append(handler)
        self._write()

    def send_word(self, word: str) -> None:
        """Tell the worker's resident a word; one that waits already is not told twice."""
        if word not in self._words:
            self._words.append(word)
            self._write()

    def send_stop(self, keys: Sequence[tuple[TaskId, int]]) -> None:
        """Tell the worker to stop attempts; arrives after the jobs that were sent before."""
        self._stops.extend(keys)
        self._write()

    def abort(self) -> None:
        """Give the link up."""
        if self._transport is not None:
            self._transport.abort()

    def _write(self) -> None:
        transport = self._transport
        if transport is None:
            return
        while self._loads and not self._full:
            transport.write(encode_frame(FrameKind.LOAD, self._loads.pop(0)))
        while self._words and not self._full:
            transport.write(encode_frame(FrameKind.WORD, self._words.pop(0)))
        while self._jobs and not self._full:
            count = 1 if self._singles else min(JOBS_IN_FRAME_MAX, len(self._jobs))
            self._singles = max(0, self._singles - 1)
            transport.write(self._encode([self._jobs.popleft() for _ in range(count)]))
        if self._stops and not self._full:
            stops, self._stops = self._stops, []
            transport.write(encode_frame(FrameKind.STOP, stops))

    def _encode(self, jobs: list[Job]) -> bytes:
        """Return the jobs as one frame; empty if they must go one by one, or if the only one cannot go at all."""
        try:
            return encode_frame(FrameKind.JOBS, jobs)
        except NOT_JSON as error:
            if len(jobs) == 1:
                self._listener.refused(jobs[0], str(error))
            else:  # too large together, or one of them cannot be encoded
                self._jobs.extendleft(reversed(jobs))
                self._singles = len(jobs)
            return b""

    # ---- called by the loop

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the transport."""
        assert isinstance(transport, asyncio.Transport)
        transport.set_write_buffer_limits(high=WRITE_BUFFER_MAX_BYTES)
        self._transport = transport
        self._full = False
        self._write()

    def pause_writing(self) -> None:
        """Keep jobs here until the socket has room."""
        self._full = True

    def resume_writing(self) -> None:
        """Send what has gathered."""
        self._full = False
        self._write()

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell the listener."""
        self._transport = None
        self._jobs.clear()
        self._stops.clear()
        self._listener.closed(self._fault or (str(exc) if exc is not None else ""))

    def data_received(self, data: bytes) -> None:
        """Take frames; all results of one read are told in one call."""
        self._listener.heard()
        began: list[tuple[TaskId, int, float]] = []
        ended: list[Outcome] = []
        artifacts: list[Artifact] = []
        try:
            for kind, body in self._decoder.feed(data):
                if kind == FrameKind.RESULTS:
                    results = _results_decoder.decode(body)
                    began += results.began
                    ended += results.ended
                    artifacts += results.artifacts
                elif kind == FrameKind.BEAT:
                    self._listener.beat(_beat_decoder.decode(body))
                elif kind == FrameKind.LOADED:
                    self._listener.loaded(_loaded_decoder.decode(body))
                elif kind == FrameKind.READY:
                    self._listener.ready()
        except (FrameError, msgspec.MsgspecError, RecursionError) as error:
            self._fault = f"sent something that is no frame: {error}"
            self.abort()
        if began or ended:
            self._listener.results(began, ended, artifacts)
