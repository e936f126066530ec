"""What an engine does of the single writer's work whether it decides or another one does: keep the state and its indices, and tell.

Owner: of FleetState and of the indices derived from it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from itertools import chain

from engine.coordinator import agenda
from engine.coordinator.tools import Publisher, Tools
from engine.memory.contract import Journal
from engine.model import events as ev
from engine.model.agent_events import AgentAllocated, AgentsRetiring
from engine.model.memory_events import ABOUT_MEMORY
from engine.scheduling.allocator import FreeAgents
from engine.scheduling.task_queue import TaskQueue
from engine.scheduling.timers import Timers
from engine.state import FleetState, Touched


@dataclass(slots=True)
class Counters:
    """What the coordinator has done since it started."""

    commits: int = 0
    records: int = 0
    rebuilt: int = 0


class Following:
    """Owner of the fleet's state, which changes by records alone."""

    def __init__(self, state: FleetState, journal: Journal, tools: Tools) -> None:
        self.state = state
        self.read_only = ""
        """Why commands are refused; empty = they are not."""
        self.counters = Counters()
        self._journal = journal
        self._tools = tools
        self._publishers: list[Publisher] = []
        self._mirrors: list[Publisher] = []
        self._durable_seq = state.seq
        self._queue = TaskQueue(tools.config.tasks.aging_s)
        self._free = FreeAgents(tools.config.routing.weights(), tools.rng, tools.adviser)
        self._timers = Timers()
        self._rebuild()

    def add_publisher(self, publisher: Publisher, *, mirrors: bool = False) -> Callable[[], None]:
        """Have a publisher told of every commit, a mirror also of what another engine decided; return what ends that."""
        publishers = self._mirrors if mirrors else self._publishers
        publishers.append(publisher)
        return lambda: publishers.remove(publisher)

    async def follow(self, records: Sequence[ev.Record], write: Callable[[Touched], Awaitable[None]]) -> None:
        """Take in what the engine that decides has made durable, and `write` it here.

        Raises JournalError; the state is then ahead of what is written.
        """
        for record in records:
            self._fold(record)
        touched = self._index([record.event for record in records], self._tools.clock.now())
        await write(touched)
        self._durable_seq = self.state.seq
        for publish in self._mirrors:
            publish(records, touched)

    def ready_tasks(self, pool: str) -> int:
        """Return how many waiting tasks of a pool could run now."""
        return self._queue.ready(pool)

    def check(self) -> None:
        """Raise AssertionError if the state contradicts itself or an index the state; for tests and simulations."""
        self.state.check()
        now = self._tools.clock.now()
        self._queue.check(self.state, now)
        self._free.check(self.state)
        self._timers.check(self.state, now)

    def _fold(self, record: ev.Record) -> None:
        self.state.apply(record)
        if self._tools.memory is not None and type(record.event) in ABOUT_MEMORY:
            self._tools.memory.applied(record)

    def _index(self, events: Sequence[ev.Event], now: float) -> Touched:
        """Bring the indices up to date with what events touched, and return that."""
        state = self.state
        touched, state.touched = state.touched, Touched()
        for task_id in touched.tasks:
            task = state.tasks.get(task_id)
            if task is not None:
                self._queue.update(task, now)
                self._timers.update(task)
        for agent_id in chain(touched.agents, touched.working):
            self._free.update(state.agents[agent_id])
        for agent in touched.removed_agents:
            self._free.forget(agent)
        for due in agenda.dues(state, touched, now):
            self._timers.add(due)
        for event in events:
            if isinstance(event, AgentAllocated):
                self._timers.add((event.allocation.expires_at, "allocation", event.allocation.id, 0))
            elif isinstance(event, AgentsRetiring) and event.leaves_by:
                for agent_id in event.agents:
                    self._timers.add((event.leaves_by, "drain", agent_id, 0))
        return touched

    def _tell(self, records: Sequence[ev.Record], touched: Touched) -> None:
        for publish in (*self._mirrors, *self._publishers):
            publish(records, touched)

    async def _reload(self) -> None:
        """Go back to what is durable. Raises JournalError."""
        self.state = await self._journal.load(self._tools.config.tasks.finished_max)
        self._durable_seq = self.state.seq
        self._rebuild()
        self.counters.rebuilt += 1
        self._tell((), Touched())

    def _rebuild(self) -> None:
        self._queue.rebuild(self.state, self._tools.clock.now())
        self._free.rebuild(self.state)
        self._timers.rebuild(self.state)
        for due in agenda.dues_of_all(self.state, self._tools.clock.now()):
            self._timers.add(due)
        if self._tools.memory is not None:
            self._tools.memory.clear()
