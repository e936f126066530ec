"""What programs that agents run use, with all their children: cores and memory, by a few reads of /proc a program.

Owner: `ProgramUsage`, of the CPU seconds of the last look. Limits: TREE_MAX processes of a program are looked at. Where there
is no /proc, or the kernel does not tell children, a program is unknown or counts without them.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import NamedTuple

from engine.agents.processes.process_table import read_file

TREE_MAX = 64
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
_PAGE_MB = os.sysconf("SC_PAGE_SIZE") / (1 << 20)
_CPU = slice(11, 15)
"""Fields of /proc/PID/stat after the name, from 0: own and ended children's time, as user and in the kernel."""
_RSS = 21


class Use(NamedTuple):
    """Cores since the last look (None the first time), and megabytes now."""

    cores: float | None
    rss_mb: float


class ProgramUsage:
    """Looks at programs again and again."""

    def __init__(self) -> None:
        self._seen: dict[str, tuple[float, float]] = {}
        """Name of a run -> when it was looked at, and its CPU seconds then."""

    def look(self, pids: Mapping[str, int], now: float) -> dict[str, Use]:
        """Return what each run uses, by its name; those that have ended meanwhile are left out."""
        found: dict[str, Use] = {}
        seen: dict[str, tuple[float, float]] = {}
        for name, pid in pids.items():
            tree = read_tree(pid)
            if tree is None:
                continue
            cpu_s, rss_mb = tree
            seen[name] = (now, cpu_s)
            at, before = self._seen.get(name, (now, 0.0))
            found[name] = Use(max(0.0, cpu_s - before) / (now - at) if now > at else None, rss_mb)
        self._seen = seen
        return found


def read_tree(pid: int) -> tuple[float, float] | None:
    """Return CPU seconds so far and resident megabytes of a process and its descendants; None if it is gone."""
    cpu_s = rss_mb = 0.0
    waiting, looked = [pid], 0
    while waiting and looked < TREE_MAX:
        one = waiting.pop()
        stat = read_file(f"/proc/{one}/stat")
        if not stat:
            if one == pid:
                return None
            continue
        looked += 1
        fields = stat.rpartition(b")")[2].split()
        cpu_s += sum(map(int, fields[_CPU])) / _TICKS_PER_S
        rss_mb += int(fields[_RSS]) * _PAGE_MB
        waiting += map(int, (read_file(f"/proc/{one}/task/{one}/children") or b"").split())
    return cpu_s, rss_mb
