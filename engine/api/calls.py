"""Commands from their wire form, fast: a list of 10,000 calls is decoded straight to dataclasses.

Owner: nobody; functions only. `wire.command_of` stays the judge: whatever looks odd here is decided, and worded, there.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from functools import cache

import msgspec

from engine.model import wire
from engine.model.commands import COMMANDS, Command
from engine.model.errors import UsageError

WORD_CHARS_MAX = 64


class WireCall(msgspec.Struct, forbid_unknown_fields=True):
    """A verb by name, with its arguments not yet read."""

    name: str
    args: msgspec.Raw = msgspec.Raw(b"{}")


@dataclasses.dataclass(frozen=True, slots=True)
class _Shape:
    """How to read one verb's arguments."""

    decoder: msgspec.json.Decoder[Command]
    names: frozenset[str]
    limits: tuple[tuple[str, float, float], ...]
    """(argument, least, most)."""


_names_decoder: msgspec.json.Decoder[dict[str, msgspec.Raw]] = msgspec.json.Decoder(dict[str, msgspec.Raw])


@cache
def _shape_of(name: str) -> _Shape:
    kind = COMMANDS[name]
    specs = dataclasses.fields(kind)
    limits = tuple(
        (spec.name, spec.metadata.get("ge", -float("inf")), spec.metadata.get("le", float("inf")))
        for spec in specs
        if "ge" in spec.metadata or "le" in spec.metadata
    )
    return _Shape(msgspec.json.Decoder(kind), frozenset(spec.name for spec in specs), limits)


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
        shape = _shape_of(call.name)
        try:
            command = shape.decoder.decode(call.args)
            known = _names_decoder.decode(call.args).keys() <= shape.names
        except (msgspec.DecodeError, RecursionError):
            known = False
        if known and all(low <= getattr(command, name) <= high for name, low, high in shape.limits):
            return command
    # Looking for the nearest known word takes long for a long one.
    if len(call.name) > WORD_CHARS_MAX:
        raise UsageError(f"no verb {call.name[:WORD_CHARS_MAX]!r}…")
    args = wire.decode(bytes(call.args))
    if isinstance(args, dict) and (long := next((word for word in args if len(word) > WORD_CHARS_MAX), "")):
        raise UsageError(f"{call.name} has no argument {long[:WORD_CHARS_MAX]!r}…")
    return wire.command_of({"name": call.name, "args": args})
