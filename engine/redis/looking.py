"""One look at a server, for whoever is no engine."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path

from engine.clock import SystemClock
from engine.model.redis_config import EMBEDDED, RedisSection
from engine.redis.embedded import find_server
from engine.redis.link import RedisLink


def look_once(section: RedisSection, environment: Mapping[str, str]) -> str:
    """Return in words which server answers; of a private one, which program it would be. Raises FleetError."""
    if section.url == EMBEDDED:
        return f"a private server, {find_server(section.server)}; `fleet-tui get status` says how it is"
    return asyncio.run(_look(section.model_copy(update={"lazy_connect": False}), environment))


async def _look(section: RedisSection, environment: Mapping[str, str]) -> str:
    link = RedisLink(section, Path(), SystemClock(), environment)
    try:
        await link.open()
        health = link.health
        assert health.rtt_s is not None, "it answered"
        return f"{health.version} answers at {health.where} in {health.rtt_s * 1e3:.1f} ms"
    finally:
        await link.close()
