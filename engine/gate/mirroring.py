"""What other programs are told of and may ask for through Redis, and the start of it; what does it is imported only where there is a Redis."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from engine.clock import Clock
from engine.config import FleetManagerConfig
from engine.coordinator import Coordinator
from engine.gate import Gate
from engine.memory.database import Database
from engine.model.plans import Origin
from engine.model.rows import FleetStatus
from engine.model.verbs import Role
from engine.monitoring.topics import Topics
from engine.supervisor import keep_running

if TYPE_CHECKING:
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


def mirror(group: asyncio.TaskGroup, link: RedisLink | None, told: Told, clock: Clock) -> list[asyncio.Task[None]]:
    """Start telling other programs through Redis, and listening to them, where that is wanted; who calls ends it."""
    parts: dict[str, Callable[[], Awaitable[None]]] = {}
    if link is not None and link.section.mirror:
        from engine.gate.mirror import Mirror

        parts["mirror"] = Mirror(link, told, clock).run
    if link is not None and link.section.listen:
        from engine.gate.hearkening import Hearkening

        roles = {name: Role[operator.role.upper()] for name, operator in told.config.operators.items()}
        parts["hearkening"] = Hearkening(link, told, roles, clock).run
    return [group.create_task(keep_running(name, run, clock), name=name) for name, run in parts.items()]
