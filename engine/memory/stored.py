"""How agents, tasks and the fleet's own figures look in JSON columns; both directions go through these.

Owner: nobody; shapes only. A field that is new here must have a default, for rows from before it.
"""

from __future__ import annotations

from operator import attrgetter

import msgspec

from engine.model.agents import Agent, AgentSpec, AgentStatus, Health
from engine.model.events import EngineTookOver, HostInfo
from engine.model.ids import AgentId, AllocationId, HostId, TaskId
from engine.model.tasks import Placement, Task, TaskError, TaskSpec, TaskState
from engine.state import Totals


class TaskProgress(msgspec.Struct, omit_defaults=True):
    """All of a Task that changes, but its state and result, which have columns of their own."""

    priority: int = 0
    attempt: int = 0
    uncounted: int = 0
    replayed_at: float = 0.0
    deaths: int = 0
    agent: AgentId | None = None
    agent_name: str = ""
    placement: Placement | None = None
    waiting_on: int = 0
    not_before: float = 0.0
    leased_at: float = 0.0
    started_at: float = 0.0
    finished_at: float = 0.0
    stopping: str = ""
    error: TaskError | None = None
    artifact: str = ""
    usage: dict[str, float] = {}
    history: list[tuple[float, str, str]] = []
    retries: int = 0


class AgentProgress(msgspec.Struct, omit_defaults=True):
    """All of an Agent that changes, but its status, which has a column of its own."""

    health: Health = Health.UNKNOWN
    reason: str = ""
    host: HostId | None = None
    task: TaskId | None = None
    allocation: AllocationId | None = None
    cordoned: bool = False
    retiring: bool = False
    restarting: bool = False
    created_at: float = 0.0
    updated_at: float = 0.0
    idle_since: float = 0.0
    succeeded: int = 0
    failed: int = 0
    busy_s: float = 0.0
    mean_task_s: float = 0.0
    by_type: dict[str, tuple[int, int]] = {}


class StoredHost(msgspec.Struct):
    """A host without its agents: they name it."""

    info: HostInfo
    health: Health
    evidence: str


class FleetFigures(msgspec.Struct):
    """The one row about the fleet itself."""

    seq: int
    at: float
    turn: int
    totals: Totals
    engine: EngineTookOver | None = None


task_values = attrgetter(*TaskProgress.__struct_fields__)
"""The values of a TaskProgress, from a Task."""

agent_values = attrgetter(*AgentProgress.__struct_fields__)
"""The values of an AgentProgress, from an Agent."""

encode = msgspec.json.Encoder().encode
"""JSON as bytes. Raises what msgspec raises for a value that JSON cannot hold."""

_task_progress = msgspec.json.Decoder(TaskProgress)
_task_spec = msgspec.json.Decoder(TaskSpec)
_agent_progress = msgspec.json.Decoder(AgentProgress)
_agent_spec = msgspec.json.Decoder(AgentSpec)
_result = msgspec.json.Decoder(dict[str, object])


def encode_text(value: object) -> str:
    """Return JSON as text. Raises what msgspec raises for a value that JSON cannot hold."""
    return encode(value).decode()


def task_of(status: str, spec: str, progress: str, result: str | None) -> Task:
    """Return a task from its columns. Raises msgspec.DecodeError."""
    values = msgspec.structs.asdict(_task_progress.decode(progress))
    found = {} if result is None else _result.decode(result)
    return Task(_task_spec.decode(spec), state=TaskState(status), result=found, **values)


def agent_of(status: str, spec: str, progress: str) -> Agent:
    """Return an agent from its columns. Raises msgspec.DecodeError."""
    values = msgspec.structs.asdict(_agent_progress.decode(progress))
    return Agent(_agent_spec.decode(spec), status=AgentStatus(status), **values)
