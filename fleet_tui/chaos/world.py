"""A throwaway fleet: three engines that share it, its servers, the network between them, the load, and who was seen to lead.

Owner: `World`, of its processes; leaving the context ends them and removes nothing but what it made.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from engine.model.agents import Health
from engine.model.standing import Standing
from fleet_tui.chaos.chance import CLOCK, Chance
from fleet_tui.chaos.load import Load
from fleet_tui.chaos.network import Network
from fleet_tui.chaos.processes import (
    HOSTED,
    LOOK_S,
    EngineProcess,
    HostProcess,
    Reached,
    until,
    until_found,
)
from fleet_tui.chaos.servers import (
    KEPT,
    Server,
    Servers,
    Single,
    cluster,
    one_server,
    sentinels,
    wait_until,
)
from fleet_tui.chaos.setups import Setup, Topology

ENGINES = 3
HOSTS = ("one", "two")
SERVER_DOWN_MS = 1_500
"""Silence after which Sentinels, or the nodes of a cluster, replace a master."""


@dataclass(frozen=True, slots=True)
class Exposure:
    """What the fleet may lose by a fault when a replica is not waited for; seconds of the monotonic clock."""

    engine: str
    """Who answered alone."""
    since: float
    until: float
    lag_s: float
    """What anybody answered so shortly before."""

    def covers(self, engine: str, answered_at: float) -> bool:
        """Answer whether a task that an engine answered for then may be lost."""
        return self.since - self.lag_s <= answered_at <= (self.until if engine == self.engine else self.since)


Mend = Callable[[], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Struck:
    """What was done."""

    target: str
    since: float
    """From when on the fleet can recover; seconds of the monotonic clock."""
    mend: Mend
    by: Collection[str] = ()
    """Engines by whose answers it is seen that the fleet has recovered; none = any."""
    over_at: float = 0.0
    """When it had recovered, where something else tells; 0 = when a task was taken that was asked for since."""


class World:
    """What is broken."""

    def __init__(self, servers: Servers, network: Network, engines: Sequence[EngineProcess], chance: Chance, hosts: Sequence[HostProcess] = ()) -> None:
        self.servers, self.network, self.engines, self.chance, self.hosts = servers, network, engines, chance, hosts
        self.seen: Sequence[Reached] = engines
        """Where tasks are submitted, and looked for in the end."""
        self.load = Load(self.seen, chance, ("worker", "hosted") if hosts else ("worker",))
        self.leaders: dict[int, set[str]] = {}
        """Epoch to who said that it led in it."""
        self.exposures: list[Exposure] = []
        self._leading: tuple[Reached, int] | None = None
        self._standing: dict[str, Standing] = {}

    @property
    def leader(self) -> EngineProcess:
        """Return the engine that was last seen to lead, in the newest epoch."""
        assert self._leading is not None
        assert isinstance(self._leading[0], EngineProcess)
        return self._leading[0]

    @property
    def standby(self) -> EngineProcess:
        """Return one of the others."""
        return self.chance.pick([engine for engine in self.engines if engine is not self.leader])

    @property
    def epoch(self) -> int:
        """Return the newest epoch that was seen."""
        return max(self.leaders, default=0)

    def leads(self, engine: Reached) -> bool:
        """Answer whether an engine leads in the newest epoch, as it said last."""
        standing = self._standing.get(engine.name)
        return standing is not None and standing.leads and standing.epoch == self.epoch

    def follows(self, engine: Reached) -> bool:
        """Answer whether an engine leads or follows in the newest epoch, as it said last."""
        standing = self._standing.get(engine.name)
        return standing is not None and not standing.fault and standing.epoch == self.epoch

    def kill_worker(self) -> str:
        """Kill a child process of the engine that leads, if there is one, and return that engine's name."""
        if workers := self.leader.workers():
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.chance.pick(workers), signal.SIGKILL)
        return self.leader.name

    async def mend_network(self) -> None:
        """Connect all again."""
        self.network.mend()

    async def watch(self) -> None:
        """Note who leads, until cancelled."""
        async with asyncio.TaskGroup() as group:
            for engine in self.seen:
                group.create_task(self._watch(engine), name=f"watch {engine.name}")

    async def _watch(self, engine: Reached) -> None:
        while True:
            status = await engine.status()
            if status is None or status.standing is None:
                self._standing.pop(engine.name, None)
            else:
                self._note(engine, status.engine, status.standing)
            await CLOCK.sleep(LOOK_S)

    def _note(self, engine: Reached, id_: str, standing: Standing) -> None:
        self._standing[engine.name] = standing
        if standing.leads:
            self.leaders.setdefault(standing.epoch, set()).add(f"{engine.name} as {id_}")
            if self._leading is None or standing.epoch > self._leading[1]:
                self._leading = engine, standing.epoch

    async def healthy(self) -> None:
        """Wait until the servers are whole, one engine leads, the others follow it, and tasks are taken. Raises Broken."""
        await wait_until(self.servers.is_whole, "the servers are whole again")
        await until(lambda: self._leading is not None, "no engine leads")
        await until(lambda: all(map(self.follows, self.engines)), "not all engines follow the one that leads")
        await until_found(self._has_hosts, "not all hosts have joined")
        await self.working()

    async def _has_hosts(self) -> bool:
        there = {row["pid"] for row in await self.leader.rows("hosts") if row["health"] == Health.HEALTHY} if self.hosts else ()
        return all(host.pid in there for host in self.hosts)

    async def copied_at(self, master: Server) -> float:
        """Return until when all that a master took is at its replicas; seconds of the monotonic clock. Raises Broken."""
        asked_at, taken = CLOCK.now(), await master.replication()
        doors = {taken[key]["port"] for key in taken if key.startswith("slave") and isinstance(taken[key], dict)}
        replicas = [server for server in self.servers.servers if server.door in doors]

        async def is_copied() -> bool:
            return all([(await replica.replication())["slave_repl_offset"] >= taken["master_repl_offset"] for replica in replicas])

        await wait_until(is_copied, f"the replicas of {master.name} have what it took")
        return asked_at

    async def working(self) -> None:
        """Wait until some more tasks are taken. Raises Broken."""
        wanted = len(self.load.accepted) + 1 + self.chance.below(30)
        await until(lambda: len(self.load.accepted) >= wanted, "no tasks are taken")


@contextlib.asynccontextmanager
async def at_work(world: World) -> AsyncIterator[World]:
    """Start the engines and hosts of a world, and note who leads; leaving the context ends them. Raises EngineStartError."""
    programs: list[EngineProcess | HostProcess] = [*world.engines, *world.hosts]
    try:
        for process in programs:
            world.network.add(process)
            await process.start()
        async with asyncio.TaskGroup() as group:
            watching = group.create_task(world.watch(), name="watch")
            try:
                yield world
            finally:
                watching.cancel()
    finally:
        world.network.mend()
        async with asyncio.TaskGroup() as group:
            for process in programs:
                group.create_task(process.end(), name=f"end {process.name}")


@contextlib.asynccontextmanager
async def running(folder: Path, chance: Chance, setup: Setup) -> AsyncIterator[World]:
    """Give a fleet at work; leaving the context ends it. Raises EngineStartError."""
    network = Network()
    try:
        async with _servers(folder, setup, network) as servers:
            section = {**servers.section(), "share": True, "durability": setup.durability}
            hosts = [HostProcess(folder / name, servers.servers[0].url) for name in HOSTS] if setup.has_hosts else []
            engines = [EngineProcess(folder / name, section, HOSTED if hosts else "") for name in "abc"[:ENGINES]]
            async with at_work(World(servers, network, engines, chance, hosts)) as world:
                yield world
    finally:
        await network.close()


@contextlib.asynccontextmanager
async def _servers(folder: Path, setup: Setup, network: Network) -> AsyncIterator[Servers]:
    """Run the servers. Where each answer waits for a replica, there is a second one when a master is lost."""
    if setup.topology is Topology.SENTINEL:
        async with sentinels(folder, *KEPT, replicas=2, down_after_ms=SERVER_DOWN_MS, network=network) as group:
            yield group
    elif setup.topology is Topology.CLUSTER:
        replicas = 2 if setup.durability == "replicated" else 1
        async with cluster(folder, *KEPT, replicas=replicas, timeout_ms=SERVER_DOWN_MS, network=network) as nodes:
            yield nodes
    else:
        async with one_server(folder, *KEPT, network=network) as server:
            yield Single(server)
