"""The event bus as a protocol: batches of records to any number of subscribers, each with its own bounded backlog."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from engine.model.events import Record

BACKLOG_MAX = 100_000
"""Records a subscriber may lag behind; beyond it the oldest are dropped and counted."""


class Subscription(Protocol):
    """One subscriber's records, in order; iterating gives everything that has gathered as one batch."""

    dropped: int
    """Records left out because this subscriber was too slow."""

    def __aiter__(self) -> AsyncIterator[Sequence[Record]]:
        """Iterate over batches until the subscription ends."""
        ...


class EventBus(Protocol):
    """Carries records from the coordinator to those who listen."""

    def publish(self, records: Sequence[Record]) -> None:
        """Hand a batch to every subscriber; never blocks."""
        ...

    def subscribe(
        self, types: frozenset[str] | None = None, backlog: int = BACKLOG_MAX
    ) -> AbstractAsyncContextManager[Subscription]:
        """Listen to records of some types (None = all); leaving the context ends it."""
        ...
