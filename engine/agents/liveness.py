"""Whether a silent process of ours works, hangs or is stopped: evidence from the kernel, and the judgement on it.

Owner: one `Watch` for each light worker and for the spawner, which remembers the last look. Where there is no /proc, silence alone is judged.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

from engine.agents.processes.process_table import read_file
from engine.model.agents import Health

LATE_BEATS = 2.0
"""Silence, in intervals, from which on a worker is not healthy."""
BUSY_SHARE = 0.05
"""Share of a core from which on a silent worker counts as busy; a hung one with a polling thread stays below."""
BUSY_WINDOW_S = 0.5
"""The kernel counts CPU in steps of 10 ms, so its share is taken over no less."""
BUSY_MEMORY_S = 1.0
"""How long a worker counts as busy after it was found so; beats may be faster."""
HUNG_MIN_S = 1.0
"""Shortest silence that may count as hanging, however fast the beats are."""

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
_PAGE_MB = os.sysconf("SC_PAGE_SIZE") / (1 << 20)
_UTIME, _STIME, _RSS = 11, 12, 21  # fields of /proc/PID/stat after the name, from 0

_STATES = {
    "R": "waits for a core",
    "S": "sleeps",
    "D": "waits for a device",
    "T": "is stopped by a signal",
    "t": "is held by a debugger",
    "Z": "has ended",
}


@dataclass(frozen=True, slots=True)
class Usage:
    """What the kernel says of a process: state letter, CPU seconds so far, resident memory in MB."""

    state: str
    cpu_s: float
    rss_mb: float


def read_usage(pid: int) -> Usage | None:
    """Return the state and usage of a process by one read of /proc; None if that cannot be read."""
    data = read_file(f"/proc/{pid}/stat")
    if not data:
        return None
    fields = data.rpartition(b")")[2].split()
    ticks = int(fields[_UTIME]) + int(fields[_STIME])
    return Usage(fields[0].decode("ascii"), ticks / _TICKS_PER_S, int(fields[_RSS]) * _PAGE_MB)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one look says; `hung` = it should be replaced."""

    health: Health
    evidence: str = ""
    hung: bool = False


@dataclass(slots=True)
class Watch:
    """What is remembered of one worker between two looks."""

    interval_s: float
    missed_beats: int
    looked_at: float
    cpu_s: float = 0.0
    busy_at: float = 0.0
    """Instant of the last look that found it busy."""

    def note(self, usage: Usage | None, now: float) -> None:
        """Note its use of the CPU since it was noted last."""
        elapsed = now - self.looked_at
        if usage is None or elapsed < BUSY_WINDOW_S:
            return
        if usage.cpu_s - self.cpu_s >= BUSY_SHARE * elapsed:
            self.busy_at = now
        self.cpu_s, self.looked_at = usage.cpu_s, now

    def judge(self, silence_s: float, usage: Usage | None, now: float) -> Verdict:
        """Return the verdict on a worker that was last heard of `silence_s` ago; call note() first."""
        if silence_s < LATE_BEATS * self.interval_s:
            return Verdict(Health.HEALTHY)
        said = f"no beat for {silence_s:.1f} s"
        if now - self.busy_at < max(self.interval_s, BUSY_MEMORY_S):
            return Verdict(Health.SLOW, f"{said}, CPU busy")
        if usage is not None and usage.state == "R":
            return Verdict(Health.SLOW, f"{said}, it waits for a core")
        doing = f", it {_STATES.get(usage.state, f'is in state {usage.state}')}" if usage is not None else ""
        limit_s = max(HUNG_MIN_S, self.missed_beats * self.interval_s)
        hung = silence_s >= limit_s and now - self.busy_at >= limit_s and (usage is None or usage.state != "t")
        return Verdict(Health.SUSPECT, f"{said}, no CPU used{doing}", hung)
