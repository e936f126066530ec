"""The last minute of a fleet as far as it was seen, or kept by its engine before that: load of each pool, and how many tasks succeeded a second.

Owner: the feed, which shows it every frame, whatever view is in front. Where nothing was seen is a gap, never a 0.
Limits: SAMPLES intervals of SAMPLE_S seconds; of successes those of the last RATE_S seconds.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from engine.model.rows import FleetStatus, PoolRow

SAMPLE_S = 2.0
"""One column of a sparkline."""
SAMPLES = 30
SPAN_S = SAMPLE_S * SAMPLES
RATE_S = 10.0


@dataclass(slots=True)
class History:
    """Loads of pools and successes of the fleet in the last minute, as far as they were seen."""

    loads: dict[int, dict[str, int]] = field(default_factory=dict)
    """Number of the interval of SAMPLE_S seconds to pool to tasks queued and running."""
    successes: deque[tuple[float, int]] = field(default_factory=deque)
    """(instant, tasks succeeded since the state began)."""

    def see(self, status: FleetStatus, pools: Iterable[PoolRow]) -> None:
        """Take what a frame says, at the frame's own instant; what is older than the span is forgotten."""
        if self.successes and (status.now < self.successes[-1][0] or status.tasks.succeeded < self.successes[-1][1]):
            self.successes.clear()  # another engine, or one that began anew
        number = int(status.now // SAMPLE_S)
        self.loads[number] = {pool.id: pool.pending - pool.blocked + pool.leased + pool.running + pool.needs_input for pool in pools}
        for old in [at for at in self.loads if not number - SAMPLES < at <= number]:
            del self.loads[old]
        if not self.successes or status.now > self.successes[-1][0]:
            self.successes.append((status.now, status.tasks.succeeded))
        while self.successes and self.successes[0][0] < status.now - RATE_S - SAMPLE_S:
            self.successes.popleft()

    def recall(self, since: float, step_s: float, pools: Mapping[str, Sequence[float | None]]) -> None:
        """Take what the engine kept from before anybody looked; what was seen here stays."""
        for pool, values in pools.items():
            for place, value in enumerate(values):
                if value is not None:
                    self.loads.setdefault(int((since + place * step_s) // SAMPLE_S), {}).setdefault(pool, round(value))

    def load_of(self, pool: str, now: float) -> list[int | None]:
        """Return a pool's load, oldest first; None where nothing was seen."""
        last = int(now // SAMPLE_S)
        return [self.loads.get(number, {}).get(pool) for number in range(last - SAMPLES + 1, last + 1)]

    def succeeded_per_s(self) -> float | None:
        """Return tasks succeeded a second over the last ten seconds at most; None before there are two looks."""
        if len(self.successes) < 2:
            return None
        (began, first), (ended, last) = self.successes[0], self.successes[-1]
        return (last - first) / (ended - began)
