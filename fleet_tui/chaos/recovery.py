"""How long fleets took to recover from each fault, beside what they may take.

Owner: nobody; functions only.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from statistics import median

LEADER_S, PLACE_S, RETURN_S = 3.0, 5.0, 2.0
"""Goals: the next leader; a host's or a region's work elsewhere; going on after the server's return."""
GOALS_S = {
    **dict.fromkeys(("leader-killed", "leader-stopped", "leader-frozen", "leader-cut", "clock-jumped"), LEADER_S),
    **dict.fromkeys(("host-killed", "region-killed", "region-parted"), PLACE_S),
    **dict.fromkeys(("server-killed", "server-hangs", "server-full", "functions-flushed"), RETURN_S),
}


@dataclass(frozen=True, slots=True)
class Blow:
    """One fault and how long it was felt."""

    fault: str
    target: str
    recovered_s: float
    """Until a task that was asked for after it was answered; of a host, until what it ran ran on another one."""
    epochs: int
    """How many leaders came after it."""


@dataclass(frozen=True, slots=True)
class Recovery:
    """How long a fault was felt."""

    fault: str
    times: int
    median_s: float
    longest_s: float
    goal_s: float | None
    """None = no goal is set."""

    @property
    def is_kept(self) -> bool:
        """Answer whether the goal was kept each time; also where there is none."""
        return self.goal_s is None or self.longest_s <= self.goal_s


def recoveries(blows: Iterable[Blow]) -> list[Recovery]:
    """Return the recoveries from each fault, by its name."""
    took: dict[str, list[float]] = {}
    for blow in blows:
        took.setdefault(blow.fault, []).append(blow.recovered_s)
    return [Recovery(fault, len(took[fault]), median(took[fault]), max(took[fault]), GOALS_S.get(fault)) for fault in sorted(took)]
