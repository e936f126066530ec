"""What of a thing may be edited: its keys with types, limits and help, as the engine tells them; texts read, checked and compared.

Used by every face that edits: the form, the text in an editor, the command line. What comes of an edit is a merge patch
(RFC 7396): the keys that change, null for one that is to have its default.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from engine.model.agents import Resources
from engine.model.errors import UsageError
from engine.model.policy_text import merged, policy_of
from engine.model.pool_commands import EditPool, UpdatePolicy
from engine.model.pools import PoolSpec, overridden
from engine.model.quantities import cores, megabytes
from engine.model.verbs import Command
from engine.model.wire import decode, encode, nearest


@dataclass(frozen=True, slots=True)
class EditField:
    """One key that may be edited."""

    key: str
    """Dotted where it is inside another: up.threshold."""
    type: str
    """whole, number, megabytes, cores, flag, text, choice or json."""
    value: Any = None
    """As it is; None = its default."""
    default: Any = None
    help: str = ""
    ge: float | None = None
    le: float | None = None
    choices: tuple[str, ...] = ()
    is_implied: bool = False
    """Its value is that of a part which is not written; it must be written as soon as something of the part is."""

    @property
    def limits(self) -> str:
        """Return what values it takes, in words; empty for any."""
        if self.choices:
            return ", ".join(self.choices)
        if self.ge is not None and self.le is not None:
            return f"{self.ge:g} to {self.le:g}"
        return "" if self.ge is None else f"{self.ge:g} or more"


@dataclass(frozen=True, slots=True)
class Editable:
    """A thing as somebody begins to edit it."""

    kind: str
    """pools, policies or rules."""
    id: str
    """Empty = it is to be made."""
    fields: tuple[EditField, ...]

    def field(self, key: str) -> EditField:
        """Return the field of a key. Raises UsageError with the nearest one."""
        found = next((field for field in self.fields if field.key == key), None)
        if found is None:
            raise UsageError(f"no such key{nearest(key, {field.key for field in self.fields})}")
        return found


def help_of(field: EditField) -> str:
    """Return what a key is for, what it takes, and what it is when nothing is typed."""
    takes = {"flag": "yes or no", "json": "JSON", "whole": "a whole number", "number": "a number"}.get(field.type, "")
    limits = f"{takes} {field.limits}".strip() if field.type in ("whole", "number") else field.limits or takes
    default = "" if field.default in (None, "", [], ()) else f"{text_of(field.default)} by default"
    return "; ".join(part for part in (field.help, limits, default) if part)


EDITED = ("pools", "policies", "rules")
"""Kinds of things that can be edited."""

Patch = dict[str, Any]


# ---- texts


def text_of(value: object) -> str:
    """Return a value as it is typed; empty for None."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return encode(value).decode() if isinstance(value, dict | list) else str(value)


def read_text(field: EditField, text: str) -> Any:  # noqa: ANN401  # of the field's own type
    """Return what a text means for a field, None for an empty one. Raises UsageError that says what it must be."""
    word = text.strip()
    return _checked(field, _READ[field.type](word)) if word else None


def check_value(field: EditField, value: object) -> Any:  # noqa: ANN401  # of the field's own type
    """Return a value that was not typed as a text, such as one of TOML, as the field has it. Raises UsageError."""
    if field.type == "flag" or isinstance(value, bool):
        if not (field.type == "flag" and isinstance(value, bool)):
            raise UsageError(f"{text_of(value)} is no {_NAMES[field.type]}")
        return value
    if field.type == "json":
        return value
    if not isinstance(value, str | int | float):
        raise UsageError(f"{text_of(value)} is no {_NAMES[field.type]}")
    return read_text(field, str(value))


def _whole(word: str) -> int:
    if not re.fullmatch(r"[+-]?\d{1,18}", word):
        raise UsageError(f"{word} is no whole number")
    return int(word)


def _number(word: str) -> float:
    try:
        number = float(word)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise UsageError(f"{word} is no number")
    return number


def _flag(word: str) -> bool:
    if word.lower() not in ("yes", "no", "true", "false"):
        raise UsageError(f"{word} is neither yes nor no")
    return word.lower() in ("yes", "true")


def _quantity(read: Callable[[object], float]) -> Callable[[str], Any]:
    def quantity(word: str) -> float:
        try:
            return read(word)
        except ValueError as error:
            raise UsageError(str(error)) from error

    return quantity


_READ: dict[str, Callable[[str], Any]] = {
    "whole": _whole,
    "number": _number,
    "megabytes": _quantity(megabytes),
    "cores": _quantity(cores),
    "flag": _flag,
    "text": str,
    "choice": str,
    "json": decode,
}
_NAMES = {"whole": "whole number", "number": "number", "megabytes": "amount of memory", "cores": "number of cores", "flag": "yes or no", "text": "text", "choice": "word", "json": "JSON"}


def _checked(field: EditField, value: Any) -> Any:  # noqa: ANN401  # of the field's own type
    if field.choices and value not in field.choices:
        raise UsageError(f"{value} is none of {', '.join(field.choices)}{nearest(str(value), set(field.choices))}")
    if isinstance(value, int | float) and not isinstance(value, bool):
        low, high = field.ge, field.le
        if (low is not None and value < low) or (high is not None and value > high):
            raise UsageError(f"{value} is not {field.limits}")
    return value


# ---- changes


def patch_of(fields: Sequence[EditField], values: Mapping[str, object]) -> Patch:
    """Return the merge patch that makes the keys what they are in `values`; those that are not named stay."""
    patch: Patch = {}
    for field in fields:
        if field.key not in values or values[field.key] == field.value:
            continue
        place = patch
        *path, last = field.key.split(".")
        for word in path:
            place = place.setdefault(word, {})
        place[last] = values[field.key]
    for part in [name for name, inner in patch.items() if isinstance(inner, dict)]:
        _settle_part(patch, part, [field for field in fields if field.key.startswith(f"{part}.")], values)
    return patch


def _settle_part(patch: Patch, part: str, fields: Sequence[EditField], values: Mapping[str, object]) -> None:
    """Write also what the part implied; take the part away when nothing is left of it."""
    names = {field.key.removeprefix(f"{part}."): field for field in fields}
    for name, field in names.items():
        if field.is_implied:
            patch[part].setdefault(name, field.value)
    if all(values.get(field.key, field.value) is None for field in fields):
        patch[part] = None


def keys_of(patch: Mapping[str, Any], before: str = "") -> list[str]:
    """Return the dotted keys of a patch."""
    return [key for name, value in patch.items() for key in (keys_of(value, f"{before}{name}.") if isinstance(value, Mapping) and value else [before + name])]


def check_patch(thing: Editable, patch: Patch) -> None:
    """Check changes that make sense one by one also together. Raises UsageError."""
    if thing.kind == "rules":
        from engine.model.rule_editing import check_rule_patch

        check_rule_patch(thing, patch)
        return
    if thing.kind == "policies":
        policy_of({**merged(_table(thing), patch), "id": thing.id})
        return
    values = {field.key: field.default if field.value is None else field.value for field in thing.fields}
    bare = PoolSpec(thing.id, values["min"], values["max"], values["priority"], cost=values["cost"], resources=Resources(values["memory"], values["cpu"], values["storage"]), drain_deadline_s=values["drain_deadline_s"])
    defaults = {field.key: field.default for field in thing.fields}
    overridden(bare, {key: defaults[key] if value is None else value for key, value in patch.items()})


def _table(thing: Editable) -> Patch:
    """Return the keys that are not as by default, nested as they are written."""
    written = [field for field in thing.fields if field.value is not None and not field.is_implied]
    return patch_of([EditField(field.key, field.type) for field in written], {field.key: field.value for field in written})


def table_of(thing: Editable, patch: Patch) -> Patch:
    """Return the thing as a table with a patch laid over it."""
    return {**merged(_table(thing), patch), "id": thing.id}


def verb_of(thing: Editable, patch: Patch) -> Command:
    """Return the verb that makes the changes."""
    if thing.kind == "rules":
        from engine.model.rule_editing import rule_verb

        return rule_verb(thing, patch)
    return EditPool(thing.id, patch) if thing.kind == "pools" else UpdatePolicy(thing.id, patch)


def moved(before: Editable, after: Editable) -> list[tuple[EditField, EditField]]:
    """Return the fields that somebody changed meanwhile: as they were, and as they are."""
    return [(old, new) for old, new in zip(before.fields, after.fields, strict=True) if old.value != new.value]


def value_words(value: object) -> str:
    """Return a value as a change tells it: `default` for None."""
    return text_of(value) or "default"
