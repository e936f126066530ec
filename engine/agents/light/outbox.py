"""What a worker tells the engine: attempts that began and ended, gathered and sent in batches.

Owner: the socket's writing side. Three threads use it: the main thread adds and flushes, the pulse flushes what
waits for longer, the reader adds jobs that were stopped before they began. Limits: a batch is sent at
`BATCH_MAX` ends or `BATCH_MAX_BYTES` of large results; a full socket makes the worker wait.
"""

from __future__ import annotations

import os
import socket
import threading

from engine.agents.light.frames import Ended, FrameKind, LargeResult, encode_frame

BATCH_MAX = 64
BATCH_MAX_BYTES = 1 << 20
EXIT_NO_ENGINE = 3

Running = tuple[str, int, float]
"""Task, token, instant at which it began."""


class Outbox:
    """Batches for the engine."""

    def __init__(self, link: socket.socket) -> None:
        self.running: Running | None = None
        """What the main thread is in; it alone sets it."""
        self._link = link
        self._lock = threading.Lock()
        self._announced: Running | None = None
        self._began: list[Running] = []
        self._ended: list[tuple[Ended, LargeResult | None]] = []
        self._large_bytes = 0

    def add_began(self, running: Running) -> None:
        """Note a coroutine that begins."""
        self._began.append(running)

    def add_ended(self, ended: Ended, large: LargeResult | None = None) -> None:
        """Note the end of an attempt; send when a batch is full."""
        self._ended.append((ended, large))
        if large is not None:
            self._large_bytes += len(large.data)
        if len(self._ended) >= BATCH_MAX or self._large_bytes > BATCH_MAX_BYTES:
            self.flush()

    def has_news(self) -> bool:
        """Answer whether there is something that the engine does not know."""
        running = self.running
        return bool(self._ended or self._began) or (running is not None and running is not self._announced)

    def flush(self) -> None:
        """Send what has gathered, and what the main thread is in."""
        with self._lock:
            # Ends are taken first: a job that ends from here on is in the next batch, after its beginning in this one.
            # Other threads add at the end of the list only, so the part that was copied is the part to delete.
            ended = self._ended[:]
            del self._ended[: len(ended)]
            began = self._began[:]
            del self._began[: len(began)]
            running = self.running
            if running is not None and running is not self._announced:
                self._announced = running
                began.append(running)
            if not ended and not began:
                return
            self._large_bytes = 0
            large = [one for _, one in ended if one is not None]
            self._send(FrameKind.RESULTS, (began, [one for one, _ in ended], large))

    def send(self, kind: FrameKind, body: object = None) -> None:
        """Send a frame now."""
        with self._lock:
            self._send(kind, body)

    def _send(self, kind: FrameKind, body: object) -> None:
        try:
            self._link.sendall(encode_frame(kind, body))
        except OSError:
            os._exit(EXIT_NO_ENGINE)  # the engine has gone, so nobody is left to work for
