"""A new epoch counts once a replica has it, or most of those who decide call its server the master: so no two engines have the same one."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from pathlib import Path

import pytest

from tests.integration.redis_servers import Server, cluster, sentinels
from tests.integration.shared_journals import Side, side

HANGS = {"command_timeout_s": 0.4}
NO_FAIL_OVER_MS = 600_000


def freeze(servers: Iterable[Server]) -> None:
    for server in servers:
        server.freeze()


def resume(servers: Iterable[Server]) -> None:
    for server in servers:
        server.resume()


async def taken(one: Side) -> int:
    async with asyncio.timeout(60):
        while (epoch := await one.lease.take("eng_a")) is None:  # noqa: ASYNC110  # of a server
            await asyncio.sleep(0.02)
    return epoch


async def test_a_master_that_is_alone_among_its_sentinels_gives_no_epoch(tmp_path: Path) -> None:
    async with sentinels(tmp_path, down_after_ms=NO_FAIL_OVER_MS) as group, side(group.section(**HANGS), tmp_path) as one:
        assert await one.lease.take("eng_a") == 1
        await one.lease.release()
        alone = [*group.servers[1:], *group.watchers[1:]]
        freeze(alone)  # as for an engine on the master's side of a cut; one Sentinel is there, too
        assert await one.lease.take("eng_a") is None
        assert "not most of those who decide call that server the master" in one.lease.fault
        assert one.lease.left_s() <= 0
        resume(group.watchers[1:])
        assert await taken(one) == 2, "no replica answers, and most Sentinels say that it is the master"
        assert not one.lease.fault
        resume(group.servers[1:])


async def test_where_each_write_waits_for_a_replica_an_epoch_does_too(tmp_path: Path) -> None:
    async with sentinels(tmp_path, down_after_ms=NO_FAIL_OVER_MS) as group, side(group.section(durability="replicated", **HANGS), tmp_path) as one:
        freeze(group.servers[1:])
        assert await one.lease.take("eng_a") is None
        assert "see to its replicas" in one.lease.fault
        resume(group.servers[1:])
        assert await taken(one) == 1


@pytest.mark.row(10)
async def test_a_node_that_is_alone_in_its_cluster_gives_no_epoch(tmp_path: Path) -> None:
    async with cluster(tmp_path, replicas=1, timeout_ms=10_000) as nodes, side(nodes.section(**HANGS), tmp_path) as one:
        assert await one.lease.take("eng_a") == 1
        await one.lease.release()
        master = await nodes.serving()
        others = [node for node in nodes.servers if node is not master]
        freeze(others)
        assert await one.lease.take("eng_a") is None
        assert one.lease.fault
        resume(others)
        assert await taken(one) == 2
