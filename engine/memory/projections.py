"""What one batch writes, as rows of the view `batch` (writing.sql): every record, and each touched thing once.

Owner: `Projector`, of the running number that orders who waits and who has ended. Runs in the loop's thread and
must be quick there: at most 4 µs for a touched task.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any

from engine.memory.contract import JournalBatch
from engine.memory.stored import (
    AgentProgress,
    FleetFigures,
    StoredHost,
    TaskProgress,
    agent_values,
    encode_text,
    task_values,
)
from engine.model import events as ev
from engine.model.agents import Agent, AgentStatus
from engine.model.errors import JournalError
from engine.model.ids import AgentId, AllocationId, TaskId
from engine.model.tasks import FINISHED, Task, TaskState
from engine.state import FleetState, Touched

WIDTH = 11
"""Columns of the view."""

SMALL_FAN_OUT = 16
"""Dependents of one task that are searched one by one."""


class Kind(IntEnum):
    """What a row of the view is about; the triggers in writing.sql use the numbers."""

    EVENT = 1
    TASK_CHANGED = 2
    TASK_TURNED = 3
    TASK_NEW = 4
    AGENT_CHANGED = 5
    AGENT_NEW = 6
    AGENT_REMOVED = 7
    KEPT = 8
    DROPPED = 9
    DEPENDENCY = 10
    ARTIFACT = 11


# Plain numbers and strings: SQLite binds those many times faster than members of an enum.
_EVENT, _TASK_CHANGED, _TASK_TURNED, _TASK_NEW = (int(kind) for kind in list(Kind)[:4])
_AGENT_CHANGED, _AGENT_NEW, _AGENT_REMOVED = (int(kind) for kind in list(Kind)[4:7])
_KEPT, _DROPPED, _DEPENDENCY, _ARTIFACT = (int(kind) for kind in list(Kind)[7:])
_STATE_WORDS = {state: state.value for state in TaskState}
_STATUS_WORDS = {status: status.value for status in AgentStatus}


@dataclass(slots=True)
class _Found:
    """What the records of a batch say that the tables after them do not."""

    new_tasks: set[TaskId] = field(default_factory=set)
    new_agents: set[AgentId] = field(default_factory=set)
    turns: dict[TaskId, int] = field(default_factory=dict)
    """Tasks that began to wait or ended -> their newest turn."""
    allocations: dict[AllocationId, None] = field(default_factory=dict)


class Projector:
    """Turns batches into rows."""

    def __init__(self) -> None:
        self.turn = 0
        self._on_event: dict[type, Callable[[Any, _Found, list[object]], None]] = {
            ev.TasksSubmitted: self._submitted,
            ev.TasksSucceeded: lambda event, found, _: self._turned(found, [o.task for o in event.outcomes]),
            ev.TaskFailed: lambda event, found, _: self._turned(found, [event.outcome.task]),
            ev.TasksCancelled: lambda event, found, _: self._turned(found, event.tasks),
            ev.TasksReplayed: lambda event, found, _: self._turned(found, event.tasks),
            ev.TaskReturned: lambda event, found, _: self._turned(found, [event.task]),
            ev.AgentsRegistered: lambda event, found, _: found.new_agents.update(spec.id for spec in event.agents),
            ev.AgentAllocated: lambda event, found, _: found.allocations.update({event.allocation.id: None}),
            ev.AgentReleased: lambda event, found, _: found.allocations.update({event.allocation: None}),
        }

    def rows(self, batch: JournalBatch) -> list[object]:
        """Return the values of all rows, WIDTH each, one after the other. Raises JournalError for what JSON cannot hold."""
        values: list[object] = []
        try:
            found = self._events(values, batch.records)
            _tasks(values, batch, found)
            _agents(values, batch, found)
            _resources(values, batch, found)
            self._figures(values, batch.state)
        except (TypeError, ValueError, OverflowError, RecursionError) as error:
            raise JournalError(f"the journal cannot keep {_culprit(batch)}: {error}; values must be plain JSON") from error
        for artifact in batch.artifacts:
            data = artifact.data
            values += (_ARTIFACT, artifact.id, artifact.task or None, artifact.media, len(data), data, batch.state.at)
            values += (None,) * 4
        return values

    def _events(self, values: list[object], records: Iterable[ev.Record]) -> _Found:
        found = _Found()
        on_event = self._on_event
        for seq, at, cause, event in records:
            agent = _about_agent(event)
            values += (_EVENT, seq, event.type, agent, at, encode_text(event), cause, None, None, None, None)
            note = on_event.get(type(event))
            if note is not None:
                note(event, found, values)
        return found

    def _submitted(self, event: ev.TasksSubmitted, found: _Found, values: list[object]) -> None:
        ids = [spec.id for spec in event.tasks]
        found.new_tasks.update(ids)
        self._turned(found, ids)
        for spec in event.tasks:
            for needed in spec.depends_on:
                values += (_DEPENDENCY, spec.id, needed, None, None, None, None, None, None, None, None)

    def _turned(self, found: _Found, ids: Iterable[TaskId]) -> None:
        turn = self.turn
        for task_id in ids:
            found.turns[task_id] = turn = turn + 1
        self.turn = turn

    def _figures(self, values: list[object], state: FleetState) -> None:
        figures = FleetFigures(state.seq, state.at, self.turn, state.totals, state.engine)
        _keep(values, "fleet", "fleet", figures)


def _about_agent(event: ev.Event) -> AgentId | None:
    """Return the agent of an event that is about exactly one."""
    if isinstance(event, ev.TasksLeased):
        return event.leases[0].agent if len(event.leases) == 1 else None
    if isinstance(event, ev.AgentsRegistered):
        return event.agents[0].id if len(event.agents) == 1 else None
    if isinstance(event, ev.AgentAllocated):
        return event.allocation.agent
    agents: tuple[AgentId, ...] = getattr(event, "agents", ())
    return agents[0] if len(agents) == 1 else None


def _tasks(values: list[object], batch: JournalBatch, found: _Found) -> None:
    state, new, turns = batch.state, found.new_tasks, found.turns
    tasks, left = state.tasks, _left_tasks(batch.touched)
    for task_id in batch.touched.tasks:
        task = tasks.get(task_id) or left.get(task_id)
        if task is None:
            continue
        progress = TaskProgress(*task_values(task))
        if task.waiting_on:
            progress.awaits = _awaits(state, task)
        turn = turns.get(task_id)
        kind, created_at, spec = _TASK_CHANGED, None, None
        if task_id in new:
            kind, created_at, spec = _TASK_NEW, task.history[0][0], encode_text(task.spec)
        elif turn is not None:
            kind = _TASK_TURNED
        values += (
            kind,
            task_id,
            task.agent,
            _STATE_WORDS[task.state],
            task.priority,
            created_at,
            task.finished_at if task.state in FINISHED else None,
            encode_text(task.result) if task.result else None,
            spec,
            encode_text(progress),
            turn,
        )


def _left_tasks(touched: Touched) -> dict[TaskId, Task]:
    """Return tasks that ended and were forgotten within the batch, as they ended."""
    return {task.spec.id: task for task in touched.forgotten_tasks if isinstance(task, Task)}


def _awaits(state: FleetState, task: Task) -> tuple[TaskId, ...]:
    needed = dict.fromkeys(task.spec.depends_on)
    unfinished = [task_id for task_id in needed if task_id in state.tasks and task_id not in state.finished]
    if len(unfinished) == task.waiting_on:
        return tuple(unfinished)
    return tuple(task_id for task_id in unfinished if task.spec.id in state.dependents.get(task_id, ()))


def _agents(values: list[object], batch: JournalBatch, found: _Found) -> None:
    agents, new = batch.state.agents, found.new_agents
    for agent_id in batch.touched.agents:
        agent = agents[agent_id]
        progress = encode_text(AgentProgress(*agent_values(agent)))
        if agent_id in new:
            values += _new_agent(agent, _STATUS_WORDS[agent.status], progress, None)
        else:
            status = _STATUS_WORDS[agent.status]
            values += (_AGENT_CHANGED, agent_id, None, status, None, None, agent.updated_at, None, progress, None, None)
    at = batch.state.at
    for agent, reason in batch.touched.removed_agents:
        left = AgentProgress(*agent_values(agent))
        left.reason = reason
        progress = encode_text(left)
        if agent.spec.id in new:
            values += _new_agent(agent, "removed", progress, at)
        else:
            values += (_AGENT_REMOVED, agent.spec.id, None, "removed", None, None, at, None, progress, at, None)


def _new_agent(agent: Agent, status: str, progress: str, removed_at: float | None) -> tuple[object, ...]:
    spec = agent.spec
    return (
        _AGENT_NEW,
        spec.id,
        spec.type or spec.pool,
        status,
        spec.pool,
        agent.created_at,
        agent.updated_at,
        encode_text(spec),
        progress,
        removed_at,
        None,
    )


def _resources(values: list[object], batch: JournalBatch, found: _Found) -> None:
    state, touched = batch.state, batch.touched
    for pool in touched.pools:
        _keep(values, "pool", pool, state.pools.get(pool))
    for host_id in touched.hosts:
        host = state.hosts.get(host_id)
        _keep(values, "host", host_id, host and StoredHost(host.info, host.health, host.evidence))
    for allocation_id in found.allocations:
        _keep(values, "allocation", allocation_id, state.allocations.get(allocation_id))
    for plan_id in touched.plans:
        _keep(values, "plan", plan_id, state.plans.get(plan_id))


def _keep(values: list[object], kind: str, id_: str, thing: object) -> None:
    """Add the row that keeps a thing, or drops it when it is None."""
    if thing is None:
        values += (_DROPPED, id_, kind, None, None, None, None, None, None, None, None)
    else:
        values += (_KEPT, id_, kind, encode_text(thing), None, None, None, None, None, None, None)


def _culprit(batch: JournalBatch) -> str:
    """Return the words for the first thing of a batch that JSON cannot hold."""
    for record in batch.records:
        try:
            encode_text(record.event)
        except (TypeError, ValueError, OverflowError, RecursionError):
            return f"event {record.seq} ({record.event.type})"
    return "a batch"
