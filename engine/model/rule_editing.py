"""An alert rule as somebody makes or edits it: the arguments of the verb that makes one are its keys.

Owner: nobody; values and pure functions. The condition is read by the engine alone, which says where a mistake is.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any

from engine.model.alert_commands import CreateRule, UpdateRule
from engine.model.editing import Editable, EditField, Patch
from engine.model.errors import UsageError
from engine.model.wire import convert

KIND = "rules"
_TYPES = {"str": "text", "float": "number", "tuple[str, ...]": "json"}
_NAMED = {"title": "name"}
"""Keys that the verb which changes a rule has another word for."""


def rule_fields(args: Mapping[str, Any] | None) -> Iterator[EditField]:
    """Give the keys of a rule, with their values in `args` of the verb that makes it; None = of a new one, which has an id, too."""
    for spec in dataclasses.fields(CreateRule):
        if spec.name == "disabled" or (spec.name == "id" and args is not None):
            continue
        default = None if spec.default is dataclasses.MISSING else _plain(spec.default)
        value = _plain(args[spec.name]) if args is not None else None
        limits = spec.metadata
        choices = tuple(limits.get("choices", ()))
        type_ = "choice" if choices else _TYPES[str(spec.type)]
        help_ = str(limits["help"]) + (", seconds" if limits.get("unit") == "s" else "")
        yield EditField(spec.name, type_, None if value == default else value, default, help_, limits.get("ge"), limits.get("le"), choices)


def _plain(value: object) -> object:
    return list(value) if isinstance(value, tuple) else value


def new_rule() -> Editable:
    """Return what a new rule is asked for."""
    return Editable(KIND, "", tuple(rule_fields(None)))


def check_rule_patch(thing: Editable, patch: Patch) -> None:
    """Raise UsageError for changes that cannot be, as far as this can be told without reading the condition."""
    for key in ("id", "expr"):
        if any(field.key == key for field in thing.fields) and not (patch[key] if key in patch else thing.field(key).value):
            raise UsageError(f"{key} is needed: {thing.field(key).help}")
    for key in ("labels", "actions"):
        words = patch.get(key)
        if words is not None and not (isinstance(words, list) and all(isinstance(word, str) for word in words)):
            raise UsageError(f'{key} is a list of texts, such as {_EXAMPLES[key]}')
    _labels(patch.get("labels") or ())


_EXAMPLES = {"labels": '["team=core"]', "actions": '["scale {pool} +2"]'}


def _labels(words: Any) -> dict[str, str]:  # noqa: ANN401  # a list of texts
    found = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not equals:
            raise UsageError(f"{word!r} is no label: write name=value")
        found[name.strip()] = value.strip()
    return found


def rule_verb(thing: Editable, patch: Patch) -> CreateRule | UpdateRule:
    """Return the verb that makes or changes the rule."""
    if thing.id:
        changes = {_NAMED.get(key, key): value for key, value in patch.items()}
        if patch.get("labels") is not None:
            changes["labels"] = _labels(patch["labels"])
        return UpdateRule(thing.id, changes)
    return convert({key: value for key, value in patch.items() if value is not None}, CreateRule)


def tried(thing: Editable, patch: Patch) -> dict[str, object]:
    """Return what the engine is asked to try a rule on the past, as it is being edited."""
    values = {field.key: field.default if field.value is None else field.value for field in thing.fields}
    values |= {key: thing.field(key).default if value is None else value for key, value in patch.items()}
    asked: dict[str, object] = {"expr": values["expr"], "for_s": round(values["for_s"]), "keep_firing_for_s": round(values["keep_firing_for_s"])}
    return {**asked, **({"id": thing.id} if thing.id else {})}
