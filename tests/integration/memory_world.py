"""A memory on a real database with the real coordinator, and a clock that the test sets."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from engine.config import parse_config
from engine.coordinator import Coordinator
from engine.coordinator.tools import Tools
from engine.memory.entries import Entries
from engine.memory.journal import SqliteJournal
from engine.memory.replica import LocalReplica
from engine.memory.store import Memory, memory_settings
from engine.memory.tidying import Tidying
from engine.model.memory import (
    Entry,
    Head,
    MemoryFilter,
    Permissions,
    Principal,
    RetrieveOptions,
    StoreOptions,
)
from engine.simulation.loop import CountedIds

ANN = Principal("agt_ann", pool="coder", swarm="fleet")
BOB = Principal("agt_bob", pool="tester", swarm="fleet")


class SetClock:
    """Shows what the test says; sleeping only lets others go on."""

    def __init__(self) -> None:
        self.at = 1_000.0

    def now(self) -> float:
        return self.at

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(0 if seconds < 1 else 3_600)


class MemoryWorld:
    """One engine's memory, with short calls for tests."""

    def __init__(self, journal: SqliteJournal, coordinator: Coordinator, memory: Memory, clock: SetClock) -> None:
        self.journal = journal
        self.coordinator = coordinator
        self.memory = memory
        self.clock = clock
        self.tidying = Tidying(memory, coordinator, clock, 60.0)
        self.replica = LocalReplica(journal.database, memory, clock)
        self.replica.connect(coordinator)

    async def store(self, key: str, value: object, who: Principal = ANN, **options: Any) -> Head:
        return await self.memory.store(who, key, value, StoreOptions(**options))

    async def entry(self, key: str, who: Principal = ANN, **options: Any) -> Entry:
        return await self.memory.retrieve(who, key, RetrieveOptions(**options))

    async def value(self, key: str, who: Principal = ANN, **options: Any) -> Any:
        return (await self.entry(key, who, **options)).value

    async def keys(self, who: Principal = ANN, **wanted: Any) -> list[str]:
        return [head.id.key for head in (await self.memory.page(who, MemoryFilter(**wanted))).heads]

    async def permit(self, key: str, permissions: Permissions, who: Principal = ANN) -> Head:
        return await self.memory.permit(who, self.memory.find(who, key, RetrieveOptions()), permissions)

    async def tidy(self) -> None:
        """Do what is due, and wait until it is durable."""
        while self.tidying.round():
            await self.coordinator.settled()
        await self.coordinator.settled()

    def rows(self, sql: str, *values: object) -> list[Any]:
        return self.journal.database.on_loop.execute(sql, values).fetchall()


@asynccontextmanager
async def memory_world(path: Path, *, life: str = "life_a", **section: Any) -> AsyncIterator[MemoryWorld]:
    """Open the memory of a database file; leaving it closes the file as an engine does."""
    config = parse_config({"fleet": {"default_pools": False}, "memory": section}, "test")
    journal = await SqliteJournal.open(path, synchronous="normal")
    clock = SetClock()
    memory = Memory(Entries(journal.database), clock, memory_settings(config.memory, life))
    tools = Tools(clock, random.Random(0), CountedIds(), config, memory=memory.shelf)
    coordinator = Coordinator(await journal.load(100), journal, tools)
    memory.connect(coordinator)
    coordinator.add_publisher(memory.publish)
    tasks = [asyncio.create_task(coordinator.run()), asyncio.create_task(memory.gathering.run())]
    try:
        yield MemoryWorld(journal, coordinator, memory, clock)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        await coordinator.flush()
        await journal.close()
