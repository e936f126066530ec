"""Verbs as words on a line: `scale coder +2 --reason "..."` to the commands that it means; pure.

Owner: nobody. The `:` line, forms and the actions of alert rules are read by it.
"""

from __future__ import annotations

import dataclasses
import json
import shlex
from collections.abc import Mapping, Sequence
from typing import Any, get_type_hints

from engine.model import wire
from engine.model.commands import COMMANDS, VERBS
from engine.model.errors import UsageError
from engine.model.plans import Call
from engine.model.verbs import Command


def parse_line(line: str) -> list[Command]:
    """Return the commands that a line means, which begins with a verb. Raises UsageError."""
    word, _, rest = line.strip().partition(" ")
    kind = VERBS.get(word)
    if kind is None:
        raise UsageError(f"no verb {word!r}{wire.nearest(word, VERBS)}")
    return parse_verb(kind, rest)


def parse_verb(kind: type[Command], text: str) -> list[Command]:
    """Return the commands that words after a verb mean. Raises UsageError."""
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise UsageError(f"{kind.verb}: {error}") from error
    specs = {spec.name: spec for spec in dataclasses.fields(kind)}
    hints = get_type_hints(kind)
    given: dict[str, object] = {}
    loose: list[str] = []
    while words:
        word = words.pop(0)
        if not word.startswith("--"):
            loose.append(word)
            continue
        name, equals, value = word[2:].replace("-", "_").partition("=")
        if name not in specs:
            raise UsageError(f"{kind.verb} has no argument --{name}{wire.nearest(name, set(specs))}")
        if hints[name] is bool and not equals:
            given[name] = True
            continue
        if not equals:
            if not words:
                raise UsageError(f"{kind.verb}: --{name} needs a value")
            value = words.pop(0)
        _put(given, name, value, hints[name])
    return [wire.command_of(Call(kind.name, args)) for args in _spread(kind, loose, given, hints)]


def line_of(call: Call) -> str:
    """Return a call as somebody would write it."""
    kind = COMMANDS[call.name]
    words = [kind.verb]
    for spec in dataclasses.fields(kind):
        if spec.name not in call.args:
            continue
        value = call.args[spec.name]
        text = json.dumps(value) if isinstance(value, dict | list) else str(value)
        words += [f"--{spec.name.replace('_', '-')}", text] if spec.metadata.get("option") else [text]
    return shlex.join(words)


def _put(given: dict[str, object], name: str, value: str, hint: Any) -> None:  # noqa: ANN401  # a type
    converted = convert_word(name, value, hint)
    if isinstance(converted, list) and isinstance(given.get(name), list):
        converted = [*given[name], *converted]  # type: ignore[misc]
    given[name] = converted


def convert_word(name: str, value: str, hint: Any) -> object:  # noqa: ANN401  # a type
    """Return the value that a word means for a field of some type. Raises UsageError."""
    try:
        if hint is bool:
            return {"true": True, "yes": True, "false": False, "no": False}[value.lower()]
        if hint in (int, float):
            return hint(value)
    except (KeyError, ValueError) as error:
        raise UsageError(f"{name}: {value!r} is no {'yes or no' if hint is bool else 'number'}") from error
    if hint is str:
        return value
    if str(hint).startswith("dict"):
        decoded = wire.decode(value)
        if not isinstance(decoded, dict):
            raise UsageError(f"{name} must be a JSON object such as {{\"path\": \"a.py\"}}")
        return decoded
    return [part for part in value.split(",") if part]


def _spread(kind: type[Command], loose: Sequence[str], given: dict[str, object], hints: Mapping[str, Any]) -> list[dict[str, object]]:
    places = [spec for spec in dataclasses.fields(kind) if not spec.metadata.get("option")]
    if len(places) == 1 and len(loose) > 1:
        return [{places[0].name: word, **given} for word in loose]
    if len(loose) > len(places):
        raise UsageError(f"{kind.verb} takes {usage(kind)}; {loose[len(places)]!r} is one too many")
    args = dict(given)
    for spec, word in zip(places, loose, strict=False):
        _put(args, spec.name, word, hints[spec.name])
    missing = [
        spec.name
        for spec in places
        if spec.name not in args and spec.default is dataclasses.MISSING and spec.default_factory is dataclasses.MISSING
    ]
    if missing:
        raise UsageError(f"{kind.verb} needs {' and '.join(missing)}: {usage(kind)}")
    return [args]


def usage(kind: type[Command]) -> str:
    """Return how a verb is written: `scale POOL SIZE`."""
    parts = [kind.verb]
    for spec in dataclasses.fields(kind):
        if not spec.metadata.get("option"):
            required = spec.default is dataclasses.MISSING
            parts.append(spec.name.upper() if required else f"[{spec.name.upper()}]")
    return " ".join(parts)
