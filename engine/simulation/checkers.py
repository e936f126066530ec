"""What must hold at every instant of a simulated fleet, and what once it is left alone. All raise AssertionError."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from engine.model import events as ev
from engine.model.agents import AgentStatus
from engine.model.ids import TaskId
from engine.model.rows import Frame, Row
from engine.model.swarm_rows import SwarmRow
from engine.model.task_events import (
    TaskFailed,
    TasksCancelled,
    TasksLeased,
    TasksReplayed,
    TasksSubmitted,
    TasksSucceeded,
)
from engine.model.tasks import FINISHED, HELD, TaskState
from engine.simulation.vote_checkers import VoteReader, check_decided, check_swarms
from engine.simulation.workload import Promises
from engine.simulation.world import World
from engine.state import FleetState

FOLLOWED = ("pools", "agents", "tasks", "hosts", "plans", "policies", "proposals", "sessions", "swarms")
_ON_A_HOST = frozenset({AgentStatus.IDLE, AgentStatus.ASSIGNED, AgentStatus.BUSY, AgentStatus.DRAINED})
"""Not those that start, even with an adopted task, nor those that leave when that has ended."""


def check_now(world: World) -> None:
    """Check the tables, their counters, and the indices against what they are derived from."""
    world.coordinator.check()
    check_counts(world.state)
    check_agents(world.state)
    check_swarms(world.state)


def check_counts(state: FleetState) -> None:
    """Count everything by hand."""
    for pool in state.pools.values():
        name = pool.spec.name
        statuses = Counter(agent.status for agent in state.agents.values() if agent.spec.pool == name)
        states = Counter(task.state for task in state.tasks.values() if task.spec.pool == name)
        assert statuses == _without_zeros(pool.by_status), f"{name}: {statuses} counted, {pool.by_status} kept"
        assert states == _without_zeros(pool.by_state), f"{name}: {states} counted, {pool.by_state} kept"
        staying = sum(not agent.retiring for agent in state.agents_in(name))
        assert staying == pool.size, f"{name} should have {pool.size} agents and has {staying}"
    totals = state.totals
    assert Counter(task.state for task in state.tasks.values()) == _without_zeros(totals.by_state)
    assert Counter(agent.status for agent in state.agents.values()) == _without_zeros(totals.by_status)
    ended = sum(pool.succeeded + pool.failed + pool.dead + pool.cancelled for pool in state.pools.values())
    assert ended == totals.succeeded + totals.failed + totals.dead + totals.cancelled


def _without_zeros(counts: dict[str, int]) -> dict[str, int]:
    return {key: count for key, count in counts.items() if count}


def check_agents(state: FleetState) -> None:
    """Leases, reservations and free agents are on hosts that are there."""
    for agent in state.agents.values():
        host = state.hosts.get(agent.host) if agent.host else None
        assert (host is not None) == (agent.host is not None), f"{agent.spec.name} is on {agent.host}, which is gone"
        assert host is None or agent.spec.id in host.agents, f"{agent.spec.name} is not among the agents of its host"
        on_a_host = agent.status in _ON_A_HOST and agent.allocation is None
        assert host is not None or not on_a_host, f"{agent.spec.name} is {agent.status} without a host"
        assert agent.allocation is None or agent.allocation in state.allocations
    for name, known in state.hosts.items():
        assert all(state.agents[agent_id].host == name for agent_id in known.agents), f"{name} has strangers"
    for task in state.tasks.values():
        assert task.state is not TaskState.PENDING or task.waiting_on >= 0, f"{task.spec.id} waits on {task.waiting_on}"


class JournalReader:
    """Reads the records as they become durable: nothing is applied twice, what succeeded stays so, no gap, a halt holds."""

    def __init__(self) -> None:
        self._read = 0
        self._fate: dict[TaskId, str] = {}
        self.submitted: set[TaskId] = set()
        self._halted: set[str] = set()
        self.votes = VoteReader()

    def read(self, records: list[ev.Record]) -> None:
        """Judge the records that are new."""
        for record in records[self._read :]:
            self._read += 1
            assert record.seq == self._read, f"record {record.seq} is the {self._read}th"
            self._judge(record.event)
            self.votes.judge(record.event, record.at)

    def _judge(self, event: ev.Event) -> None:
        if isinstance(event, TasksSubmitted):
            self.submitted.update(spec.id for spec in event.tasks)
        elif isinstance(event, TasksReplayed):
            for task in event.tasks:
                assert self._fate.pop(task) != "succeeded", f"{task} succeeded and was replayed"
        elif isinstance(event, ev.FleetHalted):
            (self._halted.add if event.halted else self._halted.discard)(event.scope)
        elif isinstance(event, TasksLeased):
            assert self._halted <= {"scaling"}, f"tasks were placed while {', '.join(self._halted)} were halted"
            for lease in event.leases:
                assert lease.task not in self._fate, f"{lease.task} {self._fate[lease.task]} and was leased again"
        for task, fate in _ends(event):
            assert task not in self._fate, f"{task} {self._fate[task]}, then {fate}"
            self._fate[task] = fate


def _ends(event: ev.Event) -> Iterable[tuple[TaskId, str]]:
    if isinstance(event, TasksSucceeded):
        return [(outcome.task, "succeeded") for outcome in event.outcomes]
    if isinstance(event, TaskFailed):
        return [(event.outcome.task, "failed")]
    if isinstance(event, TasksCancelled):
        return [(task, "was cancelled") for task in event.tasks]
    return []


def check_promises(world: World, promises: Promises, reader: JournalReader) -> None:
    """What was acknowledged is in the journal, and its tasks are known or have ended."""
    kept = world.journal.kept
    assert not kept or kept[-1].seq >= promises.seq, f"{promises.seq} was acknowledged, {kept[-1].seq} is durable"
    lost = [task for task in promises.tasks if TaskId(task) not in reader.submitted]
    assert not lost, f"accepted and lost: {lost[:5]}"


class Mirror:
    """What a follower knows from frames alone."""

    def __init__(self) -> None:
        self.rows: dict[str, dict[str, Row]] = {kind: {} for kind in FOLLOWED}

    def take(self, frame: Frame) -> None:
        """Fold a frame in."""
        if frame.full:
            self.rows = {kind: {} for kind in FOLLOWED}
        for kind, rows in frame.rows.items():
            self.rows[kind].update({row[0]: row for row in rows})
        for kind, gone in frame.removed.items():
            for id_ in gone:
                self.rows[kind].pop(id_, None)

    def check(self, world: World) -> None:
        """Compare with what a new follower would get."""
        for kind in FOLLOWED:
            wanted = {id_: world.feed.row(kind, id_) for id_ in world.feed.ids(kind)}
            assert set(self.rows[kind]) == set(wanted), f"{kind}: a follower has {set(self.rows[kind]) ^ set(wanted)} wrong"
            for id_, row in wanted.items():
                assert timeless(self.rows[kind][id_]) == timeless(row), f"a follower sees {self.rows[kind][id_]}, it is {row}"


def timeless(row: Row | None) -> Row | None:
    """Return a row without what runs by itself: the rate of a swarm falls from when it was made on."""
    return row._replace(rate=0.0, rate_at=0.0) if isinstance(row, SwarmRow) else row


def check_quiet(world: World) -> None:
    """Nobody acts, nothing is paused, drained or broken: what is left cannot run, and says so."""
    state = world.state
    check_decided(state)
    for agent in state.agents.values():
        assert agent.status is AgentStatus.IDLE, f"{agent.spec.name} is still {agent.status}: {agent.reason}"
    for task in state.tasks.values():
        assert task.state not in HELD, f"{task.spec.id} is still {task.state}"
        if task.state in FINISHED:
            continue
        able = [agent for agent in state.agents_in(task.spec.pool) if all(agent.can(word) for word in task.spec.capabilities)]
        assert task.waiting_on or not able, f"{task.spec.id} could run, {len(able)} agents are able"
