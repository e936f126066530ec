"""Lines and columns of offsets, whatever the language takes for the end of a line.

Owner: nobody; the lines of a text are a value.
"""

import re
from bisect import bisect_right
from typing import ClassVar


class TextLines:
    """The lines of a text."""

    NEWLINE: ClassVar[re.Pattern[str]]  # what ends one

    def __init__(self, text: str) -> None:
        self._starts = [0, *(match.end() for match in self.NEWLINE.finditer(text))]
        # A last line is one only if something stands on it.
        self.count = len(self._starts) - (self._starts[-1] == len(text))

    def place(self, offset: int) -> tuple[int, int]:
        """Give line (from 1) and column (from 0) of an offset."""
        line = bisect_right(self._starts, offset)
        return line, offset - self._starts[line - 1]

    def line(self, offset: int) -> int:
        """Give the line (from 1) of an offset."""
        return bisect_right(self._starts, offset)
