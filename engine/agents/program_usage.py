"""What programs that agents run use, with all their children: cores and memory, by a few reads of /proc a program.

Owner: `ProgramUsage`, of the last look. Limits: TREE_MAX processes of a program are looked at. Where there
is no /proc, or the kernel does not tell children, a program is unknown or counts without them.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from engine.agents.processes.process_table import read_file
from engine.model.pools import PoolSpec

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


class ProgramSample(NamedTuple):
    """A program on another machine, as that has measured it."""

    name: str
    """Its process host's."""
    cores: float | None
    """Since the look before; None = not known."""
    rss_mb: float
    cpu_s: float
    """Since it began."""
    quiet_s: float
    """Since its last byte of output, when it was measured."""
    at: float
    """When that was, by this fleet's clock."""


class ProgramUsage:
    """Looks at programs again and again."""

    def __init__(self) -> None:
        self.measure: Callable[[str], tuple[float, float] | None] = lambda _name: None
        """Has the CPU seconds and megabytes of a run where the kernel keeps them for it whole; None = its processes are added up."""
        self._seen: dict[str, float] = {}
        """Name of a run -> its CPU seconds at the last look."""
        self._gone: dict[str, float] = {}
        """The same of those that were there at the look before, and not at the last one."""
        self._at: float | None = None
        """When the last look was."""
        self._before_at: float | None = None
        """When the one before it was."""

    def look(self, pids: Mapping[str, int], now: float, elsewhere: Iterable[ProgramSample] = ()) -> dict[str, Use]:
        """Return what each run uses, by its name; those that have ended meanwhile are left out.

        One that was not there at the last look has begun since, so all its CPU seconds count. Those `elsewhere` were measured there.
        """
        found: dict[str, Use] = {}
        seen: dict[str, float] = {}
        elapsed_s = now - self._at if self._at is not None else 0.0
        for name, pid in pids.items():
            tree = self.measure(name) or read_tree(pid)
            if tree is None:
                continue
            seen[name], rss_mb = tree
            used_s = max(0.0, seen[name] - self._seen.get(name, 0.0))
            found[name] = Use(used_s / elapsed_s if elapsed_s > 0 else None, rss_mb)
        for one in elsewhere:
            seen[one.name], found[one.name] = one.cpu_s, Use(one.cores, one.rss_mb)
        self._gone = {name: cpu_s for name, cpu_s in self._seen.items() if name not in seen}
        self._seen, self._before_at, self._at = seen, self._at, now
        return found

    def cpu_s(self) -> dict[str, float]:
        """Return the CPU seconds of each run so far, as of the last look."""
        return dict(self._seen)

    def unseen(self, name: str, cpu_s: float, started_at: float) -> float:
        """Return how many of the CPU seconds that a run had at its end no look has counted.

        Its end is told some time after it: a look may have missed it meanwhile. Nothing is counted of what began before all looks.
        """
        known = self._seen.get(name, self._gone.get(name))
        if known is not None:
            return max(0.0, cpu_s - known)
        began_since = self._before_at if self._before_at is not None else self._at
        return cpu_s if began_since is not None and started_at >= began_since else 0.0


def beyond(pool: PoolSpec, held_mb: float) -> str:
    """Return in a sentence that a program has more memory than its pool allows; empty = it has not."""
    if not pool.memory_max or held_mb <= pool.memory_max:
        return ""
    return f"it had {held_mb:.0f} MB with all it started, and pool {pool.name} allows {pool.memory_max} MB (memory_max)"


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
