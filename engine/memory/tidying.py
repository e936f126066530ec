"""Keeps memory tidy: expired entries become tombstones, old tombstones go, and denials reach the audit.

Owner: nobody; `Tidying` asks and has events kept. Limits: BATCH entries of each sort a round, so that a round is short.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

import msgspec

from engine.clock import Clock
from engine.memory.changing import NULL, ended
from engine.memory.gathering import Keeper
from engine.memory.store import Memory
from engine.model.errors import JournalError, ReadOnly
from engine.model.events import Audited, Event
from engine.model.memory import EntryId, Head
from engine.model.memory_events import MemoryChanged, MemoryPurged
from engine.model.plans import Origin

logger = logging.getLogger(__name__)

INTERVAL_S = 1.0
BATCH = 500
ALL = 1 << 62
"""A record that never comes."""
_ENGINE = Origin("engine", "engine", "", 2)


class Tidying:
    """Does what is due."""

    def __init__(self, memory: Memory, keeper: Keeper, clock: Clock, tombstone_s: float, known_upto: Callable[[], int] = lambda: ALL) -> None:
        """Take what tidies; `known_upto` says up to which record all peers know the changes: later tombstones stay."""
        self._memory = memory
        self._keeper = keeper
        self._clock = clock
        self._tombstone_s = tombstone_s
        self._known_upto = known_upto

    async def run(self) -> None:
        """Do what is due once a second until cancelled; goes on at once while there is more than a round takes."""
        while True:
            is_full = False
            try:
                is_full = self.round()
            except ReadOnly:
                pass  # later: it is all still there
            except JournalError as error:
                logger.warning("memory cannot be tidied", extra={"reason": str(error)})
            await self._clock.sleep(0.01 if is_full else INTERVAL_S)

    def round(self) -> bool:
        """Do what is due; tell whether there may be more. Raises ReadOnly, JournalError."""
        now = self._clock.now()
        expired, old = self._expired(now), self._old(now)
        events: list[Event] = []
        if expired:
            events.append(MemoryChanged(tuple(expired), {}, (msgspec.Raw(NULL),) * len(expired)))
        if old:
            events.append(MemoryPurged(tuple(old)))
        if events:
            self._keeper.keep(events, _ENGINE, waiters=())
        self._memory.tidied.expired += len(expired)
        self._memory.tidied.purged += len(old)
        self._audit(now)
        return BATCH in (len(expired), len(old))

    def _expired(self, now: float) -> list[Head]:
        found = self._memory.entries.expired(now, BATCH)
        if not found:
            return []
        heads = self._memory.shelf.heads([head.id for head in found]).values()
        return [
            ended(head)
            for head in heads
            if not head.is_deleted and not head.is_there(now)  # something newer may be on its way
        ]

    def _old(self, now: float) -> list[EntryId]:
        found = self._memory.entries.tombstones(now - self._tombstone_s, self._known_upto(), BATCH)
        if not found:
            return []
        heads = self._memory.shelf.heads(found)
        return [id_ for id_ in found if id_ in heads and heads[id_].is_deleted and not heads[id_].rivals and heads[id_].updated_at < now - self._tombstone_s]

    def _audit(self, now: float) -> None:
        entries = self._memory.denials.take(now)
        if not entries:
            return
        try:
            self._keeper.keep([Audited(entry) for entry in entries], _ENGINE, waiters=())
        except ReadOnly:
            self._memory.denials.give_back(entries)
