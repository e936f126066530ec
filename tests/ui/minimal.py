"""The fewest bytes that turn one picture of a terminal into another: what our driver is measured against.

It is written apart from the driver and knows nothing of it: changed cells in reading order, the shortest cursor move
before each run, only those colours and attributes that differ, and one reset at the end. Moving lines by scrolling
regions is not reckoned with, so a driver that does it can stay below 1.
"""

from __future__ import annotations

from tests.ui.pty_screen import SYNC_END, Picture, PtyScreen, Seen

ATTRIBUTE_CODES = (("1", "22"), ("3", "23"), ("4", "24"), ("9", "29"), ("7", "27"), ("5", "25"))
SYNC_BYTES = 2 * len(SYNC_END)
RESET_BYTES = len("\x1b[m")
PLAIN = ("default", "default", (False,) * 6)
Look = tuple[str, str, tuple[bool, ...]]


def color_code(color: str, *, is_background: bool) -> str:
    """Return the SGR parameters of a colour as pyte names it."""
    base = 48 if is_background else 38
    if len(color) == 6 and all(digit in "0123456789abcdef" for digit in color):
        return ";".join(map(str, (base, 2, *bytes.fromhex(color))))
    return str(base + 1) if color == "default" else str(base - 1)


def count_sgr(old: Look, new: Look) -> int:
    """Return the bytes that take the pen from one look to another."""
    codes = [
        color_code(new[index], is_background=bool(index))
        for index in (0, 1)
        if old[index] != new[index]
    ]
    for (on, off), was, is_now in zip(ATTRIBUTE_CODES, old[2], new[2], strict=True):
        if was != is_now:
            codes.append(on if is_now else off)
    return len("\x1b[" + ";".join(codes) + "m") if codes else 0


def count_move(start: tuple[int, int], y: int, x: int) -> int:
    """Return the bytes of the shortest cursor move from the last cell written."""
    absolute = len(f"\x1b[{y + 1};{x + 1}H" if x else f"\x1b[{y + 1}H")
    if start == (y, x):
        return 0
    if start[0] != y or start[1] > x:
        return absolute
    return min(absolute, len(f"\x1b[{x - start[1]}C"))


def take_look(pen: Look, cell: Seen) -> Look:
    """Return the look the pen needs for a cell: a blank needs no text colour and no bold."""
    if cell.attributes:
        return (cell.foreground, cell.background, cell.attributes)
    draws_on_blank = any(pen[2][index] for index in (2, 3, 4))
    return (pen[0], cell.background, PLAIN[2] if draws_on_blank else pen[2])


def count_minimal_bytes(before: Picture, after: Picture) -> int:
    """Return the fewest bytes from one picture to the next, synchronized output included where it prevents tearing."""
    total = 0
    pen: Look = PLAIN
    place = (-1, -1)
    lines = set()
    for y, (old_line, new_line) in enumerate(zip(before, after, strict=True)):
        if old_line == new_line:
            continue
        for x, (old, new) in enumerate(zip(old_line, new_line, strict=True)):
            if old == new or not new.text:
                continue
            look = take_look(pen, new)
            total += count_move(place, y, x) + count_sgr(pen, look) + len(new.text.encode())
            pen = look
            is_wide = x + 1 < len(new_line) and not new_line[x + 1].text
            place = (y, x + 1 + is_wide)
            lines.add(y)
    if not lines:
        return 0
    return total + RESET_BYTES + (SYNC_BYTES if len(lines) > 1 else 0)


class Amplification:
    """Compares what a program writes with the fewest bytes that would do, frame by frame from now on."""

    def __init__(self, pty: PtyScreen) -> None:
        self._pty = pty
        self._picture = pty.picture()
        self.written = 0
        self.minimal = 0
        self.worst: tuple[int, int, bytes] = (0, 0, b"")
        """Bytes written, fewest bytes and text of the frame that wasted most."""
        pty.on_frame = self._take_frame

    @property
    def ratio(self) -> float:
        """Bytes written for each byte that was needed."""
        return self.written / max(self.minimal, 1)

    def _take_frame(self, data: bytes) -> None:
        picture = self._pty.picture()
        needed = 0
        if len(picture) == len(self._picture) and len(picture[0]) == len(self._picture[0]):
            needed = count_minimal_bytes(self._picture, picture)
            self.written += len(data)
            self.minimal += needed
            if len(data) - needed > self.worst[0] - self.worst[1]:
                self.worst = (len(data), needed, data)
        self._picture = picture
