"""The Streams between the engine that leads and the hosts that joined: a way that may lose; who sends keeps what it sent until it is known to have arrived.

Owner: nobody; each end reads on from where it is. Limits: REPORTS_KEPT entries from hosts, KEPT_MS after the last word.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from engine.model.journal_entries import Leadership
from engine.redis.functions import Functions
from engine.redis.journal_stream import entries_of
from engine.redis.link import RedisLink
from engine.redis.refusals import raise_unless_ok
from engine.redis.region_keys import HostKeys

REPORTS_KEPT = 10_000
KEPT_MS = 600_000
READ_MAX = 256
BLOCK_SHARE = 0.5
"""Of the longest wait for an answer of the server."""


class Leads(NamedTuple):
    """Who leads, as the server says."""

    epoch: int
    """0 = no engine ever led here."""
    engine: str
    """Empty = the last one left."""


class LeaderEnd:
    """The end of the engine that leads."""

    def __init__(self, link: RedisLink, region: str, by: Leadership) -> None:
        self._link, self._keys, self.by = link, HostKeys(region), by
        self._functions = Functions(link)
        self._last = b"0-0"

    @property
    def is_up(self) -> bool:
        """Answer whether the server was there when it was last asked."""
        return self._link.is_up

    async def send(self, host: str, run: str, message: bytes) -> None:
        """Tell a host something. Raises Fenced, RedisAway, RedisRefused; it may have arrived when the server did not answer."""
        keys = (self._keys.leader, self._keys.work(host, run))
        answer = await self._functions.call("host_send", keys, *self.by, KEPT_MS, message, timeout_s=self._link.section.command_timeout_s)
        raise_unless_ok(answer)

    async def read(self) -> Sequence[bytes]:
        """Return what hosts told this leader since the last call, none after a short wait. Raises RedisAway, RedisRefused."""
        block_ms = max(1, int(1_000 * BLOCK_SHARE * self._link.section.command_timeout_s))
        answer = await self._link.call("XREAD", "COUNT", READ_MAX, "BLOCK", block_ms, "STREAMS", self._keys.reports, self._last)
        found = []
        for entry, fields in entries_of(answer):
            self._last = entry
            if int(fields[b"e"]) == self.by.epoch:
                found.append(fields[b"m"])
        return found

    async def trim(self) -> None:
        """Drop what was read. Raises RedisAway, RedisRefused."""
        await self._link.repeatable("XTRIM", self._keys.reports, "MINID", self._last)


class HostEnd:
    """The end of a host."""

    def __init__(self, link: RedisLink, region: str, host: str, run: str) -> None:
        self._link, self._keys = link, HostKeys(region)
        self._work = self._keys.work(host, run)
        self._functions = Functions(link)
        self._last = b"0-0"

    async def trim(self) -> None:
        """Drop what was read. Raises RedisAway, RedisRefused."""
        await self._link.repeatable("XTRIM", self._work, "MINID", self._last)  # the newest stays

    async def tell(self, epoch: int, message: bytes) -> Leads:
        """Tell who leads something; when that is another epoch than was thought, nothing is told. Raises RedisAway, RedisRefused."""
        words = (epoch, REPORTS_KEPT, KEPT_MS, message)
        answer = await self._functions.call("host_tell", (self._keys.leader, self._keys.reports), *words, timeout_s=self._link.section.command_timeout_s)
        return Leads(answer[1], answer[2])

    async def read(self) -> Sequence[bytes]:
        """Return what this host was told since the last call, none after a short wait. Raises RedisAway, RedisRefused."""
        block_ms = max(1, int(1_000 * BLOCK_SHARE * self._link.section.command_timeout_s))
        found = entries_of(await self._link.call("XREAD", "COUNT", READ_MAX, "BLOCK", block_ms, "STREAMS", self._work, self._last))
        if found:
            self._last = found[-1][0]
        return [fields[b"m"] for _, fields in found]
