"""The one wire form (version 1) of commands, rows, frames and records: JSON by msgspec.

Owner: nobody; functions only. Knows no events: consoles see rows, and are sooner there without. A row or a lease is an array, everything else an object.
"""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Mapping
from math import isfinite
from typing import Any, TypeVar

import msgspec

from engine.model.commands import COMMANDS
from engine.model.errors import UsageError
from engine.model.plans import Call
from engine.model.rows import ROW_KINDS, EventRow, FleetStatus, Frame, Row
from engine.model.verbs import Command

VERSION = 1

_encoder = msgspec.json.Encoder()
_T = TypeVar("_T")


def encode(value: object) -> bytes:
    """Return the JSON of dataclasses, named tuples, enums and plain values. Raises what is in plain.NOT_JSON."""
    return _encoder.encode(value)


def decode(data: bytes | str) -> Any:  # noqa: ANN401  # JSON is any
    """Return plain values from JSON. Raises UsageError."""
    try:
        return msgspec.json.decode(data)
    except (msgspec.DecodeError, RecursionError) as error:
        raise UsageError(f"not valid JSON: {error}") from error


def decode_as(data: bytes | str, kind: type[_T]) -> _T:
    """Return an instance of a type from JSON. Raises UsageError that names the place."""
    try:
        return msgspec.json.decode(data, type=kind)
    except (msgspec.DecodeError, msgspec.ValidationError) as error:
        raise UsageError(f"not a valid {kind.__name__}: {error}") from error


def convert(value: object, kind: type[_T]) -> _T:
    """Return an instance of a type from plain values. Raises UsageError that names the place."""
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        raise UsageError(f"not a valid {kind.__name__}: {error}") from error


def to_plain(value: object) -> Any:  # noqa: ANN401  # JSON is any
    """Return dicts, lists, strings and numbers only."""
    return msgspec.to_builtins(value)


def row_to_dict(row: Row) -> dict[str, object]:
    """Return a row as an object with the model's field names."""
    return dict(zip(row._fields, row, strict=True))


def call_of(command: Command) -> Call:
    """Return a command as name and arguments; arguments that equal their default are left out."""
    args = {}
    for spec in dataclasses.fields(command):
        value = getattr(command, spec.name)
        default = spec.default_factory() if spec.default_factory is not dataclasses.MISSING else spec.default
        if value != default:
            args[spec.name] = list(value) if isinstance(value, tuple) else value
    return Call(command.name, args)


def command_of(call: Call | Mapping[str, object]) -> Command:
    """Return the command that a call names. Raises UsageError with the nearest known word."""
    if not isinstance(call, Call):
        call = convert(call, Call)
    kind = COMMANDS.get(call.name)
    if kind is None:
        raise UsageError(f"no verb {call.name!r}{nearest(call.name, COMMANDS)}")
    names = {spec.name for spec in dataclasses.fields(kind)}
    for word in call.args:
        if word not in names:
            raise UsageError(f"{call.name} has no argument {word!r}{nearest(word, names)}")
    command = convert(call.args, kind)
    check_limits(command)
    return command


def check_limits(command: Command) -> None:
    """Check the bounds of numbers and the choices of words. Raises UsageError that names the argument."""
    for name, low, high in _LIMITS[type(command)]:
        value = getattr(command, name)
        if low is not None and value < low:
            raise UsageError(f"{command.name}: {name} is {value}, the least is {low}")
        if high is not None and value > high:
            raise UsageError(f"{command.name}: {name} is {value}, the most is {high}")
        if not isfinite(value):
            raise UsageError(f"{command.name}: {name} is {value}; give a number")
    for name, choices, default, otherwise in _CHOICES[type(command)]:
        value = getattr(command, name)
        if value not in choices and value != default:
            raise UsageError(f"{command.name}: {name} is one of {', '.join(choices)}, not {value!r}{otherwise and f'; {otherwise}'}")


def _limits_of(kind: type[Command]) -> tuple[tuple[str, float | None, float | None], ...]:
    limits = [(spec.name, spec.metadata.get("ge"), spec.metadata.get("le")) for spec in dataclasses.fields(kind)]
    return tuple(limit for limit in limits if limit[1:] != (None, None))


def _choices_of(kind: type[Command]) -> tuple[tuple[str, tuple[str, ...], object, str], ...]:
    specs = [spec for spec in dataclasses.fields(kind) if "choices" in spec.metadata]
    return tuple((spec.name, spec.metadata["choices"], spec.default, spec.metadata.get("otherwise", "")) for spec in specs)


_LIMITS = {kind: _limits_of(kind) for kind in COMMANDS.values()}
_CHOICES = {kind: _choices_of(kind) for kind in COMMANDS.values()}


def nearest(word: str, known: Mapping[str, object] | set[str]) -> str:
    """Return `; did you mean …?` for the nearest known word, or an empty string."""
    match = difflib.get_close_matches(word, list(known), n=1, cutoff=0.5)
    return f"; did you mean {match[0]!r}?" if match else ""


class _WireFrame(msgspec.Struct):
    """A frame before its rows are known by kind."""

    seq: int
    at: float
    full: bool
    status: FleetStatus
    rows: dict[str, msgspec.Raw] = {}
    removed: dict[str, list[str]] = {}
    events: list[EventRow] = []
    events_left_out: int = 0


_frame_decoder = msgspec.json.Decoder(_WireFrame)
_rows_decoders = {kind: msgspec.json.Decoder(list[row]) for kind, row in ROW_KINDS.items()}  # type: ignore[valid-type]


def decode_frame(data: bytes | str) -> Frame:
    """Return a frame; rows are typed by their kind. Raises UsageError."""
    try:
        wire = _frame_decoder.decode(data)
        rows: dict[str, list[Row]] = {kind: _rows_decoders[kind].decode(raw) for kind, raw in wire.rows.items()}
    except (msgspec.DecodeError, msgspec.ValidationError, KeyError) as error:
        raise UsageError(f"not a valid frame: {error}") from error
    return Frame(wire.seq, wire.at, wire.full, wire.status, rows, wire.removed, wire.events, wire.events_left_out)
