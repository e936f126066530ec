"""Which engines share a region: each tells the server of itself once a second, and hears of the others by the same call.

Owner: `Members`, of what was heard last. Ages are the server's, so clocks of machines need not agree. An engine that ends takes itself off;
one that was killed is silent, and forgotten after FORGOTTEN_S.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Mapping

import msgspec

from engine.clock import Clock
from engine.model.engine_rows import SILENT, EngineRow
from engine.model.errors import RedisAway, RedisRefused
from engine.redis.functions import Functions
from engine.redis.link import RedisLink
from engine.redis.region_keys import RegionKeys

logger = logging.getLogger(__name__)

TELL_S = 1.0
SILENT_S = 3.0
FORGOTTEN_S = 3_600.0
LEAVE_WITHIN_S = 1.0


class _Facts(msgspec.Struct):
    """What an engine tells of itself; what a newer version tells besides is not read."""

    role: str = ""
    epoch: int = 0
    machine: str = ""
    pid: int = 0
    version: str = ""
    started_at: float = 0.0


class Members:
    """The engines of a region, as one of them knows them."""

    def __init__(self, link: RedisLink, own: Callable[[], EngineRow], seq: Callable[[], int], clock: Clock) -> None:
        """`own` is this engine now, `seq` the newest record that it has."""
        self._link, self._own, self._seq, self._clock = link, own, seq, clock
        self._functions = Functions(link)
        keys = RegionKeys(own().region)
        self._keys = (keys.members, keys.leader)
        self.rows: Mapping[str, EngineRow] = {}
        """By id, this engine's own included."""
        self.changed: Callable[[list[str]], None] = lambda _ids: None
        """Is told whose rows read differently."""

    async def run(self) -> None:
        """Tell and hear until cancelled; then take this engine off."""
        try:
            while True:
                try:
                    self._take(await self._tell())
                except (RedisAway, RedisRefused) as error:
                    logger.debug("engines do not hear of each other", extra={"reason": str(error)})
                await self._clock.sleep(TELL_S)
        finally:
            with contextlib.suppress(RedisAway, RedisRefused, TimeoutError):
                async with asyncio.timeout(LEAVE_WITHIN_S):
                    await self._link.command("HDEL", self._keys[0], self._own().id)

    async def _tell(self) -> dict[str, EngineRow]:
        own = self._own()
        facts = _Facts(own.role, own.epoch, own.machine, own.pid, own.version, own.started_at)
        words = (own.id, self._seq(), msgspec.json.encode(facts), int(1_000 * FORGOTTEN_S))
        found = await self._functions.call("member_tell", self._keys, *words, timeout_s=self._link.section.command_timeout_s)
        return {row.id: row for row in (self._row(told, own) for told in found)}

    def _row(self, told: tuple[str, int, int, str], own: EngineRow) -> EngineRow:
        """Return the row of an engine, from what the server says of it."""
        id_, age_ms, behind, facts = told
        known = msgspec.json.decode(facts, type=_Facts)
        is_silent = age_ms > 1_000 * SILENT_S
        heard_at = (self.rows[id_].heard_at if id_ in self.rows else 0.0) or self._clock.now() - age_ms / 1_000
        role = SILENT if is_silent else known.role
        return EngineRow(
            id_, role, known.epoch, known.machine, known.pid, known.version, own.region, behind, known.started_at, heard_at if is_silent else 0.0, id_ == own.id
        )

    def _take(self, rows: dict[str, EngineRow]) -> None:
        before, self.rows = self.rows, rows
        differ = [id_ for id_ in {**before, **rows} if before.get(id_) != rows.get(id_)]
        if differ:
            self.changed(differ)
