"""What is told of the processes that agents have of their own: cores and megabytes, and which do nothing.

Owner: `ProgramsSeen`, of what was told last: small changes are no news, so that a terminal at rest is sent none.
"""

from __future__ import annotations

from collections.abc import Mapping

from engine.model.ids import AgentId

CORES_STEP, MEGABYTES_STEP, MEMORY_SHARE = 0.05, 1.0, 0.05
"""What an agent uses is told anew when it differs by so many cores, or so many megabytes and by such a share."""


Told = tuple[float | None, float, float]
"""Of an agent: cores, None = not known, megabytes, and when that was where it is no longer so fresh as all else; 0 = now."""


class ProgramsSeen:
    """Agents' own processes, as they are told."""

    def __init__(self) -> None:
        self.used: dict[AgentId, tuple[float, float, float]] = {}
        """Cores and megabytes, -1 = not known, and when that was; 0 = at the last look."""
        self.stalled: Mapping[AgentId, str] = {}
        """Who does nothing, with the evidence."""

    def take(self, now: Mapping[AgentId, Told]) -> list[AgentId]:
        """Take what agents use now; return of whom something else is told than before."""
        changed = [id_ for id_ in self.used if id_ not in now]
        for id_ in changed:
            del self.used[id_]
        for id_, (cores, rss_mb, at) in now.items():
            before = self.used.get(id_, (-1.0, -1.0, 0.0))
            after = (-1.0 if cores is None else round(cores, 2), round(rss_mb, 1), at)
            if after[2] != before[2] or abs(after[0] - before[0]) >= CORES_STEP or abs(after[1] - before[1]) >= max(MEGABYTES_STEP, MEMORY_SHARE * before[1]):
                self.used[id_] = after
                changed.append(id_)
        return changed

    def take_stalled(self, now: Mapping[AgentId, str]) -> list[AgentId]:
        """Take who does nothing now; return of whom something else is told than before."""
        before, self.stalled = self.stalled, now
        return [id_ for id_ in {**before, **now} if before.get(id_) != now.get(id_)]
