"""What is kept of a program's output: its head and its tail, and how much there was.

Owner: whoever reads the output, engine or keeper. Light, like `process_table`.
"""

from __future__ import annotations


class OutputCapture:
    """The head and the tail of an output, and how much there was."""

    def __init__(self, max_bytes: int) -> None:
        self._head_max = max_bytes - max_bytes // 2
        self._tail_max = max_bytes // 2
        self._head = bytearray()
        self._tail = bytearray()
        self.total_bytes = 0

    def add(self, chunk: bytes) -> None:
        """Count a chunk and keep what must be kept of it."""
        self.total_bytes += len(chunk)
        if (room := self._head_max - len(self._head)) > 0:
            self._head += chunk[:room]
            chunk = chunk[room:]
        if chunk and self._tail_max:
            self._tail += chunk[-self._tail_max :]
            # Cutting at twice the maximum, not at every chunk, keeps the copying at two bytes a byte.
            if len(self._tail) > 2 * self._tail_max:
                del self._tail[: -self._tail_max]

    @property
    def is_truncated(self) -> bool:
        """Answer whether something was left out."""
        return self.total_bytes > self._head_max + self._tail_max

    def content(self) -> bytes:
        """Return head and tail, with a line between them saying how much is missing, if any is."""
        tail = bytes(self._tail[-self._tail_max :]) if self._tail_max else b""
        if not self.is_truncated:
            return bytes(self._head) + tail
        left_out = self.total_bytes - len(self._head) - len(tail)
        return bytes(self._head) + f"\n[… {left_out} bytes left out …]\n".encode() + tail
