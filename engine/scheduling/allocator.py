"""Which free agent takes a task: filter, score, and between equals the one that worked least (seed A 6.2, C28).

Owner: the coordinator; `FreeAgents` is an index derived from the state. For each demand that was seen (pool, task
type, capabilities) it keeps a heap of the free agents by score with lazy deletion, so that choosing costs O(log n).
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from types import MappingProxyType
from typing import NamedTuple, Protocol

from engine.clock import Rng
from engine.model.agents import Agent
from engine.model.ids import AgentId
from engine.model.learned import Advice
from engine.model.pools import SESSION, Pool
from engine.model.tasks import Placement, TaskSpec
from engine.scheduling.routing_rules import Rules, advice_by
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

BEST_LOOKED_AT, LONGEST_FREE_LOOKED_AT = 5, 3
"""Contenders that an adviser is shown: the best by score, and of the rest those that have been free for longest."""
SCANNED_MAX = 16

Demand = tuple[str, tuple[str, ...]]
Entry = tuple[float, int, float, AgentId, int, Factors]
"""(-value, tasks done, chance, agent, version, factors): the smallest is the best."""


class Contender(NamedTuple):
    """A free agent that could take a task, and its value by scores."""

    agent: Agent
    value: float
    factors: Factors


class Adviser(Protocol):
    """Says whom to take where it is asked: rules, and what was learned."""

    rules: Rules

    def is_due(self, spec: TaskSpec, now: float) -> bool:
        """Tell whether it is to be asked for a task; asking costs time."""
        ...

    def advise(self, spec: TaskSpec, contenders: Sequence[Contender], now: float, attempt: int) -> tuple[int, Advice | None]:
        """Return the number of the contender to take, the first being the scores' choice, and what there is to say of it."""
        ...


class FreeAgents:
    """Agents that may take a task now, by pool, with their scores by demand."""

    def __init__(self, weights: Factors, rng: Rng, adviser: Adviser | None = None, pools: Mapping[str, Pool] = MappingProxyType({})) -> None:
        self._weights = normalised(weights)
        self._pools = pools
        self._adviser = adviser
        self._rng = rng
        self._version: dict[AgentId, int] = {}
        self._free: dict[str, dict[AgentId, Agent]] = {}
        self._skills: dict[str, dict[tuple[str, ...], int]] = {}
        """Pool -> capabilities -> free agents that have exactly these."""
        self._heaps: dict[str, dict[Demand, list[Entry]]] = {}

    def rebuild(self, state: FleetState) -> None:
        """Fill from a state."""
        self._pools = state.pools
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

    def choose(self, spec: TaskSpec, now: float = 0.0, attempt: int = 0) -> tuple[Agent, Placement] | None:
        """Take the best free agent for a task off the index and say why, or return None when none fits.

        With an attempt, the adviser may know a better one.
        """
        free = self._free.get(spec.pool)
        if not free:
            return None
        by_rule = self._by_rule(spec) if attempt and self._adviser is not None else None
        if by_rule is not None:
            return by_rule
        heap = self._heap(spec.pool, (spec.type, spec.capabilities))
        best = self._pop(heap, free)
        if best is None:
            return None
        if attempt and self._adviser is not None and self._adviser.is_due(spec, now):
            return self._advised(spec, heap, best, now, attempt)
        agent = free[best[3]]
        self._drop(agent)
        self._version[best[3]] += 1
        return agent, Placement(-best[0], best[5], self._next_best(heap), self._count(spec) + 1)

    def _advised(self, spec: TaskSpec, heap: list[Entry], best: Entry, now: float, attempt: int) -> tuple[Agent, Placement]:
        """Take the agent that the adviser names; the scores' choice goes back on the heap, where it is out of date if it was taken."""
        assert self._adviser is not None
        free = self._free[spec.pool]
        contenders = self._contenders(spec, heap, best)
        number, advice = self._adviser.advise(spec, contenders, now, attempt)
        agent, value, factors = contenders[number]
        candidates = self._count(spec)
        self._drop(agent)
        self._version[agent.spec.id] += 1
        if best[3] in free:
            heapq.heappush(heap, best)
        return agent, Placement(value, factors, self._next_best(heap), candidates, advice)

    def _by_rule(self, spec: TaskSpec) -> tuple[Agent, Placement] | None:
        """Take the best by score of the free agents that a rule names, if there is one."""
        assert self._adviser is not None
        rules = self._adviser.rules
        rule = rules.find(spec.pool, spec.type)
        if rule is None:
            return None
        named = [agent for agent in self._free[spec.pool].values() if rules.wants(rule, agent.spec.name) and set(spec.capabilities) <= set(agent.spec.capabilities)]
        if not named:
            return None
        scored = [(round(weigh(factors, self._weights), 4), factors, agent) for agent in named for factors in (self._score(spec.type, spec.capabilities, agent),)]
        value, factors, agent = max(scored, key=lambda one: (one[0], -one[2].succeeded - one[2].failed))
        self._drop(agent)
        self._version[agent.spec.id] += 1
        return agent, Placement(value, factors, candidates=len(named), advice=advice_by(rule))

    def _contenders(self, spec: TaskSpec, heap: list[Entry], best: Entry) -> list[Contender]:
        free = self._free[spec.pool]
        entries = [best]
        while len(entries) < BEST_LOOKED_AT and (entry := self._pop(heap, free)) is not None:
            entries.append(entry)
        for entry in entries[1:]:
            heapq.heappush(heap, entry)
        found = {entry[3]: Contender(free[entry[3]], -entry[0], entry[5]) for entry in entries}
        for agent in islice(free.values(), SCANNED_MAX):
            if len(found) >= BEST_LOOKED_AT + LONGEST_FREE_LOOKED_AT:
                break
            if agent.spec.id not in found and all(word in agent.spec.capabilities for word in spec.capabilities):
                factors = self._score(spec.type, spec.capabilities, agent)
                found[agent.spec.id] = Contender(agent, round(weigh(factors, self._weights), 4), factors)
        return list(found.values())

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
            for agent in self._able(pool, demand[1]):
                self._push(heap, demand, agent)
        return heap

    def _able(self, pool: str, wanted: tuple[str, ...]) -> Iterable[Agent]:
        """Return the free agents among which those that can do it are; work for one agent alone, by its id, is not offered to all others."""
        free = self._free.get(pool, {})
        for word in wanted:
            if AgentId(word) in self._version:
                agent = free.get(AgentId(word))
                return (agent,) if agent is not None else ()
        return free.values()

    def _push(self, heap: list[Entry], demand: Demand, agent: Agent) -> None:
        task_type, wanted = demand
        if any(not agent.can(word) for word in wanted):
            return
        factors = self._score(task_type, wanted, agent)
        done = agent.succeeded + agent.failed
        value = -round(weigh(factors, self._weights), 4)
        heapq.heappush(heap, (value, done, self._rng.random(), agent.spec.id, self._version[agent.spec.id], factors))

    def _score(self, task_type: str, wanted: Sequence[str], agent: Agent) -> Factors:
        pool = self._pools.get(agent.spec.pool)
        return score(task_type, wanted, agent, has_sessions=pool is not None and pool.spec.kind == SESSION)

    def _pop(self, heap: list[Entry], free: dict[AgentId, Agent]) -> Entry | None:
        while heap:
            entry = heapq.heappop(heap)
            if entry[3] in free and self._version[entry[3]] == entry[4]:
                return entry
        return None
