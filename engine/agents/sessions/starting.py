"""When processes of sessions may start: a few at once, then so many a second, so that many agents do not start together.

Owner: `StartGate`, of when the next one may. First come, first served; a place that is not used is lost, which delays and harms nobody.
"""

from __future__ import annotations

from engine.clock import Clock


class StartGate:
    """Gives each start its instant."""

    def __init__(self, clock: Clock, per_s: float) -> None:
        """`per_s` starts a second, and as many at once; 0 = as many as there are."""
        self.per_s = per_s
        self._clock = clock
        self._next_at = 0.0

    def book(self) -> float:
        """Return from which instant on the next process may start."""
        now = self._clock.now()
        if not self.per_s:
            return now
        each_s = 1 / self.per_s
        at = max(self._next_at, now - max(0.0, 1.0 - each_s))
        self._next_at = at + each_s
        return max(now, at)

    def before(self, at: float) -> int:
        """Return how many starts are due before the one of an instant."""
        return max(0, round((at - self._clock.now()) * self.per_s))
