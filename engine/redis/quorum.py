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
    """Answer whether most of those who decide call the server of a key the master, asked now. A server without such has nobody to ask: False.

    Who does not answer within `within_s` has no vote. Safe to cancel.
    """
    if isinstance(client, RedisCluster):
        node = client.get_node_from_key(key)
        slot = int(client.keyslot(key))
        asked = [_named_by_node(client, one, slot) for one in client.get_primaries()]
        return node is not None and await _most(asked, (node.host, int(node.port)), within_s)
    pool: Any = client.connection_pool
    sentinels: Sequence[Redis] = getattr(getattr(pool, "sentinel_manager", None), "sentinels", ())
    address = getattr(pool, "master_address", None)
    return address is not None and await _most([_named_by_sentinel(one, pool.service_name) for one in sentinels], (address[0], int(address[1])), within_s)


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
