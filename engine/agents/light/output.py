"""Where what a worker's own code prints goes: one bounded file, never a terminal, without what looks like a secret.

What programs that a handler starts, and C code, print goes to standard output and error, which the engine reads into the same file.

Owner: the worker's descriptor of the file. Full: what is there is dropped and the file starts anew.
"""

from __future__ import annotations

import faulthandler
import io
import os
import sys
from typing import Any

STDOUT = 1
_DROPPED = b"[earlier output was dropped: the log was full]\n"


class BoundedLog(io.RawIOBase):
    """Writes to a file opened for appending; starts it anew when it is full."""

    def __init__(self, fd: int, max_bytes: int) -> None:
        self._fd = fd
        self._max = max_bytes
        self._room = max_bytes

    def writable(self) -> bool:
        """Answer yes."""
        return True

    def fileno(self) -> int:
        """Return the descriptor, for programs that a handler starts."""
        return STDOUT

    def write(self, data: Any, /) -> int:  # noqa: ANN401  # the buffer type of the base class
        """Write all of it, or its first part when it alone would fill the log."""
        from engine.model.secrets import conceal  # not for workers that are silent

        given = bytes(data)
        safe = conceal(given.decode("utf-8", "surrogateescape")).encode("utf-8", "surrogateescape")
        if len(safe) > self._room:
            self._restart()
        os.write(self._fd, safe[: self._max])
        self._room -= len(safe)
        return len(given)

    def trim(self) -> None:
        """Start anew if what the engine writes there has filled the file."""
        size = os.fstat(self._fd).st_size
        self._room = self._max - size
        if self._room < 0:
            self._restart()

    def _restart(self) -> None:
        os.ftruncate(self._fd, 0)
        os.write(self._fd, _DROPPED)
        self._room = self._max - len(_DROPPED)


def redirect_output(fd: int, max_bytes: int) -> BoundedLog:
    """Send sys.stdout, sys.stderr and the tracebacks of crashes to the log; return it."""
    os.set_inheritable(fd, False)  # noqa: FBT003  # positional only
    log = BoundedLog(fd, max_bytes)
    for name in ("stdout", "stderr"):
        buffer = io.BufferedWriter(log)
        setattr(sys, name, io.TextIOWrapper(buffer, "utf-8", "backslashreplace", line_buffering=True))
    faulthandler.enable(fd)
    return log
