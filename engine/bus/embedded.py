"""The bus inside one process: a deque for each subscriber, no copies, one wake-up a batch.

Owner: of subscriptions. Limit: a subscriber's backlog; when it is full the oldest records are dropped and counted.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from engine.bus.contract import BACKLOG_MAX
from engine.model.events import Record


class EmbeddedSubscription:
    """One subscriber's backlog."""

    def __init__(self, types: frozenset[str] | None, backlog: int) -> None:
        self.dropped = 0
        self._types = types
        self._backlog = backlog
        self._waiting: deque[Record] = deque()
        self._news = asyncio.Event()

    def put(self, records: Sequence[Record]) -> None:
        """Add what this subscriber wants; drops the oldest beyond the backlog."""
        waiting = self._waiting
        if self._types is None:
            waiting.extend(records)
        else:
            waiting.extend(record for record in records if record.event.type in self._types)
        while len(waiting) > self._backlog:
            waiting.popleft()
            self.dropped += 1
        if waiting:
            self._news.set()

    async def __aiter__(self) -> AsyncIterator[Sequence[Record]]:
        """Yield everything that has gathered, again and again."""
        while True:
            await self._news.wait()
            self._news.clear()
            batch, self._waiting = self._waiting, deque()
            yield tuple(batch)


class EmbeddedBus:
    """Fan-out to the subscribers of this process."""

    def __init__(self) -> None:
        self._subscriptions: set[EmbeddedSubscription] = set()
        self.published = 0
        self.dropped_by_gone = 0
        """Records that subscribers lost which are gone."""

    def publish(self, records: Sequence[Record]) -> None:
        """Hand a batch to every subscriber; never blocks."""
        self.published += len(records)
        for subscription in self._subscriptions:
            subscription.put(records)

    @property
    def dropped(self) -> int:
        """Return how many records slow subscribers lost so far."""
        return self.dropped_by_gone + sum(subscription.dropped for subscription in self._subscriptions)

    @asynccontextmanager
    async def subscribe(
        self, types: frozenset[str] | None = None, backlog: int = BACKLOG_MAX
    ) -> AsyncIterator[EmbeddedSubscription]:
        """Listen to records of some types (None = all)."""
        subscription = EmbeddedSubscription(types, backlog)
        self._subscriptions.add(subscription)
        try:
            yield subscription
        finally:
            self._subscriptions.discard(subscription)
            self.dropped_by_gone += subscription.dropped
