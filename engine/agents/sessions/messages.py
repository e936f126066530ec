"""What an agent in a session says and is told, whatever its protocol; and what a protocol must be able to do.

Owner: nobody; shapes only. A protocol is one class: bytes in, messages out; what the engine says in, bytes out.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol, TypeVar

import msgspec

from engine.model.effects import Assignment
from engine.model.questions import Ask, Reply
from engine.model.shielding import shield, shield_arguments, shield_diff, shield_values


class Hello(msgspec.Struct, frozen=True):
    """The agent is ready for its first task."""

    name: str = ""
    version: str = ""


class Progress(msgspec.Struct, frozen=True):
    """How far a turn is."""

    id: str
    text: str
    ratio: float | None = None
    """0..1; None = it does not say."""
    evidence: str = ""
    """What shows it: a file, a command with its exit code, a count."""
    call: str = ""
    """Names the use of a tool that begins, with its arguments: the same again is the same name; empty = none begins."""


class Degraded(msgspec.Struct, frozen=True):
    """The agent lives and gets no further, because of somebody else: a model that does not answer."""

    id: str
    text: str


class Output(msgspec.Struct, frozen=True):
    """A piece of what the agent writes for people."""

    id: str
    text: str


class Usage(msgspec.Struct, frozen=True):
    """What a turn has used so far, all told."""

    id: str
    usage: dict[str, float]
    models: dict[str, dict[str, float]] = {}
    """By model; empty = it does not say."""


class Result(msgspec.Struct, frozen=True):
    """A turn ended well."""

    id: str
    text: str = ""
    data: object = None
    usage: dict[str, float] = {}
    """Figures by name, such as input_tokens; `cost` is in dollars."""
    facts: dict[str, object] = {}
    """What else is kept with the result, such as `session`: what the agent calls the conversation."""


class Failure(msgspec.Struct, frozen=True):
    """A turn ended badly."""

    id: str
    """Empty = whichever is under way: what ended it could not be read."""
    message: str
    kind: str = "agent"
    retryable: bool = True
    usage: dict[str, float] = {}
    facts: dict[str, object] = {}


class Bye(msgspec.Struct, frozen=True):
    """The agent takes no more tasks and ends."""


class Named(msgspec.Struct, frozen=True):
    """What the agent calls the conversation about a turn: another process can go on with it."""

    id: str
    conversation: str


class Send(msgspec.Struct, frozen=True):
    """The protocol answers the agent by itself, without anybody's decision."""

    data: bytes


class Noise(msgspec.Struct, frozen=True):
    """A line that is no message, and why."""

    text: str
    why: str


Message = Hello | Progress | Usage | Degraded | Output | Ask | Result | Failure | Bye | Named | Send | Noise

Said = TypeVar("Said", bound=Progress | Degraded | Named | Output | Ask | Result | Failure | Noise)
_TEXTS = ("text", "evidence", "message", "kind", "tool", "why")


def shielded(message: Said) -> Said:
    """Return a message without what looks like a secret, and with nothing that moves a terminal."""
    safe: dict[str, object] = {name: shield(value) for name in _TEXTS if isinstance(value := getattr(message, name, None), str)}
    if isinstance(message, Ask):
        safe |= {"arguments": shield_arguments(message.arguments), "diff": shield_diff(message.diff), "options": tuple(map(shield, message.options))}
    elif isinstance(message, Result):
        safe["data"] = shield_values(message.data)
    if isinstance(message, Result | Failure):
        safe["facts"] = shield_values(message.facts)
    return msgspec.structs.replace(message, **safe)


class SessionProtocol(Protocol):
    """One way of speaking with agents; an instance is one process's. `turn` is `task.attempt`."""

    runs_in_workspace: bool
    """The program works where it was started: a task with another workspace needs another process."""
    inherits: tuple[str, ...]
    """Names of variables that it takes from the engine, beside the usual ones; * stands for anything."""

    @staticmethod
    def command(argv: tuple[str, ...], resume: str) -> tuple[str, ...]:
        """Return what to run; `resume` names the conversation to go on with, as the agent calls it; empty = a new one."""
        ...

    def hello(self, agent: str, pool: str, directory: str) -> bytes:
        """Return what to send before anything else; `directory` is where the process works."""
        ...

    def hear(self, chunk: bytes) -> Iterable[Message]:
        """Take what the process printed. Never raises: what is no message is Noise."""
        ...

    def task(self, turn: str, assignment: Assignment, prompt: str, env: dict[str, str], resume: str) -> bytes:
        """Return what begins a turn; `resume` as for `command`."""
        ...

    def cancel(self, turn: str) -> bytes:
        """Return what asks the agent to end a turn now."""
        ...

    def answer(self, turn: str, ask: str, reply: Reply) -> bytes:
        """Return what answers an Ask."""
        ...

    def bye(self) -> bytes:
        """Return what tells the agent that no more tasks come; its input is closed after it."""
        ...
