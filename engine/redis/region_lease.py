"""The lease of a region where regions know one another: to lead takes the lease, and the site's right to decide for the region.

Owner: nobody; the lease is `Lease`'s, the right its holder's.
"""

from __future__ import annotations

from typing import Protocol

from engine.clock import Clock
from engine.model.errors import Fenced
from engine.redis.lease import Lease
from engine.redis.link import RedisLink

LOOK_S = 0.25


class Right(Protocol):
    """The right of a site to decide for a region."""

    region: str
    own: str
    """Whose server the site has."""

    @property
    def fault(self) -> str:
        """Return why the site may not decide; empty = it may."""
        ...

    def left_s(self) -> float:
        """Return for how long it may; 0 or less: it may not."""
        ...


class RegionLease(Lease):
    """The lease of a region that may live elsewhere."""

    def __init__(self, link: RedisLink, right: Right, clock: Clock) -> None:
        super().__init__(link, right.region, clock, lease_s=link.section.lease_s, server=right.own)
        self._right = right

    async def take(self, engine: str, *, above: int = 0) -> int | None:
        """Return the new epoch, or None while somebody has it or this site may not decide for the region. Raises JournalError."""
        return await super().take(engine, above=above) if self._right.left_s() > 0 else None

    async def renew(self) -> None:
        """Have it for as long again. Raises Fenced, also when this site may not decide any more; JournalError."""
        if self._right.left_s() <= 0:
            raise Fenced(self._right.fault or "this site may not decide for the region", self.held.epoch if self.held else 0)
        await super().renew()

    @property
    def renew_every_s(self) -> float:
        """How long its holder waits between two renewals; so soon it stops when the site may not decide any more."""
        return min(LOOK_S, super().renew_every_s)

    def left_s(self) -> float:
        """Return how long this engine may decide; 0 or less: it may not."""
        return min(super().left_s(), self._right.left_s())

    @property
    def fault(self) -> str:
        """Return why this engine may not have it; empty = nothing is in the way."""
        return self._right.fault or super().fault
