"""Removes what is over and too old, a few rows at a time between the commits, and gives free pages back to the disk.

Owner: `Retention`, of the row that says what was removed. Nothing that a start would load is ever removed: neither
unfinished tasks, nor what they or others depend on, nor the newest of what has ended. Long reads are done by the
reader's thread; the writer's gets works of a few rows, with a pause after each. Limits: a pass removes all that is due
and is repeated every INTERVAL_S; one that fails is tried again then.
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable
from typing import TypeVar

from engine.clock import Clock
from engine.memory import pruning
from engine.memory.database import Database
from engine.memory.pruning import BATCH, Pruned
from engine.model.errors import JournalError
from engine.model.retention_config import RetentionSection

logger = logging.getLogger(__name__)

FIRST_S = 60.0
INTERVAL_S = 600.0
PAUSE_S = 0.02
"""Between two works: commits come first, and the disk is not kept busy."""

_T = TypeVar("_T")


class Retention:
    """Removes by a policy."""

    def __init__(self, files: Database, policy: RetentionSection, finished_max: int, clock: Clock) -> None:
        self._files = files
        self._policy = policy
        self._finished_max = finished_max
        self._clock = clock

    async def run(self) -> None:
        """Remove what is due, every INTERVAL_S until cancelled."""
        await self._clock.sleep(FIRST_S)
        while True:
            try:
                before = await self._files.read(pruning.read_pruned)
                after = await self.prune()
                if after.rows != before.rows:
                    logger.info("old rows removed", extra={"rows": {name: count - before.rows.get(name, 0) for name, count in after.rows.items()}})
            except JournalError as error:
                logger.warning("old rows cannot be removed", extra={"reason": str(error)})
            await self._clock.sleep(INTERVAL_S)

    async def prune(self) -> Pruned:
        """Remove all that is due now; return what was removed since the database was made. Raises JournalError."""
        policy, now, files = self._policy, self._clock.now(), self._files
        instants = tuple(policy.instant(days, now) for days in (policy.events_days, policy.audit_days, policy.tasks_days))
        span = await files.read(lambda connection: pruning.find_span(connection, instants, self._finished_max))  # type: ignore[arg-type]
        pruned = await files.read(pruning.read_pruned)
        more = span.events > pruned.upto
        while more:
            pruned, more = await self._write(lambda connection, pruned=pruned: pruning.delete_events(connection, pruned, span))  # type: ignore[misc]
        more = span.audit > 0
        while more:
            pruned, more = await self._write(lambda connection, pruned=pruned: pruning.delete_audit(connection, pruned, span.audit))  # type: ignore[misc]
        pruned = await self._prune_tasks(pruned, span.ended)
        pruned = await self._prune_agents(pruned, policy.instant(policy.agents_days, now))
        pruned = await self._prune_artifacts(pruned, policy.instant(policy.tasks_days, now))
        while await self._write(pruning.give_back):
            pass
        return pruned

    async def _prune_tasks(self, pruned: Pruned, ended: int) -> Pruned:
        below = ended + 1 if ended else 0
        while below:
            pruned, below = await self._write(lambda connection, pruned=pruned, below=below: pruning.delete_tasks(connection, pruned, below))  # type: ignore[misc]
        return pruned

    async def _prune_agents(self, pruned: Pruned, before: float) -> Pruned:
        ids = await self._files.read(lambda connection: pruning.find_agents(connection, before, pruned.upto))
        for start in range(0, len(ids), BATCH):
            some = ids[start : start + BATCH]
            pruned = await self._write(lambda connection, pruned=pruned, some=some: pruning.delete_agents(connection, pruned, some))  # type: ignore[misc]
        return pruned

    async def _prune_artifacts(self, pruned: Pruned, before: float) -> Pruned:
        ids = await self._files.read(lambda connection: pruning.find_artifacts(connection, before))
        for start in range(0, len(ids), BATCH):
            some = ids[start : start + BATCH]
            pruned = await self._write(lambda connection, pruned=pruned, some=some: pruning.delete_artifacts(connection, pruned, some, before))  # type: ignore[misc]
        return pruned

    async def _write(self, work: Callable[[sqlite3.Connection], _T]) -> _T:
        done = await self._files.write(work)
        await self._clock.sleep(PAUSE_S)
        return done
