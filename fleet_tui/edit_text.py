"""A thing that is edited as TOML: its keys with help in comments, what is wrong at the top, and read back; pure."""

from __future__ import annotations

import json
import textwrap
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from engine.model.editing import Editable, EditField, check_value, help_of
from engine.model.errors import UsageError

WIDTH = 100
WRONG = "#! "
"""What lines begin with that say what is wrong; they are taken out when the text is read."""


class TextWrong(UsageError):
    """A text does not mean what the thing can be."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = tuple(problems)


# ---- writing


def text_to_edit(thing: Editable, title: str) -> str:
    """Return the text that somebody begins with."""
    lines = [
        f"# {title}",
        "# Change values, save and leave: the plan is shown before anything happens.",
        "# A key in a comment is at its default, and so is one that is taken out.",
    ]
    for field in thing.fields:
        lines += ["", *(f"# {line}" for line in textwrap.wrap(help_of(field), WIDTH - 2))]
        is_written = field.value is not None and not field.is_implied
        value = field.value if field.value is not None else field.default
        lines.append(f"{'' if is_written else '# '}{field.key} = {'' if value is None else toml_value(value)}".rstrip())
    return "\n".join(lines) + "\n"


def toml_value(value: Any) -> str:  # noqa: ANN401  # plain values
    """Return a plain value as TOML writes it on one line."""
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{_toml_key(key)} = {toml_value(one)}" for key, one in value.items()) + " }" if value else "{}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(toml_value, value))}]"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    return repr(value)


def _toml_key(key: str) -> str:
    return key if key.replace("_", "").replace("-", "").isalnum() and key.isascii() else toml_value(key)


def with_problems(text: str, problems: Sequence[str]) -> str:
    """Return a text with what is wrong in it at the top, in place of what was wrong before."""
    told = [f"{WRONG}{line}" for problem in problems for line in problem.splitlines()]
    return "\n".join([f"{WRONG}Not applied. Mend this, save and leave; leave it as it is to give up:", *told, *_body(text)]) + "\n"


def _body(text: str) -> list[str]:
    return [line for line in text.splitlines() if not line.startswith(WRONG.rstrip())]


# ---- reading


def read_edited(thing: Editable, text: str) -> dict[str, Any]:
    """Return the keys that the text sets, or takes back (None). Raises TextWrong with everything that is wrong."""
    body = "\n".join(_body(text)) + "\n"
    try:
        table = tomllib.loads(body)
    except tomllib.TOMLDecodeError as error:
        raise TextWrong([f"this is no TOML: {error}"]) from error
    problems: list[str] = []
    values: dict[str, Any] = {}
    for key, value in _flat(table, {field.key for field in thing.fields}):
        try:
            values[key] = check_value(thing.field(key), value)
        except UsageError as error:
            problems.append(f"{key}: {error}")
    if problems:
        raise TextWrong(problems)
    gone = {field.key: None for field in thing.fields if _was_written(field) and field.key not in values}
    return values | gone


def _was_written(field: EditField) -> bool:
    return field.value is not None and not field.is_implied


def _flat(table: Mapping[str, Any], known: set[str], before: str = "") -> Iterator[tuple[str, Any]]:
    """Give the keys of a table, dotted, down to those that are known or hold no table."""
    for name, value in table.items():
        key = before + name
        if isinstance(value, Mapping) and key not in known:
            yield from _flat(value, known, f"{key}.")
        else:
            yield key, value
