"""A copy of another region's journal and snapshot in the own region's server, so that the region can live on here when all of its own is gone.

Entries are copied as they are, in batches, and only by who has the newest record right: where the two journals part, the replica begins anew from the snapshot.

Owner: `Replica`, of how far it is. Limits: ENTRIES_MAX entries a batch, one batch at a time.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any

from engine.clock import Clock
from engine.model.errors import RedisAway, RedisRefused
from engine.model.journal_entries import Leadership
from engine.redis.functions import Functions
from engine.redis.journal_stream import entries_of
from engine.redis.link import RedisLink
from engine.redis.region_keys import RegionKeys
from engine.redis.snapshots import UPLOAD_MS

logger = logging.getLogger(__name__)

ENTRIES_MAX = 64
BLOCK_SHARE = 0.5
"""Of the longest wait for an answer of the server."""
SNAPSHOT_LOOK_S = 5.0

_Entry = tuple[int, Mapping[bytes, bytes]]


class Replica:
    """The replica of a region in the server of another one."""

    kept_records = 10_000
    """Newest records that stay behind a snapshot: an engine that follows and was away for a while reads on."""

    def __init__(self, region: str, own: str, source: RedisLink, target: RedisLink, clock: Clock, *, is_original: bool = False) -> None:  # noqa: PLR0913  # two ends
        """`source` is the server that the region lives at, `target` that of the region `own`.

        `is_original`: it is the region's own; where that lost its journal and began another one, what is here is not given up for it.
        """
        self.region, self._own, self._clock = region, own, clock
        self._source, self._target = source, target
        self._keys = RegionKeys(region)
        self._is_original = is_original
        self._there, self._here = Functions(source), Functions(target)
        self._snapshot_looked_at = 0.0
        self.tail = 0
        """The newest record that is here."""
        self.behind = 0
        """Records that were there and not here when it was last looked."""
        self.whole_at = 0.0
        """When it last had all that was there; 0 = never since this engine began."""
        self.restarts = 0
        """How often it began anew."""

    async def step(self, wait_s: float) -> bool:
        """Copy what is new, waiting so long for it; return whether nothing was. Raises RedisAway, RedisRefused, also when the region lives here."""
        self.tail, by = await self._end(self._here, self._target)
        asked_at = self._clock.now()
        found = await self._read(wait_s)
        if found and not _goes_on(found[0], self.tail, by):
            await self._begin_anew(f"record {self.tail} here is not the one before {found[0][0]} there")
            return False
        if found:
            await self._write(found)
        is_all, looked_at = len(found) < ENTRIES_MAX, self._clock.now()
        if not found or not is_all:
            there, last_by = await self._end(self._there, self._source)
            if not found and there < self.tail and last_by != by and self._is_original:
                raise RedisRefused(f"the journal of region {self.region} ends with record {there}, and its replica here with {self.tail}: the replica stays as it is")
            if not found and (there > self.tail or (there and last_by != by)):
                if await self._read(0.0):  # it was written since this began to look: the next step copies it
                    return False
                await self._begin_anew(f"the journal there ends with record {there} by {last_by.engine}, and does not go on from {self.tail} by {by.engine}")
                return False
        self.behind = 0 if is_all else max(0, there - self.tail)
        if is_all:
            self.whole_at = asked_at if found else looked_at  # what was written while it waited, it would have had
        if self._clock.now() - self._snapshot_looked_at >= SNAPSHOT_LOOK_S:
            self._snapshot_looked_at = self._clock.now()
            await self._keep_short()
        return not found

    # ---- entries

    async def _end(self, functions: Functions, link: RedisLink) -> tuple[int, Leadership]:
        _, tail, epoch, engine = await functions.call("journal_tail", self._keys.head, timeout_s=link.section.command_timeout_s)
        return tail, Leadership(epoch, engine)

    async def _read(self, wait_s: float) -> Sequence[_Entry]:
        block_s = min(wait_s, BLOCK_SHARE * self._source.section.command_timeout_s)
        block = ("BLOCK", max(1, int(1_000 * block_s))) if block_s > 0 else ()
        answer = await self._source.call("XREAD", "COUNT", ENTRIES_MAX, *block, "STREAMS", self._keys.journal, f"{self.tail}-0")
        return [(int(id_.partition(b"-")[0]), fields) for id_, fields in entries_of(answer)]

    async def _write(self, found: Sequence[_Entry]) -> None:
        words: list[Any] = []
        for last, fields in found:
            words += (last, 2 * len(fields), *chain.from_iterable(fields.items()))
        answer = await self._here.call("replica_append", (*self._keys.head, self._keys.home), self._own, self.tail, *words, timeout_s=self._target.section.command_timeout_s)
        _expect_ok(answer, self.region)
        self.tail = answer[1]

    # ---- snapshots

    async def _begin_anew(self, why: str) -> None:
        logger.warning("the replica of a region begins anew", extra={"region": self.region, "reason": why, "had": self.tail})
        self.restarts += 1
        await self._take_snapshot(anew=True)

    async def _keep_short(self) -> None:
        """Take over a newer snapshot, and trim what it makes needless."""
        there, here = await self._last(self._source), await self._last(self._target)
        if here < there <= self.tail:
            await self._take_snapshot(anew=False)
            await self._here.call("journal_trim", self._keys.head, self.kept_records, timeout_s=self._target.section.command_timeout_s)

    async def _last(self, link: RedisLink) -> int:
        return int(await link.repeatable("HGET", self._keys.snapshot, "last") or 0)

    async def _take_snapshot(self, *, anew: bool) -> None:
        """Copy the snapshot that is there, if there is one."""
        facts = await self._facts(self._source)
        former = await self._facts(self._target)
        name, count = facts.get(b"name", b"").decode(), int(facts.get(b"chunks", 0))
        for place in range(count):
            key = self._keys.chunk(name, place)
            piece = await self._source.repeatable("GET", key)
            if piece is None:
                raise RedisAway(f"the snapshot of region {self.region} was replaced while it was copied")
            await self._target.repeatable("SET", key, piece, "PX", UPLOAD_MS)
        keys = [self._keys.chunk(name, place) for place in range(count)]
        known = former.get(b"name", b"").decode()
        old = [self._keys.chunk(known, place) for place in range(int(former.get(b"chunks", 0)))] if known != name else []
        words: list[Any] = [self._own, int(anew), count, *chain.from_iterable(facts.items())]
        timeout_s = self._target.section.command_timeout_s
        _expect_ok(await self._here.call("replica_snapshot", (*self._keys.head, self._keys.home, *keys, *old), *words, timeout_s=timeout_s), self.region)

    async def _facts(self, link: RedisLink) -> Mapping[bytes, bytes]:
        found: Any = await link.repeatable("HGETALL", self._keys.snapshot)
        return found if isinstance(found, Mapping) else dict(zip(found[::2], found[1::2], strict=True))


def _goes_on(entry: _Entry, after: int, by: Leadership) -> bool:
    """Tell whether an entry goes on from a record that was written by somebody."""
    _, fields = entry
    epoch, _, engine = fields[b"p"].partition(b" ") if b"p" in fields else (fields[b"e"], b"", fields[b"b"])
    return int(fields[b"f"]) == after + 1 and (not after or Leadership(int(epoch), engine.decode()) == by)


def _expect_ok(answer: Sequence[Any], region: str) -> None:
    """Return for `ok`. Raises RedisRefused when the region lives here, RedisAway for what another attempt may mend."""
    if answer[0] == "home":
        raise RedisRefused(f"region {region} lives here: nothing is copied over it")
    if answer[0] != "ok":
        raise RedisAway(f"the replica of region {region} was changed by another engine")
