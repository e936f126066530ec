"""The engines of a fleet: this one, and those that share it with it.

Owner: `Roll`, of this engine's own row; what is known of the others is `Members`'.
"""

from __future__ import annotations

import asyncio
import os
import platform
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from engine.clock import Clock
from engine.model.engine_rows import LEADS, STANDS_BY, EngineRow
from engine.model.standing import Standing
from engine.supervisor import keep_running

if TYPE_CHECKING:
    from engine.redis.link import RedisLink
    from engine.redis.members import Members


class Roll:
    """Who is an engine of this fleet."""

    def __init__(self, engine: str, version: str, clock: Clock, standing: Callable[[], Standing | None]) -> None:
        """`standing` is None where this is the fleet's only engine."""
        self._own = EngineRow(engine, LEADS, 0, platform.node(), os.getpid(), version, "", 0, clock.now(), 0.0, is_asked=True)
        self._clock, self._standing = clock, standing
        self._members: Members | None = None

    def own(self) -> EngineRow:
        """Return this engine's row."""
        standing = self._standing()
        if standing is None:
            return self._own
        return self._own._replace(role=LEADS if standing.leads else STANDS_BY, epoch=standing.epoch if standing.leads else 0, region=standing.region)

    def rows(self) -> Mapping[str, EngineRow]:
        """Return all by id; those that share the fleet as they said last."""
        own = self.own()
        return {own.id: own, **(self._members.rows if self._members else {})}

    def start(self, group: asyncio.TaskGroup, link: RedisLink | None, seq: Callable[[], int], changed: Callable[[list[str]], None]) -> list[asyncio.Task[None]]:
        """Start telling the others and hearing of them, where the fleet is shared; who calls ends it.

        `seq` is the newest record that this engine has; `changed` is told whose rows read differently.
        """
        if link is None or self._standing() is None:
            return []
        from engine.redis.members import Members

        self._members = Members(link, self.own, seq, self._clock)
        self._members.changed = changed
        return [group.create_task(keep_running("members", self._members.run, self._clock), name="members")]
