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


def _read(text: str) -> Told:
    """Return what a region told. Raises RedisRefused."""
    try:
        return msgspec.json.decode(text, type=Told)
    except msgspec.MsgspecError as error:
        raise RedisRefused(f"what a region told in {TOLD} cannot be read ({error}); who else writes there?") from error
