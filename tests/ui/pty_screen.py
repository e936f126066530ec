"""Run a program on a terminal of its own and see what an operator sees: a screen, bytes and frames.

Owner: each `PtyScreen` owns its child process and its end of the pty; leaving the `with` block ends the child by id.
Nothing here sleeps to let things settle: every wait names its condition and its limit.
"""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Self

import pyte

WAIT_S = 60.0
TAKE_SCREEN = b"\x1b[?1049h"
SYNC_END = b"\x1b[?2026l"
# A complete escape sequence, to tell it from one that was cut off at the end of a read.
SEQUENCE = re.compile(
    rb"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[ -/]*[0-Z\\^-~])"
)
# What pyte would print instead of ignoring: kitty keyboard modes, mode queries, links.
UNKNOWN_TO_PYTE = re.compile(rb"\x1b\[[<>=][0-9;]*u|\x1b\[\?\d+\$p|\x1b\]8;[^\x1b]*\x1b\\")
# Our driver ends a frame by taking its colours back, parking the cursor, and ending synchronized output.
FRAME_END = re.compile(rb"\x1b\[m(?:\x1b\[\d+(?:;\d+)?H)?(?:\x1b\[\?2026l)?|\x1b\[\?2026l")
ANSWERS = {b"\x1b[?2026$p": b"\x1b[?2026;2$y", b"\x1b[6n": b"\x1b[1;1R", b"\x1b[c": b"\x1b[?62;22c"}


class Seen(NamedTuple):
    """What can be seen of a cell; the text colour of a blank cannot."""

    text: str
    foreground: str
    background: str
    attributes: tuple[bool, ...]


Picture = list[list[Seen]]


def see(char: pyte.screens.Char) -> Seen:
    """Reduce a cell of pyte to what can be seen."""
    attributes = (
        char.bold,
        char.italics,
        char.underscore,
        char.strikethrough,
        char.reverse,
        char.blink,
    )
    if char.data == " " and not (char.underscore or char.strikethrough or char.reverse):
        return Seen(" ", "", char.bg, ())
    return Seen(char.data, char.fg, char.bg, attributes)


def find_differences(one: Picture, other: Picture) -> list[tuple[int, int, Seen, Seen]]:
    """Return line, column and both cells wherever two pictures of one size differ."""
    return [
        (y, x, a, b)
        for y, (line, other_line) in enumerate(zip(one, other, strict=True))
        for x, (a, b) in enumerate(zip(line, other_line, strict=True))
        if a != b
    ]


class PtyScreen:
    """A program on a pty: `screen` is what it shows, `byte_count` and `frames` what that took."""

    def __init__(
        self,
        argv: Sequence[str],
        *,
        columns: int = 120,
        rows: int = 40,
        env: dict[str, str] | None = None,
        cwd: str | os.PathLike[str] | None = None,
    ) -> None:
        self.screen = pyte.Screen(columns, rows)
        self._stream = pyte.ByteStream(self.screen)
        self._tail = b""
        self._asked = b""
        self.answers = True
        """Whether the terminal answers what it is asked; hardly any does not."""
        self.byte_count = 0
        self.frames = 0
        self.on_frame: Callable[[bytes], None] | None = None
        """Called after each frame reached the screen, with its bytes."""
        self._frame_bytes = b""
        self.is_open = True
        self._master, slave = pty.openpty()
        self._set_size(columns, rows)
        environment = os.environ | {
            "TERM": "xterm-256color",
            "COLORTERM": "truecolor",
            "LANG": "C.UTF-8",
        }
        for name in ("COLUMNS", "LINES", "NO_COLOR", "VISUAL", "EDITOR"):
            environment.pop(name, None)
        self._process = subprocess.Popen(
            argv, stdin=slave, stdout=slave, stderr=slave, env=environment | (env or {}), cwd=cwd, close_fds=True,
            start_new_session=True, preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )  # fmt: skip
        os.close(slave)
        os.set_blocking(self._master, False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def pid(self) -> int:
        """The process id of the program."""
        return self._process.pid

    @property
    def text(self) -> str:
        """The screen as lines of text."""
        return "\n".join(self.screen.display)

    def picture(self) -> Picture:
        """Return everything that can be seen, as rows x columns."""
        buffer = self.screen.buffer
        return [
            [see(buffer[y][x]) for x in range(self.screen.columns)]
            for y in range(self.screen.lines)
        ]

    def read(self, timeout_s: float) -> bytes:
        """Read once, put it on the screen and answer the program's questions."""
        if not select.select([self._master], [], [], timeout_s)[0]:
            return b""
        try:
            data = os.read(self._master, 1 << 16)
        except BlockingIOError:
            return b""
        except OSError:
            data = b""
        if not data:
            self.is_open = False
            return b""
        self.byte_count += len(data)
        if self.answers:
            self._answer(data)
        self.feed(data)
        return data

    def _answer(self, data: bytes) -> None:
        """Answer every question once, also one that came in two parts."""
        asked = self._asked + data
        for question, answer in ANSWERS.items():
            for _ in range(asked.count(question) - self._asked.count(question)):
                os.write(self._master, answer)
        self._asked = asked[1 - max(map(len, ANSWERS)) :]

    def wait(self, condition: Callable[[Self], Any], *, timeout_s: float = WAIT_S) -> None:
        """Read until the condition holds; fail with the screen's text when it does not in time."""
        end = time.perf_counter() + timeout_s
        while not condition(self):
            left = end - time.perf_counter()
            if left <= 0 or not self.is_open:
                raise AssertionError(f"waited in vain; the screen shows:\n{self.text}")
            self.read(min(left, 0.25))

    def wait_text(self, text: str, *, timeout_s: float = WAIT_S) -> None:
        """Read until the screen shows a text."""
        self.wait(lambda pty: text in pty.text, timeout_s=timeout_s)

    def count_bytes(self, seconds: float) -> int:
        """Return how many bytes come in that many seconds."""
        before, end = self.byte_count, time.perf_counter() + seconds
        while (left := end - time.perf_counter()) > 0:
            self.read(left)
        return self.byte_count - before

    def send(self, data: bytes) -> None:
        """Type."""
        os.write(self._master, data)

    def resize(self, columns: int, rows: int) -> None:
        """Give the terminal another size."""
        self.screen.resize(rows, columns)
        self._set_size(columns, rows)

    def close(self, *, timeout_s: float = 60.0) -> int:
        """End the program, with force if it must be, and return its exit code."""
        for number in (signal.SIGTERM, signal.SIGKILL):
            if self._process.poll() is None:
                self._process.send_signal(number)
            end = time.perf_counter() + timeout_s
            while self.is_open and self._process.poll() is None and time.perf_counter() < end:
                self.read(0.05)
        if self._master >= 0:
            os.close(self._master)
            self._master = -1
        return self._process.wait(timeout_s)

    def _set_size(self, columns: int, rows: int) -> None:
        # The kernel tells the foreground process group of the terminal by SIGWINCH.
        fcntl.ioctl(self._master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def feed(self, data: bytes) -> None:
        """Put on the screen what the program wrote."""
        data = self._tail + data
        last = data.rfind(b"\x1b")
        if last >= 0 and not SEQUENCE.match(data, last):
            data, self._tail = data[:last], data[last:]
        else:
            self._tail = b""
        start = 0
        for end in FRAME_END.finditer(data):
            self._show(data[start : end.end()])
            start = end.end()
            self.frames += 1
            if self.on_frame is not None:
                self.on_frame(self._frame_bytes)
            self._frame_bytes = b""
        self._show(data[start:])

    def _show(self, data: bytes) -> None:
        self._frame_bytes += data
        # pyte has one screen; a terminal clears the other one whenever a program takes it.
        for number, part in enumerate(UNKNOWN_TO_PYTE.sub(b"", data).split(TAKE_SCREEN)):
            if number:
                self.screen.erase_in_display(2)
            self._stream.feed(part)
