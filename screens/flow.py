"""How much may be under way to a terminal that has not said yet that it drew it.

Between the console and an operator's eyes lie buffers: sshd's, the line's, a proxy's. What is written faster than the
line carries waits there for seconds, and the answer to a key waits behind it. So now and then the terminal is asked
where its cursor is; every terminal and multiplexer answers, in order, and the answer says that all before it is drawn.

Owner: the app owns one `Flow`. It has no clock: the app's timer calls `look`. Limits: WINDOW_BYTES under way, and
KEY_WINDOW_BYTES for what keys ask for; what is not written is left out, for a later frame has it all.
"""

from __future__ import annotations

from collections import deque

QUERY = "\x1b[6n"
QUERY_BYTES = 512
"""Ask after so many bytes: it costs 4 bytes down and 6 up."""
WINDOW_BYTES = 2 * 1024
"""A line of 64 kbit/s is a quarter of a second behind at most, and one of 0.2 s still carries 10 kB/s."""
KEY_WINDOW_BYTES = 8 * 1024
PATIENCE_FIRST_S = 2.0
PATIENCE_LAST_S = 32.0
"""An answer that is lost must not hold the console for ever; a line that is lost must not fill."""


class Flow:
    """Counts bytes between two answers."""

    def __init__(self) -> None:
        self._asked: deque[int] = deque()
        """Bytes before each question that is not answered yet."""
        self._loose = 0
        """Bytes after the last question."""
        self._is_key = False
        self._answers = 0
        self._answers_at_look = 0
        self._is_deaf = False
        """The terminal has never answered: it cannot be followed."""
        self.patience_s = PATIENCE_FIRST_S

    @property
    def under_way(self) -> int:
        """Bytes that the terminal has not said it drew."""
        return sum(self._asked) + self._loose

    @property
    def is_waiting(self) -> bool:
        """Whether an answer is to come."""
        return bool(self._asked)

    def may_write(self) -> bool:
        """Tell whether a frame may be written now; if not, an answer or `look` will change that."""
        return self._is_deaf or self.under_way < (KEY_WINDOW_BYTES if self._is_key else WINDOW_BYTES)

    def note_key(self) -> None:
        """Let the next frame by, for an operator waits for it."""
        self._is_key = True

    def note_written(self, size: int) -> str:
        """Count a frame; return what is to be written behind it."""
        self._is_key = False
        self._loose += size
        if self._is_deaf or self._loose < QUERY_BYTES:
            return ""
        self._asked.append(self._loose)
        self._loose = 0
        return QUERY

    def note_answer(self) -> None:
        """Take the terminal's answer to the oldest question."""
        self._answers += 1
        self.patience_s = PATIENCE_FIRST_S
        if self._is_deaf:
            self._is_deaf = False
            self._loose = 0
        if self._asked:
            self._asked.popleft()

    def look(self) -> None:
        """Give up on the questions when none was answered since the last look, `patience_s` ago."""
        if self._asked and self._answers == self._answers_at_look:
            self._is_deaf = not self._answers
            self._asked.clear()
            self._loose = 0
            self.patience_s = min(2 * self.patience_s, PATIENCE_LAST_S)
        self._answers_at_look = self._answers
