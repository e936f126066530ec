"""Memory while one pass places programs: what runs may still grow to what others of its pool took, and a next one must fit beside.

So programs that grow while they run keep back those that wait, and the machine does not swap. What runs is never stopped for it.
Owner: `ProgramMemory`, of what is left during its pass; it is measured only when a program is to start.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from engine.model.events import Event
from engine.model.machines import MEMORY, THOUSAND, ProgramRoom, say_amount
from engine.model.pools import Pool
from engine.model.room_events import TasksWaitForRoom
from engine.model.tasks import Task
from engine.state import FleetState

COMMAND = "command"


class ProgramMemory:
    """Lets programs in as long as all that run fit."""

    def __init__(self, state: FleetState, measure: Callable[[], ProgramRoom | None]) -> None:
        self._state = state
        self._measure = measure
        self._room: ProgramRoom | None = None
        self._left_mb: float | None = None
        """None = not asked yet."""
        self._waits: dict[str, str] = {}
        """Pool -> why its next task is not let in."""

    def admit(self, pool: Pool) -> bool:
        """Tell whether a next program of a pool fits; agents of other kinds always do."""
        if pool.spec.kind != COMMAND:
            return True
        left = self._left()
        if self._room is None:
            return True
        each = self._room.each.get(pool.spec.name, 0.0)
        if left <= 0 or each > left:
            needs = f"needs {say_amount(MEMORY, each * THOUSAND)}" if each else "needs some"
            self._waits[pool.spec.name] = f"waits for memory: {needs}, {say_amount(MEMORY, max(0.0, left) * THOUSAND)} free"
            return False
        return True

    def take(self, pool: Pool) -> None:
        """Count a program in."""
        if self._room is not None and self._left_mb is not None and pool.spec.kind == COMMAND:
            self._left_mb -= self._room.each.get(pool.spec.name, 0.0)

    def told(self) -> list[Event]:
        """Return for which pools it begins that tasks wait, and for which it is over."""
        events: list[Event] = []
        for name, pool in self._state.pools.items():
            text = self._waits.get(name, "")
            if bool(text) != bool(pool.tasks_wait):
                events.append(TasksWaitForRoom(name, text))
        return events

    def _left(self) -> float:
        if self._left_mb is None:
            self._room = room = self._measure()
            self._left_mb = 0.0
            if room is not None:
                growing = (max(room.each.get(task.spec.pool, 0.0), room.held.get(task.spec.id, 0.0)) for task in self._running())
                self._left_mb = room.all_mb - sum(growing)
        return self._left_mb

    def _running(self) -> Iterator[Task]:
        for name, pool in self._state.pools.items():
            if pool.spec.kind == COMMAND:
                for agent in self._state.agents_in(name):
                    if agent.task is not None:
                        yield self._state.tasks[agent.task]
