"""Which free agent takes a task: filter, score, and between equals the one that worked least (seed A 6.2, C28).

Owner: the coordinator; `FreeAgents` is an index derived from the state. For each demand that was seen (pool, task
type, capabilities) it keeps a heap of the free agents by score with lazy deletion, so that choosing costs O(log n).
"""

from __future__ import annotations

import heapq

from engine.clock import Rng
from engine.model.agents import Agent
from engine.model.ids import AgentId
from engine.model.tasks import Placement, TaskSpec
from engine.scheduling.scoring import Factors, score, weigh
from engine.state import FleetState

ALTERNATIVES = 3
DEMANDS_PER_POOL_MAX = 64
"""Heaps kept for a pool; the oldest is dropped and made anew when it is needed again."""

STALE_MAX = 4_096
"""Entries of a heap that may be out of date before it is cleaned."""

Demand = tuple[str, tuple[str, ...]]
Entry = tuple[float, int, float, AgentId, int]
"""(-value, tasks done, chance, agent, version): the smallest is the best."""


class FreeAgents:
    """Agents that may take a task now, by pool, with their scores by demand."""

    def __init__(self, weights: Factors, rng: Rng) -> None:
        self._weights = weights
        self._rng = rng
        self._version: dict[AgentId, int] = {}
        self._free: dict[str, dict[AgentId, Agent]] = {}
        self._heaps: dict[str, dict[Demand, list[Entry]]] = {}

    def rebuild(self, state: FleetState) -> None:
        """Fill from a state."""
        self._version.clear()
        self._free.clear()
        self._heaps.clear()
        for agent in state.agents.values():
            self.update(agent)

    def update(self, agent: Agent) -> None:
        """Take note of a changed agent."""
        agent_id, pool = agent.spec.id, agent.spec.pool
        free = self._free.setdefault(pool, {})
        version = self._version.get(agent_id, 0) + 1
        if not agent.is_free():
            if free.pop(agent_id, None) is not None:
                self._version[agent_id] = version
            return
        self._version[agent_id] = version
        free[agent_id] = agent
        for demand, heap in self._heaps.get(pool, {}).items():
            if len(heap) > 4 * len(free) + STALE_MAX:
                heap[:] = [entry for entry in heap if self._version.get(entry[3]) == entry[4] and entry[3] in free]
                heapq.heapify(heap)
            self._push(heap, demand, agent)

    def forget(self, agent: Agent) -> None:
        """Take note of a removed agent."""
        self._free.get(agent.spec.pool, {}).pop(agent.spec.id, None)
        self._version.pop(agent.spec.id, None)

    def any_in(self, pool: str) -> bool:
        """Tell whether a pool has a free agent."""
        return bool(self._free.get(pool))

    def choose(self, spec: TaskSpec) -> tuple[Agent, Placement] | None:
        """Take the best free agent for a task off the index and say why, or return None when none fits."""
        free = self._free.get(spec.pool)
        if not free:
            return None
        heap = self._heap(spec.pool, (spec.type, spec.capabilities))
        best = self._pop(heap, free)
        if best is None:
            return None
        agent = free.pop(best[3])
        self._version[best[3]] += 1
        factors = score(spec.type, spec.capabilities, agent)
        others = [
            (entry[3], -entry[0])
            for entry in sorted(heap[: 2 * ALTERNATIVES + 1])
            if self._version.get(entry[3]) == entry[4]
        ]
        return agent, Placement(-best[0], factors, tuple(others[:ALTERNATIVES]), len(free) + 1)

    def _heap(self, pool: str, demand: Demand) -> list[Entry]:
        heaps = self._heaps.setdefault(pool, {})
        heap = heaps.get(demand)
        if heap is None:
            if len(heaps) >= DEMANDS_PER_POOL_MAX:
                del heaps[next(iter(heaps))]
            heap = heaps[demand] = []
            for agent in self._free.get(pool, {}).values():
                self._push(heap, demand, agent)
        return heap

    def _push(self, heap: list[Entry], demand: Demand, agent: Agent) -> None:
        task_type, wanted = demand
        if any(word not in agent.spec.capabilities for word in wanted):
            return
        value = weigh(score(task_type, wanted, agent), self._weights)
        done = agent.succeeded + agent.failed
        heapq.heappush(heap, (-round(value, 4), done, self._rng.random(), agent.spec.id, self._version[agent.spec.id]))

    def _pop(self, heap: list[Entry], free: dict[AgentId, Agent]) -> Entry | None:
        while heap:
            entry = heapq.heappop(heap)
            if entry[3] in free and self._version[entry[3]] == entry[4]:
                return entry
        return None
