"""Hosts join a fleet on a cluster, or behind Sentinels, and go on when its master dies."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from engine import FleetManager
from engine.model.errors import FleetError
from engine.model.pool_commands import ScalePool
from engine.model.task_commands import SubmitTask
from fleet_tui.chaos.servers import SENTINEL_NAME, Servers

from tests.integration.joined_workers import until, worker
from tests.integration.redis_servers import cluster, sentinels
from tests.integration.test_hosts import do, ended, fleet, hosts_of


@dataclass(frozen=True)
class Many:
    """Servers, and the URL that names them."""

    servers: Servers
    url: str


@contextlib.asynccontextmanager
async def servers_of(topology: str, folder: Path) -> AsyncIterator[Many]:
    if topology == "cluster":
        async with cluster(folder, replicas=1) as nodes:
            yield Many(nodes, f"redis+cluster://{','.join(f'127.0.0.1:{one.door}' for one in nodes.servers[:3])}")
    else:
        async with sentinels(folder) as group:
            yield Many(group, f"redis+sentinel://{','.join(f'127.0.0.1:{one.door}' for one in group.watchers)}/{SENTINEL_NAME}")


async def submit(one: FleetManager, count: int) -> list[str]:
    """Submit tasks, as often as the engine cannot take them."""
    ids: list[str] = []
    async with asyncio.timeout(60):
        while len(ids) < count:
            try:
                ids += await do(one, SubmitTask("echo", "light", payload={"n": len(ids)}))
            except FleetError:
                await asyncio.sleep(0.05)
    return ids


@pytest.mark.row(11)
@pytest.mark.parametrize("topology", ["cluster", "sentinel"])
async def test_each_host_that_joins_adds_to_the_fleet_and_all_go_on_when_the_master_dies(tmp_path: Path, topology: str) -> None:
    joining = ("--pools", "light", "--agents", "2")
    async with servers_of(topology, tmp_path / "servers") as many, fleet(many, tmp_path / "engine") as one, worker(one, many, tmp_path, "a", *joining):
        await do(one, ScalePool("light", "4"))
        await until(lambda: hosts_of(one, "light").count("a") == 2)
        async with worker(one, many, tmp_path, "b", *joining):
            await until(lambda: hosts_of(one, "light") == ["a", "a", "b", "b"])
            await until(ended(one, *await submit(one, 20)))
            (await many.servers.serving()).kill()
            await until(ended(one, *await submit(one, 20)))
            await until(lambda: hosts_of(one, "light") == ["a", "a", "b", "b"])
