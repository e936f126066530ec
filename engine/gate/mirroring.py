"""What other programs are told of and may ask for through Redis, and the start of it; what does it is imported only where there is a Redis."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from engine.clock import Clock
from engine.config import FleetManagerConfig
from engine.coordinator import Coordinator
from engine.gate import Gate
from engine.gate.dead_events import DeadEvents
from engine.gate.feed import Feed
from engine.memory.database import Database
from engine.model.events import Record
from engine.model.plans import Origin
from engine.model.redis_health import RedisHealth
from engine.model.rows import FleetStatus
from engine.model.verbs import Role
from engine.monitoring.topics import Topics
from engine.supervisor import keep_running

if TYPE_CHECKING:
    from engine.gate.event_streams import EventStreams
    from engine.gate.mirror import Mirror
    from engine.redis.link import RedisLink


@dataclass(frozen=True, slots=True)
class Told:
    """What is told of, and who acts."""

    coordinator: Coordinator
    status: Callable[[], FleetStatus]
    topics: Topics
    database: Database
    operator: Callable[[Origin], Gate]
    config: FleetManagerConfig
    engine: str
    records: Callable[..., Awaitable[Sequence[Record]]]
    """Reads the journal."""


class Mirroring:
    """What this engine tells other programs through Redis, and hears from them."""

    def __init__(self, link: RedisLink | None, told: Told, feed: Feed, clock: Clock) -> None:
        self._link, self._told, self._feed, self._clock = link, told, feed, clock
        self._mirror: Mirror | None = None
        self._streams: EventStreams | None = None

    def start(self, group: asyncio.TaskGroup) -> list[asyncio.Task[None]]:
        """Start telling and listening, where that is wanted; who calls ends it."""
        parts: dict[str, Callable[[], Awaitable[None]]] = {}
        if self._link is not None and self._link.section.mirror:
            from engine.gate.mirror import Mirror

            self._mirror = Mirror(self._link, self._told, self._clock)
            parts["mirror"] = self._mirror.run
        if self._link is not None and self._link.section.bus is not None:
            from engine.gate.event_streams import EventStreams

            self._streams = EventStreams(self._link, self._link.section.bus, self._told, self._clock)
            parts["event streams"] = self._streams.run
        if self._link is not None and self._link.section.listen:
            from engine.gate.hearkening import Hearkening

            roles = {name: Role[operator.role.upper()] for name, operator in self._told.config.operators.items()}
            parts["hearkening"] = Hearkening(self._link, self._told, roles, self._clock).run
        return [group.create_task(keep_running(name, run, self._clock), name=name) for name, run in parts.items()]

    def start_looking(self, group: asyncio.TaskGroup) -> list[asyncio.Task[None]]:
        """Start following what the groups of the bus gave up, which an engine does whether it leads or not; who calls ends it."""
        if self._link is None or self._link.section.bus is None:
            return []
        from engine.bus.redis_streams import RedisStreams

        bus = RedisStreams(self._link, self._link.section.region, self._link.section.bus, self._clock)
        dead = self._feed.dead_events = DeadEvents(bus, self._clock, self._feed.buried)
        return [group.create_task(keep_running("dead events", dead.run, self._clock), name="dead events")]

    @property
    def health(self) -> RedisHealth | None:
        """Return how the server is, and what of the telling it did not take; None without a server."""
        if self._link is None:
            return None
        health = self._link.health
        if self._streams is not None:
            health = replace(health, bus_waiting=self._streams.bus.waiting, bus_dead=self._streams.bus.dead_count, bus_left_out=self._streams.left_out)
        if self._mirror is None:
            return health
        return replace(health, lost=self._mirror.lost, waiting=self._mirror.waiting, left_out=self._mirror.left_out)
