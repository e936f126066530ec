"""The link to Redis of an engine; what it needs is imported only where the configuration has the section redis.

Owner: nobody; the link is whose stack closes it.
"""

from __future__ import annotations

from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from engine.clock import Clock
from engine.model.errors import EngineStartError
from engine.model.redis_config import RedisSection

if TYPE_CHECKING:
    from engine.redis.link import RedisLink


async def open_link(section: RedisSection | None, root: Path, clock: Clock, stack: AsyncExitStack) -> RedisLink | None:
    """Return the link to the server, which the stack closes; None without the section. Raises FleetError."""
    if section is None:
        return None
    try:
        from engine.redis.link import RedisLink
    except ImportError as error:
        raise EngineStartError("the section redis needs the client: install `fleet-tui[redis]`, or leave the section out") from error
    link = RedisLink(section, root, clock)
    stack.push_async_callback(link.close)
    await link.open()
    return link
