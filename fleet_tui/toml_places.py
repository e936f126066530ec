"""Read a TOML file of the user with the line of each key, so that what is wrong can be found."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.model.errors import UsageError

BYTES_MAX = 1_000_000
"""No file that a person writes is larger."""

_KEY = r"""(?:"(?:[^"\\]|\\.)*"|'[^']*'|[\w-]+)"""
_PATH = rf"{_KEY}(?:\s*\.\s*{_KEY})*"
_TABLE = re.compile(rf"\s*\[+\s*({_PATH})\s*\]+\s*(?:#.*)?$")
_ENTRY = re.compile(rf"\s*({_PATH})\s*=")


@dataclass(frozen=True, slots=True)
class PlacedToml:
    """What a file says, and where."""

    path: Path
    values: Mapping[str, Any]
    lines: Mapping[tuple[str, ...], int]
    """Path of a key to its line, from 1."""

    def place(self, *path: str) -> str:
        """Return file and line of a key; of the nearest table around it if it has no line of its own."""
        while path and path not in self.lines:
            path = path[:-1]
        return f"{self.path.name} line {self.lines[path]}" if path else self.path.name


def read_placed(path: Path) -> PlacedToml:
    """Read a file. Raises UsageError that says what is wrong where."""
    import tomllib

    try:
        with path.open("rb") as file:
            data = file.read(BYTES_MAX + 1)
        if len(data) > BYTES_MAX:
            raise UsageError(f"{path} is larger than {BYTES_MAX:,} bytes; it is not read")
        text = data.decode("utf-8")
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{path} is not text in UTF-8: byte {error.start:,} is no part of a character") from error
    try:
        return PlacedToml(path, tomllib.loads(text), dict(_lines(text)))
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{path}: {error}") from error


def _lines(text: str) -> Iterator[tuple[tuple[str, ...], int]]:
    """Give the paths of tables and keys with their lines, the last one first: of keys that seem to stand twice the first counts."""
    found: list[tuple[tuple[str, ...], int]] = []
    table: tuple[str, ...] = ()
    for number, line in enumerate(text.splitlines(), 1):
        if match := _TABLE.match(line):
            table = _path(match[1])
            found.append((table, number))
        elif match := _ENTRY.match(line):
            found.append(((*table, *_path(match[1])), number))
    return reversed(found)


def _path(written: str) -> tuple[str, ...]:
    """Return the parts of a dotted key; inside a text of several lines it may be none, and then it names nothing."""
    import tomllib

    try:
        value: object = tomllib.loads(f"{written} = 0")
    except tomllib.TOMLDecodeError:
        return ()
    path = []
    while isinstance(value, dict):
        key, value = next(iter(value.items()))
        path.append(key)
    return tuple(path)
