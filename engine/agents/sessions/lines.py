"""Lines of a stream that may be anything: half lines, random bytes, endless ones; and texts cut to a length.

Owner: `Lines`, of one unfinished line. Limits: a line's first `max_bytes` are kept, the rest is counted and left out.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple


class Line(NamedTuple):
    """A line without its end, and how many bytes of it were left out."""

    data: bytes
    left_out: int


class Lines:
    """Cuts what a program prints into lines."""

    def __init__(self, max_bytes: int) -> None:
        self._max = max_bytes
        self._held = bytearray()
        self._left_out = 0

    def feed(self, chunk: bytes) -> Iterator[Line]:
        """Take a chunk and yield the lines that it ends."""
        *ended, rest = chunk.split(b"\n")
        for part in ended:
            self._hold(part)
            yield self._take()
        self._hold(rest)

    def end(self) -> Iterator[Line]:
        """Yield what came after the last line end, if anything did."""
        if self._held or self._left_out:
            yield self._take()

    def _hold(self, part: bytes) -> None:
        kept = part[: self._max - len(self._held)]
        self._held += kept
        self._left_out += len(part) - len(kept)

    def _take(self) -> Line:
        line = Line(bytes(self._held), self._left_out)
        self._held.clear()
        self._left_out = 0
        return line


def cut(text: str, max_length: int) -> str:
    """Return a text's head with a mark where it was cut."""
    return text if len(text) <= max_length else f"{text[: max_length - 1]}…"
