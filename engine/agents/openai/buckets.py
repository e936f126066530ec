"""How many requests a provider's key may have under way, and when the next one may begin: pressure back instead of retries.

Owner: a `Bucket`, of one key at one address, shared by all pools that use it. Who is told to wait makes all wait, as long as the
provider said, else 1, 2, 4 … WAIT_MAX_S seconds; half as many are let in after it, and one more with each answer. First come, first
served. Limits: as many wait as there are agents.
"""

from __future__ import annotations

import asyncio
from collections import deque

from engine.clock import Clock

WAIT_MAX_S = 60.0
TOLD_MAX_S = 3_600.0
"""Longest wait that a provider is believed."""


class Bucket:
    """Lets requests in."""

    def __init__(self, clock: Clock, parallel: int) -> None:
        self._clock = clock
        self._most = self._room = parallel
        self._under_way = 0
        self._waiting: deque[object] = deque()
        self._changed = asyncio.Event()
        self._wait_s = 0.0
        self.opens_at = 0.0
        """Instant before which nobody is let in."""

    async def enter(self) -> None:
        """Wait for a place. Safe to cancel."""
        ticket = object()
        self._waiting.append(ticket)
        try:
            while not (self._waiting[0] is ticket and self._under_way < self._room and self._clock.now() >= self.opens_at):
                if self._waiting[0] is ticket and self._under_way < self._room:
                    await self._clock.sleep(self.opens_at - self._clock.now())
                else:
                    await self._changed.wait()
            self._under_way += 1
        finally:
            self._waiting.remove(ticket)
            self._wake()

    def leave(self) -> None:
        """Give the place back."""
        self._under_way -= 1
        self._wake()

    def praise(self) -> None:
        """Note an answer: one more is let in."""
        self._wait_s = 0.0
        self._room = min(self._most, self._room + 1)
        self._wake()

    def refuse(self, told_s: float | None) -> float:
        """Note that the provider has too much; return how long all wait now. `told_s` is what it said, None = nothing."""
        self._wait_s = min(WAIT_MAX_S, max(1.0, 2 * self._wait_s))
        wait_s = self._wait_s if told_s is None else min(TOLD_MAX_S, told_s)
        self._room = max(1, self._room // 2)
        self.opens_at = max(self.opens_at, self._clock.now() + wait_s)
        return wait_s

    def _wake(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()
