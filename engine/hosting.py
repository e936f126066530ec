"""Agents on hosts that joined, by the engine's own door, or by Redis where it shares its fleet; what that needs is imported only then.

Owner: nobody; the kind owns what it knows of its hosts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.agents.joined import messages as m
from engine.agents.joined.door import SILENT_S, Door
from engine.agents.joined.leading import Around, JoinedAgents
from engine.agents.joined.looking import Looks
from engine.agents.processes.child_process import ProcessHost
from engine.agents.processes.spec import StopReason
from engine.agents.program_usage import ProgramSample
from engine.agents.runtime import Reporter
from engine.clock import Clock
from engine.config import FleetManagerConfig
from engine.coordinator import Coordinator
from engine.gate.boosting import Boosting
from engine.gate.modules import ModuleShelf
from engine.model.agent_events import JOINED
from engine.turns import Turns

if TYPE_CHECKING:
    from engine.redis.link import RedisLink

Joined = dict[str, JoinedAgents]
"""What runs agents on hosts that joined, by its kind; empty = the engine does not lead."""


LIMITS = ("pool_size", "memory_limit", "task_timeout_s", "performance_tracking", "recovery_enabled", "cache")
"""Keys of the section `booster` that hosts go by; the others are the leader's."""


class HostedBoosts:
    """The fleet's booster as hosts are told of it, and tell. Owner: nobody; its parts are."""

    def __init__(self, config: FleetManagerConfig, shelf: ModuleShelf, boosting: Boosting) -> None:
        self._config, self._shelf = config, shelf
        self.heard = boosting.hosted
        boosting.leave_hosts()

    def terms(self) -> m.BoosterTerms | None:
        """Return how it works there; None = there is none."""
        if not self._config.has_booster:
            return None
        return m.BoosterTerms({name: getattr(self._config.booster, name) for name in LIMITS}, self._shelf.wanted())

    async def module(self, sha256: str) -> bytes | None:
        """Return an operator's module, None if the fleet has not got it. Raises JournalError."""
        return await self._shelf.bytes_of(sha256)


def looks_of(joined: Joined) -> Looks | None:
    """Return the way to what tasks write and say on hosts."""
    return joined[JOINED].looks if joined else None


def programs_of(joined: Joined) -> list[ProgramSample]:
    """Return what hosts found last of their programs."""
    return joined[JOINED].programs() if joined else []


def end_program(host: ProcessHost, joined: Joined, name: str, reason: StopReason, why: str) -> bool:  # noqa: PLR0913, PLR0917  # a place to look, and what for
    """End a program here or on a host of which nothing good is expected; False if none of that name runs."""
    return host.end(name, reason, why) or (bool(joined) and joined[JOINED].end_program(name, reason, why))


def joined_hosts(way: Door | RedisLink | None, turns: Turns | None, coordinator: Coordinator, report: Reporter, clock: Clock, boosts: HostedBoosts) -> Joined:  # noqa: PLR0913, PLR0917  # the parts that hosts reach
    """Return what runs agents on hosts that joined, by its kind. One that shares its fleet and leads goes on with those of its predecessor."""
    if isinstance(way, Door):
        return {JOINED: JoinedAgents(way, Around(lambda: coordinator.state, report, coordinator.reported, clock, SILENT_S, goes_on=False, boosts=boosts))}
    if way is None or turns is None:
        return {}
    from engine.redis.host_streams import LeaderEnd

    around = Around(lambda: coordinator.state, report, coordinator.reported, clock, way.section.host_silent_s, boosts=boosts)
    return {JOINED: JoinedAgents(LeaderEnd(way, way.section.region, turns.held), around)}
