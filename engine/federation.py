"""This engine among the regions: it measures the server of each, tells it of its own region, hears of the others, and says where each region lives.

Owner: `Federation`, of the links to the other regions' servers. What is known of regions is the `Directory`'s, where they live the `Homes`'. Limits: at each server
one round of questions at a time; one that does not answer holds up nothing else.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from engine.clock import Clock
from engine.config import FleetManagerConfig
from engine.keeping import Guest, Keeper, MakeEngine
from engine.model.agents import AgentStatus
from engine.model.errors import (
    CommandRefused,
    EngineUnavailable,
    FleetError,
    RedisAway,
    RedisRefused,
    UsageError,
    errors_in,
)
from engine.model.region_config import may_keep, needs_quorum
from engine.model.region_rows import HEALTHY, RegionRow, Told, trips_of
from engine.model.rows import FleetStatus
from engine.model.task_commands import SubmitTask
from engine.model.tasks import TaskState
from engine.regions.balancer import choose
from engine.regions.directory import Directory
from engine.regions.homes import Home, Homes
from engine.supervisor import keep_running

if TYPE_CHECKING:
    from engine.redis.link import RedisLink
    from engine.redis.region_servers import RegionServer

logger = logging.getLogger(__name__)

ASK_S = 1.0
ROUNDS = 10
"""In the time after which a region that says nothing may be taken over: so often its home is said."""
FORWARD_WITHIN_S = 20.0
SOCKET_BYTES_MAX = 100
"""Of a path; systems take 104 to 108."""
MOVES_WITHIN_S = 25.0
"""Shorter than an engine that stands by waits for the answer of the one that leads."""


class Federation:
    """What an engine does for the regions to know one another."""

    def __init__(self, config: FleetManagerConfig, link: RedisLink, root: Path, clock: Clock, engine: str) -> None:
        """`link` is the one to the own region's server."""
        self._link, self._root, self._clock = link, root, clock
        self._sections, self._section = config.regions, config.federation
        self.own = link.section.region
        self.directory = Directory(self.own, self._sections, clock)
        votes = {name: section.votes for name, section in self._sections.items()}
        self.homes = Homes(self.own, votes, quorum=needs_quorum(self._section, self._sections), down_after_s=self._section.down_after_s, clock=clock)
        self.homes.may_keep = partial(may_keep, self._sections)
        self._links: dict[str, RedisLink] = {}
        self._servers: dict[str, RegionServer] = {}
        self.keeper = Keeper(engine, link, self._links, self.homes, clock) if self._section.replicas else None
        self._config = config
        self.status: Callable[[], FleetStatus]
        self.changed: Callable[[list[str]], None] = lambda _names: None
        """Is told whose rows read differently."""
        self._looks: dict[str, object] = {}

    def connect(self, status: Callable[[], FleetStatus], changed: Callable[[list[str]], None], make: MakeEngine, socket: Path | None) -> None:
        """Say how the fleet is, who is told of rows that changed, what makes engines, and where this one is spoken to; called once, before run()."""
        self.status, self.changed = status, changed
        if self.keeper is not None:
            self.keeper.make_guest = partial(self._guest, make, socket)

    def _guest(self, make: MakeEngine, socket: Path | None, region: str) -> Guest:
        """Return an engine for another region, which lives on at this one's server or may do so one day."""
        folder = self._root / "regions" / region
        folder.mkdir(parents=True, exist_ok=True)
        guest = make(self._config.for_guest(region), state_dir=folder, socket=socket and _beside(socket, region))
        guest.right = self.homes.right(region)
        return guest

    def rows(self) -> dict[str, RegionRow]:
        """Return all regions by name."""
        return {name: self._with_home(row) for name, row in self.directory.rows().items()}

    async def run(self) -> None:
        """Ask, tell and hear until cancelled."""
        async with AsyncExitStack() as stack, asyncio.TaskGroup() as group:
            for name in self._sections:
                self._links[name] = self._link if name == self.own else self._open(name, stack)
                self._servers[name] = self._server(self._links[name])
            for name in self._sections:
                group.create_task(self._attend(name), name=f"region {name}")
            if self.keeper is not None:
                group.create_task(keep_running("fail-over", self._look_after, self._clock), name="fail-over")
                group.create_task(keep_running("keeper", self.keeper.run, self._clock), name="keeper")

    def _open(self, name: str, stack: AsyncExitStack) -> RedisLink:
        from engine.redis.link import RedisLink

        link = RedisLink(self._sections[name].server(self._link.section), self._root, self._clock)
        stack.push_async_callback(link.close)
        return link

    def _server(self, link: RedisLink) -> RegionServer:
        from engine.redis.region_servers import RegionServer

        return RegionServer(link, self._clock)

    async def _attend(self, name: str) -> None:
        """Ask a server all that it is asked, once it was connected to or could not be."""
        with contextlib.suppress(RedisAway, RedisRefused):
            await self._connect(name)
        async with asyncio.TaskGroup() as group:
            group.create_task(keep_running(f"region {name}", lambda: self._watch(name), self._clock), name=f"watch {name}")
            group.create_task(keep_running(f"homes at {name}", lambda: self._say_homes(name), self._clock), name=f"homes at {name}")

    # ---- how far each is, and how

    async def _watch(self, name: str) -> None:
        while True:
            try:
                await self._ask(name)
            except (RedisAway, RedisRefused) as error:
                self.directory.unanswered(name, _cause(error))
            self._tell_changes()
            await self._clock.sleep(ASK_S)

    async def _ask(self, name: str) -> None:
        """Measure a server, and exchange with it what is known. Raises RedisAway, RedisRefused."""
        await self._connect(name)
        server = self._servers[name]
        self.directory.answered(name, await server.round_trip())
        for region, (age_s, told) in (await server.tell(self.own, self._told())).items():
            self.directory.heard(region, age_s, told)

    async def _connect(self, name: str) -> None:
        """Open the link to another region's server. Raises RedisAway, RedisRefused."""
        link = self._links[name]
        if link is not self._link and not link.is_open:
            await link.open()

    def _told(self) -> Told | None:
        """Return what this engine says of its region; None while it is not the one to do so."""
        status = self.status()
        is_away = self.homes.home(self.own).server not in ("", self.own)
        if not (status.standing and status.standing.leads) and not (is_away and self.keeper and self.keeper.keeps):
            return None
        waiting = status.tasks.by_state.get(TaskState.PENDING, 0)
        return Told(status.engine, status.seq, waiting, status.agents.by_status.get(AgentStatus.IDLE, 0), self.directory.trips())

    # ---- where each lives

    async def _say_homes(self, server: str) -> None:
        """Say at a server which regions live here, and ask it where the others do, until cancelled."""
        while True:
            async with asyncio.TaskGroup() as group:
                for region in self._sections:
                    group.create_task(self._say_home(server, region), name=f"home of {region} at {server}")
            self.homes.tried(server)
            await self._clock.sleep(self._section.down_after_s / ROUNDS)

    async def _say_home(self, server: str, region: str) -> None:
        keeps = self.keeper is not None and self.keeper.keeps
        claim = self.homes.claim(server, region, keeps=keeps)
        try:
            if claim is None:
                epoch, there, quiet_s = await self._servers[server].look(region)
                self.homes.said(server, region, Home(epoch, there), quiet_s)
            else:
                await self._claim(server, region, claim.home, claim.quiet_s)
        except (RedisAway, RedisRefused) as error:
            logger.debug("a server does not say where a region lives", extra={"server": server, "region": region, "reason": str(error)})

    async def _claim(self, server: str, region: str, home: Home, quiet_s: float) -> bool:
        """Ask a server to say where a region lives; return whether it does. Raises RedisAway, RedisRefused."""
        asked_at = self._clock.now()
        is_said, (epoch, there, quiet_there_s) = await self._servers[server].claim(region, home, quiet_s)
        if is_said:
            self.homes.granted(server, region, home, asked_at)
        else:
            self.homes.said(server, region, Home(epoch, there), quiet_there_s)
        return is_said

    def _with_home(self, row: RegionRow) -> RegionRow:
        home = self.homes.home(row.id)
        replica = self.keeper.replicas.get(row.id) if self.keeper else None
        is_kept = replica is not None and bool(replica.whole_at)
        if replica is None or not is_kept or home.server == self.own:
            return row._replace(home=home.server, epoch=home.epoch)
        return row._replace(home=home.server, epoch=home.epoch, lag=replica.behind, lag_s=max(0.0, self._clock.now() - replica.whole_at))

    # ---- moving

    async def _look_after(self) -> None:
        """Take over regions that are down, until cancelled."""
        while self._section.fail_over == "automatic" and self.homes.quorum:
            await self._clock.sleep(self._section.down_after_s / ROUNDS)
            for region in self._sections:
                if self.keeper is not None and self.keeper.has_replica(region) and self.homes.is_left(region):
                    home = self.homes.home(region)
                    new = Home(home.epoch + 1, self.own)
                    logger.warning("a region is down; this one takes it over", extra={"region": region, "epoch": new.epoch})
                    # Where only its engines are gone, what its server still has is fetched before this one decides.
                    if not (self.directory.answers(home.server) and await self._try(home.server, region, new)):
                        await self._claim_everywhere(region, new)

    def check_move(self, region: str, to: str) -> Home:
        """Return where a region lives that could move to another one's server. Raises CommandRefused."""
        home, row = self.homes.home(region), self.rows()[region]
        if region == self.own:
            raise CommandRefused(f"{region} is this engine's own region: ask an engine of another region, which it moves to or from")
        if home.server == to:
            raise CommandRefused(f"region {region} lives at {to} already, in its epoch {home.epoch}")
        if to == self.own and not may_keep(self._sections, to, region):
            raise CommandRefused(f"residency: what region {region} has may not be kept in {to}, which lacks tags of it; there is no replica of it here")
        if not home.epoch:
            raise CommandRefused(f"nobody has said yet where region {region} lives")
        if to == self.own and self.keeper is None:
            raise CommandRefused("this engine keeps no replicas: federation.replicas is false")
        if to == region and (home.server != self.own or row.health != HEALTHY):
            told = row.reason if home.server == self.own else f"it lives at {home.server}: ask an engine there"
            raise CommandRefused(f"region {region} cannot be handed back: {told}")
        return home

    async def move(self, region: str, to: str) -> str:
        """Have a region live at the server of another one from now on, in a new epoch; return what came of it. Raises CommandRefused."""
        home = self.check_move(region, to)
        if to == self.own and not await self._servers[self.own].newest(region):
            raise CommandRefused(f"there is no replica of region {region} here yet")
        if to != self.own:
            await self._tell_former(region, home, to)
        new = Home(home.epoch + 1, to)
        is_said = await self._hand_over(region, home, new)
        why = f"region {region} is to live at {to}, and does not after {MOVES_WITHIN_S:g} s; `get regions` says how it is"
        try:
            async with asyncio.timeout(MOVES_WITHIN_S):
                while not self._has_moved(region, new):
                    if not is_said:
                        why = self._objection(region, new)
                        is_said = not why and await self._claim_everywhere(region, new)
                    await self._clock.sleep(self._section.down_after_s / ROUNDS)
        except TimeoutError:
            raise CommandRefused(why) from None
        return f"region {region} lives at {to} in its epoch {new.epoch}"

    async def _tell_former(self, region: str, home: Home, to: str) -> None:
        """Have the server that a region is handed to take note where it lives: only so it is fetched from there first. Raises CommandRefused."""
        try:
            is_said, why = await self._claim(to, region, home, 0.0), "it says that the region lives elsewhere"
        except (RedisAway, RedisRefused) as error:
            is_said, why = False, str(error)
        if not is_said:
            raise CommandRefused(f"region {region} cannot be handed back, its server does not take note where it lives: {why}")

    async def _hand_over(self, region: str, home: Home, new: Home) -> bool:
        """Have the server that a region lives at say that it lives elsewhere: whoever leads it there leads no more. Return whether it answered."""
        try:
            return await self._claim(home.server, region, new, 0.0)
        except (RedisAway, RedisRefused):
            return False

    def _objection(self, region: str, new: Home) -> str:
        """Return why a region cannot be taken from a server that does not answer; empty = it can."""
        if new.server != self.own:
            return f"region {region} cannot be handed to {new.server} while the server that it lives at does not answer"
        quiet, wait_s = self.homes.quiet_votes(region, self._section.down_after_s), self._section.down_after_s
        if not quiet or (self.homes.quorum and not self.homes.is_most(quiet)):
            return f"region {region} may still decide: {quiet} of {sum(self.homes.votes.values())} votes say that it was quiet for {wait_s:g} s" + ", and most are needed" * self.homes.quorum
        return ""

    async def _claim_everywhere(self, region: str, new: Home) -> bool:
        """Ask all servers to say that a region lives at another server from now on; return whether one does."""
        async with asyncio.TaskGroup() as group:
            claims = [group.create_task(self._try(server, region, new)) for server in self._servers]
        return any(claim.result() for claim in claims)

    async def _try(self, server: str, region: str, new: Home) -> bool:
        try:
            return await self._claim(server, region, new, self._section.down_after_s)
        except (RedisAway, RedisRefused):
            return False

    def _has_moved(self, region: str, new: Home) -> bool:
        if new.server == self.own:
            return self.homes.right(region).left_s() > 0
        return self.homes.said_at(new.server, region) >= new

    # ---- tasks for other regions

    def choose(self, commands: Sequence[SubmitTask]) -> str:
        """Return the region that tasks go to; empty = this one, which also refuses what may go nowhere. Raises UsageError for tasks that go apart."""
        rows = self.rows()
        chosen = {choose(rows, self.own, one.region, one.residency, overflow=self._section.overflow and not is_bound(one)) for one in commands}
        if len(chosen) > 1:
            raise UsageError(f"these tasks go to {' and '.join(sorted(chosen))}; send those of each region by themselves")
        region = chosen.pop()
        return "" if region == self.own == self.homes.home(region).server else region

    async def ask(self, region: str, id_: str, call: bytes) -> bytes:
        """Send a call to the engine that leads a region, at the server that it lives at, and return its answer. Raises EngineUnavailable, Unanswered when it may be done."""
        from engine.redis.command_stream import CommandStream

        link = self._links.get(self.homes.home(region).server)
        if link is None:
            raise EngineUnavailable(f"nobody has said yet where region {region} lives; nothing was sent")
        calls = CommandStream(link, region, id_, self._clock)
        try:
            async with asyncio.TaskGroup() as group:
                answers = group.create_task(calls.run(), name=f"answers of {region}")
                answer = await calls.ask(id_, call, deadline_s=FORWARD_WITHIN_S)
                answers.cancel()
        except* EngineUnavailable as errors:
            error = next(errors_in(errors, EngineUnavailable))
            raise type(error)(f"region {region}: {error}") from None
        return answer

    # ---- telling

    def _tell_changes(self) -> None:
        looks = {name: _look(row) for name, row in self.rows().items()}
        differ = [name for name, look in looks.items() if self._looks.get(name) != look]
        self._looks = dict(looks)
        if differ:
            self.changed(differ)


def is_bound(command: SubmitTask) -> bool:
    """Tell whether a task hangs on what only this region has: other tasks, files, or a key that makes it one."""
    return bool(command.depends_on or command.workspace or command.idempotency_key)


def _beside(socket: Path, region: str) -> Path | None:
    """Return the socket of a region's guest, in a directory of its own as every engine's, where `fleet-tui ctx` finds it; None where its path would be too long."""
    folder = socket.parent.with_name(f"{socket.parent.name}-{region}")
    if len(os.fsencode(folder / socket.name)) > SOCKET_BYTES_MAX:
        logger.warning("the engine of a region has no socket: its path would be too long", extra={"region": region, "path": str(folder)})
        return None
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder / socket.name


def _cause(error: FleetError) -> str:
    """Return what is wrong with another region's server, without what one would do about one's own."""
    return str(error).partition("; ")[0]


def _look(row: RegionRow) -> object:
    """Return what of a row is worth to be shown anew: not each second's instants, nor the third digit of a round trip."""
    if row.health == HEALTHY:
        row = row._replace(measured_at=0.0, heard_at=0.0, seq=0)
    trips = [(to, _digits(median_s), _digits(p99_s)) for to, (median_s, p99_s) in trips_of(row).items()]
    lag = None if row.lag_s is None else int(row.lag_s)
    return row._replace(rtt_s=None, rtt_p99_s=None, probes=0, trips="", lag_s=None), lag, _digits(row.rtt_s), _digits(row.rtt_p99_s), trips


def _digits(seconds: float | None) -> str:
    return "" if seconds is None else f"{seconds:.2g}"
