"""Commands from their wire form, fast: a list of 10,000 calls is decoded straight to dataclasses.

Owner: nobody; functions only. `wire.command_of` stays the judge: whatever looks odd here is decided, and worded, there.
"""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Sequence
from functools import cache
from typing import Annotated, Any, Literal

import msgspec

from engine.model import wire
from engine.model.commands import COMMANDS
from engine.model.errors import UsageError
from engine.model.verbs import Command

WORD_CHARS_MAX = 64


class WireCall(msgspec.Struct, forbid_unknown_fields=True):
    """A verb by name, with its arguments not yet read."""

    name: str
    args: msgspec.Raw = msgspec.Raw(b"{}")


@cache
def _checker_of(verb: str) -> msgspec.json.Decoder[msgspec.Struct]:
    """Return a decoder of a verb's arguments that refuses unknown names, wrong types and values out of bounds.

    It gives a struct: msgspec reads one and copies it into the dataclass in half the time of reading the dataclass.
    """
    kind = COMMANDS[verb]
    hints = typing.get_type_hints(kind)
    fields: list[tuple[str, Any, Any]] = []
    for spec in dataclasses.fields(kind):
        limits = {word: spec.metadata[word] for word in ("ge", "le") if word in spec.metadata}
        hint = Literal[tuple(spec.metadata["choices"])] if "choices" in spec.metadata else hints[spec.name]
        typed = Annotated[hint, msgspec.Meta(**limits)] if limits else hint
        if spec.default_factory is not dataclasses.MISSING:
            default = msgspec.field(default_factory=spec.default_factory)
        else:
            default = msgspec.NODEFAULT if spec.default is dataclasses.MISSING else spec.default
        fields.append((spec.name, typed, default))
    shape = msgspec.defstruct(kind.__name__, fields, forbid_unknown_fields=True, kw_only=True)
    return msgspec.json.Decoder(shape)


def commands_of(calls: Sequence[WireCall]) -> list[Command]:
    """Return the commands that calls name. Raises UsageError that says which call is wrong, and how."""
    commands = []
    for place, call in enumerate(calls, 1):
        try:
            commands.append(_command_of(call))
        except UsageError as error:
            if len(calls) == 1:
                raise
            raise type(error)(f"command {place} of {len(calls)}: {error}") from error
    return commands


def _command_of(call: WireCall) -> Command:
    if call.name in COMMANDS:
        try:
            arguments = _checker_of(call.name).decode(call.args)
            return msgspec.convert(arguments, COMMANDS[call.name], from_attributes=True)
        except (msgspec.DecodeError, RecursionError):
            pass
    # Looking for the nearest known word takes long for a long one.
    if len(call.name) > WORD_CHARS_MAX:
        raise UsageError(f"no verb {call.name[:WORD_CHARS_MAX]!r}…")
    args = wire.decode(bytes(call.args))
    if isinstance(args, dict) and (long := next((word for word in args if len(word) > WORD_CHARS_MAX), "")):
        raise UsageError(f"{call.name} has no argument {long[:WORD_CHARS_MAX]!r}…")
    return wire.command_of({"name": call.name, "args": args})
