"""Regions, each with a server of its own and an engine, and wires between them that can be cut and made slow."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from engine import FleetManager
from engine.model.errors import JournalDiverged, JournalTrimmed
from fleet_tui.chaos.proxy import Proxy

from tests.integration.redis_servers import Server, free_ports

SEEDS = ("us-east-1", "us-west-1", "eu-west-1", "ap-southeast-1")
POOLS = {"coder": {"min": 2, "max": 8, "handler": "tests.integration.light_handlers:describe"}}


class Regions:
    """What each region is made of."""

    def __init__(self, folder: Path, names: Sequence[str], more: Mapping[str, Any]) -> None:
        self._folder, self._more = folder, more
        ports = free_ports(len(names))
        self.servers = {name: Server(folder / name / "redis", port) for name, port in zip(names, ports, strict=True)}
        self.wires = {(start, end): Proxy(self.servers[end].port) for start in names for end in names if start != end}
        """From the engines of one region to the server of another."""
        self.engines: dict[str, FleetManager] = {}
        self.group: asyncio.TaskGroup
        self._parts: dict[str, asyncio.Task[None]] = {}

    async def run(self, name: str) -> None:
        """Run the engine of a region until this is cancelled; one that cannot go on from what it has begins anew, as in `fleet-tui engine`."""
        root = self._folder / name
        (root / "state").mkdir(parents=True, exist_ok=True)
        while True:
            try:
                async with FleetManager(self.config(name), directory=root, state_dir=root / "state", socket=root / "s") as fleet:
                    self.engines[name] = fleet
                    await fleet.wait_stopped()
            except* (JournalTrimmed, JournalDiverged):
                pass
            finally:
                self.engines.pop(name, None)

    async def start(self, name: str) -> FleetManager:
        """Start the engine of a region."""
        self._parts[name] = self.group.create_task(self.run(name), name=name)
        await until(lambda: name in self.engines or self._parts[name].done())
        return self.engines[name]

    async def stop(self, name: str) -> None:
        """Stop the engine of a region."""
        part = self._parts.pop(name)
        part.cancel()
        await asyncio.wait([part])

    async def stop_all(self) -> None:
        """Stop all engines."""
        for name in list(self._parts):
            await self.stop(name)

    def guest(self, site: str, region: str) -> FleetManager:
        """Return the engine at one site that another region has there."""
        federation = self.engines[site].federation
        assert federation is not None
        assert federation.keeper is not None
        found = federation.keeper.guests.get(region)
        assert isinstance(found, FleetManager), f"no guest of {region} at {site}"
        return found

    def config(self, name: str) -> dict[str, Any]:
        """Return the configuration of a region's engine."""
        tables = {other: dict(self._more.get("regions", {}).get(other, {})) for other in self.servers}
        for other, table in tables.items():
            if other != name:
                table["url"] = f"redis://127.0.0.1:{self.wires[name, other].port}"
        rest = {key: value for key, value in self._more.items() if key != "regions"}
        redis = {"url": self.servers[name].url, "share": True, "region": name, "mirror": False}
        return {"fleet": {"default_pools": POOLS}, "redis": redis, "regions": tables, **rest}

    def cut(self, name: str, *, whole: bool = False) -> None:
        """Part a region from all others, or join it again."""
        for ends, wire in self.wires.items():
            if name in ends:
                (wire.mend if whole else wire.cut)()


@contextlib.asynccontextmanager
async def regions(folder: Path, names: Sequence[str] = SEEDS, *, witness: str = "", **more: Any) -> AsyncIterator[Regions]:  # noqa: ANN401
    """Run regions with an engine each, but the witness; `more` are other sections of the configuration, the same for all."""
    world = Regions(folder, names, more)
    async with contextlib.AsyncExitStack() as stack:
        for server in world.servers.values():
            await server.start()
            stack.callback(server.kill)
        for wire in world.wires.values():
            await wire.start()
            stack.callback(wire.close)
        async with asyncio.TaskGroup() as world.group:
            try:
                for name in names:
                    if name != witness:
                        await world.start(name)
                yield world
            finally:
                for wire in world.wires.values():
                    wire.mend()
                await world.stop_all()


async def until(condition: Callable[[], object], *, within_s: float = 60.0) -> None:
    """Wait for a condition."""
    async with asyncio.timeout(within_s):
        while not condition():  # noqa: ASYNC110  # of an engine that knows no test
            await asyncio.sleep(0.02)
