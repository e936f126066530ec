"""The second cache: large values as they are kept, for five minutes, in Redis, where all engines that use it find them.

It can be asked late, be gone, or be written by others, and never changes an answer:

* A value is kept under the hash of its bytes, and a head, which the database gives, names the hash. What is under a hash is
  never another version, so there is nothing to invalidate and no message whose loss could leave something stale.
* What comes back is hashed again before it is used: whoever writes to Redis cannot put another value in its place.
* Only who passed the ACL with the head in hand gets here. With encryption on the bytes are the envelope, for each engine its own.
* A read waits DEADLINE_S at most, and after LOST_MAX such waits in a row nobody asks for REST_S.

Small values lie beside their heads and come with them in one read of the database, quicker than Redis answers: they are not here.

Owner: `SecondCache`, of its figures and what waits to be written. Limits: values up to VALUE_MAX_BYTES; QUEUE_MAX_BYTES and
QUEUE_MAX orders wait, a value beyond that is not kept. Removals are never left out; while Redis is away each ends at once.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Protocol

from engine.clock import Clock
from engine.memory.values import address_of
from engine.model.errors import FleetError, RedisRefused

logger = logging.getLogger(__name__)

TTL_S = 300
PREFIX = "fleet:memory:value:"
DEADLINE_S = 0.02
LOST_MAX = 3
REST_S = 5.0
VALUE_MAX_BYTES = 1 << 20
"""As kept. Reading a larger one would hold up the loop for longer than its deadline."""
QUEUE_MAX = 1_024
QUEUE_MAX_BYTES = 16 << 20
HASHED_IN_LOOP_MAX = 256 * 1_024
"""Bytes whose hash takes 0.1 ms; what is larger is hashed in a thread."""
WRITE_S = 2.0


class Shared(Protocol):
    """Where values are shared: the link to Redis, or a fake of it."""

    @property
    def is_up(self) -> bool:
        """Answer whether it was there when it was last asked."""
        ...

    async def command(self, *words: str | bytes | float, deadline_s: float | None = None) -> Any:  # noqa: ANN401  # as it answers
        """Run a command. Raises RedisAway, RedisRefused."""
        ...


@dataclass(slots=True)
class SecondFigures:
    """What the second cache has done since the engine began."""

    hits: int = 0
    misses: int = 0
    failed: int = 0
    """Reads that it did not answer in time, or with an error."""
    passed: int = 0
    """Reads that it was not asked for, because it was away or at rest."""
    tampered: int = 0
    """Values that were not what their name says; they were thrown away."""
    kept: int = 0
    """Values written."""
    left_out: int = 0
    """Values that were too many to write at the time, or that could not be written."""

    @property
    def hit_rate(self) -> float | None:
        """Return the share that it answered of the reads it was asked for; None before the first one."""
        asked = self.hits + self.misses + self.failed
        return self.hits / asked if asked else None


class SecondCache:
    """Values by the hash of their bytes."""

    def __init__(self, shared: Shared, clock: Clock) -> None:
        self.figures = SecondFigures()
        self.deadline_s = DEADLINE_S
        self._shared = shared
        self._clock = clock
        self._lost = 0
        self._rests_until = 0.0
        self._orders: deque[tuple[str, bytes | None]] = deque()
        """Addresses with their values; None = to be removed."""
        self._waiting_bytes = 0
        self._has_orders = asyncio.Event()

    @property
    def is_asked(self) -> bool:
        """Answer whether reads go to it now."""
        return self._shared.is_up and self._clock.now() >= self._rests_until

    async def get(self, address: str, size: int) -> bytes | None:
        """Return what is kept under an address, or None; `size` is that of the value. Raises nothing. Safe to cancel."""
        if size > VALUE_MAX_BYTES:
            return None
        if not self.is_asked:
            self.figures.passed += 1
            return None
        try:
            found = await self._shared.command("GET", PREFIX + address, deadline_s=self.deadline_s)
        except FleetError as error:
            self._note_lost(error)
            return None
        self._lost = 0
        if not isinstance(found, bytes):
            self.figures.misses += 1
            return None
        if await _address(found) != address:
            self.figures.tampered += 1
            self.figures.misses += 1
            logger.warning("a value in redis was not what its name says; it was thrown away", extra={"address": address})
            self.forget((address,))
            return None
        self.figures.hits += 1
        return found

    def put(self, address: str, kept: bytes) -> None:
        """Have what is kept in the database written, soon."""
        if len(kept) > VALUE_MAX_BYTES:
            return
        if not self._shared.is_up or len(self._orders) >= QUEUE_MAX or self._waiting_bytes + len(kept) > QUEUE_MAX_BYTES:
            self.figures.left_out += 1
            return
        self._order(address, kept)

    def forget(self, addresses: Iterable[str]) -> None:
        """Have values removed: what was erased, what is wrong. While Redis is away they end by their age."""
        for address in addresses:
            self._order(address, None)

    async def run(self) -> None:
        """Write and remove in the order in which it was asked for, until cancelled."""
        while True:
            await self._has_orders.wait()
            address, kept = self._orders.popleft()
            if not self._orders:
                self._has_orders.clear()
            self._waiting_bytes -= len(kept or b"")
            words = ("UNLINK", PREFIX + address) if kept is None else ("SET", PREFIX + address, kept, "EX", TTL_S)
            try:
                await self._shared.command(*words, deadline_s=WRITE_S)
                self.figures.kept += kept is not None
            except RedisRefused as error:
                self.figures.left_out += kept is not None
                logger.warning("redis does not keep values of memory", extra={"reason": str(error)})
                await self._clock.sleep(REST_S)
            except FleetError:
                self.figures.left_out += kept is not None

    def _order(self, address: str, kept: bytes | None) -> None:
        self._orders.append((address, kept))
        self._waiting_bytes += len(kept or b"")
        self._has_orders.set()

    def _note_lost(self, error: FleetError) -> None:
        self.figures.failed += 1
        self._lost += 1
        if self._lost < LOST_MAX:
            return
        if self._lost == LOST_MAX:
            logger.warning("the second cache rests", extra={"reason": str(error), "rest_s": REST_S})
        self._rests_until = self._clock.now() + REST_S


async def _address(kept: bytes) -> str:
    """Return the address of bytes; of many without holding up the loop."""
    return address_of(kept) if len(kept) <= HASHED_IN_LOOP_MAX else await asyncio.to_thread(address_of, kept)
