"""The bus with groups inside one process, kept in memory: for programs without Redis, and to say what the one with Redis has to do.

Owner: `EmbeddedStreams`, of the messages. Limits: entries_max a partition, DEAD_MAX dead ones.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice

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
from engine.model.redis_config import BusSection

LOOK_S = 0.01


@dataclass(slots=True)
class _Pending:
    deliveries: int
    at: float
    name: str
    """Who has it."""


@dataclass(slots=True)
class _Group:
    """How far a group is; partitions by number."""

    next: dict[int, int]
    pending: dict[int, dict[int, _Pending]]
    owners: dict[int, str] = field(default_factory=dict)
    seen_until: dict[str, float] = field(default_factory=dict)


class EmbeddedStreams:
    """Messages, and how far each group is."""

    def __init__(self, section: BusSection, clock: Clock) -> None:
        self.partitions = section.partitions
        self.dropped = 0
        self.clock, self._section = clock, section
        self._entries: list[dict[int, BusMessage]] = [{} for _ in range(section.partitions)]
        self._newest = [0] * section.partitions
        self._last: dict[str, int] = {}
        self._groups: dict[str, _Group] = {}
        self._dead: dict[str, DeadMessage] = {}
        self._buried = self._again = 0

    async def publish(self, messages: Sequence[BusMessage], *, after: int) -> int:
        """Add messages of one source; return the newest number of it that is there."""
        if not messages:
            return after
        source = messages[0].source
        last = self._last.setdefault(source, after)
        if after > last:
            return last
        for message in messages:
            if message.number > last:
                place = partition_of(message.key, self.partitions)
                if not self._make_room(place):
                    break
                self._newest[place] += 1
                self._entries[place][self._newest[place]] = message
                self._last[source] = last = message.number
        return last

    def _make_room(self, place: int) -> bool:
        entries = self._entries[place]
        if len(entries) < self._section.entries_max:
            return True
        if self._groups and self._section.when_full == "wait":
            return False
        del entries[next(iter(entries))]
        self.dropped += 1
        return True

    @contextlib.asynccontextmanager
    async def consumer(self, group: str, name: str, *, lease_s: float = LEASE_S) -> AsyncIterator[EmbeddedConsumer]:
        """Join a group under a name of one's own."""
        there = range(self.partitions)
        found = self._groups.setdefault(group, _Group({place: next(iter(self._entries[place]), 1) for place in there}, {place: {} for place in there}))
        try:
            yield EmbeddedConsumer(self, group, name, lease_s)
        finally:
            found.seen_until.pop(name, None)

    async def tidy(self) -> int:
        """Remove what every group has acknowledged, set aside what is dead; return how many were removed."""
        gone = 0
        for place, entries in enumerate(self._entries if self._groups else []):
            for name, group in self._groups.items():
                for entry, pending in list(group.pending[place].items()):
                    if pending.deliveries >= self._section.deliveries_max and self.clock.now() - pending.at >= self._section.idle_s:
                        self.bury(name, place, entry)
            low = min(min(group.pending[place], default=group.next[place]) for group in self._groups.values())
            for entry in [entry for entry in entries if entry < low]:
                del entries[entry]
                gone += 1
        return gone

    async def dead(self, *, after: str = "", limit: int = 100) -> Sequence[DeadMessage]:
        """Return the oldest dead messages after the one of an id, oldest first."""
        start = int(after.partition("-")[0]) if after else 0
        return list(islice((dead for dead in self._dead.values() if int(dead.id.partition("-")[0]) > start), limit))

    async def dead_extent(self) -> tuple[int, str]:
        """Return how many messages are dead, and the id of the oldest."""
        return len(self._dead), next(iter(self._dead), "")

    async def replay(self, keys: Mapping[str, str]) -> Replayed:
        """Tell dead messages again, each to the group that gave it up."""
        told: list[str] = []
        no_group = full = 0
        for dead in [self._dead[id_] for id_ in keys if id_ in self._dead]:
            place = partition_of(dead.message.key, self.partitions)
            if dead.group not in self._groups:
                no_group += 1
            elif len(self._entries[place]) >= self._section.entries_max:
                full += 1
            else:
                self._again += 1
                self._newest[place] += 1
                self._entries[place][self._newest[place]] = msgspec.structs.replace(dead.message, group=dead.group, again=self._again)
                del self._dead[dead.id]
                told.append(dead.id)
        return Replayed(told, no_group, full)

    async def drop(self, ids: Sequence[str]) -> int:
        """Remove dead messages; return how many there were."""
        return sum(self._dead.pop(id_, None) is not None for id_ in ids)

    # ---- what consumers use

    def own(self, group: str, name: str, lease_s: float, busy: set[int]) -> list[int]:
        """Return the partitions of a consumer, after it was heard of."""
        found, now = self._groups[group], self.clock.now()
        found.seen_until[name] = now + lease_s
        lives = {one for one, until in found.seen_until.items() if until > now}
        fair = -(-self.partitions // len(lives))
        mine: list[int] = []
        for place in (place for place in range(self.partitions) if found.owners.get(place) == name):
            if place in busy or len(mine) < fair:
                mine.append(place)
            else:
                found.owners[place] = ""
        for place in (place for place in range(self.partitions) if place not in mine and found.owners.get(place) not in lives | {""}):
            if len(mine) < fair:
                found.owners[place] = name
                mine.append(place)
        found.owners = {place: owner for place, owner in found.owners.items() if owner}
        return mine

    def again(self, group: str, name: str, place: int, count: int) -> list[Delivery]:
        """Hand out again what was not acknowledged; what was handed out too often is set aside."""
        found = self._groups[group].pending[place]
        handed = []
        for entry in sorted(found)[:count]:
            if found[entry].deliveries >= self._section.deliveries_max or entry not in self._entries[place]:
                self.bury(group, place, entry)
            else:
                found[entry] = _Pending(found[entry].deliveries + 1, self.clock.now(), name)
                handed.append(Delivery(place, str(entry), self._entries[place][entry]))
        return handed

    def fresh(self, group: str, name: str, place: int, count: int) -> list[Delivery]:
        """Hand out what nobody of the group has had; what is for another group is passed over."""
        found = self._groups[group]
        new = list(islice(((entry, message) for entry, message in self._entries[place].items() if entry >= found.next[place]), count))
        mine = [(entry, message) for entry, message in new if message.group in ("", group)]
        found.next[place] = new[-1][0] + 1 if new else found.next[place]
        found.pending[place] |= {entry: _Pending(1, self.clock.now(), name) for entry, _ in mine}
        return [Delivery(place, str(entry), message) for entry, message in mine]

    def acknowledge(self, group: str, deliveries: Sequence[Delivery]) -> None:
        """Forget that they are pending."""
        for delivery in deliveries:
            self._groups[group].pending[delivery.partition].pop(int(delivery.entry), None)

    def bury(self, group: str, place: int, entry: int) -> None:
        """Set an entry aside."""
        pending = self._groups[group].pending[place].pop(entry)
        if message := self._entries[place].get(entry):
            self._buried += 1
            dead = DeadMessage(f"{self._buried}-0", group, pending.deliveries, message, pending.name, self.clock.now())
            self._dead[dead.id] = dead
            while len(self._dead) > DEAD_MAX:
                del self._dead[next(iter(self._dead))]


class EmbeddedConsumer:
    """One member of a group."""

    def __init__(self, bus: EmbeddedStreams, group: str, name: str, lease_s: float) -> None:
        self._bus, self._group, self._name, self._lease_s = bus, group, name, lease_s
        self._mine: set[int] = set()
        self._left: set[int] = set()
        self._held: set[tuple[int, str]] = set()

    async def take(self, *, count: int = 256, wait_s: float = 0.0) -> Sequence[Delivery]:
        """Return up to `count` messages, none after `wait_s`; first, again, what was taken and not acknowledged."""
        clock = self._bus.clock
        ends_at = clock.now() + wait_s
        while True:
            busy = {place for place, _ in self._held}
            mine = self._bus.own(self._group, self._name, self._lease_s, busy)
            self._left = (self._left | busy | (set(mine) - self._mine)) & set(mine)
            self._mine = set(mine)
            found: list[Delivery] = []
            for place in mine:
                if len(found) >= count:
                    break
                if place in self._left:
                    again = self._bus.again(self._group, self._name, place, count - len(found))
                    self._left -= set() if again else {place}
                    found += again
                if place not in self._left:
                    found += self._bus.fresh(self._group, self._name, place, count - len(found))
            self._held = {(delivery.partition, delivery.entry) for delivery in found}
            if found or clock.now() >= ends_at:
                return found
            await clock.sleep(LOOK_S)

    async def acknowledge(self, deliveries: Sequence[Delivery]) -> None:
        """Say that they are done with."""
        self._bus.acknowledge(self._group, deliveries)
        self._held -= {(delivery.partition, delivery.entry) for delivery in deliveries}
