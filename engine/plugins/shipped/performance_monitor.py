"""The plug-in `performance-monitor`: two metrics of pools for policies and alerts, and an agent that looks at its machine.

Owner: `PerformanceMonitorPlugin`, of the usual response time of each pool. Reads the kernel's files only.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

from engine.model.version import version
from engine.plugins.api import Gauge, PluginContext, PluginRequest, PluginResponse, Pools, hookimpl

WEIGHT = 0.02
"""Of each look in the usual response time: about the last fifty looks count."""
SECONDS_USUAL, SECONDS_MAX = 1.0, 60.0
TOP_USUAL, TOP_MAX = 5, 100
_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE_MB = os.sysconf("SC_PAGE_SIZE") / (1 << 20)


class Usage(NamedTuple):
    """A process at one instant."""

    name: str
    cpu_s: float
    rss_mb: float


class PerformanceMonitorPlugin:
    """Measures pools for policies; as an agent it measures the machine that it is on."""

    name = "performance-monitor"
    version = version()

    def __init__(self) -> None:
        self._usual: dict[str, float] = {}
        """Pool -> its usual response time, ms."""

    def pressure(self, pools: Pools) -> dict[str, float]:
        """Return work that waits or is under way for each agent that could do it."""
        found = {}
        for pool, seen in pools.items():
            ready, busy, waiting = (seen.get(name) for name in ("ready", "busy", "waiting"))
            if ready is not None and busy is not None and waiting is not None:
                found[pool] = (busy + waiting) / max(1.0, ready)
        return found

    def slowdown(self, pools: Pools) -> dict[str, float]:
        """Return by how much tasks take longer than they usually do in their pool: 1 = as long."""
        found = {}
        for pool, seen in pools.items():
            took_ms = seen.get("response_time_ms")
            if not took_ms:
                continue
            usual = self._usual.get(pool, took_ms)
            self._usual[pool] = usual + WEIGHT * (took_ms - usual)
            found[pool] = took_ms / usual
        return found

    async def initialize(self, context: PluginContext) -> None:
        """See that the kernel tells. Raises OSError where it does not."""
        del context
        read_cpu()

    async def execute(self, request: PluginRequest) -> PluginResponse:
        """Watch the machine for `seconds` (1, 60 at most) and tell of it, with the `top` (5) processes by use of the CPU."""
        seconds, top = request.payload.get("seconds", SECONDS_USUAL), request.payload.get("top", TOP_USUAL)
        if not _is_number(seconds) or not 0 < seconds <= SECONDS_MAX:
            return PluginResponse(error=f"seconds is {seconds!r}; give a number above 0, {SECONDS_MAX:g} at most", retryable=False)
        if not _is_number(top) or not 0 <= top <= TOP_MAX:
            return PluginResponse(error=f"top is {top!r}; give a number from 0 to {TOP_MAX}", retryable=False)
        before, processes = read_cpu(), read_processes()
        await asyncio.sleep(seconds)  # noqa: TID251  # a process of its own has no Clock
        return PluginResponse(_report(before, processes, float(seconds), int(top)))

    async def cleanup(self) -> None:
        """Forget what was usual."""
        self._usual.clear()


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def read_cpu() -> tuple[float, float]:
    """Return the seconds that all cores were busy, and all that there were, since the machine started."""
    fields = [int(word) for word in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
    idle = fields[3] + fields[4]
    return (sum(fields) - idle) / _TICKS, sum(fields) / _TICKS


def read_processes() -> dict[int, Usage]:
    """Return what every process has used, by its id; those that end meanwhile are left out."""
    found = {}
    for folder in Path("/proc").iterdir():
        if not folder.name.isdecimal():
            continue
        try:
            name, _, rest = (folder / "stat").read_text().partition("(")[2].rpartition(")")
        except OSError:
            continue
        words = rest.split()
        found[int(folder.name)] = Usage(name, (int(words[11]) + int(words[12])) / _TICKS, int(words[21]) * _PAGE_MB)
    return found


def _report(before: tuple[float, float], processes: Mapping[int, Usage], seconds: float, top: int) -> dict[str, object]:
    busy, whole = (now - then for now, then in zip(read_cpu(), before, strict=True))
    used = {pid: (usage.cpu_s - processes[pid].cpu_s, usage) for pid, usage in read_processes().items() if pid in processes}
    heaviest = sorted(used.items(), key=lambda item: -item[1][0])[:top]
    memory = {name: int(rest.split()[0]) / 1024 for name, _, rest in (line.partition(":") for line in Path("/proc/meminfo").read_text().splitlines())}
    return {
        "seconds": seconds,
        "cores": os.cpu_count(),
        "cpu": busy / whole if whole else None,
        "load": list(os.getloadavg()),
        "memory_mb": memory["MemTotal"],
        "memory_free_mb": memory["MemAvailable"],
        "top": [{"pid": pid, "name": usage.name, "cores": cpu_s / seconds, "rss_mb": usage.rss_mb} for pid, (cpu_s, usage) in heaviest],
    }


@hookimpl
def fleet_agent() -> PerformanceMonitorPlugin:
    """Return the agent."""
    return PerformanceMonitorPlugin()


@hookimpl
def fleet_metrics() -> dict[str, Gauge]:
    """Return the metrics of pools."""
    monitor = PerformanceMonitorPlugin()
    gauges: dict[str, Callable[[Pools], dict[str, float]]] = {"pressure": monitor.pressure, "slowdown": monitor.slowdown}
    return dict(gauges)
