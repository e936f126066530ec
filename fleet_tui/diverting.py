"""What C code, plug-ins and programs print in this process goes to a log, shielded; the terminal is for what we say.

Owner: descriptors 1 and 2 of the process, until the context ends. Imports nothing of the console.
"""

from __future__ import annotations

import contextlib
import io
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from engine.model.shielding import ShieldedStream
from engine.printing import Outlet

PRINTED_S = 1.0
"""Longest wait at the end for what was printed last: a program that was started here may hold its output open."""


class _Talk(io.RawIOBase):
    """What we say: line by line to where standard error went, shielded too, for a traceback tells what others said."""

    def __init__(self, fd: int, encoding: str) -> None:
        self._fd, self._encoding = fd, encoding
        self._stream = ShieldedStream()

    def writable(self) -> bool:
        """Answer yes."""
        return True

    def fileno(self) -> int:
        """Return the descriptor of the terminal, or what is in its place."""
        return self._fd

    def isatty(self) -> bool:
        """Answer whether it is a terminal."""
        return os.isatty(self._fd)

    def write(self, data: Any, /) -> int:  # noqa: ANN401  # the buffer type of the base class
        """Write the lines that it ends."""
        self._put(self._stream.feed(bytes(data)))
        return len(data)

    def end(self) -> None:
        """Write the rest."""
        self._put(self._stream.end())

    def _put(self, data: bytes) -> None:
        data = data.decode("utf-8", "replace").encode(self._encoding, "backslashreplace")
        while data:
            data = data[os.write(self._fd, data) :]


@contextlib.contextmanager
def _diverted(log: Path) -> Iterator[tuple[int, int] | None]:
    """Lead descriptors 1 and 2 to a log, or nowhere if none can be written; give where they went, None = there are none."""
    with contextlib.ExitStack() as stack:
        try:
            for stream in filter(None, (sys.stdout, sys.stderr)):
                stream.flush()
            kept = []
            for fd in (1, 2):
                kept.append(os.dup(fd))
                stack.callback(os.close, kept[-1])
        except OSError:
            yield None
            return
        outlet = _outlet(log)
        for fd in (1, 2):
            os.dup2(outlet.fd, fd)
        outlet.let_go()
        try:
            yield kept[0], kept[1]
        finally:
            for fd, former in zip((1, 2), kept, strict=True):
                os.dup2(former, fd)
            outlet.wait_ended(PRINTED_S)


def _outlet(log: Path) -> Outlet:
    try:
        return Outlet.to(log)
    except OSError:
        return Outlet(os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC))


@contextlib.contextmanager
def engine_output(log: Path) -> Iterator[None]:
    """Keep standard error for what this process says by `sys.stderr`; all else that is printed goes to the log."""
    with _diverted(log) as kept:
        former, out = sys.stderr, sys.stdout
        if kept is None or former is None or not isinstance(out, io.TextIOWrapper):
            yield
            return
        raw = _Talk(kept[1], former.encoding)
        sys.stderr = io.TextIOWrapper(io.BufferedWriter(raw), "utf-8", "backslashreplace", line_buffering=True)
        out.reconfigure(line_buffering=True)
        try:
            yield
        finally:
            with contextlib.suppress(OSError):
                out.flush()
            with contextlib.suppress(OSError):
                sys.stderr.flush()
                raw.end()
            sys.stderr = former


@contextlib.contextmanager
def console_output(log: Path) -> Iterator[None]:
    """Keep the terminal for the console, which writes to `sys.__stderr__` or, on a page, to `sys.__stdout__`."""
    with _diverted(log) as kept:
        if kept is None:
            yield
            return
        former = sys.__stdout__, sys.__stderr__
        ours = [open(fd, "w", encoding="utf-8", errors="backslashreplace", closefd=False) for fd in kept]  # noqa: PTH123, SIM115  # descriptors
        sys.__stdout__, sys.__stderr__ = ours  # type: ignore[misc]  # Textual takes the terminal from there
        try:
            yield
        finally:
            for stream in ours:
                with contextlib.suppress(OSError):
                    stream.flush()
            sys.__stdout__, sys.__stderr__ = former  # type: ignore[misc]
