"""What is counted while the fleet works, a few integer additions a task: durations, recoveries and scalings.

Owner: of the counts since the last sample (`take_histograms`) and since the engine began (`counts`), by pool. It is told of every
commit. Limits: BUCKETS counts for each of three metrics a pool; of lost agents at most those there are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import islice

from engine.clock import Clock
from engine.model import events as ev
from engine.model.agent_events import (
    AgentsBroken,
    AgentsReady,
    AgentsRemoved,
    AgentsStarting,
    HostLost,
)
from engine.model.agents import AgentStatus
from engine.model.ids import AgentId
from engine.model.pool_events import PoolConfigured, PoolScaled
from engine.model.task_events import (
    TasksLeased,
    TasksStarted,
    TasksSubmitted,
    TasksSucceeded,
)
from engine.model.tasks import Lease, Outcome
from engine.monitoring.archive import Key
from engine.monitoring.histogram import BUCKETS, bucket_of
from engine.state import FleetState, Touched

TIMED_MAX = 24
"""Tasks of one event that are timed; of more every n-th, which then counts for the others: a storm costs no more."""
_UNCOUNTED = (TasksStarted, TasksSubmitted)
"""The most frequent events of which nothing is counted here."""


class Meter:
    """Counts beside the work."""

    def __init__(self, state: Callable[[], FleetState], clock: Clock) -> None:
        self._state = state
        self._clock = clock
        self._histograms: dict[Key, list[float]] = {}
        self.counts: dict[Key, float] = {}
        """Since the engine began, by metric and pool; a pool that told nothing is not there: unknown, not 0."""
        self._sizes: dict[str, int] = {}
        self._lost: dict[AgentId, float] = {}
        """Agents that were able to work and are not: since when."""

    def publish(self, records: Sequence[ev.Record], touched: Touched) -> None:
        """Count one commit."""
        if not records:
            self._lost.clear()  # the state was rebuilt
            return
        self.observe("commit_ms", "", self._clock.now() - records[0].at)
        for record in records:
            event = record.event
            if isinstance(event, TasksLeased):
                self._time_leases(event.leases, record.at)
            elif isinstance(event, TasksSucceeded):
                self._time_outcomes(event.outcomes, record.at)
            elif not isinstance(event, _UNCOUNTED):
                self._note_rare(record, touched)

    def _time_leases(self, leases: Sequence[Lease], at: float) -> None:
        tasks = self._state().tasks
        timed = leases[:: 1 + len(leases) // TIMED_MAX]
        for lease in timed:
            task = tasks.get(lease.task)
            # Of one that waited on others the instant when it could run is not kept.
            if task is not None and not task.spec.sample_of and not task.spec.depends_on:
                since = max(task.spec.submitted_at, task.not_before, task.replayed_at)
                self.observe("allocation_ms", task.spec.pool, at - since, len(leases) / len(timed))

    def _time_outcomes(self, outcomes: Sequence[Outcome], at: float) -> None:
        tasks = self._state().tasks
        timed = outcomes[:: 1 + len(outcomes) // TIMED_MAX]
        weight = len(outcomes) / len(timed) if timed else 0.0
        for outcome in timed:
            task = tasks.get(outcome.task)
            if task is None or task.spec.sample_of:
                continue
            self.observe("response_ms", task.spec.pool, at - max(task.spec.submitted_at, task.replayed_at), weight)
            if outcome.started_at:
                self.observe("run_ms", task.spec.pool, outcome.ended_at - outcome.started_at, weight)

    def _note_rare(self, record: ev.Record, touched: Touched) -> None:
        event = record.event
        if isinstance(event, PoolScaled):
            before = self._sizes.get(event.pool, event.size)
            if event.size != before:
                self._add("scale_ups" if event.size > before else "scale_downs", event.pool, 1)
            self._sizes[event.pool] = event.size
        elif isinstance(event, PoolConfigured):
            pool = self._state().pools.get(event.spec.name)
            self._sizes[event.spec.name] = pool.size if pool is not None else event.size
        elif isinstance(event, AgentsBroken | AgentsStarting):
            self._lose(event.agents, record.at)
        elif isinstance(event, HostLost):
            # It does not name its agents: those that this commit left starting, and that had worked before.
            agents = [agent for id_ in touched.agents if (agent := self._state().agents.get(id_)) is not None]
            self._lose([agent.spec.id for agent in agents if agent.status is AgentStatus.STARTING and agent.idle_since], record.at)
        elif isinstance(event, AgentsReady):
            self._found(event.agents, record.at)
        elif isinstance(event, AgentsRemoved):
            for id_ in event.agents:
                self._lost.pop(id_, None)

    def _lose(self, agents: Iterable[AgentId], at: float) -> None:
        for agent in agents:
            self._lost.setdefault(agent, at)

    def _found(self, ready: Iterable[AgentId], at: float) -> None:
        agents = self._state().agents
        for id_ in ready:
            since = self._lost.pop(id_, None)
            agent = agents.get(id_)
            if since is not None and agent is not None:
                self.observe("recovery_ms", agent.spec.pool, at - since)

    def heard(self, records: Sequence[ev.Record]) -> None:
        """Take note of a batch that reached the engine's own subscriber of the bus."""
        now = self._clock.now()
        for record in islice(records, 1):
            self.observe("listener_ms", "", now - record.at)

    def observe(self, name: str, label: str, seconds: float, weight: float = 1.0) -> None:
        """Count one duration, or one that stands for several."""
        counts = self._histograms.get((name, label))
        if counts is None:
            counts = self._histograms[name, label] = [0.0] * (BUCKETS + 1)
        milliseconds = seconds * 1_000
        counts[bucket_of(milliseconds)] += weight
        counts[BUCKETS] += milliseconds * weight

    def _add(self, name: str, pool: str, amount: float) -> None:
        self.counts[name, pool] = self.counts.get((name, pool), 0.0) + amount

    def sized(self, sizes: Mapping[str, int]) -> None:
        """Take the pools' sizes as they are at the start, from which scalings are told."""
        self._sizes.update(sizes)

    def take_histograms(self) -> dict[Key, list[float]]:
        """Return the durations counted since the last call, by metric and pool, those of all pools under an empty one.

        Each is the counts by bucket, then the sum in milliseconds.
        """
        taken, self._histograms = self._histograms, {key: [0.0] * (BUCKETS + 1) for key in self._histograms}
        for (name, label), counts in list(taken.items()):
            if label:
                whole = taken.setdefault((name, ""), [0.0] * (BUCKETS + 1))
                for bucket, count in enumerate(counts):
                    whole[bucket] += count
        return taken
