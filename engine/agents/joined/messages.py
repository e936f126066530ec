"""What the engine that leads and a host that joined say to each other, and how it is written.

Owner: nobody. A batch is an array of messages with a number; each end numbers its own without a gap, so that a loss is seen.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import msgspec

from engine.agents.processes.spec import StopReason
from engine.agents.runtime import Artifact, HostSample
from engine.model.agent_events import HostInfo
from engine.model.agents import AgentSpec
from engine.model.effects import Assignment
from engine.model.errors import UsageError
from engine.model.ids import TaskId
from engine.model.pools import PoolSpec
from engine.model.questions import Reply, TaskAsked
from engine.model.reports import (
    AgentsFailed,
    AgentsMissing,
    AgentsUp,
    HandedOver,
    HealthSeen,
    Report,
    TasksBegan,
    TasksEnded,
    TasksUsed,
)

PROTOCOL = 3
"""Grows when a leader and a host of two versions would no longer understand each other."""

PART_MAX = 64 * 1024
"""Bytes of a log in one message."""
MODULE_PART_BYTES = 512 * 1024
"""Of an operator's module in one message."""

Run = tuple[TaskId, int]
"""An attempt: task and token."""


class Members(msgspec.Struct, array_like=True):
    """Agents with their pools, each pool once."""

    agents: list[AgentSpec]
    pools: dict[str, PoolSpec]

    def pairs(self) -> list[tuple[AgentSpec, PoolSpec]]:
        """Return each agent with its pool."""
        return [(agent, self.pools[agent.pool]) for agent in self.agents]


def members_of(pairs: Sequence[tuple[AgentSpec, PoolSpec]]) -> Members:
    """Return agents with their pools as they are sent."""
    return Members([agent for agent, _ in pairs], {pool.name: pool for _, pool in pairs})


# ---- the leader says


class BoosterTerms(msgspec.Struct):
    """How the booster works on every host: as the leader's configuration says."""

    limits: dict[str, bool | int | float]
    """Keys of the section `booster`."""
    modules: list[str]
    """SHA-256 of the operators' modules that the fleet has."""


class Welcome(msgspec.Struct, tag=True):
    """You are in; this is what you should have. What is not here is to be stopped, what is missing there to be started."""

    now: float
    """The fleet's clock."""
    members: Members
    runs: list[Run]
    booster: BoosterTerms | None = None
    """None = the fleet has none."""


class Refused(msgspec.Struct, tag=True):
    """You cannot join."""

    reason: str
    is_final: bool
    """False = it may be another time, soon."""


class Gone(msgspec.Struct, tag=True):
    """You were given up: stop everything, and join again."""

    reason: str


class Start(msgspec.Struct, tag=True):
    """Bring agents to life, or anew."""

    members: Members


class Stop(msgspec.Struct, tag=True):
    """Forget agents."""

    agents: list[str]


class Deliver(msgspec.Struct, tag=True):
    """Begin tasks."""

    assignments: list[Assignment]


class StopRuns(msgspec.Struct, tag=True):
    """Stop attempts."""

    runs: list[Run]
    grace_s: float | None = None
    """Longest time for each step of that; None = as the pool says."""
    given_up: bool = False
    """They run elsewhere, or will: what they handed over to somebody else's agent is that attempt's, and is not cancelled."""


class EndProgram(msgspec.Struct, tag=True):
    """End a program of which nothing good is expected."""

    name: str
    """The host's."""
    reason: StopReason
    why: str
    """In a sentence."""


class Answer(msgspec.Struct, tag=True):
    """Tell an agent what it asked."""

    run: Run
    ask: str
    reply: Reply


class Word(msgspec.Struct, tag=True):
    """Tell all workers a word."""

    word: str


class Look(msgspec.Struct, tag=True):
    """Show a task's log after a place, below 0 = its end, and how far its agent says that it is."""

    number: int
    """Of this question."""
    task: str
    after: int
    most: int
    """Bytes of the log, at most PART_MAX; 0 = none."""


class ModulePart(msgspec.Struct, tag=True):
    """A piece of an operator's module."""

    sha256: str
    """Of the whole module."""
    start: int
    size: int
    """Bytes of the whole module."""
    data: bytes
    problem: str = ""
    """Why it cannot be had; empty = it can."""


class Ack(msgspec.Struct, tag=True):
    """Reports up to a number are in the journal."""

    upto: int


class Again(msgspec.Struct, tag=True):
    """Tell the reports after a number again: some were lost."""

    after: int


ToHost = Welcome | Refused | Gone | Start | Stop | Deliver | StopRuns | EndProgram | Answer | Word | Look | ModulePart | Ack | Again


class ToHostBatch(msgspec.Struct, array_like=True):
    """Messages of a leader."""

    epoch: int
    number: int
    """0 = outside the row: it is no host yet, or no more."""
    messages: list[ToHost]


# ---- a host says


class Join(msgspec.Struct, tag=True):
    """Take me in, or again."""

    info: HostInfo
    capacity: dict[str, int]
    acked: int
    """Reports up to this number were said to be in the journal; the following ones come again."""


WrittenReport = tuple[str, bytes, list[tuple[str, str, bytes, str]]]
"""The name of its kind, its JSON, and its artifacts."""


class Told(msgspec.Struct, tag=True):
    """Reports, under one number."""

    number: int
    reports: list[WrittenReport]


class ProgramSeen(msgspec.Struct, array_like=True):
    """A program with all that it started."""

    name: str
    """The host's: task.attempt, or session.agent.start."""
    cores: float
    """Since the look before; -1 = not known."""
    rss_mb: float
    cpu_s: float
    """Since it began."""
    quiet_s: float
    """Since its last byte of output."""


class Seen(msgspec.Struct, array_like=True):
    """All programs of a host, as it found them."""

    age_s: float
    """Since it looked."""
    programs: list[ProgramSeen]


class Boosted(msgspec.Struct, array_like=True):
    """The booster of a host."""

    workers: dict[str, dict[str, object] | None]
    """Worker process that lives -> its figures; None = as was told before."""
    lacks: dict[str, str]
    """SHA-256 of a module that was asked for and did not come -> why."""


class Beat(msgspec.Struct, tag=True):
    """I live."""

    seen: int
    """Number of the last batch of the leader."""
    told: int
    """Number of the last reports that were told, or were about to be."""
    runs: list[Run]
    """Attempts that were delivered and whose end is not in these reports."""
    sample: HostSample
    seen_programs: Seen | None = None
    """None = as was told before."""
    boosted: Boosted | None = None
    """None = no booster ever worked here."""


class LogPart(msgspec.Struct, array_like=True):
    """A piece of a log, and how long the log is, in bytes."""

    start: int
    size: int
    data: bytes


class Shown(msgspec.Struct, tag=True):
    """What somebody looks at."""

    number: int
    """Of the question."""
    log: LogPart | None
    """None = there is none, or it was not asked for."""
    progress: dict[str, object] | None


class Want(msgspec.Struct, tag=True):
    """Send me a piece of an operator's module."""

    sha256: str
    after: int
    """Bytes of it that are here."""


class Leave(msgspec.Struct, tag=True):
    """I end, and everything that runs here with me."""

    reason: str


FromHost = Join | Told | Beat | Shown | Want | Leave


class FromHostBatch(msgspec.Struct, array_like=True):
    """Messages of a host."""

    host: str
    run: str
    protocol: int
    messages: msgspec.Raw
    """Of FromHost; they are read once the protocol is known."""


# ---- coding

_T = TypeVar("_T")
_encoder = msgspec.msgpack.Encoder()
_to_host = msgspec.msgpack.Decoder(ToHostBatch)
_header = msgspec.msgpack.Decoder(FromHostBatch)
_from_host = msgspec.msgpack.Decoder(list[FromHost])
_reports: dict[str, msgspec.json.Decoder[Report]] = {
    kind.__name__: msgspec.json.Decoder(kind) for kind in (AgentsUp, AgentsFailed, AgentsMissing, HealthSeen, TasksBegan, TasksEnded, TasksUsed, HandedOver, TaskAsked)
}


def write_to_host(epoch: int, number: int, messages: Sequence[ToHost]) -> bytes:
    """Return what a leader says as bytes."""
    return _encoder.encode(ToHostBatch(epoch, number, list(messages)))


def write_from_host(host: str, run: str, messages: Sequence[FromHost]) -> bytes:
    """Return what a host says as bytes."""
    return _encoder.encode(FromHostBatch(host, run, PROTOCOL, msgspec.Raw(_encoder.encode(messages))))


def read_to_host(data: bytes) -> ToHostBatch:
    """Return what a leader says. Raises UsageError for what this version does not understand."""
    return _decoded(_to_host, data)


def read_header(data: bytes) -> FromHostBatch:
    """Return who says something. Raises UsageError for what no version says."""
    return _decoded(_header, data)


def read_from_host(batch: FromHostBatch) -> list[FromHost]:
    """Return what a host says. Raises UsageError for what this version does not understand."""
    return _decoded(_from_host, batch.messages)


def _decoded(decoder: msgspec.msgpack.Decoder[_T], data: bytes | msgspec.Raw) -> _T:
    try:
        return decoder.decode(data)
    except msgspec.MsgspecError as error:
        raise UsageError(f"another version speaks there: {error}") from error


def write_report(report: Report, text: bytes, artifacts: Sequence[Artifact]) -> WrittenReport:
    """Return a report, whose JSON is given, as it is told."""
    return type(report).__name__, text, [(one.id, one.media, one.data, one.task) for one in artifacts]


def read_report(written: WrittenReport) -> tuple[Report, list[Artifact]]:
    """Return a report and its artifacts. Raises UsageError."""
    name, text, artifacts = written
    try:
        report = _reports[name].decode(text)
    except (KeyError, msgspec.MsgspecError) as error:
        raise UsageError(f"another version speaks there: {error}") from error
    return report, [Artifact(id_, media, data, TaskId(task)) for id_, media, data, task in artifacts]
