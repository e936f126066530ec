"""The servers of regions, as one engine asks them: how fast each answers, and what regions told it.

Owner: nobody; the link is the owner's. Every leading engine tells every region's server of its region, so that each hears of all by asking its own.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping

import msgspec

from engine.clock import Clock
from engine.model.errors import RedisRefused
from engine.model.region_rows import Told
from engine.redis.functions import Functions
from engine.redis.link import RedisLink
from engine.redis.region_keys import RegionKeys

logger = logging.getLogger(__name__)

TOLD = "fleet:{regions}:told"
"""The hash of what regions told, in each region's server."""
FORGOTTEN_S = 3_600.0


class RegionServer:
    """The server of a region."""

    def __init__(self, link: RedisLink, clock: Clock) -> None:
        self._link, self._clock = link, clock
        self._functions = Functions(link)

    async def round_trip(self) -> float:
        """Return how many seconds the server took to answer a probe. Raises RedisAway, RedisRefused."""
        return await self._link.round_trip()

    async def tell(self, region: str, told: Told | None) -> Mapping[str, tuple[float, Told]]:
        """Tell the server of a region (None = only ask), and return what all told: how many seconds ago, and what. Raises RedisAway, RedisRefused."""
        words = (region, msgspec.json.encode(told) if told is not None else "", int(1_000 * FORGOTTEN_S))
        found = await self._functions.call("region_tell", (TOLD,), *words, timeout_s=self._link.section.command_timeout_s)
        return {name: (age_ms / 1_000, _read(text)) for name, age_ms, text in found}

    async def newest(self, region: str) -> int:
        """Return the newest record that the server has of a region's journal; 0 = none. Raises RedisAway, RedisRefused."""
        _, tail, _, _ = await self._functions.call("journal_tail", RegionKeys(region).head, timeout_s=self._link.section.command_timeout_s)
        return int(tail)

    async def look(self, region: str) -> tuple[int, str, float]:
        """Return what the server says of where a region lives: epoch, whose server, seconds since its holder said so. Raises RedisAway, RedisRefused."""
        _, epoch, server, quiet_ms = await self._functions.call("home_look", (RegionKeys(region).home,), timeout_s=self._link.section.command_timeout_s)
        return epoch, server, quiet_ms / 1_000

    async def claim(self, region: str, home: tuple[int, str], quiet_s: float) -> tuple[bool, tuple[int, str, float]]:
        """Ask the server to say where a region lives; return whether it does, and what it says. Safe to repeat. Raises RedisAway, RedisRefused."""
        keys = RegionKeys(region)
        words = (*home, int(1_000 * quiet_s))
        word, epoch, server, quiet_ms = await self._functions.call("home_claim", (keys.home, keys.leader, keys.lease), *words, timeout_s=self._link.section.command_timeout_s)
        return word == "ok", (epoch, server, quiet_ms / 1_000)


def _read(text: str) -> Told:
    """Return what a region told. Raises RedisRefused."""
    try:
        return msgspec.json.decode(text, type=Told)
    except msgspec.MsgspecError as error:
        raise RedisRefused(f"what a region told in {TOLD} cannot be read ({error}); who else writes there?") from error
