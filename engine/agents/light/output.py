"""Where a worker's own output goes: standard output and error in one bounded file, never a terminal, without what looks like a secret.

What programs that a handler starts, and C code, write there goes past this.

Owner: file descriptors 1 and 2 of the worker. Full: what is there is dropped and the file starts anew.
"""

from __future__ import annotations

import faulthandler
import io
import os
import sys
from typing import Any

STDOUT = 1
STDERR = 2
_DROPPED = b"[earlier output was dropped: the log was full]\n"


class BoundedLog(io.RawIOBase):
    """Writes to standard output, which is a file opened for appending; starts it anew when it is full."""

    def __init__(self, max_bytes: int) -> None:
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
        os.write(STDOUT, safe[: self._max])
        self._room -= len(safe)
        return len(given)

    def trim(self) -> None:
        """Start anew if programs and C code, which write past this object, have filled the file."""
        size = os.fstat(STDOUT).st_size
        self._room = self._max - size
        if self._room < 0:
            self._restart()

    def _restart(self) -> None:
        os.ftruncate(STDOUT, 0)
        os.write(STDOUT, _DROPPED)
        self._room = self._max - len(_DROPPED)


def redirect_output(max_bytes: int) -> BoundedLog:
    """Send sys.stdout, sys.stderr and the tracebacks of crashes to the log; return it."""
    log = BoundedLog(max_bytes)
    for name in ("stdout", "stderr"):
        buffer = io.BufferedWriter(log)
        setattr(sys, name, io.TextIOWrapper(buffer, "utf-8", "backslashreplace", line_buffering=True))
    faulthandler.enable(STDERR)
    return log
