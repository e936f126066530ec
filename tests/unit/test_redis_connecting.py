"""The client of a server, before it connects."""

from __future__ import annotations

import asyncio

from engine.model.redis_config import RedisSection
from engine.redis.connecting import make_client
from engine.redis.targets import target_of
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as NoConnection


class Watcher:
    """A Sentinel that takes its time."""

    def __init__(self, *, is_there: bool) -> None:
        self.is_there = is_there

    async def sentinel_masters(self) -> dict[str, dict[str, object]]:
        await asyncio.sleep(0)
        if not self.is_there:
            raise NoConnection
        return {"m": {"is_master": True, "is_sdown": False, "is_odown": False, "num-other-sentinels": 2, "ip": "10.0.0.9", "port": 6379}}


async def test_connections_that_ask_at_once_lose_no_sentinel() -> None:
    section = RedisSection.model_validate("redis+sentinel://s1,s2,s3/m")
    client = make_client(target_of(section, {}), section)
    assert isinstance(client, Redis)
    manager = client.connection_pool.sentinel_manager  # type: ignore[attr-defined]  # that of Sentinels has it
    manager.sentinels = known = [Watcher(is_there=False), Watcher(is_there=False), Watcher(is_there=True)]
    before = set(known)
    assert await asyncio.gather(*(manager.discover_master("m") for _ in range(3))) == [("10.0.0.9", 6379)] * 3
    assert set(manager.sentinels) == before
