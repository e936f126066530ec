"""The wall clock of an engine that is to be broken: `python -m fleet_tui.chaos.wall_clock FILE WORDS...` is `fleet-tui WORDS...` with it.

The engine's `time.time` is ahead of the machine's by what the file says, and follows it at once, as when somebody sets the clock. Other
processes, and libraries that ask the system themselves, have the machine's: to set that would need rights that a trial must not have.

Owner: `WallClock`, of the file.
"""

from __future__ import annotations

import mmap
import struct
import sys
import time
from pathlib import Path

_FORM = struct.Struct("d")


class WallClock:
    """How far a clock is ahead of the machine's, kept in a file that several processes map."""

    def __init__(self, path: Path) -> None:
        """Open the file."""
        self.path = path
        with path.open("r+b") as file:
            self._map = mmap.mmap(file.fileno(), _FORM.size)

    @classmethod
    def new(cls, path: Path) -> WallClock:
        """Make the file; the clock is right."""
        path.write_bytes(_FORM.pack(0.0))
        return cls(path)

    @property
    def ahead_s(self) -> float:
        """Return how far it is ahead of the machine's, in seconds."""
        return float(_FORM.unpack_from(self._map)[0])

    def jump(self, seconds: float) -> None:
        """Set it forward, or back."""
        _FORM.pack_into(self._map, 0, self.ahead_s + seconds)


def main() -> None:
    """Have time.time be that of the file, and run the program."""
    clock, real = WallClock(Path(sys.argv.pop(1))), time.time  # noqa: TID251  # it is this that is replaced
    time.time = lambda: real() + clock.ahead_s  # noqa: TID251
    from fleet_tui.cli import main as run

    run()


if __name__ == "__main__":
    main()
