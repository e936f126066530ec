"""How agents, tasks and the fleet's own figures look in JSON columns; both directions go through these.

Owner: nobody; shapes only. A field that is new in a record must have a default, for rows from before it.
"""

from __future__ import annotations

from dataclasses import MISSING, Field, fields
from operator import attrgetter
from typing import Any, get_type_hints

import msgspec

from engine.model.agent_events import Cordon, HostInfo
from engine.model.agents import Agent, AgentSpec, AgentStatus, Health
from engine.model.events import EngineTookOver
from engine.model.memory import Head
from engine.model.plans import Halt
from engine.model.tasks import Task, TaskSpec, TaskState
from engine.state import Totals


def _progress_of(record: type, *apart: str) -> type[msgspec.Struct]:
    """Return a struct with the fields of a record, all but those that have columns of their own; defaults take no room."""
    hints = get_type_hints(record)
    columns = [(spec.name, hints[spec.name], _default_of(spec)) for spec in fields(record) if spec.name not in apart]
    return msgspec.defstruct(f"{record.__name__}Progress", columns, omit_defaults=True, module=__name__)


def _default_of(spec: Field[Any]) -> object:
    if spec.default_factory is not MISSING:
        return msgspec.field(default_factory=spec.default_factory)
    assert spec.default is not MISSING, f"{spec.name} needs a default, for rows from before it"
    return spec.default


TaskProgress = _progress_of(Task, "spec", "state", "result")
"""All of a Task that changes, but its state and result, which have columns of their own."""

AgentProgress = _progress_of(Agent, "spec", "status", "task")
"""All of an Agent that changes, but its status, which has a column of its own, and its task, which names its agent."""


class StoredHost(msgspec.Struct):
    """A host without its agents: they name it."""

    info: HostInfo
    health: Health
    evidence: str
    cordon: Cordon = Cordon.OPEN
    cordon_why: str = ""


class FleetFigures(msgspec.Struct):
    """The one row about the fleet itself."""

    seq: int
    at: float
    turn: int
    totals: Totals
    engine: EngineTookOver | None = None
    halted: dict[str, Halt] = {}


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


head_of = msgspec.json.Decoder(Head).decode
"""An entry of memory without its value, from the column that has it."""


def encode_text(value: object) -> str:
    """Return JSON as text. Raises what msgspec raises for a value that JSON cannot hold."""
    return encode(value).decode()


def task_of(status: str, spec: str, progress: str, result: str | None) -> Task:
    """Return a task from its columns. Raises msgspec.DecodeError."""
    values = msgspec.structs.asdict(_task_progress.decode(progress))
    found = {} if result is None else _result.decode(result)
    found_spec = _task_spec.decode(spec)
    if values["moved"]:  # the column holds what was submitted
        found_spec = msgspec.structs.replace(found_spec, pool=values["moved"])
    return Task(found_spec, state=TaskState(status), result=found, **values)


def agent_of(status: str, spec: str, progress: str) -> Agent:
    """Return an agent from its columns. Raises msgspec.DecodeError."""
    values = msgspec.structs.asdict(_agent_progress.decode(progress))
    return Agent(_agent_spec.decode(spec), status=AgentStatus(status), **values)
