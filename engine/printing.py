"""What programs and C code print past Python, on its way to a log: read from a pipe by a thread, shielded, kept in a bounded file.

Owner: an `Outlet`, of the reading end of its pipe, of its thread, and of its log. Limits: a log that would have more than its most bytes
is started anew. A log that cannot be written (full disk) is done without; whoever prints never waits for good and is never told.
"""

from __future__ import annotations

import contextlib
import os
import threading
from pathlib import Path

from engine.model.shielding import ShieldedStream

READ_BYTES = 1 << 16
LOG_MAX_BYTES = 1 << 20
_DROPPED = b"[earlier output was dropped: the log was full]\n"


class Outlet:
    """A pipe for the standard output and error of a process. Its thread ends with the last process that holds the writing end."""

    def __init__(self, log_fd: int, max_bytes: int = LOG_MAX_BYTES) -> None:
        """`log_fd` is a file opened for appending; it is closed at the end. Others may append to it."""
        self._log_fd, self._max = log_fd, max_bytes
        self._read_fd, self.fd = os.pipe()
        """The second is the writing end; no child gets it unless it is passed on."""
        self._is_held = True
        self._ended = threading.Event()
        threading.Thread(target=self._run, name="printed output", daemon=True).start()

    @classmethod
    def to(cls, path: Path) -> Outlet:
        """Make one with a log that begins empty, readable by its owner alone. Raises OSError."""
        return cls(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600))

    def let_go(self) -> None:
        """Close the writing end here, once whoever prints has it. Again is no harm."""
        if self._is_held:
            self._is_held = False
            os.close(self.fd)

    @property
    def has_ended(self) -> bool:
        """Answer whether nobody can print any more, and all is in the log."""
        return self._ended.is_set()

    def wait_ended(self, timeout_s: float) -> bool:
        """Wait until it has ended, at most so long; answer whether it has. Blocks."""
        return self._ended.wait(timeout_s)

    def _run(self) -> None:
        stream = ShieldedStream()
        try:
            while chunk := os.read(self._read_fd, READ_BYTES):
                self._write(stream.feed(chunk))
            self._write(stream.end())
        finally:
            os.close(self._read_fd)
            os.close(self._log_fd)
            self._ended.set()

    def _write(self, data: bytes) -> None:
        with contextlib.suppress(OSError):
            if os.fstat(self._log_fd).st_size + len(data) > self._max:
                os.ftruncate(self._log_fd, 0)
                data = _DROPPED + data[: self._max - len(_DROPPED)]
            while data:
                data = data[os.write(self._log_fd, data) :]
