"""The seeds' channels: which events go out on which, and as what message; pure.

A message's payload is the event as the journal has it, but for those that the seeds themselves give an example of. Nothing that looks
like a secret goes out, and of what memory holds no value; a key only when everybody may read the entry.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from engine.model import consensus_events as votes
from engine.model import events as ev
from engine.model import room_events as room
from engine.model import swarm_events as swarms
from engine.model import wire
from engine.model.agent_events import (
    AgentAllocated,
    AgentReleased,
    AgentsBroken,
    AgentsCordoned,
    AgentsReady,
    AgentsReconfigured,
    AgentsRegistered,
    AgentsRemoved,
    AgentsRetiring,
    AgentsRevived,
    AgentsStarting,
    HostCordoned,
    HostHealth,
    HostLost,
)
from engine.model.data_commands import BackUpFleet
from engine.model.ids import MessageId
from engine.model.memory_events import MemoryChanged
from engine.model.memory_words import Level
from engine.model.pool_events import (
    PolicyRemoved,
    PolicySet,
    PoolConfigured,
    PoolEdited,
    PoolHeld,
    PoolPaused,
    PoolScaled,
)
from engine.model.secrets import conceal, redact
from engine.model.swarm_mail import CoordinationMessage, MessageMetadata
from engine.model.swarm_words import Priority
from engine.model.task_events import (
    LateResult,
    TaskFailed,
    TaskPrioritised,
    TaskReturned,
    TasksCancelled,
    TasksLeased,
    TasksReplayed,
    TasksRerouted,
    TasksStarted,
    TasksStopping,
    TasksSubmitted,
    TasksSucceeded,
)
from engine.state import FleetState

_RESULTS = (TasksSucceeded, TaskFailed, LateResult)
_QUEUE = (TasksSubmitted, TaskReturned, TasksRerouted, TasksReplayed, TaskPrioritised)
_STATUS = (TasksLeased, TasksStarted, TasksStopping, TasksCancelled, TasksSucceeded, TaskFailed, TaskReturned)
_REGISTRY = (AgentsRegistered, AgentsReconfigured, AgentsRemoved)

CHANNELS: dict[str, tuple[type, ...]] = {
    "fleet:coordination": (ev.EngineTookOver, ev.FleetHalted, PoolPaused, PoolHeld, ev.PlanApplied, ev.PlanUndone),
    "fleet:registry": (*_REGISTRY, PoolConfigured, PoolEdited),
    "fleet:health": (HostHealth, HostCordoned, HostLost, AgentsBroken),
    "fleet:allocation": (TasksLeased, AgentAllocated, AgentReleased, room.GangGranted, room.GangEnded),
    "fleet:scaling": (PoolScaled, PolicySet, PolicyRemoved),
    "fleet:tasks": (*_QUEUE, TasksStarted, TasksStopping, TasksCancelled),
    "fleet:results": _RESULTS,
    "fleet:discovery": (ev.EngineTookOver, AgentsReady, room.MachineSeen, room.MachineGone),
    "fleet:status": (ev.EngineTookOver, ev.FleetHalted, PoolPaused, PoolHeld),
    "fleet:resources": (PoolConfigured, PoolEdited, room.MachineSeen, room.PoolWaits, room.TasksWaitForRoom),
    "swarm:coordination": (swarms.SwarmCreated, swarms.SwarmChanged),
    "swarm:status": (swarms.SwarmCreated, swarms.SwarmMoved),
    "swarm:consensus": (votes.ProposalOpened, votes.BallotsCast, votes.ProposalChanged, votes.ProposalClosed, votes.ProposalActed),
    "tasks:queue": _QUEUE,
    "tasks:status": _STATUS,
    "tasks:results": _RESULTS,
    "agents:registry": _REGISTRY,
    "agents:status": (AgentsStarting, AgentsReady, AgentsBroken, AgentsCordoned, AgentsRetiring, AgentsRevived, HostHealth, HostLost),
    "agents:messages": (TasksLeased, swarms.MessageSent),
    "recovery:state": (ev.EngineTookOver, HostLost, TaskReturned, AgentsRevived),
    "persistence:backup": (ev.Audited,),
    "phase:{phaseId}:coordination": (swarms.SessionChanged,),
    "phase:{phaseId}:status": (swarms.SessionChanged,),
    "phase:{phaseId}:docs": (swarms.SessionChanged,),
    "memory:updates": (MemoryChanged,),
}
"""Channel -> events. A phase is an objective of a swarm: its id is the session's. Of the audit only backups go out."""

_CHANNELS_OF: dict[type, list[str]] = {}
for _channel, _events in CHANNELS.items():
    for _event in _events:
        _CHANNELS_OF.setdefault(_event, []).append(_channel)

_URGENCY = {
    ev.FleetHalted: Priority.CRITICAL,
    HostLost: Priority.CRITICAL,
    AgentsBroken: Priority.HIGH,
    TaskFailed: Priority.HIGH,
    TasksLeased: Priority.LOW,
    TasksStarted: Priority.LOW,
}
_BARE = frozenset({TasksLeased, TasksStarted})
"""Events, frequent ones, whose messages hold ids and numbers alone, but for a title that is looked through by itself."""
_HOW_URGENT = ((9, Priority.CRITICAL), (7, Priority.HIGH), (4, Priority.NORMAL), (0, Priority.LOW))
"""From which priority of a task on."""


class Draft(NamedTuple):
    """What is particular of a message."""

    type: str
    payload: dict[str, Any]
    target: str = ""
    priority: Priority | None = None
    """None = by the event."""
    phase: str = ""
    ttl: float = 0.0


Drafter = Callable[[Any, FleetState], Iterator[Draft | CoordinationMessage]]


def channels_of(event: object) -> list[str]:
    """Return the channels that an event goes out on, as the table names them."""
    return _CHANNELS_OF.get(type(event), [])


def messages_of(record: ev.Record, state: FleetState, source: str, engine: str) -> Iterator[tuple[str, CoordinationMessage]]:
    """Return channel and message for all that goes out of a record; a record has the same ids however often it is asked."""
    made: dict[Drafter, list[tuple[str, CoordinationMessage]]] = {}
    for channel in channels_of(record.event):
        drafter: Drafter = _DRAFTS.get((channel, type(record.event))) or _DRAFTS.get(("", type(record.event))) or _plain
        if drafter not in made:
            made[drafter] = [_made(record, number, one, source, engine) for number, one in enumerate(drafter(record.event, state))]
        for phase, message in made[drafter]:
            yield channel.replace("{phaseId}", phase) if phase else channel, message


def _made(record: ev.Record, number: int, one: Draft | CoordinationMessage, source: str, engine: str) -> tuple[str, CoordinationMessage]:
    """Return the phase that a message is of, empty for none, and the message."""
    if isinstance(one, CoordinationMessage):
        return "", one
    priority = one.priority or _URGENCY.get(type(record.event), Priority.NORMAL)
    metadata = MessageMetadata(session_id=engine, correlation_id=record.cause, ttl=one.ttl)
    id_ = MessageId(f"msg_{int(record.at * 1000)}_{record.seq}" + (f"_{number}" if number else ""))
    payload = one.payload if type(record.event) in _BARE else redact(one.payload)
    assert isinstance(payload, dict)
    return one.phase, CoordinationMessage(id_, one.type, source, one.target, payload, record.at, priority, metadata)


def kind_of(event: type) -> str:
    """Return the type of the messages that an event makes, unless it makes other ones."""
    return str(event.type).replace(".", "_")  # type: ignore[attr-defined]  # every event has one


def _plain(event: Any, _state: FleetState) -> Iterator[Draft]:  # noqa: ANN401  # any event
    yield Draft(kind_of(type(event)), wire.to_plain(event))


def _assignments(event: TasksLeased, state: FleetState) -> Iterator[Draft]:
    for lease in event.leases:
        task = state.tasks.get(lease.task)
        if task is None:
            continue
        spec, left = task.spec, max(0.0, task.spec.deadline - task.leased_at) if task.spec.deadline else 0.0
        urgency = next(word for least, word in _HOW_URGENT if task.priority >= least)
        payload = {"taskId": spec.id, "taskType": spec.type, "objective": conceal(spec.title), "priority": urgency.value, "attempt": lease.token}
        yield Draft("task_assignment", payload | ({"deadline": int(spec.deadline * 1000)} if left else {}), lease.agent, urgency, ttl=left)


def _mail(event: swarms.MessageSent, _state: FleetState) -> Iterator[CoordinationMessage]:
    yield event.message


def _backups(event: ev.Audited, _state: FleetState) -> Iterator[Draft]:
    entry = event.entry
    if entry.action in (BackUpFleet.verb, BackUpFleet.name):
        yield Draft("backup", {"who": entry.who, "result": entry.result, "at": int(entry.at * 1000)})


def _memories(event: MemoryChanged, _state: FleetState) -> Iterator[Draft]:
    for head in event.heads:
        kind = "memory_removed" if head.is_deleted else "memory_stored"
        key = head.id.key if head.permissions.level is Level.PUBLIC else ""
        memory = f"{head.id.owner}:{key}:{head.version}" if key else ""
        yield Draft(kind, {"type": kind, "agentId": head.id.owner, "key": key, "memoryId": memory, "timestamp": int(head.updated_at * 1000)})


def _parts(event: swarms.SessionChanged, _state: FleetState) -> Iterator[Draft]:
    one = event.session
    parts = [{"number": part.number, "state": part.state.value, "agentId": part.worker, "attempt": part.attempt, "taskId": part.task or ""} for part in one.parts]
    yield Draft("phase_coordination", {"phaseId": one.id, "swarmId": one.swarm, "objective": one.objective, "parts": parts}, phase=one.id)


def _phase(event: swarms.SessionChanged, _state: FleetState) -> Iterator[Draft]:
    one = event.session
    yield Draft("phase_status", {"phaseId": one.id, "swarmId": one.swarm, "status": one.state.value, "because": one.because, "tasks": one.tasks, "cost": one.cost}, phase=one.id)


def _docs(event: swarms.SessionChanged, _state: FleetState) -> Iterator[Draft]:
    one = event.session
    if one.is_over:
        tasks = [part.task for part in one.parts if part.task] + ([one.task] if one.task else [])
        yield Draft("phase_docs", {"phaseId": one.id, "objective": one.objective, "status": one.state.value, "tasks": tasks}, phase=one.id)


_DRAFTS: dict[tuple[str, type], Drafter] = {
    ("fleet:allocation", TasksLeased): _assignments,
    ("agents:messages", TasksLeased): _assignments,
    ("", swarms.MessageSent): _mail,
    ("", ev.Audited): _backups,
    ("", MemoryChanged): _memories,
    ("phase:{phaseId}:coordination", swarms.SessionChanged): _parts,
    ("phase:{phaseId}:status", swarms.SessionChanged): _phase,
    ("phase:{phaseId}:docs", swarms.SessionChanged): _docs,
}
"""What is not told as the journal has it, by channel (empty = any) and event."""
