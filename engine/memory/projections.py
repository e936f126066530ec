"""What one batch writes, as the values of the view `batch` (writing.sql): every record, and each touched thing once.

Owner: `Projector`, of the running number that orders who waits and who has ended. Runs in the loop's thread and
must be quick there: at most 4 µs for a touched task.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Any

from engine.memory.contract import JournalBatch
from engine.memory.memory_rows import MemoryFound
from engine.memory.stored import (
    AgentProgress,
    FleetFigures,
    StoredHost,
    TaskProgress,
    agent_values,
    encode,
    encode_text,
    task_values,
)
from engine.model import events as ev
from engine.model.agent_events import (
    AgentAllocated,
    AgentReleased,
    AgentsReconfigured,
    AgentsRegistered,
)
from engine.model.agents import AgentSpec
from engine.model.errors import JournalError
from engine.model.ids import AgentId, AllocationId, TaskId
from engine.model.memory_events import ABOUT_MEMORY, MemoryExchanged
from engine.model.replication import Progress
from engine.model.task_events import (
    TaskFailed,
    TaskReturned,
    TasksCancelled,
    TasksLeased,
    TasksReplayed,
    TasksRerouted,
    TasksSubmitted,
    TasksSucceeded,
)
from engine.model.tasks import FINISHED

WRITING = f"INSERT INTO batch VALUES ({', '.join('?' * 22)})"
"""The statement that writes the values of Projector.project()."""

Rows = list[tuple[object, ...]]


@dataclass(slots=True)
class _Found:
    """What the records of a batch say that the tables after them do not."""

    new_tasks: set[TaskId] = field(default_factory=set)
    new_agents: set[AgentId] = field(default_factory=set)
    respecified: dict[AgentId, None] = field(default_factory=dict)
    turns: dict[TaskId, int] = field(default_factory=dict)
    """Tasks that began to wait or ended -> their newest turn."""
    allocations: dict[AllocationId, None] = field(default_factory=dict)
    dependencies: Rows = field(default_factory=list)
    memory: MemoryFound = field(default_factory=MemoryFound)
    peers: dict[str, Progress] = field(default_factory=dict)


class _Texts:
    """The large JSON texts of a batch, end to end."""

    def __init__(self) -> None:
        self.parts: list[bytes] = []
        self._end = 1

    def add(self, value: object) -> tuple[int, int]:
        """Add a value's JSON; return where it starts (the first byte is 1) and how long it is."""
        return self.add_text(encode(value))

    def add_text(self, part: bytes) -> tuple[int, int]:
        """Add JSON; return where it starts and how long it is."""
        start, size = self._end, len(part)
        self.parts.append(part)
        self._end = start + size
        return start, size

    def add_texts(self, parts: Sequence[bytes]) -> Iterable[tuple[int, int]]:
        """Add several, quicker than one by one; return the same of each."""
        sizes = list(map(len, parts))
        *starts, self._end = accumulate(sizes, initial=self._end)
        self.parts += parts
        return zip(starts, sizes, strict=True)


class Projector:
    """Turns batches into rows."""

    def __init__(self) -> None:
        self.turn = 0
        self._on_event: dict[type, Callable[[Any, _Found], None]] = {
            TasksSubmitted: self._submitted,
            TasksSucceeded: lambda event, found: self._turned(found, [outcome.task for outcome in event.outcomes]),
            TaskFailed: lambda event, found: self._turned(found, [event.outcome.task]),
            TasksCancelled: lambda event, found: self._turned(found, event.tasks),
            TasksReplayed: lambda event, found: self._turned(found, event.tasks),
            TaskReturned: lambda event, found: self._turned(found, [event.task]),
            TasksRerouted: lambda event, found: self._turned(found, [moved.task for moved in event.tasks]),
            AgentsRegistered: lambda event, found: found.new_agents.update(spec.id for spec in event.agents),
            AgentsReconfigured: lambda event, found: found.respecified.update(dict.fromkeys(spec.id for spec in event.agents)),
            AgentAllocated: lambda event, found: found.allocations.update({event.allocation.id: None}),
            AgentReleased: lambda event, found: found.allocations.update({event.allocation: None}),
            MemoryExchanged: lambda event, found: found.peers.update({event.peer: event.progress}),
        }

    def project(self, batch: JournalBatch) -> tuple[object, ...]:
        """Return the values for WRITING. Raises JournalError for what JSON cannot hold."""
        records, state = batch.records, batch.state
        first, last = (records[0].seq, records[-1].seq) if records else (state.seq + 1, state.seq)
        texts = _Texts()
        try:
            found = self._find(records)
            encoded = batch.texts if batch.texts is not None else [encode(record.event) for record in records]
            events: Rows = []
            for (seq, at, cause, event), text in zip(records, encoded, strict=True):
                start, size = texts.add_text(text)
                events.append((seq, event.type, _about_agent(event), at, cause, start, size))
                if type(event) in ABOUT_MEMORY:
                    found.memory.add(seq, event, start + size)
            sections = (
                events,
                *_tasks(batch, found, texts),
                found.dependencies,
                *_agents(batch, found, texts),
                *_resources(batch, found, texts, self.turn),
                *found.memory.rows(texts),
            )
            arrays = [encode_text(rows) if rows else None for rows in sections]
        except (TypeError, ValueError, OverflowError, RecursionError) as error:
            raise JournalError(f"the journal cannot keep {_culprit(records)}: {error}; values must be plain JSON") from error
        return (first, last, state.at, b"".join(texts.parts), *arrays)

    def _find(self, records: Iterable[ev.Record]) -> _Found:
        found = _Found()
        on_event = self._on_event
        for record in records:
            note = on_event.get(type(record.event))
            if note is not None:
                note(record.event, found)
        return found

    def _submitted(self, event: TasksSubmitted, found: _Found) -> None:
        ids = [spec.id for spec in event.tasks]
        found.new_tasks.update(ids)
        self._turned(found, ids)
        for spec in event.tasks:
            found.dependencies += [(spec.id, needed) for needed in spec.depends_on]

    def _turned(self, found: _Found, ids: Iterable[TaskId]) -> None:
        turn = self.turn
        for task_id in ids:
            found.turns[task_id] = turn = turn + 1
        self.turn = turn


def _about_agent(event: ev.Event) -> AgentId | None:
    """Return the agent of an event that is about exactly one."""
    if isinstance(event, TasksLeased):
        return event.leases[0].agent if len(event.leases) == 1 else None
    if isinstance(event, AgentsRegistered | AgentsReconfigured):
        return event.agents[0].id if len(event.agents) == 1 else None
    if isinstance(event, AgentAllocated):
        return event.allocation.agent
    agents: tuple[AgentId, ...] = getattr(event, "agents", ())
    return agents[0] if len(agents) == 1 else None


def _tasks(batch: JournalBatch, found: _Found, texts: _Texts) -> tuple[Rows, Rows, Rows]:
    """Return the rows of new, changed and turned tasks."""
    new: Rows = []
    changed: Rows = []
    turned: Rows = []
    state, new_tasks, turns = batch.state, found.new_tasks, found.turns
    tasks, forgotten, add = state.tasks, batch.touched.forgotten_tasks, texts.add
    for task_id in batch.touched.tasks:
        task = tasks.get(task_id) or forgotten[task_id]
        progress = TaskProgress(*task_values(task))
        start, size = add(progress)
        result_start, result_size = add(task.result) if task.result else (0, 0)
        row: tuple[object, ...] = (
            task_id,
            task.agent,
            task.state,
            task.priority,
            task.attempt,
            start,
            size,
            result_start,
            result_size,
        )
        turn = turns.get(task_id)
        if turn is None:
            changed.append(row)
            continue
        row += (task.finished_at, turn, turn) if task.state in FINISHED else (None, turn, None)
        if task_id in new_tasks:
            spec = task.spec
            words = (spec.type, spec.pool, spec.title, spec.idempotency_key, spec.deadline)
            new.append((*row, task.history[0][0], *words, *add(spec)))
        else:
            turned.append(row)
    return new, changed, turned


def _agents(batch: JournalBatch, found: _Found, texts: _Texts) -> tuple[Rows, Rows, Rows, Rows]:
    """Return the rows of new, changed, removed and respecified agents."""
    new: Rows = []
    changed: Rows = []
    removed: Rows = []
    agents, new_agents, add = batch.state.agents, found.new_agents, texts.add
    for agent_id in batch.touched.agents:
        agent = agents[agent_id]
        start, size = add(AgentProgress(*agent_values(agent)))
        row: tuple[object, ...] = (agent_id, agent.status, agent.updated_at, start, size)
        if agent_id in new_agents:
            new.append((*row, None, *_fixed(agent.spec, agent.created_at, texts)))
        else:
            changed.append(row)
    at = batch.state.at
    for agent in batch.touched.removed_agents:
        text = add(AgentProgress(*agent_values(agent)))
        if agent.spec.id in new_agents:
            new.append((agent.spec.id, "removed", at, *text, at, *_fixed(agent.spec, agent.created_at, texts)))
        else:
            removed.append((agent.spec.id, *text))
    again = [agents[agent_id].spec for agent_id in found.respecified if agent_id in agents and agent_id not in new_agents]
    respecified: Rows = [(spec.id, spec.type or spec.pool, *texts.add(spec)) for spec in again]
    return new, changed, removed, respecified


def _fixed(spec: AgentSpec, created_at: float, texts: _Texts) -> tuple[object, ...]:
    """Return the columns of an agent that never change."""
    return (created_at, spec.type or spec.pool, spec.pool, *texts.add(spec))


def _resources(batch: JournalBatch, found: _Found, texts: _Texts, turn: int) -> tuple[Rows, Rows]:
    """Return the rows to keep and the rows to drop."""
    state, touched = batch.state, batch.touched
    hosts = {host_id: state.hosts.get(host_id) for host_id in touched.hosts}
    figures = FleetFigures(state.seq, state.at, turn, state.totals, state.engine, state.halted)
    things: list[tuple[str, str, object]] = [
        ("fleet", "fleet", figures),
        *[("pool", pool, state.pools.get(pool)) for pool in touched.pools],
        *[("host", id_, host and StoredHost(host.info, host.health, host.evidence, host.cordon, host.cordon_why)) for id_, host in hosts.items()],
        *[("allocation", id_, state.allocations.get(id_)) for id_ in found.allocations],
        *[("peer", address, progress) for address, progress in found.peers.items()],
        *[("plan", id_, state.plans.get(id_)) for id_ in touched.plans],
        *[("policy", id_, state.policies.get(id_)) for id_ in touched.policies],
        *[("gang", id_, state.gangs.get(id_)) for id_ in touched.gangs],
        *[("machine", id_, state.machines.get(id_)) for id_ in touched.machines],
        *[("module", id_, state.modules.get(id_)) for id_ in touched.modules],
        *[("proposal", id_, state.rounds.get(id_)) for id_ in touched.rounds],
        *[("swarm", id_, state.swarming.swarms.get(id_)) for id_ in touched.swarms],
        *[("message", id_, state.swarming.mailboxes.mail.get(id_)) for id_ in touched.mail],
        *[("traffic", id_, state.swarming.mailboxes.traffic.get(id_)) for id_ in touched.traffic],
        *[("session", id_, state.swarming.sessions.get(id_)) for id_ in touched.sessions],
        *[("budget", scope, state.spending.budgets.get(scope)) for scope in touched.budgets],
        *[("ledger", scope, state.spending.ledgers.get(scope)) for scope in touched.ledgers],
        *[("router", pool, state.routers.get(pool)) for pool in touched.routers],
        *[("rule", id_, state.alerting.rules.get(id_)) for id_ in touched.rules],
        *[("alert", id_, state.alerting.alerts.get(id_)) for id_ in touched.alerts],
        *[("silence", id_, state.alerting.silences.get(id_)) for id_ in touched.silences],
    ]
    kept: Rows = [(kind, id_, *texts.add(thing)) for kind, id_, thing in things if thing is not None]
    return kept, [(kind, id_) for kind, id_, thing in things if thing is None]


def _culprit(records: Sequence[ev.Record]) -> str:
    """Return the words for the first record that JSON cannot hold."""
    for record in records:
        try:
            encode_text(record.event)
        except (TypeError, ValueError, OverflowError, RecursionError):
            return f"record {record.seq} ({record.event.type})"
    return "a batch"
