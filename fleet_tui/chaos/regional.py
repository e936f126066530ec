"""A throwaway fleet in regions: one that is broken, one that takes it over, and a server that only votes.

Owner: `RegionWorld`, of its processes.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

from engine.model.errors import FleetError
from engine.model.region_commands import FailBack
from engine.model.region_rows import HEALTHY
from fleet_tui.chaos.chance import CLOCK, Chance
from fleet_tui.chaos.load import Load
from fleet_tui.chaos.network import Network
from fleet_tui.chaos.processes import EngineProcess, Guest, until, until_found
from fleet_tui.chaos.servers import KEPT, Server, free_ports, wait_until, wired
from fleet_tui.chaos.servers import running as servers_running
from fleet_tui.chaos.setups import Setup
from fleet_tui.chaos.world import Exposure, Struck, World, at_work

HOME, PEER, VOTE = "home", "peer", "vote"
BACK_AGAIN_S = 0.5


class Separate:
    """A server for each region."""

    def __init__(self, servers: Sequence[Server]) -> None:
        self.servers = servers

    def section(self) -> dict[str, object]:
        """Return what the section `redis` says of the region that is broken."""
        return {"url": self.servers[0].url}

    async def serving(self) -> Server:
        """Return the server of the region that is broken."""
        return self.servers[0]

    async def is_whole(self) -> bool:
        """Answer whether all run."""
        return not any(server.has_ended for server in self.servers)


class RegionWorld(World):
    """Regions, of which one is broken."""

    def __init__(self, servers: Separate, network: Network, engines: Sequence[EngineProcess], chance: Chance) -> None:
        super().__init__(servers, network, engines, chance)
        self.home, self.peer = engines
        self.guest = Guest(self.peer, HOME)
        self.seen = (self.home, self.guest)
        self.load = Load(self.seen, chance)

    async def row(self) -> dict[str, Any]:
        """Return what the peer knows of the region; empty while it does not answer."""
        return next(iter(await self.peer.rows("regions", f"id={HOME}")), {})

    async def healthy(self) -> None:
        """Wait until the region lives at home, its peer has all of it and could take it over, and tasks are taken. Raises Broken."""
        await wait_until(self.servers.is_whole, "the servers are whole again")
        await until(lambda: self.leads(self.home), "the region is not led from home")
        await until_found(self._is_kept, "the region is not kept by its peer")
        await self.working()

    async def _is_kept(self) -> bool:
        row, status = await self.row(), await self.guest.status()
        return row.get("health") == HEALTHY and row["home"] == HOME and row["lag_s"] is not None and status is not None and status.standing is not None

    async def kept_at(self) -> float:
        """Return until when all that the region answered is at its peer, as the peer says; seconds of the monotonic clock."""
        found: list[float] = []

        async def says() -> bool:
            asked_at, row = CLOCK.now(), await self.row()
            found.extend([asked_at - row["lag_s"]] if row.get("lag_s") is not None else [])
            return bool(found)

        await until_found(says, "the peer does not say what it has of the region")
        return found[0]

    async def hand_back(self) -> None:
        """Have the region live at home again, once it has all there. Raises Broken."""

        async def is_back() -> bool:
            row = await self.row()
            if row.get("health") == HEALTHY and row["home"] == PEER:
                with contextlib.suppress(FleetError, TimeoutError):
                    async with self.peer.operator() as operator:
                        await operator.execute([FailBack(HOME)], confirm=HOME)
                await CLOCK.sleep(BACK_AGAIN_S)
            return row.get("home") == HOME

        await until(lambda: self.leads(self.guest), "the region is not led by its peer")
        await until_found(is_back, "the region cannot be handed back")


async def kill_region(world: World) -> Struck:
    """`kill -9` of a region's server and engine: its peer takes it over; then both start again, and it is handed back."""
    assert isinstance(world, RegionWorld)
    server, kept_at = await world.servers.serving(), await world.kept_at()
    server.kill()
    world.home.kill()
    since = CLOCK.now()

    async def mend() -> None:
        world.exposures.append(Exposure(world.home.name, kept_at, CLOCK.now(), lag_s=0.0))
        await server.start()
        await world.home.start()
        await world.hand_back()

    return Struck(HOME, since, mend, [world.guest.name])


async def part_region(world: World) -> Struck:
    """A region is cut off from all others: it stops, its peer takes it over; then it is joined again, and handed back."""
    assert isinstance(world, RegionWorld)
    server, kept_at, since = await world.servers.serving(), await world.kept_at(), CLOCK.now()
    world.network.cut_off([server.name, world.home.name])

    async def mend() -> None:
        world.exposures.append(Exposure(world.home.name, kept_at, CLOCK.now(), lag_s=0.0))
        world.network.mend()
        await world.hand_back()

    return Struck(HOME, since, mend, [world.guest.name])


REGION_FAULTS: dict[str, Callable[[World], Awaitable[Struck]]] = {"region-killed": kill_region, "region-parted": part_region}


@contextlib.asynccontextmanager
async def regions_running(folder: Path, chance: Chance, setup: Setup) -> AsyncIterator[World]:
    """Give regions at work; leaving the context ends them. Raises EngineStartError."""
    network = Network()
    try:
        servers = [Server(folder / name, port, *KEPT) for name, port in zip((HOME, PEER, VOTE), free_ports(3), strict=True)]
        await wired(network, servers)
        async with servers_running(servers):
            engines = [_engine(folder, region, servers, setup) for region in (HOME, PEER)]
            async with at_work(RegionWorld(Separate(servers), network, engines, chance)) as world:
                yield world
    finally:
        await network.close()


def _engine(folder: Path, region: str, servers: Sequence[Server], setup: Setup) -> EngineProcess:
    """Return the engine of a region, which knows all."""
    tables = [f"[regions.{server.name}]" + f'\nurl = "{server.url}"' * (server.name != region) for server in servers]
    own = next(server for server in servers if server.name == region)
    section = {"url": own.url, "share": True, "region": region, "durability": setup.durability}
    return EngineProcess(folder / f"of-{region}", section, "\n" + "\n".join(tables) + "\n")
