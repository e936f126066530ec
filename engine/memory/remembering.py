"""Memory put together: what seals, keeps, finds, summarises and tidies entries.

Owner: `Remembering`, of these parts; they run in the engine's TaskGroup once `start` was called.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from pathlib import Path

from engine.clock import Clock, OrderedIds
from engine.memory.batches import read_peers
from engine.memory.consolidating import Consolidating
from engine.memory.database import Database
from engine.memory.embedding import embedder_of
from engine.memory.entries import Entries
from engine.memory.erasing import Erasing
from engine.memory.exchanging import Connect, Exchanging
from engine.memory.gathering import Keeper
from engine.memory.index import forget_index
from engine.memory.replica import SECRET_VARIABLE, LocalReplica
from engine.memory.sealing import Sealing, open_ring
from engine.memory.searching import INDEX_NAME, Search
from engine.memory.second_cache import SecondCache, Shared
from engine.memory.store import Memory, memory_settings
from engine.memory.tidying import Tidying
from engine.memory.verbs import MemoryVerbs
from engine.model.events import Record
from engine.model.ids import LIFE_PREFIX
from engine.model.memory_events import MemoryConflicted
from engine.model.memory_settings import MemorySection
from engine.supervisor import keep_running


class Remembering:
    """The parts of memory, made for a database and a section of the configuration."""

    def __init__(self, database: Database, section: MemorySection, root: Path, ids: OrderedIds, clock: Clock) -> None:
        """Open the keys, if there are any. Raises EncryptionError, ConfigError."""
        self._section = section
        self._clock = clock
        self._database = database
        self.sealing = _open_sealing(section, root, ids, clock)
        self.memory = Memory(Entries(database), clock, memory_settings(section, ids.new(LIFE_PREFIX)), self.sealing)
        embedder = embedder_of(section.embedder)
        self.memory.dimensions[embedder.name] = embedder.dimensions
        self.search = Search(self.memory, database.path, embedder, _index(section, root))
        replica = LocalReplica(database, self.memory, clock, os.environ.get(SECRET_VARIABLE, "").encode())
        self.exchanging = Exchanging(replica, section.peers, clock, section.sync_interval_s)
        self.consolidating = Consolidating(self.memory, section.episodic_s)
        ring = None if self.sealing is None else self.sealing.ring
        database.ring = None if ring is None else ring.path
        self.erasing = Erasing(self.memory, database, self.search, ring, clock)
        self.verbs = MemoryVerbs(self.memory, self.consolidating, self.erasing.extent)

    def share(self, shared: Shared) -> None:
        """Say where values are shared with other engines, unless the section wants none; called once, before `start`."""
        if self._section.backend != "sqlite":
            self.memory.second = SecondCache(shared, self._clock)

    def connect(self, keeper: Keeper, peering: Connect) -> None:
        """Say who makes changes durable, and how peers are reached; called once, before `start`."""
        self._keeper = keeper
        if self.sealing is not None:
            self.sealing.begin(keeper.state.seq)
        self.memory.connect(keeper)
        self.erasing.connect(keeper)
        self.memory.hooks.append(self._count)
        self.conflicts = self.memory.entries.conflicts()
        self.exchanging.begin(keeper, peering, read_peers(self._database.on_loop))

    def _count(self, records: Sequence[Record]) -> None:
        """Count conflicts again when some came or went."""
        if any(isinstance(record.event, MemoryConflicted) for record in records):
            self.conflicts = self.memory.entries.conflicts()

    def start(self, group: asyncio.TaskGroup) -> list[asyncio.Task[None]]:
        """Start what works in the background; who calls ends it."""
        tidying = Tidying(self.memory, self._keeper, self._clock, self._section.tombstone_s, self.exchanging.known_upto)
        kept: dict[str, Callable[[], Awaitable[None]]] = {
            "memory consolidation": partial(self.consolidating.run, self._clock),
            "memory tidying": tidying.run,
            "memory erasing": self.erasing.run,
            "memory exchange": self.exchanging.run,
        }
        if self.sealing is not None:
            kept["keys"] = self.sealing.run
        if self.memory.second is not None:
            kept["memory second cache"] = self.memory.second.run
        return [
            group.create_task(self.memory.gathering.run(), name="memory"),
            *(group.create_task(keep_running(name, run, self._clock), name=name) for name, run in kept.items()),
        ]

    async def close(self) -> None:
        """Close the index and the keys."""
        await self.search.close()
        if self.sealing is not None:
            self.sealing.ring.close()


def _open_sealing(section: MemorySection, root: Path, ids: OrderedIds, clock: Clock) -> Sealing | None:
    """Return what seals memory; None = it never was encrypted."""
    ring = open_ring(section.encryption, root, ids)
    return None if ring is None else Sealing(ring, clock, seals=section.encryption.enabled)


def _index(section: MemorySection, root: Path) -> Path | None:
    """Return where the index of words is; None = in the process, for what it would keep of sealed values in a file."""
    if not section.encryption.enabled:
        return root / INDEX_NAME
    forget_index(root / INDEX_NAME)
    return None
