"""Agents on hosts that joined, by the engine's own door, or by Redis where it shares its fleet; what that needs is imported only then.

Owner: nobody; the kind owns what it knows of its hosts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.agents.joined.door import SILENT_S, Door
from engine.agents.joined.leading import Around, JoinedAgents
from engine.agents.joined.looking import Looks
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


def joined_hosts(way: Door | RedisLink | None, turns: Turns | None, coordinator: Coordinator, report: Reporter, clock: Clock) -> Joined:
    """Return what runs agents on hosts that joined, by its kind. One that shares its fleet and leads goes on with those of its predecessor."""
    if isinstance(way, Door):
        return {JOINED: JoinedAgents(way, Around(lambda: coordinator.state, report, coordinator.reported, clock, SILENT_S, goes_on=False))}
    if way is None or turns is None:
        return {}
    from engine.redis.host_streams import LeaderEnd

    around = Around(lambda: coordinator.state, report, coordinator.reported, clock, way.section.host_silent_s)
    return {JOINED: JoinedAgents(LeaderEnd(way, way.section.region, turns.held), around)}
