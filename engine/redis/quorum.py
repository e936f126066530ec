"""Whether a server is the master for those who decide that: most of its Sentinels, or most masters of its cluster.

A master that is cut off from them serves on for a while, and its neighbours believe it.

Owner: nobody; functions only.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Sequence
from typing import Any

from redis.asyncio import Redis, RedisCluster
from redis.asyncio.cluster import ClusterNode

from engine.redis.connecting import Client
from engine.redis.failures import ERRORS

Address = tuple[str, int]


async def is_master_by_quorum(client: Client, key: str, *, within_s: float) -> bool:
    """Answer whether most of those who decide call the server of a key the master, asked now; `client` is one of Sentinels or of a cluster.

    Who does not answer within `within_s` has no vote. Safe to cancel.
    """
    if isinstance(client, RedisCluster):
        node, slot = client.get_node_from_key(key), int(client.keyslot(key))
        if node is None:
            return False
        return await _most([_named_by_node(client, one, slot) for one in client.get_primaries()], (node.host, int(node.port)), within_s)
    pool: Any = client.connection_pool
    if pool.master_address is None:
        return False
    host, port = pool.master_address
    return await _most([_named_by_sentinel(one, pool.service_name) for one in pool.sentinel_manager.sentinels], (host, int(port)), within_s)


async def _most(asked: Sequence[Awaitable[Address | None]], address: Address, within_s: float) -> bool:
    named = await asyncio.gather(*(_answer(one, within_s) for one in asked))
    return 2 * named.count(address) > len(named)


async def _answer(asked: Awaitable[Address | None], within_s: float) -> Address | None:
    try:
        async with asyncio.timeout(within_s):
            return await asked
    except ERRORS:
        return None


async def _named_by_node(client: RedisCluster, node: ClusterNode, slot: int) -> Address | None:
    slots: dict[tuple[int, int], dict[str, Any]] = await client.execute_command("CLUSTER SLOTS", target_nodes=node)
    primary = next((one["primary"] for (first, last), one in slots.items() if first <= slot <= last), None)
    return primary and (str(primary[0]), int(primary[1]))


async def _named_by_sentinel(sentinel: Redis, service: str) -> Address | None:
    masters: Any = await sentinel.sentinel_masters()
    state = masters.get(service)
    return (str(state["ip"]), int(state["port"])) if state and not (state["is_sdown"] or state["is_odown"]) else None
