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
from engine.scheduling.scoring import Factors, normalised, score, weigh
from engine.state import FleetState

ALTERNATIVES = 3
LOOKS = (7, 15)
"""Entries of a heap that are looked at for the alternatives: its three best are among the first seven, unless some of
these are out of date."""
DEMANDS_PER_POOL_MAX = 64
"""Heaps kept for a pool; the oldest is dropped and made anew when it is needed again."""

STALE_MAX = 4_096
"""Entries of a heap that may be out of date before it is cleaned."""

Demand = tuple[str, tuple[str, ...]]
Entry = tuple[float, int, float, AgentId, int, Factors]
"""(-value, tasks done, chance, agent, version, factors): the smallest is the best."""


class FreeAgents:
    """Agents that may take a task now, by pool, with their scores by demand."""

    def __init__(self, weights: Factors, rng: Rng) -> None:
        self._weights = normalised(weights)
        self._rng = rng
        self._version: dict[AgentId, int] = {}
        self._free: dict[str, dict[AgentId, Agent]] = {}
        self._skills: dict[str, dict[tuple[str, ...], int]] = {}
        """Pool -> capabilities -> free agents that have exactly these."""
        self._heaps: dict[str, dict[Demand, list[Entry]]] = {}

    def rebuild(self, state: FleetState) -> None:
        """Fill from a state."""
        self._version.clear()
        self._free.clear()
        self._skills.clear()
        self._heaps.clear()
        for agent in state.agents.values():
            self.update(agent)

    def update(self, agent: Agent) -> None:
        """Take note of a changed agent."""
        agent_id, pool = agent.spec.id, agent.spec.pool
        version = self._version.get(agent_id, 0) + 1
        if not agent.is_free():
            if self._drop(agent):
                self._version[agent_id] = version
            return
        self._version[agent_id] = version
        self._add(agent)
        free = self._free[pool]
        for demand, heap in self._heaps.get(pool, {}).items():
            if len(heap) > 4 * len(free) + STALE_MAX:
                heap[:] = [entry for entry in heap if self._version.get(entry[3]) == entry[4] and entry[3] in free]
                heapq.heapify(heap)
            self._push(heap, demand, agent)

    def forget(self, agent: Agent) -> None:
        """Take note of a removed agent."""
        self._drop(agent)
        self._version.pop(agent.spec.id, None)

    def check(self, state: FleetState) -> None:
        """Raise AssertionError unless exactly the free agents are here."""
        here = {agent_id: agent for free in self._free.values() for agent_id, agent in free.items()}
        wanted = {agent_id: agent for agent_id, agent in state.agents.items() if agent.is_free()}
        assert here.keys() == wanted.keys(), f"free agents: {here.keys() ^ wanted.keys()} differ"
        assert all(here[agent_id] is agent for agent_id, agent in wanted.items()), "a free agent is of another state"

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
        agent = free[best[3]]
        self._drop(agent)
        self._version[best[3]] += 1
        return agent, Placement(-best[0], best[5], self._next_best(heap), self._count(spec) + 1)

    def _next_best(self, heap: list[Entry]) -> tuple[tuple[AgentId, float], ...]:
        """Return the next best of the first entries of the heap."""
        version = self._version
        found: list[tuple[AgentId, float]] = []
        for looks in LOOKS:
            found = [(entry[3], -entry[0]) for entry in sorted(heap[:looks]) if version.get(entry[3]) == entry[4]]
            if len(found) >= ALTERNATIVES:
                break
        return tuple(found[:ALTERNATIVES])

    def _count(self, spec: TaskSpec) -> int:
        """Return how many free agents have what a task wants."""
        if not spec.capabilities:
            return len(self._free[spec.pool])
        groups = self._skills.get(spec.pool, {})
        return sum(count for skills, count in groups.items() if all(word in skills for word in spec.capabilities))

    def _add(self, agent: Agent) -> None:
        free = self._free.setdefault(agent.spec.pool, {})
        if agent.spec.id not in free:
            groups = self._skills.setdefault(agent.spec.pool, {})
            groups[agent.spec.capabilities] = groups.get(agent.spec.capabilities, 0) + 1
        free[agent.spec.id] = agent

    def _drop(self, agent: Agent) -> bool:
        if self._free.get(agent.spec.pool, {}).pop(agent.spec.id, None) is None:
            return False
        groups = self._skills[agent.spec.pool]
        groups[agent.spec.capabilities] -= 1
        if not groups[agent.spec.capabilities]:
            del groups[agent.spec.capabilities]
        return True

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
        factors = score(task_type, wanted, agent)
        done = agent.succeeded + agent.failed
        value = -round(weigh(factors, self._weights), 4)
        heapq.heappush(heap, (value, done, self._rng.random(), agent.spec.id, self._version[agent.spec.id], factors))

    def _pop(self, heap: list[Entry], free: dict[AgentId, Agent]) -> Entry | None:
        while heap:
            entry = heapq.heappop(heap)
            if entry[3] in free and self._version[entry[3]] == entry[4]:
                return entry
        return None
