"""What this machine has, as far as the engine may use it: cores and memory by /proc, the affinity and the limits of its cgroups.

Both versions of cgroups are read, every level up to the root, since a limit holds for all below it. Where there is no /proc, as on
macOS, the whole machine counts, and how much memory is free is not known.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_MB = 1 << 20
_UNLIMITED = 1 << 60
"""Version 1 writes a number near 2^63 for no limit."""


@dataclass(frozen=True, slots=True)
class Measured:
    """Cores and megabytes; free_mb is what programs can have without swapping, None = not known."""

    cores: float
    memory_mb: float
    free_mb: float | None


@dataclass(frozen=True, slots=True)
class MachineFiles:
    """Where the kernel tells it; another root is for tests."""

    root: Path = Path("/")

    def measure(self) -> Measured:
        """Read it all; about ten small files."""
        total, available = self._meminfo()
        memory, free = total, available
        cores = float(_usable_cores())
        for folder in self._levels("memory"):
            limit = _number(folder / "memory.max") or _number(folder / "memory.limit_in_bytes")
            if limit is None or limit >= _UNLIMITED:
                continue
            memory = min(memory, limit / _MB)
            used = _number(folder / "memory.current") or _number(folder / "memory.usage_in_bytes") or 0
            left = (limit - used + _reclaimable(folder)) / _MB
            free = left if free is None else min(free, left)
        for folder in self._levels("cpu"):
            cores = min(cores, _quota(folder))
        return Measured(cores, memory, free)

    def _meminfo(self) -> tuple[float, float | None]:
        """Return all memory and what is available, in MB."""
        found = {}
        for line in _read(self.root / "proc/meminfo").splitlines():
            name, _, rest = line.partition(":")
            found[name] = rest.split()[0] if rest.split() else ""
        if not found.get("MemTotal", "").isdigit():
            return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / _MB, None
        available = found.get("MemAvailable", "")
        return int(found["MemTotal"]) / 1024, int(available) / 1024 if available.isdigit() else None

    def _levels(self, controller: str) -> Iterator[Path]:
        """Yield the folders of this process's cgroups that have a controller, from its own to the root."""
        mounted = self.root / "sys/fs/cgroup"
        for line in _read(self.root / "proc/self/cgroup").splitlines():
            _, names, path = line.split(":", 2)
            if names and controller not in names.split(","):
                continue
            top = mounted / names if (mounted / names).is_dir() and names else mounted / controller if names else mounted
            own = top / path.lstrip("/")
            yield from (folder for folder in (own, *own.parents) if folder == top or top in folder.parents)


def _usable_cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _quota(folder: Path) -> float:
    """Return the cores that a cgroup may use."""
    words = _read(folder / "cpu.max").split()
    if not words:
        words = [_read(folder / "cpu.cfs_quota_us").strip(), _read(folder / "cpu.cfs_period_us").strip()]
    if len(words) != 2 or not words[0].isdigit() or not words[1].isdigit() or not int(words[1]):  # noqa: PLR2004  # quota and period
        return float("inf")
    return int(words[0]) / int(words[1])


def _reclaimable(folder: Path) -> int:
    """Return the bytes of a cgroup that the kernel takes back before it swaps: files that were read and not touched since."""
    for line in _read(folder / "memory.stat").splitlines():
        name, _, value = line.partition(" ")
        if name in ("inactive_file", "total_inactive_file") and value.isdigit():
            return int(value)
    return 0


def _number(path: Path) -> int | None:
    text = _read(path).strip()
    return int(text) if text.isdigit() else None


def _read(path: Path) -> str:
    try:
        return path.read_text("ascii", "replace")
    except OSError:
        return ""
