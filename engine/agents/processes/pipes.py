"""The engine's ends of a program's three pipes, what is kept of its output, and the thread that writes logs.

Owner: the running process they belong to (`LogWriter`: the process host). Everything runs on the engine's loop, except
the log thread. Bounded: `OutputCapture` by its maximum, a log by its maximum, `LogFile` by `LOG_PENDING_MAX_BYTES`
(full: the pipe is not read until the disk has caught up), `InputPipe` by `INPUT_PENDING_MAX_BYTES` (full: refuses).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import queue
import threading
from collections.abc import Callable
from pathlib import Path

from engine.model.shielding import ShieldedStream

logger = logging.getLogger(__name__)

READ_BYTES = 1 << 16
"""What a pipe holds: one read empties it."""
READS_PER_TURN = 4
"""Then the loop serves others, however fast a program prints."""
LOG_PENDING_MAX_BYTES = 1 << 20
INPUT_PENDING_MAX_BYTES = 4 << 20


class OutputPipe:
    """The reading end of stdout or stderr."""

    def __init__(
        self, fd: int, *, on_chunk: Callable[[bytes], None], on_end: Callable[[], None]
    ) -> None:
        self._fd = fd
        self._on_chunk = on_chunk
        self._on_end = on_end
        self._loop = asyncio.get_running_loop()
        self.is_open = True
        self.is_paused = False
        os.set_blocking(fd, False)
        self._loop.add_reader(fd, self._read)

    def pause(self) -> None:
        """Stop reading, so that the program waits."""
        if self.is_open and not self.is_paused:
            self.is_paused = True
            self._loop.remove_reader(self._fd)

    def resume(self) -> None:
        """Read again."""
        if self.is_open and self.is_paused:
            self.is_paused = False
            self._loop.add_reader(self._fd, self._read)

    def close(self) -> None:
        """Stop reading for good; a program that still writes gets SIGPIPE."""
        if self.is_open:
            self.is_open = False
            if not self.is_paused:
                self._loop.remove_reader(self._fd)
            os.close(self._fd)

    def _read(self) -> None:
        for _ in range(READS_PER_TURN):
            try:
                chunk = os.read(self._fd, READ_BYTES)
            except BlockingIOError:
                return
            if not chunk:
                self.close()
                self._on_end()
                return
            self._on_chunk(chunk)
            if self.is_paused or not self.is_open:
                return


class InputPipe:
    """The writing end of stdin."""

    def __init__(self, fd: int, *, stays_open: bool) -> None:
        self._fd = fd
        self._stays_open = stays_open
        self._pending = bytearray()
        self._loop = asyncio.get_running_loop()
        self._is_waiting = False
        self.is_open = True
        os.set_blocking(fd, False)

    @property
    def pending_bytes(self) -> int:
        """Return how much the program has not taken yet."""
        return len(self._pending)

    def write(self, data: bytes) -> None:
        """Send `data` as fast as the program reads; what a program that closed its stdin would get is dropped."""
        if self.is_open:
            self._pending += data
            self._flush()

    def close(self) -> None:
        """Close once everything has been sent."""
        self._stays_open = False
        if not self._pending:
            self.abort()

    def abort(self) -> None:
        """Close now."""
        if self.is_open:
            self.is_open = False
            self._wait_for_room(wanted=False)
            self._pending.clear()
            os.close(self._fd)

    def _flush(self) -> None:
        try:
            while self._pending:
                del self._pending[: os.write(self._fd, memoryview(self._pending)[:READ_BYTES])]
        except BlockingIOError:
            self._wait_for_room(wanted=True)
            return
        except BrokenPipeError:
            self.abort()
            return
        self._wait_for_room(wanted=False)
        if not self._stays_open:
            self.abort()

    def _wait_for_room(self, *, wanted: bool) -> None:
        if wanted and not self._is_waiting:
            self._loop.add_writer(self._fd, self._flush)
        elif not wanted and self._is_waiting:
            self._loop.remove_writer(self._fd)
        self._is_waiting = wanted


class LogFile:
    """The log of one run: both streams as they came, up to a maximum, shielded: no secrets, nothing that moves a terminal."""

    def __init__(self, path: Path, max_bytes: int, writer: LogWriter) -> None:
        # O_NONBLOCK: a path that turns out to be a pipe is an error, not a wait.
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
        self._fd = os.open(path, flags, 0o600)
        self._path = path
        self._room = max_bytes
        self._left = max_bytes
        """Bytes that may still be written; the log thread's, like the streams."""
        self._streams = {name: ShieldedStream() for name in ("stdout", "stderr")}
        self._writer = writer
        self._pending_bytes = 0
        self._on_caught_up: Callable[[], None] | None = None

    def add(self, chunk: bytes, stream: str = "stdout") -> None:
        """Hand what still fits to the log thread."""
        if self._room > 0 and chunk:
            part = chunk[: self._room]
            self._room -= len(part)
            self._pending_bytes += len(part)
            self._writer.put(self, part, stream)

    def wait_for_disk(self, on_caught_up: Callable[[], None]) -> bool:
        """Answer whether too much is waiting for the disk; if so, `on_caught_up` is called when it no longer is."""
        if self._pending_bytes <= LOG_PENDING_MAX_BYTES:
            return False
        self._on_caught_up = on_caught_up
        return True

    def close(self) -> None:
        """Close after what has been handed over was written."""
        self._room = 0
        self._writer.put(self, b"")

    def write_now(self, part: bytes, stream: str) -> None:
        """Write on the log thread; nothing means close."""
        if part:
            self._write(self._streams[stream].feed(part))
            return
        for held in self._streams.values():
            self._write(held.end())
        os.close(self._fd)

    def _write(self, part: bytes) -> None:
        data = memoryview(part)[: self._left]
        self._left -= len(data)
        try:
            while data:
                data = data[os.write(self._fd, data) :]
        except OSError as error:
            self._room = self._left = 0
            logger.warning("log not written", extra={"path": str(self._path), "reason": str(error)})

    def count_written(self, part: bytes) -> None:
        """Note on the loop what the thread has done."""
        self._pending_bytes -= len(part)
        if self._on_caught_up and self._pending_bytes <= LOG_PENDING_MAX_BYTES // 2:
            on_caught_up, self._on_caught_up = self._on_caught_up, None
            on_caught_up()


class LogWriter:
    """The one thread that writes logs, so that a slow disk never holds up the loop."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._parts: queue.SimpleQueue[tuple[LogFile, bytes, str] | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._is_closed = False

    def put(self, log: LogFile, part: bytes, stream: str = "stdout") -> None:
        """Queue one part; bounded by each log's own limit."""
        if self._is_closed:
            log.write_now(part, stream)
            return
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="process-logs", daemon=True)
            self._thread.start()
        self._parts.put((log, part, stream))

    def close(self) -> None:
        """Write what is queued and end the thread. Blocks for the disk."""
        self._is_closed = True
        if self._thread is not None:
            self._parts.put(None)
            self._thread.join()
            self._thread = None

    def _run(self) -> None:
        while item := self._parts.get():
            log, part, stream = item
            log.write_now(part, stream)
            with contextlib.suppress(
                RuntimeError
            ):  # the loop has been closed: nobody waits any more
                self._loop.call_soon_threadsafe(log.count_written, part)
