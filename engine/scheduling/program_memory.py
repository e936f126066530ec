"""Memory while one pass places programs: what runs may still grow to what others of its pool took, and a next one must fit beside.

So programs that grow while they run keep back those that wait, and the machine does not swap. What runs is never stopped for it.
Programs that are kept over tasks count as they are while they have none; where all free agents of a pool have one, a next task needs
only what theirs may still grow.
Owner: `ProgramMemory`, of what is left during its pass; it is measured only when a program is to start.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from engine.model.agents import AgentStatus
from engine.model.events import Event
from engine.model.machines import MEMORY, THOUSAND, ProgramRoom, say_amount
from engine.model.pools import PROGRAMS, SESSION, Pool
from engine.model.room_events import TasksWaitForRoom
from engine.state import FleetState


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
        self._spares: dict[str, float] = {}
        """Pool -> the least that a free agent's program has."""

    def admit(self, pool: Pool) -> bool:
        """Tell whether a next program of a pool fits; agents of other kinds always do."""
        if pool.spec.kind not in PROGRAMS:
            return True
        left = self._left()
        if self._room is None:
            return True
        more = self._more(pool)
        if more <= max(0.0, left) and (left > 0 or self._spares[pool.spec.name]):
            return True
        needs = f"needs {say_amount(MEMORY, more * THOUSAND)}" if more else "needs some"
        self._waits[pool.spec.name] = f"waits for memory: {needs}, {say_amount(MEMORY, max(0.0, left) * THOUSAND)} free"
        return False

    def take(self, pool: Pool) -> None:
        """Count a program in."""
        if self._room is not None and self._left_mb is not None and pool.spec.kind in PROGRAMS:
            self._left_mb -= self._more(pool)

    def told(self) -> list[Event]:
        """Return for which pools it begins that tasks wait, and for which it is over."""
        events: list[Event] = []
        for name, pool in self._state.pools.items():
            text = self._waits.get(name, "")
            if bool(text) != bool(pool.tasks_wait):
                events.append(TasksWaitForRoom(name, text))
        return events

    def _more(self, pool: Pool) -> float:
        """Return what a next task of a pool takes beside what its free agents have already."""
        assert self._room is not None, "only asked while memory is looked at"
        name = pool.spec.name
        if name not in self._spares:
            free = [agent for agent in self._state.agents_in(name) if agent.status is AgentStatus.IDLE] if pool.spec.kind == SESSION else []
            self._spares[name] = min((self._room.held.get(agent.spec.id, 0.0) for agent in free), default=0.0)
        return max(0.0, self._room.each.get(name, 0.0) - self._spares[name])

    def _left(self) -> float:
        if self._left_mb is None:
            self._room = room = self._measure()
            self._left_mb = room.all_mb - sum(self._running(room)) if room is not None else 0.0
        return self._left_mb

    def _running(self, room: ProgramRoom) -> Iterator[float]:
        """Yield what each program that runs has, or will have."""
        for name, pool in self._state.pools.items():
            if pool.spec.kind in PROGRAMS:
                each, is_kept = room.each.get(name, 0.0), pool.spec.kind == SESSION
                for agent in self._state.agents_in(name):
                    if agent.task is not None:
                        yield max(each, room.held.get(agent.spec.id if is_kept else agent.task, 0.0))
                    elif is_kept:
                        yield room.held.get(agent.spec.id, 0.0)
