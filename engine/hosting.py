"""Agents on hosts that joined, by the engine's own door, or by Redis where it shares its fleet; what that needs is imported only then.

Owner: nobody; the kind owns what it knows of its hosts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.agents.joined.door import SILENT_S, Door
from engine.agents.joined.leading import Around, JoinedAgents
from engine.agents.joined.looking import Looks
from engine.agents.processes.child_process import ProcessHost
from engine.agents.processes.spec import StopReason
from engine.agents.program_usage import ProgramSample
from engine.agents.runtime import Reporter
from engine.clock import Clock
from engine.coordinator import Coordinator
from engine.model.agent_events import JOINED
from engine.turns import Turns

if TYPE_CHECKING:
    from engine.redis.link import RedisLink

Joined = dict[str, JoinedAgents]
"""What runs agents on hosts that joined, by its kind; empty = the engine does not lead."""


def looks_of(joined: Joined) -> Looks | None:
    """Return the way to what tasks write and say on hosts."""
    return joined[JOINED].looks if joined else None


def programs_of(joined: Joined) -> list[ProgramSample]:
    """Return what hosts found last of their programs."""
    return joined[JOINED].programs() if joined else []


def end_program(host: ProcessHost, joined: Joined, name: str, reason: StopReason, why: str) -> bool:  # noqa: PLR0913, PLR0917  # a place to look, and what for
    """End a program here or on a host of which nothing good is expected; False if none of that name runs."""
    return host.end(name, reason, why) or (bool(joined) and joined[JOINED].end_program(name, reason, why))


def joined_hosts(way: Door | RedisLink | None, turns: Turns | None, coordinator: Coordinator, report: Reporter, clock: Clock) -> Joined:
    """Return what runs agents on hosts that joined, by its kind. One that shares its fleet and leads goes on with those of its predecessor."""
    if isinstance(way, Door):
        return {JOINED: JoinedAgents(way, Around(lambda: coordinator.state, report, coordinator.reported, clock, SILENT_S, goes_on=False))}
    if way is None or turns is None:
        return {}
    from engine.redis.host_streams import LeaderEnd

    around = Around(lambda: coordinator.state, report, coordinator.reported, clock, way.section.host_silent_s)
    return {JOINED: JoinedAgents(LeaderEnd(way, way.section.region, turns.held), around)}
