"""Lines of a stream that may be anything: half lines, random bytes, endless ones; and text that is safe to show.

Owner: `Lines`, of one unfinished line. Limits: a line's first `max_bytes` are kept, the rest is counted and left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

_ESCAPES = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]?"  # colours, moves
    r"|(?:\x1b[\]PX^_]|[\x90\x98\x9d-\x9f])[^\x07\x1b\x9c\n]{0,4096}(?:\x07|\x1b\\|\x9c)?"  # titles, links, clipboards
    r"|\x1b[ -/]*[0-~]?"
)
_CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]")
"""What moves a cursor, turns the direction of writing, or cannot be encoded; not tabs and line ends."""


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


def clean(text: str) -> str:
    """Return a text without escape sequences and control characters; line ends become plain ones."""
    if text.isascii() and text.isprintable():
        return text
    return _CONTROLS.sub("", _ESCAPES.sub("", text.replace("\r\n", "\n").replace("\r", "\n")))


def cut(text: str, max_length: int) -> str:
    """Return a text's head with a mark where it was cut."""
    return text if len(text) <= max_length else f"{text[: max_length - 1]}…"
