"""Agents on hosts that joined, for an engine that shares its fleet; what it needs of Redis is imported only then.

Owner: nobody; the kind owns what it knows of its hosts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

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
"""What runs agents on hosts that joined, by its kind; empty = the engine does not lead, or shares no fleet."""


def looks_of(joined: Joined) -> Looks | None:
    """Return the way to what tasks write and say on hosts."""
    return joined[JOINED].looks if joined else None


def joined_hosts(link: RedisLink | None, turns: Turns | None, coordinator: Coordinator, report: Reporter, clock: Clock) -> Joined:
    """Return what runs agents on hosts that joined, by its kind, for the engine that leads; it goes on with those of its predecessor.

    Empty for an engine that shares no fleet.
    """
    if link is None or turns is None:
        return {}
    from engine.redis.host_streams import LeaderEnd

    around = Around(lambda: coordinator.state, report, coordinator.reported, clock, link.section.host_silent_s)
    return {JOINED: JoinedAgents(LeaderEnd(link, link.section.region, turns.held), around)}
