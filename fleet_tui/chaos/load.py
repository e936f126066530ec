"""The load of a throwaway fleet: writers that submit tasks by whichever engine answers, and know what was answered.

Owner: `Load`, of what was answered: a few thousand names.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence

from engine.api.client import RemoteOperator
from engine.model.errors import EngineUnavailable, JournalError, OutcomeUnknown, ReadOnly
from engine.model.task_commands import SubmitTask
from fleet_tui.chaos.chance import CLOCK, Chance
from fleet_tui.chaos.processes import EngineProcess

WRITERS = 3
PAUSE_S = 0.02
"""Between two tasks of a writer: the engines are to be broken at work, not starved."""
ANSWER_WITHIN_S = 40.0


class Load:
    """What was asked for, and what was answered."""

    def __init__(self, engines: Sequence[EngineProcess], chance: Chance) -> None:
        self._engines, self._chance = engines, chance
        self.accepted: dict[str, str] = {}
        """Titles of tasks that an engine said it has, with their ids."""
        self.unknown: set[str] = set()
        """Titles of those that nobody answered for: they may be there or not."""
        self.refused: set[str] = set()
        """Titles of those that an engine said are not done."""
        self.answered: dict[str, tuple[str, float]] = {}
        """Titles of tasks that were taken, with the engine that said so and when; seconds of the monotonic clock."""
        self._newest_at: dict[str, float] = {}
        self._count = 0

    def newest_at(self, engines: Collection[str] = ()) -> float:
        """Return when the last task was asked for that was taken, by one of some engines (none = any)."""
        return max((at for engine, at in self._newest_at.items() if not engines or engine in engines), default=0.0)

    async def run(self) -> None:
        """Write until cancelled."""
        async with asyncio.TaskGroup() as group:
            for _ in range(WRITERS):
                group.create_task(self._write(self._chance.child()), name="writer")

    async def _write(self, chance: Chance) -> None:
        while True:
            try:
                engine = chance.pick(self._engines)
                async with engine.operator() as operator:
                    while True:
                        await self._submit(operator, engine.name)
            except (EngineUnavailable, ReadOnly, JournalError, TimeoutError):
                await CLOCK.sleep(PAUSE_S)

    async def _submit(self, operator: RemoteOperator, engine: str) -> None:
        self._count += 1
        title, asked_at = f"task-{self._count}", CLOCK.now()
        self.unknown.add(title)
        try:
            async with asyncio.timeout(ANSWER_WITHIN_S):
                answer = await operator.execute([SubmitTask("answer", "worker", title=title)])
        except ReadOnly as error:
            if not isinstance(error, OutcomeUnknown):
                self.unknown.discard(title)
                self.refused.add(title)
            raise
        self.unknown.discard(title)
        [self.accepted[title]] = map(str, answer.values)
        self.answered[title] = engine, CLOCK.now()
        self._newest_at[engine] = max(self._newest_at.get(engine, 0.0), asked_at)
        await CLOCK.sleep(PAUSE_S)
