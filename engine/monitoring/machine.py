"""What the kernel says of the whole machine: the share of its cores at work, and of its memory in use.

Owner: `Machine`, of the counts of the last look. Where there is no /proc, both are unknown.
"""

from __future__ import annotations

from pathlib import Path

_IDLE, _IOWAIT = 3, 4
"""Fields of the first line of /proc/stat after its name."""
_GUEST = 8
"""From here on the fields repeat time that earlier ones count."""


class Machine:
    """The machine that the engine runs on."""

    def __init__(self, proc: Path = Path("/proc")) -> None:
        self._stat, self._meminfo = proc / "stat", proc / "meminfo"
        self._before: tuple[int, int] | None = None

    def cpu(self) -> float | None:
        """Return the share of the cores' time since the last call that was not idle; None the first time."""
        try:
            with self._stat.open("rb") as file:
                ticks = [int(word) for word in file.readline().split()[1 : 1 + _GUEST]]
            idle, total = ticks[_IDLE] + ticks[_IOWAIT], sum(ticks)
        except (OSError, ValueError, IndexError):
            return None
        before, self._before = self._before, (idle, total)
        if before is None or total <= before[1]:
            return None
        return min(1.0, max(0.0, 1 - (idle - before[0]) / (total - before[1])))

    def memory(self) -> float | None:
        """Return the share of memory that is not available to new programs."""
        try:
            words = dict(line.split(b":", 1) for line in self._meminfo.read_bytes().splitlines())
            total, free = (int(words[name].split()[0]) for name in (b"MemTotal", b"MemAvailable"))
        except (OSError, ValueError, KeyError, IndexError):
            return None
        return 1 - free / total if total else None
