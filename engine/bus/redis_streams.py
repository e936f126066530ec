"""The bus with groups on Redis Streams: one a partition, all of a region with one hash tag. Imported only with the section redis.bus.

Owner: nobody; what is kept is the server's. Limits: entries_max a partition, DEAD_MAX dead messages.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

import msgspec

from engine.bus.streams import (
    DEAD_MAX,
    LEASE_S,
    BusMessage,
    DeadMessage,
    Delivery,
    Replayed,
    partition_of,
)
from engine.clock import Clock
from engine.model.errors import RedisAway, RedisRefused
from engine.model.redis_config import BusSection
from engine.redis.functions import Functions
from engine.redis.link import RedisLink
from engine.redis.region_keys import RegionKeys

BLOCK_SHARE = 0.5
"""Of the longest wait for an answer of the server."""
_USUAL = 12
"""Names and values of an entry."""
RENEWALS = 3
"""In the length of a lease."""


class RedisStreams:
    """The bus of a region."""

    def __init__(self, link: RedisLink, region: str, section: BusSection, clock: Clock) -> None:
        self.partitions = section.partitions
        self.dead_count = 0
        """Dead messages that are kept, as of when it was last tidied."""
        self.waiting = 0
        """Entries that were there when it was last tidied."""
        self._link, self._section, self._clock = link, section, clock
        self._functions = Functions(link)
        self._keys = RegionKeys(region)
        self._streams = [self._keys.partition(place) for place in range(section.partitions)]

    async def begin(self, source: str, number: int) -> int:
        """Return the newest number of a source; one that is new begins at `number`. Raises RedisAway, RedisRefused."""
        return int((await self._call("bus_begin", [self._keys.bus], source, number))[1])

    async def publish(self, messages: Sequence[BusMessage], *, after: int) -> int:
        """Add messages of one source; return the newest number of it that is there. Raises RedisAway, RedisRefused."""
        if not messages:
            return after
        words: list[str | int] = []
        for one in messages:
            words += (str(one.number), partition_of(one.key, self.partitions), one.key, one.type, repr(one.at), one.data.decode())
        settings = (messages[0].source, after, self._section.entries_max, self._section.when_full)
        return int((await self._call("bus_publish", [self._keys.bus, *self._streams], *settings, msgspec.msgpack.encode(words)))[1])

    @contextlib.asynccontextmanager
    async def consumer(self, group: str, name: str, *, lease_s: float = LEASE_S) -> AsyncIterator[RedisConsumer]:
        """Join a group under a name of one's own. Raises RedisAway, RedisRefused."""
        for stream in self._streams:
            try:
                await self._link.repeatable("XGROUP", "CREATE", stream, group, "0", "MKSTREAM")
            except RedisRefused as error:
                if "BUSYGROUP" not in str(error):
                    raise
        consumer = RedisConsumer(self, group, name, lease_s, self._clock)
        try:
            yield consumer
        finally:
            with contextlib.suppress(RedisAway, RedisRefused):  # its lease ends by itself
                await self._link.call("HDEL", self._keys.owners(group), f"c:{name}")

    async def tidy(self) -> int:
        """Remove what every group has acknowledged, set aside what is dead; return how many were removed. Raises RedisAway, RedisRefused."""
        gone = waiting = 0
        for stream in self._streams:
            found = await self._call("bus_tidy", [stream, self._keys.dead], self._section.deliveries_max, int(1_000 * self._section.idle_s), DEAD_MAX)
            gone, waiting, self.dead_count = gone + found[1], waiting + found[2], found[3]
        self.waiting = waiting
        return gone

    async def dead(self, *, after: str = "", limit: int = 100) -> Sequence[DeadMessage]:
        """Return the oldest dead messages after the one of an id, oldest first. Raises RedisAway, RedisRefused."""
        found = await self._link.repeatable("XRANGE", self._keys.dead, f"({after}" if after else "-", "+", "COUNT", limit)
        return [_dead(id_.decode(), fields) for id_, fields in found]

    async def dead_extent(self) -> tuple[int, str]:
        """Return how many messages are dead, and the id of the oldest. Raises RedisAway, RedisRefused."""
        count = int(await self._link.repeatable("XLEN", self._keys.dead))
        found = await self._link.repeatable("XRANGE", self._keys.dead, "-", "+", "COUNT", 1) if count else ()
        return (count, found[0][0].decode()) if found else (0, "")

    async def replay(self, keys: Mapping[str, str]) -> Replayed:
        """Tell dead messages again, each to the group that gave it up. Raises RedisAway, RedisRefused."""
        words = [word for id_, key in keys.items() for word in (id_, partition_of(key, self.partitions))]
        _, no_group, full, *told = await self._call("bus_replay", [self._keys.dead, self._keys.bus, *self._streams], self._section.entries_max, *words)
        return Replayed(told, no_group, full)

    async def drop(self, ids: Sequence[str]) -> int:
        """Remove dead messages; return how many there were. Raises RedisAway, RedisRefused."""
        return int(await self._link.call("XDEL", self._keys.dead, *ids)) if ids else 0

    # ---- what consumers use

    async def own(self, group: str, name: str, lease_s: float, busy: Sequence[int]) -> list[int]:
        """Return the partitions of a consumer, after it was heard of."""
        return (await self._call("bus_own", [self._keys.owners(group)], name, int(1_000 * lease_s), self.partitions, *busy))[1:]

    async def again(self, group: str, name: str, place: int, count: int) -> list[Delivery]:
        """Hand out again what was not acknowledged; what was handed out too often is set aside."""
        words = (group, name, count, self._section.deliveries_max, DEAD_MAX)
        while found := await self._call("bus_again", [self._streams[place], self._keys.dead], *words):
            handed = [Delivery(place, entry, _message([word.encode() for word in fields])) for entry, fields in found]
            if mine := await self._meant_for(group, handed):
                return mine
        return []

    async def fresh(self, group: str, name: str, places: Sequence[int], *, count: int, wait_s: float) -> list[Delivery]:
        """Hand out what nobody of the group has had."""
        block_s = min(wait_s, BLOCK_SHARE * self._link.section.command_timeout_s)
        block = ("BLOCK", max(1, math.ceil(1_000 * block_s))) if block_s > 0 else ()
        streams = [self._streams[place] for place in places]
        # Under its two words the client leaves the answer as it came: a mapping for each entry would take longer than all else that is done here.
        answer = await self._link.call("XREADGROUP GROUP", group, name, "COUNT", max(1, count // len(places)), *block, "STREAMS", *streams, *(">" for _ in places))
        found: list[Delivery] = []
        for stream, entries in answer.items() if isinstance(answer, Mapping) else answer or ():
            place = places[streams.index(stream.decode())]
            found += [Delivery(place, entry.decode(), _message(fields)) for entry, fields in entries]
        return await self._meant_for(group, found)

    async def _meant_for(self, group: str, handed: list[Delivery]) -> list[Delivery]:
        """Leave out what is told again to another group: this one has dealt with it."""
        others = [delivery for delivery in handed if delivery.message.group not in ("", group)]
        if not others:
            return handed
        await self.acknowledge(group, _by_partition(others))
        return [delivery for delivery in handed if delivery.message.group in ("", group)]

    async def acknowledge(self, group: str, entries: Mapping[int, Sequence[str]]) -> None:
        """Forget that entries of some partitions are pending."""
        if entries:
            await self._call("bus_ack", [self._streams[place] for place in entries], group, *(",".join(ids) for ids in entries.values()))

    async def _call(self, name: str, keys: Sequence[str], *words: str | bytes | float) -> list[Any]:
        return await self._functions.call(name, keys, *words, timeout_s=self._link.section.command_timeout_s)


class RedisConsumer:
    """One member of a group."""

    def __init__(self, bus: RedisStreams, group: str, name: str, lease_s: float, clock: Clock) -> None:
        self._bus, self._group, self._name, self._lease_s, self._clock = bus, group, name, lease_s, clock
        self._mine: list[int] = []
        self._owned_at = -math.inf
        self._left: set[int] = set()
        """Partitions of which something may have been taken and not acknowledged, by whomever."""
        self._held: dict[int, list[str]] = {}
        """What was taken last and is not acknowledged, by partition."""

    async def take(self, *, count: int = 256, wait_s: float = 0.0) -> Sequence[Delivery]:
        """Return up to `count` messages, none after `wait_s`; first, again, what was taken and not acknowledged. Raises RedisAway, RedisRefused."""
        ends_at = self._clock.now() + wait_s
        while True:
            await self._share()
            found = await self._again(count)
            places = [place for place in self._mine if place not in self._left]
            left_s = ends_at - self._clock.now()
            if not found and places:
                found = await self._bus.fresh(self._group, self._name, places, count=count, wait_s=min(left_s, self._lease_s / RENEWALS))
            self._held = _by_partition(found)
            if found or left_s <= 0:
                return found
            if not places:
                await self._clock.sleep(min(left_s, self._lease_s / RENEWALS))

    async def acknowledge(self, deliveries: Sequence[Delivery]) -> None:
        """Say that they are done with. Raises RedisAway, RedisRefused: they come again."""
        entries = _by_partition(deliveries)
        await self._bus.acknowledge(self._group, entries)
        for place, ids in entries.items():
            done = set(ids)
            if left := [id_ for id_ in self._held.get(place, ()) if id_ not in done]:
                self._held[place] = left
            else:
                self._held.pop(place, None)

    async def _share(self) -> None:
        """Say that it is there, and learn which partitions are its own."""
        busy = self._held.keys()
        self._left |= busy
        began = self._clock.now()
        if began - self._owned_at < self._lease_s / RENEWALS:
            return
        mine = await self._bus.own(self._group, self._name, self._lease_s, sorted(busy))
        kept = set(self._mine) if began - self._owned_at < self._lease_s else set()
        self._left = (self._left | (set(mine) - kept)) & set(mine)
        self._mine, self._owned_at = mine, began

    async def _again(self, count: int) -> list[Delivery]:
        found: list[Delivery] = []
        for place in sorted(self._left):
            again = await self._bus.again(self._group, self._name, place, count - len(found))
            if not again:
                self._left.discard(place)
            found += again
            if len(found) >= count:
                break
        return found


def _by_partition(deliveries: Sequence[Delivery]) -> dict[int, list[str]]:
    entries: dict[int, list[str]] = {}
    for delivery in deliveries:
        entries.setdefault(delivery.partition, []).append(delivery.entry)
    return entries


def _message(flat: Sequence[bytes]) -> BusMessage:
    """Return an entry's message; its fields come as names and values by turns."""
    if len(flat) == _USUAL and flat[0] == b"source":  # as bus_publish writes them
        return BusMessage(flat[1].decode(), int(flat[3]), flat[5].decode(), flat[7].decode(), float(flat[9]), flat[11])
    return _message_of(dict(zip(flat[::2], flat[1::2], strict=True)))


def _message_of(fields: Mapping[bytes, bytes]) -> BusMessage:
    return BusMessage(
        fields[b"source"].decode(), int(fields[b"number"]), fields[b"key"].decode(), fields[b"type"].decode(), float(fields[b"at"]), fields[b"data"],
        fields.get(b"for", b"").decode(), int(fields.get(b"again", 0)),
    )  # fmt: skip


def _dead(id_: str, fields: Mapping[bytes, bytes]) -> DeadMessage:
    at = int(id_.partition("-")[0]) / 1_000
    return DeadMessage(id_, fields[b"group"].decode(), int(fields[b"deliveries"]), _message_of(fields), fields[b"consumer"].decode(), at)
