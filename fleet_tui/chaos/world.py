"""A throwaway fleet: three engines that share it, a server, the load, and who was seen to lead.

Owner: `World`, of its processes; leaving the context ends them and removes nothing but what it made.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

from fleet_tui.chaos.chance import CLOCK, Chance
from fleet_tui.chaos.load import Load
from fleet_tui.chaos.processes import (
    LOOK_S,
    Broken,
    EngineProcess,
    ServerProcess,
    until,
)

ENGINES = 3


class World:
    """What is broken."""

    def __init__(self, server: ServerProcess, engines: Sequence[EngineProcess], chance: Chance) -> None:
        self.server, self.engines, self.chance = server, engines, chance
        self.load = Load(engines, chance)
        self.leaders: dict[int, set[str]] = {}
        """Epoch to who said that it led in it."""
        self._leading: tuple[EngineProcess, int] | None = None

    @property
    def leader(self) -> EngineProcess:
        """Return the engine that was last seen to lead, in the newest epoch."""
        assert self._leading is not None
        return self._leading[0]

    @property
    def standby(self) -> EngineProcess:
        """Return one of the others."""
        return self.chance.pick([engine for engine in self.engines if engine is not self.leader])

    @property
    def epoch(self) -> int:
        """Return the newest epoch that was seen."""
        return max(self.leaders, default=0)

    async def watch(self) -> None:
        """Note who leads, until cancelled."""
        async with asyncio.TaskGroup() as group:
            for engine in self.engines:
                group.create_task(self._watch(engine), name=f"watch {engine.name}")

    async def _watch(self, engine: EngineProcess) -> None:
        while True:
            status = await engine.status()
            if status is not None and status.standing is not None and status.standing.leads:
                epoch = status.standing.epoch
                self.leaders.setdefault(epoch, set()).add(f"{engine.name} as {status.engine}")
                if self._leading is None or epoch > self._leading[1]:
                    self._leading = engine, epoch
            await CLOCK.sleep(LOOK_S)

    async def healthy(self) -> None:
        """Wait until one leads, the others follow it, and tasks are taken. Raises Broken."""
        await until(lambda: self._leading is not None, "no engine leads")
        async with asyncio.TaskGroup() as group:
            for engine in self.engines:
                group.create_task(self._follows(engine), name=f"{engine.name} follows")
        before = len(self.load.accepted)
        wanted = before + 1 + self.chance.below(30)
        await until(lambda: len(self.load.accepted) >= wanted, "no tasks are taken")

    async def _follows(self, engine: EngineProcess) -> None:
        try:
            async with asyncio.timeout(60):
                while True:
                    status = await engine.status()
                    if status is not None and status.standing is not None and not status.standing.fault and (status.standing.leads or status.standing.leader):
                        return
                    await CLOCK.sleep(LOOK_S)
        except TimeoutError:
            raise Broken(f"engine {engine.name} neither leads nor follows") from None


@contextlib.asynccontextmanager
async def running(folder: Path, chance: Chance) -> AsyncIterator[World]:
    """Give a fleet at work; leaving the context ends it. Raises Broken, EngineStartError."""
    server = ServerProcess(folder / "server")
    engines = [EngineProcess(folder / name, server) for name in "abc"[:ENGINES]]
    try:
        await server.start()
        for engine in engines:
            await engine.wire.start()
            await engine.start()
        world = World(server, engines, chance)
        async with asyncio.TaskGroup() as group:
            watching = group.create_task(world.watch(), name="watch")
            try:
                yield world
            finally:
                watching.cancel()
    finally:
        for engine in engines:
            engine.wire.mend()
        async with asyncio.TaskGroup() as group:
            for engine in engines:
                group.create_task(engine.end(), name=f"end {engine.name}")
        for engine in engines:
            engine.wire.close()
        await server.end()
