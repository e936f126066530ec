"""The bus for other programs and engines as a protocol: messages kept until every group has acknowledged them.

Messages go to partitions by what they are about, so those about one thing stay in order. They are handed out at least once: each has a
source and a number that grows there, by which a consumer knows what it has had.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import NamedTuple, Protocol

import msgspec

DEAD_MAX = 10_000
"""Dead messages that are kept; the oldest go."""
LEASE_S = 5.0
"""A consumer that asks for nothing for so long has left its group."""


class BusMessage(msgspec.Struct, frozen=True):
    """Something that happened. As a dataclass making one took ten times as long."""

    source: str
    number: int
    """Grows within the source."""
    key: str
    """What it is about: messages of one key are in order."""
    type: str
    at: float
    data: bytes
    """JSON, in UTF-8."""
    group: str = ""
    """The only group that it is for, which gave it up before; empty = for all."""
    again: int = 0
    """Grows with each message that is told again; 0 = it is told for the first time."""


class Delivery(msgspec.Struct, frozen=True):
    """A message that was handed to a consumer."""

    partition: int
    entry: str
    message: BusMessage


class DeadMessage(NamedTuple):
    """A message that a group did not acknowledge, however often it was handed out."""

    id: str
    """Two numbers with a hyphen between; later ones are larger."""
    group: str
    deliveries: int
    message: BusMessage
    consumer: str
    """Who of the group had it last."""
    at: float
    """When it was set aside, in epoch seconds."""


class Replayed(NamedTuple):
    """What came of telling dead messages again."""

    told: Sequence[str]
    """Their ids: they are dead no more."""
    no_group: int
    """That stay dead, since their group is no more."""
    full: int
    """That stay dead, since their partition is full."""


def partition_of(key: str, partitions: int) -> int:
    """Return the partition of a key: the same on every machine."""
    return zlib.crc32(key.encode()) % partitions


class Consumer(Protocol):
    """One member of a group: it reads some of the partitions, and nobody else of the group does meanwhile."""

    async def take(self, *, count: int = 256, wait_s: float = 0.0) -> Sequence[Delivery]:
        """Return up to `count` messages, none after `wait_s`; first, again, what was taken and not acknowledged. Raises RedisAway, RedisRefused."""
        ...

    async def acknowledge(self, deliveries: Sequence[Delivery]) -> None:
        """Say that they are done with. Raises RedisAway, RedisRefused: they come again."""
        ...


class StreamBus(Protocol):
    """Carries messages to groups of consumers."""

    partitions: int

    async def publish(self, messages: Sequence[BusMessage], *, after: int) -> int:
        """Add messages of one source that go on from its number `after`; return the newest number of it that is there.

        Sent again they are there once. A smaller number than was sent: a partition is full, or `after` is not there; go on from what is returned.
        Raises RedisAway: it is not known what is there; RedisRefused.
        """
        ...

    def consumer(self, group: str, name: str, *, lease_s: float = LEASE_S) -> AbstractAsyncContextManager[Consumer]:
        """Join a group under a name of one's own; a group that is new begins with the oldest message that is there."""
        ...

    async def tidy(self) -> int:
        """Remove what every group has acknowledged, set aside what is dead; return how many were removed."""
        ...

    async def dead(self, *, after: str = "", limit: int = 100) -> Sequence[DeadMessage]:
        """Return the oldest dead messages after the one of an id, oldest first."""
        ...

    async def dead_extent(self) -> tuple[int, str]:
        """Return how many messages are dead, and the id of the oldest (empty = there is none)."""
        ...

    async def replay(self, keys: Mapping[str, str]) -> Replayed:
        """Tell dead messages again, by their ids with their keys: to the group that gave each up, behind what is there; they are dead no more.

        Raises RedisAway: it is not known which were; RedisRefused.
        """
        ...

    async def drop(self, ids: Sequence[str]) -> int:
        """Remove dead messages; return how many there were."""
        ...
