"""This engine among the regions: it asks the server of each how fast it is, tells it of its own region, and hears of the others.

Owner: `Federation`, of the links to the other regions' servers; what is known is the `Directory`'s. Limits: one call to a server at a time, a round every
ASK_S; one that does not answer holds up nothing else.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from engine.clock import Clock
from engine.config import FleetManagerConfig
from engine.model.agents import AgentStatus
from engine.model.errors import FleetError, RedisAway, RedisRefused
from engine.model.region_rows import HEALTHY, RegionRow, Told
from engine.model.rows import FleetStatus
from engine.model.tasks import TaskState
from engine.regions.directory import Directory
from engine.supervisor import keep_running

if TYPE_CHECKING:
    from engine.redis.link import RedisLink
    from engine.redis.region_servers import RegionServer

logger = logging.getLogger(__name__)

ASK_S = 1.0


class Federation:
    """What an engine does for the regions to know one another."""

    def __init__(self, config: FleetManagerConfig, link: RedisLink, root: Path, clock: Clock, status: Callable[[], FleetStatus]) -> None:
        """`link` is the one to the own region's server."""
        self._link, self._root, self._clock, self._status = link, root, clock, status
        self._sections = config.regions
        self.own = link.section.region
        self.directory = Directory(self.own, self._sections, clock)
        self.changed: Callable[[list[str]], None] = lambda _names: None
        """Is told whose rows read differently."""
        self._looks: dict[str, object] = {}

    def rows(self) -> dict[str, RegionRow]:
        """Return all regions by name."""
        return self.directory.rows()

    async def run(self) -> None:
        """Ask, tell and hear until cancelled."""
        async with AsyncExitStack() as stack, asyncio.TaskGroup() as group:
            for name in self._sections:
                link = self._link if name == self.own else self._open(name, stack)
                group.create_task(keep_running(f"region {name}", lambda name=name, link=link: self._watch(name, link), self._clock), name=f"region {name}")  # type: ignore[misc]

    def _open(self, name: str, stack: AsyncExitStack) -> RedisLink:
        from engine.redis.link import RedisLink

        link = RedisLink(self._sections[name].server(self._link.section), self._root, self._clock)
        stack.push_async_callback(link.close)
        return link

    async def _watch(self, name: str, link: RedisLink) -> None:
        from engine.redis.region_servers import RegionServer

        server, is_open = RegionServer(link, self._clock), link is self._link
        while True:
            try:
                if not is_open:
                    is_open = True
                    await link.open()
                await self._ask(name, server)
            except (RedisAway, RedisRefused) as error:
                self.directory.unanswered(name, _cause(error))
            except FleetError as error:
                logger.error("a region's server cannot be used", extra={"region": name, "reason": str(error)})  # noqa: TRY400  # expected, no traceback
                self.directory.unanswered(name, _cause(error))
            self._tell_changes()
            await self._clock.sleep(ASK_S)

    async def _ask(self, name: str, server: RegionServer) -> None:
        """Measure a server, and exchange with it what is known. Raises RedisAway, RedisRefused."""
        self.directory.answered(name, await server.round_trip())
        for region, (age_s, told) in (await server.tell(self.own, self._told())).items():
            self.directory.heard(region, age_s, told)

    def _told(self) -> Told | None:
        """Return what this engine says of its region; None while it does not lead it."""
        status = self._status()
        if status.standing is None or not status.standing.leads:
            return None
        waiting = status.tasks.by_state.get(TaskState.PENDING, 0)
        return Told(status.engine, status.seq, waiting, status.agents.by_status.get(AgentStatus.IDLE, 0), self.directory.trips())

    def _tell_changes(self) -> None:
        looks = {name: _look(row) for name, row in self.rows().items()}
        differ = [name for name, look in looks.items() if self._looks.get(name) != look]
        self._looks = dict(looks)
        if differ:
            self.changed(differ)


def _cause(error: FleetError) -> str:
    """Return what is wrong with another region's server, without what one would do about one's own."""
    return str(error).partition("; ")[0]


def _look(row: RegionRow) -> object:
    """Return what of a row is worth to be shown anew: not each second's instants, nor the third digit of a round trip."""
    if row.health == HEALTHY:
        row = row._replace(measured_at=0.0, heard_at=0.0, seq=0)
    trips = [(trip.to, _digits(trip.median_s), _digits(trip.p99_s)) for trip in row.trips]
    return row._replace(rtt_s=None, rtt_p99_s=None, probes=0, trips=()), _digits(row.rtt_s), _digits(row.rtt_p99_s), trips


def _digits(seconds: float | None) -> str:
    return "" if seconds is None else f"{seconds:.2g}"
