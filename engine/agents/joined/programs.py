"""The programs of a host that joined: it measures them itself, ends those that have more memory than they may, and says what it found.

Owner: `Programs`, of the last look. Limits: those of `ProgramUsage`; a look every LOOK_S, in which nothing is asked of the leader.
"""

from __future__ import annotations

from collections.abc import Callable

from engine.agents.joined import messages as m
from engine.agents.processes.child_process import ProcessHost
from engine.agents.processes.spec import StopReason
from engine.agents.program_usage import ProgramUsage, beyond
from engine.clock import Clock
from engine.model.pools import PoolSpec

LOOK_S = 2.0
"""As often as an engine looks at its own."""


class Programs:
    """Looks at programs again and again."""

    def __init__(self, host: ProcessHost, clock: Clock) -> None:
        self._host, self._clock = host, clock
        self._usage = ProgramUsage()
        self._usage.measure = host.groups.measure
        self._seen: list[m.ProgramSeen] = []
        self._looked_at = 0.0
        self._is_told = True

    async def run(self, pool_of: Callable[[str], PoolSpec | None]) -> None:
        """Look until cancelled, and have programs held to what their pools allow; `pool_of` finds a program's pool by the process host's name for it."""
        self._host.groups.pool_of = pool_of
        while True:
            self.look(pool_of)
            await self._clock.sleep(LOOK_S)

    def look(self, pool_of: Callable[[str], PoolSpec | None]) -> None:
        """Look once."""
        self._looked_at = self._clock.now()
        found, quiet = self._usage.look(self._host.pids(), self._looked_at), self._host.quiet()
        cpu_s = self._usage.cpu_s()
        for name, use in found.items():
            pool = pool_of(name)
            if pool is not None and (why := beyond(pool, use.rss_mb)):
                self._host.end(name, "memory limit", why)
        self._seen = [
            m.ProgramSeen(name, -1.0 if use.cores is None else round(use.cores, 3), round(use.rss_mb, 1), cpu_s[name], round(quiet.get(name, 0.0), 1))
            for name, use in found.items()
        ]
        self._is_told = False

    def news(self) -> m.Seen | None:
        """Return what was found at the last look; None = that was told."""
        return None if self._is_told else m.Seen(max(0.0, self._clock.now() - self._looked_at), self._seen)

    def note_told(self, seen: m.Seen | None) -> None:
        """Take note that the leader was told something of it."""
        self._is_told = self._is_told or (seen is not None and seen.programs is self._seen)

    def tell_again(self) -> None:
        """Tell another leader, too."""
        self._is_told = False

    def end(self, name: str, reason: StopReason, why: str) -> None:
        """End a program of which nothing good is expected; nothing where it has ended."""
        self._host.end(name, reason, why)
