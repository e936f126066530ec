"""What is counted while the fleet works, a few integer additions a task: durations, recoveries, scalings, cost and tokens.

Owner: of the counts since the last sample (`take_histograms`) and since the engine began (`counts`), by pool. It is told of every
commit. Limits: BUCKETS counts for each of three metrics a pool; of lost agents at most those there are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import islice

from engine.clock import Clock
from engine.model import events as ev
from engine.model.agents import AgentStatus
from engine.model.ids import AgentId
from engine.model.tasks import Outcome, Task
from engine.monitoring.archive import Key
from engine.monitoring.histogram import BUCKETS, bucket_of
from engine.state import FleetState, Touched

TOKENS = "tokens"
TOKEN_PARTS = ("input_tokens", "output_tokens")
"""Names under which an outcome's usage tells of tokens: all of them, or by part."""
COST = "cost"


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
        tasks = self._state().tasks
        for record in records:
            event = record.event
            if isinstance(event, ev.TasksLeased):
                for lease in event.leases:
                    self._leased(tasks.get(lease.task), record.at)
            elif isinstance(event, ev.TasksSucceeded):
                for outcome in event.outcomes:
                    self._succeeded(tasks.get(outcome.task), outcome, record.at)
            elif isinstance(event, ev.TaskFailed):
                self._spent(tasks.get(event.outcome.task), event.outcome)
            else:
                self._note_rare(record, touched)

    def _leased(self, task: Task | None, at: float) -> None:
        # Of one that waited on others the instant when it could run is not kept.
        if task is not None and not task.spec.sample_of and not task.spec.depends_on:
            self.observe("allocation_ms", task.spec.pool, at - max(task.spec.submitted_at, task.not_before, task.replayed_at))

    def _succeeded(self, task: Task | None, outcome: Outcome, at: float) -> None:
        if task is None or task.spec.sample_of:
            return
        self.observe("response_ms", task.spec.pool, at - max(task.spec.submitted_at, task.replayed_at))
        if outcome.started_at:
            self.observe("run_ms", task.spec.pool, outcome.ended_at - outcome.started_at)
        if outcome.usage:
            self._spent(task, outcome)

    def _spent(self, task: Task | None, outcome: Outcome) -> None:
        if task is None or not outcome.usage:
            return
        names = (TOKENS,) if TOKENS in outcome.usage else TOKEN_PARTS
        tokens = [outcome.usage[name] for name in names if name in outcome.usage]
        if tokens:
            self._add("tokens", task.spec.pool, sum(tokens))
        if COST in outcome.usage:
            self._add("cost", task.spec.pool, outcome.usage[COST])

    def _note_rare(self, record: ev.Record, touched: Touched) -> None:
        event = record.event
        if isinstance(event, ev.PoolScaled):
            before = self._sizes.get(event.pool, event.size)
            if event.size != before:
                self._add("scale_ups" if event.size > before else "scale_downs", event.pool, 1)
            self._sizes[event.pool] = event.size
        elif isinstance(event, ev.PoolConfigured):
            pool = self._state().pools.get(event.spec.name)
            self._sizes[event.spec.name] = pool.size if pool is not None else event.size
        elif isinstance(event, ev.AgentsBroken | ev.AgentsStarting):
            self._lose(event.agents, record.at)
        elif isinstance(event, ev.HostLost):
            # It does not name its agents: those that this commit left starting, and that had worked before.
            agents = [agent for id_ in touched.agents if (agent := self._state().agents.get(id_)) is not None]
            self._lose([agent.spec.id for agent in agents if agent.status is AgentStatus.STARTING and agent.idle_since], record.at)
        elif isinstance(event, ev.AgentsReady):
            self._found(event.agents, record.at)
        elif isinstance(event, ev.AgentsRemoved):
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

    def observe(self, name: str, label: str, seconds: float) -> None:
        """Count one duration."""
        counts = self._histograms.get((name, label))
        if counts is None:
            counts = self._histograms[name, label] = [0.0] * BUCKETS
        counts[bucket_of(seconds * 1_000)] += 1

    def _add(self, name: str, pool: str, amount: float) -> None:
        self.counts[name, pool] = self.counts.get((name, pool), 0.0) + amount

    def sized(self, sizes: Mapping[str, int]) -> None:
        """Take the pools' sizes as they are at the start, from which scalings are told."""
        self._sizes.update(sizes)

    def take_histograms(self) -> dict[Key, list[float]]:
        """Return the durations counted since the last call, by metric and pool, those of all pools under an empty one."""
        taken, self._histograms = self._histograms, {key: [0.0] * BUCKETS for key in self._histograms}
        for (name, label), counts in list(taken.items()):
            if label:
                whole = taken.setdefault((name, ""), [0.0] * BUCKETS)
                for bucket, count in enumerate(counts):
                    whole[bucket] += count
        return taken
