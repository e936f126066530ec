"""One engine of a site keeps the other regions there: a replica of each in the own server, and an engine that stands by for each.

Which one is settled by a lease of its own, whoever leads the own region: a region that was taken over has no leader here, and its replica is kept all the same.

Owner: `Keeper`, of replicas and guests. Limits: a replica and a guest a region.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Protocol, Self

from engine.clock import Clock
from engine.model.errors import (
    FleetError,
    JournalDiverged,
    JournalError,
    JournalTrimmed,
    RedisAway,
    RedisRefused,
)
from engine.regions.homes import Homes
from engine.regions.right import Right
from engine.supervisor import raise_if_cancelled

if TYPE_CHECKING:
    from engine.redis.lease import Lease
    from engine.redis.link import RedisLink
    from engine.redis.region_replica import Replica

logger = logging.getLogger(__name__)

SITE = "regions"
"""What the lease is of, in place of a region."""
AGAIN_S = 0.25
WAIT_S = 0.5
"""For something new in the journal of a region."""
BROKEN_S = 5.0
"""Between two attempts of a guest that broke."""


class Guest(Protocol):
    """An engine of another region at this site."""

    right: Right | None
    """The site's to decide for it."""

    async def __aenter__(self) -> Self:
        """Start it."""
        ...

    async def __aexit__(self, *error: object) -> None:
        """End it."""
        ...

    async def wait_stopped(self) -> None:
        """Wait until an operator stops it."""
        ...


MakeEngine = Callable[..., Guest]
MakeGuest = Callable[[str], Guest]
"""Makes the engine of another region."""


class Keeper:
    """The keeping of other regions by one engine."""

    def __init__(self, engine: str, link: RedisLink, links: Mapping[str, RedisLink], homes: Homes, clock: Clock) -> None:
        """`link` is the one to the own server, `links` are those to all."""
        self._engine, self._link, self._links, self._homes, self._clock = engine, link, links, homes, clock
        self.make_guest: MakeGuest
        self.keeps = False
        """This engine keeps them, not another one of the site."""
        self.replicas: dict[str, Replica] = {}
        self.guests: dict[str, Guest] = {}
        self._settled: dict[str, int] = {}
        """Epoch by which a region comes here, of which all is here that its former home had."""
        homes.is_drained = self._is_drained

    async def run(self) -> None:
        """Keep them whenever no other engine of the site does, until cancelled."""
        from engine.redis.lease import Lease

        lease = Lease(self._link, SITE, self._clock, lease_s=self._link.section.lease_s)
        while True:
            with contextlib.suppress(JournalError):
                if await lease.take(self._engine) is not None:
                    await self._keep(lease)
            await self._clock.sleep(lease.renew_every_s)

    async def _keep(self, lease: Lease) -> None:
        """Keep them until the lease is lost, or this is cancelled."""
        try:
            async with asyncio.TaskGroup() as group:
                parts = [group.create_task(part, name=name) for region in self._homes.votes for name, part in ((f"replica {region}", self._replicate(region)), (f"guest {region}", self._host(region)))]
                self.keeps = True
                await self._renew(lease)
                self.keeps = False
                for part in parts:
                    part.cancel()
        finally:
            self.keeps = False
            self.replicas.clear()
            with contextlib.suppress(JournalError, TimeoutError):
                async with asyncio.timeout(1.0):
                    await lease.release()

    async def _renew(self, lease: Lease) -> None:
        """Renew the lease; return when it is lost."""
        while lease.left_s() > 0:
            await self._clock.sleep(lease.renew_every_s)
            try:
                await lease.renew()
            except JournalError as error:
                if lease.held is None:
                    logger.info("another engine keeps the other regions", extra={"reason": str(error)})
                    return

    # ---- replicas

    async def _replicate(self, region: str) -> None:
        """Copy what a region decides, from where it lives, until cancelled."""
        source, told, failing_since = "", "", 0.0
        while True:
            home = self._homes.recorded(region)
            if not self._homes.is_copied(region):
                self.replicas.pop(region, None)
                await self._clock.sleep(AGAIN_S)
                continue
            if home.server != source or region not in self.replicas:
                source, self.replicas[region] = home.server, self._replica(region, home.server)
            adopted = self._homes.home(region).epoch if self._homes.is_adopting(region) else 0
            try:
                is_whole = await self.replicas[region].step(0.0 if adopted else WAIT_S)
                told, failing_since = "", 0.0
            except (RedisAway, RedisRefused) as error:
                if told != str(error):
                    told = str(error)
                    logger.warning("a region cannot be copied", extra={"region": region, "reason": told})
                failing_since = failing_since or self._clock.now()
                # What does not answer is not waited for for ever; a single answer that is late is no reason to leave records behind.
                is_whole = self._clock.now() - failing_since >= self._homes.down_after_s
                await self._clock.sleep(AGAIN_S)
            if adopted and is_whole:
                self._settled[region] = adopted
                await self._clock.sleep(AGAIN_S)

    def _replica(self, region: str, server: str) -> Replica:
        from engine.redis.region_replica import Replica

        is_original = server == region != self._homes.own
        return Replica(region, self._homes.own, self._links[server], self._link, self._clock, is_original=is_original)

    def _is_drained(self, region: str) -> bool:
        """Tell whether all that a region's former home had is here, or that home does not answer."""
        return self._settled.get(region) == self._homes.home(region).epoch

    def has_replica(self, region: str) -> bool:
        """Tell whether this engine keeps a replica of a region that was whole once."""
        replica = self.replicas.get(region)
        return self.keeps and replica is not None and replica.whole_at > 0

    # ---- guests

    async def _host(self, region: str) -> None:
        """Run an engine for another region as long as this one keeps it: it stands by, and leads when the region lives here."""
        while region != self._homes.own and self._homes.may_keep(self._homes.own, region):
            if not self._homes.home(region).epoch:
                await self._clock.sleep(AGAIN_S)
                continue
            pause_s = BROKEN_S
            try:
                async with self.make_guest(region) as guest:
                    self.guests[region] = guest
                    await guest.wait_stopped()  # somebody stops it; the region may need it
            except* (JournalTrimmed, JournalDiverged) as errors:
                logger.info("the guest of a region begins anew", extra={"region": region, "reason": str(errors.exceptions[0])})
                pause_s = 0.0
            except* FleetError as errors:
                logger.warning("the guest of a region does not run", extra={"region": region, "reason": str(errors.exceptions[0])})
            finally:
                self.guests.pop(region, None)
            raise_if_cancelled()
            await self._clock.sleep(pause_s)
