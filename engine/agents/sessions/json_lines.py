"""Our own session protocol: a JSON object a line, on the agent's standard input and output (docs/agents.md).

Owner: `JsonLines`, of one unfinished line. Limits: LINE_MAX_BYTES a message, TEXT_MAX characters of each of its texts.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from math import isfinite
from typing import Any

import msgspec

from engine.agents.sessions.lines import Line, Lines, cut
from engine.agents.sessions.messages import (
    Bye,
    Failure,
    Hello,
    Message,
    Noise,
    Output,
    Progress,
    Result,
    Usage,
)
from engine.model import wire
from engine.model.effects import Assignment
from engine.model.plain import NOT_JSON, plain_object, require_shallow
from engine.model.questions import Ask, Reply
from engine.model.shielding import clean

PROTOCOL = 1
LINE_MAX_BYTES = 4 << 20
TEXT_MAX = 64 * 1024
WORD_MAX = 500
OPTIONS_MAX = 20
_SHOWN = 200
"""Characters of a line that is no message."""

_ENDS_TURN = re.compile(rb'"type"\s*:\s*"(?:result|error|ask)"')
"""An end or a question that cannot be read ends the turn all the same: nobody else would."""

_object = msgspec.json.Decoder(dict[str, Any])


class JsonLines:
    """Reads and writes the protocol."""

    runs_in_workspace = False
    inherits: tuple[str, ...] = ()

    @staticmethod
    def command(argv: tuple[str, ...], resume: str) -> tuple[str, ...]:
        """Return what to run: what was configured; conversations are no part of this protocol."""
        del resume
        return argv

    def __init__(self) -> None:
        self._lines = Lines(LINE_MAX_BYTES)

    def hello(self, agent: str, pool: str, directory: str) -> bytes:
        """Return what to send before anything else."""
        del directory
        return _line({"type": "hello", "protocol": PROTOCOL, "agent": agent, "pool": pool})

    def hear(self, chunk: bytes) -> Iterable[Message]:
        """Take what the process printed; what is no message is Noise."""
        for line in self._lines.feed(chunk):
            if line.left_out or line.data.strip():
                yield read(line)

    def task(self, turn: str, assignment: Assignment, prompt: str, env: dict[str, str], resume: str) -> bytes:
        """Return what begins a turn."""
        del resume
        told = {
            "type": "task",
            "id": turn,
            "task": assignment.task,
            "attempt": assignment.token,
            "kind": assignment.type,
            "title": assignment.title,
            "prompt": prompt,
            "payload": assignment.payload,
            "inputs": assignment.inputs,
            "workspace": assignment.workspace,
            "apply": assignment.apply,
            "timeout_s": assignment.timeout_s,
            "env": env,
        }
        return _line(told)

    def cancel(self, turn: str) -> bytes:
        """Return what asks the agent to end a turn now."""
        return _line({"type": "cancel", "id": turn})

    def answer(self, turn: str, ask: str, reply: Reply) -> bytes:
        """Return what answers an Ask."""
        return _line({"type": "answer", "id": turn, "ask": ask, "decision": reply.decision, "text": reply.text})

    def bye(self) -> bytes:
        """Return what tells the agent that no more tasks come."""
        return _line({"type": "bye"})


def read(line: Line) -> Message:
    """Return what a line says; Noise when it is no message."""
    if line.left_out:
        return _unread(line.data, f"a line of {len(line.data) + line.left_out:,} bytes; the most is {LINE_MAX_BYTES:,}")
    try:
        require_shallow(line.data)
        fields = _object.decode(line.data.decode("utf-8", "replace").strip())
        make = _MAKE.get(fields.get("type"))  # type: ignore[arg-type]  # whatever it is
        return make(_Fields(fields)) if make else _unread(line.data, "no message that is known")
    except (_WrongFieldError, *NOT_JSON) as error:
        return _unread(line.data, str(error))


class _WrongFieldError(Exception):
    """A message lacks something, or has something of another type."""


class _Fields:
    """The fields of a message, each read as what it must be. Raises _WrongFieldError."""

    def __init__(self, fields: dict[str, Any]) -> None:
        self._fields = fields

    def text(self, name: str, max_length: int = TEXT_MAX, *, needed: bool = False) -> str:
        value = self._read(name, str, "")
        if needed and not value:
            raise _WrongFieldError(f"{self._fields['type']} without `{name}`")
        return cut(clean(value), max_length)

    def id(self) -> str:
        return self.text("id", WORD_MAX, needed=True)

    def flag(self, name: str, *, usual: bool) -> bool:
        value: bool = self._read(name, bool, usual)
        return value

    def ratio(self, name: str) -> float | None:
        value = self._number(name)
        return None if value is None else min(1.0, max(0.0, value))

    def table(self, name: str) -> dict[str, Any]:
        return plain_object(self._read(name, dict, {}))

    def data(self, name: str) -> object:
        return plain_object({name: self._fields.get(name)})[name]

    def words(self, name: str) -> tuple[str, ...]:
        return tuple(cut(clean(str(word)), WORD_MAX) for word in self._read(name, list, [])[:OPTIONS_MAX])

    def usage(self) -> dict[str, float]:
        found = {name: value for name, value in self.table("usage").items() if _is_figure(value)}
        cost = self._number("cost_usd")
        return {**found, "cost": cost} if cost is not None else found

    def whole(self, name: str, usual: int) -> int:
        value: int = self._read(name, int, usual)
        return value

    def _number(self, name: str) -> float | None:
        value = self._fields.get(name)
        if value is not None and not _is_figure(value):
            raise _WrongFieldError(f"`{name}` is no number from 0")
        return value

    def _read(self, name: str, kind: type, usual: Any) -> Any:  # noqa: ANN401  # of the kind
        value = self._fields.get(name)
        if value is None:
            return usual
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            raise _WrongFieldError(f"`{name}` is no {_WORDS[kind]}")
        return value


_WORDS = {str: "text", bool: "true or false", dict: "object", list: "list", int: "whole number"}


def _is_figure(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value) and 0 <= value < 1e15  # noqa: PLR2004  # what a float keeps exactly


def _ask(fields: _Fields) -> Ask:
    tool = fields.text("tool", WORD_MAX)
    return Ask(
        fields.id(),
        fields.text("ask", WORD_MAX, needed=True),
        fields.text("text", needed=not tool),
        tool,
        fields.table("arguments"),
        fields.text("diff"),
        fields.words("options"),
    )


def _hello(fields: _Fields) -> Hello | Failure:
    version = fields.whole("protocol", PROTOCOL)
    if version != PROTOCOL:
        return Failure("", f"it speaks version {version} of the protocol, this engine version {PROTOCOL}", "start", retryable=False)
    return Hello(fields.text("name", WORD_MAX), fields.text("version", WORD_MAX))


def _usage(fields: _Fields) -> Usage:
    usage, model = fields.usage(), fields.text("model", WORD_MAX)
    return Usage(fields.id(), usage, {model: usage} if model else {})


_MAKE: dict[str, Callable[[_Fields], Message]] = {
    "hello": _hello,
    "progress": lambda fields: Progress(
        fields.id(), fields.text("text"), fields.ratio("ratio"), fields.text("evidence"), fields.text("call", WORD_MAX)
    ),
    "usage": _usage,
    "output": lambda fields: Output(fields.id(), fields.text("text")),
    "ask": _ask,
    "result": lambda fields: Result(fields.id(), fields.text("text", LINE_MAX_BYTES), fields.data("data"), fields.usage()),
    "error": lambda fields: Failure(
        fields.id(), fields.text("message", needed=True), fields.text("kind", WORD_MAX) or "agent", fields.flag("retryable", usual=True)
    ),
    "bye": lambda _: Bye(),
}


def _unread(data: bytes, why: str) -> Noise | Failure:
    if _ENDS_TURN.search(data[:_SHOWN]):
        return Failure("", cut(clean(f"what it said last cannot be read: {why}"), WORD_MAX), "protocol")
    return Noise(cut(clean(data[: 4 * _SHOWN].decode("utf-8", "replace")), _SHOWN), cut(clean(why), _SHOWN))


def _line(message: dict[str, object]) -> bytes:
    return wire.encode(message) + b"\n"
