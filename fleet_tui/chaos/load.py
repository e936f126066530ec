"""The load of a throwaway fleet: a writer for each engine that submits tasks by it whenever it answers, and knows what was answered.

Each engine has its own: writers that change to another engine only when theirs fails gather at one that goes on alone, and nobody asks the others.

Owner: `Load`, of what was answered: a few thousand names.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
from dataclasses import replace

from engine.api.client import RemoteOperator
from engine.model.errors import EngineUnavailable, JournalError, OutcomeUnknown, ReadOnly
from engine.model.task_commands import SubmitTask
from fleet_tui.chaos.chance import CLOCK, Chance
from fleet_tui.chaos.processes import Reached
from fleet_tui.chaos.work import HOLD

PAUSE_S = 0.02
"""Between two tasks of a writer: the engines are to be broken at work, not starved."""
ANSWER_WITHIN_S = 40.0
UNANSWERED = (EngineUnavailable, ReadOnly, JournalError, TimeoutError)
"""What an engine that is broken may say, or not say."""


class Load:
    """What was asked for, and what was answered."""

    def __init__(self, engines: Sequence[Reached], chance: Chance, pools: Sequence[str] = ("worker",)) -> None:
        self._engines, self._chance, self._pools = engines, chance, pools
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
            for engine in self._engines:
                group.create_task(self._write(engine, self._chance.child()), name=f"writer {engine.name}")

    async def _write(self, engine: Reached, chance: Chance) -> None:
        while True:
            try:
                async with engine.operator() as operator:
                    while True:
                        await self.submit(operator, engine.name, SubmitTask("answer", chance.pick(self._pools)))
                        await CLOCK.sleep(PAUSE_S)
            except UNANSWERED:
                await CLOCK.sleep(PAUSE_S)

    async def hold(self, engine: Reached, count: int, work_s: float) -> None:
        """Submit, by one engine, tasks for the hosts that take some time each. Raises FleetError, TimeoutError."""
        async with engine.operator() as operator:
            for _ in range(count):
                await self.submit(operator, engine.name, SubmitTask(HOLD, "hosted", payload={"work_s": work_s}, priority=10))

    async def submit(self, operator: RemoteOperator, engine: str, task: SubmitTask) -> str:
        """Submit a task by an engine, note what is answered, and return its id. Raises FleetError, TimeoutError."""
        self._count += 1
        title, asked_at = f"task-{self._count}", CLOCK.now()
        self.unknown.add(title)
        try:
            async with asyncio.timeout(ANSWER_WITHIN_S):
                answer = await operator.execute([replace(task, title=title)])
        except ReadOnly as error:
            if not isinstance(error, OutcomeUnknown):
                self.unknown.discard(title)
                self.refused.add(title)
            raise
        self.unknown.discard(title)
        [self.accepted[title]] = map(str, answer.values)
        self.answered[title] = engine, CLOCK.now()
        self._newest_at[engine] = max(self._newest_at.get(engine, 0.0), asked_at)
        return self.accepted[title]
