"""The user's own commands: programs on keys, from `commands.toml`; what they are given is whole arguments, never a shell's text.

Owner: nobody; values and functions. A command is read once; what it runs is decided anew for the rows that are chosen.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from engine.model.errors import UsageError
from engine.model.rows import ROW_KINDS, Row
from fleet_tui.keymap import nearest
from fleet_tui.toml_places import PlacedToml, read_placed
from screens.key_names import read_key
from screens.key_table import Key
from screens.keymap import Problem
from screens.keys import CONTEXTS
from screens.rebinding import Wish

ID_PREFIX = "command."
COMMANDS_MAX = 100
ROWS_MAX = 500
"""Rows that one press may be about."""

EVERY_VIEW = "all"
SCOPE_OF = {"agents": "agent", "tasks": "task", "plans": "plan", "reviews": "review", EVERY_VIEW: "screen"}
"""View to the scope of keys about one of its rows, where that is another word: it holds in the row's document too."""
ROW_VIEWS = tuple(kind for kind in ROW_KINDS if kind in CONTEXTS and kind != "events")
VIEWS = (*ROW_VIEWS, "pulse", "events", EVERY_VIEW)
EACH, TOGETHER = "each", "together"

_NAME = re.compile(r"[a-z][a-z0-9_-]{0,31}")
_PLACE = re.compile(r"\{([a-z_]+)\}")
_LOOSE_FOR_OTHERS = 0o022


@dataclass(frozen=True, slots=True)
class UserCommand:
    """A program, when it is offered, and what it is given."""

    name: str
    description: str
    argv: tuple[str, ...]
    """The program and its arguments; one that is `{field}` becomes that field of a row."""
    scopes: tuple[str, ...]
    """Views in which it is offered."""
    key: tuple[str, ...] = ()
    """Textual's names; none = in the palette only."""
    label: str = ""
    """One or two words for the line of hints; empty = not hinted."""
    marks: str = EACH
    """With several rows: `each` runs once for each, `together` once with all of them."""
    confirm: bool = False
    """Shows what it would run, and asks."""
    dangerous: bool = False
    """Asks for the word yes, and is not offered in a read-only console."""
    background: bool = False
    """Its output becomes a document; else it has the terminal until it ends."""
    place: str = ""
    """File and line."""

    @property
    def places(self) -> tuple[str, ...]:
        """The fields that its arguments name."""
        return tuple(match[1] for item in self.argv if (match := _PLACE.fullmatch(item)))


@dataclass(frozen=True, slots=True)
class UserCommands:
    """What a file of commands says."""

    commands: Mapping[str, UserCommand]
    problems: tuple[Problem, ...] = ()

    def offered(self, *, is_read_only: bool) -> dict[str, UserCommand]:
        """Return the commands that may be run, by name."""
        return {name: command for name, command in self.commands.items() if not (is_read_only and command.dangerous)}


def load_commands(path: Path) -> UserCommands:
    """Return the commands of a file. Raises nothing: a command that cannot be understood is a problem, and left out."""
    try:
        _check_owner(path)
        placed = read_placed(path)
    except UsageError as error:
        return UserCommands({}, (Problem(path.name, f"{error}; none of its commands is offered"),))
    problems = [
        Problem(placed.place(name), f"unknown {name!r}{nearest(name, ('commands',)) or '; there is [commands.NAME]'}")
        for name in placed.values
        if name != "commands"
    ]
    commands: dict[str, UserCommand] = {}
    for name, values in _tables(placed, problems):
        try:
            commands[name] = read_command(name, values, placed.place("commands", name))
        except ValueError as error:
            problems.append(Problem(_place_of(placed, name, str(error)), f"{name}: {error}; it is not offered"))
    return UserCommands(commands, tuple(problems))


def _check_owner(path: Path) -> None:
    """Refuse a file that somebody else can change: it names programs. Raises UsageError."""
    try:
        found = path.stat()
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from error
    if found.st_uid not in (os.getuid(), 0):
        raise UsageError(f"{path} belongs to another user")
    if stat.S_IMODE(found.st_mode) & _LOOSE_FOR_OTHERS:
        raise UsageError(f"others can change {path}, and it names programs: chmod go-w it")


def _tables(placed: PlacedToml, problems: list[Problem]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Give name and values of each command."""
    tables = placed.values.get("commands", {})
    if not isinstance(tables, dict):
        problems.append(Problem(placed.place("commands"), "commands must be tables: [commands.NAME]"))
        return
    for number, (name, values) in enumerate(tables.items()):
        place = placed.place("commands", name)
        if number >= COMMANDS_MAX:
            problems.append(Problem(place, f"there are more than {COMMANDS_MAX} commands; {name} and those after it are not offered"))
            return
        if not isinstance(values, dict):
            problems.append(Problem(place, f"{name} must be a table: [commands.{name}]"))
        else:
            yield name, values


def _place_of(placed: PlacedToml, name: str, text: str) -> str:
    """Return the line of the entry that a refusal begins with, else that of the command."""
    return placed.place("commands", name, text.partition(" ")[0].rstrip(":"))


# ---- one command


def read_command(name: str, values: Mapping[str, Any], place: str = "") -> UserCommand:
    """Return a command from its table. Raises ValueError whose text begins with the entry that is wrong."""
    if not _NAME.fullmatch(name):
        raise ValueError("its name must be small letters, digits, - and _, and begin with a letter")
    known = [entry.name for entry in fields(UserCommand) if entry.name not in ("name", "place")]
    for entry in values:
        if entry not in known:
            raise ValueError(f"{entry} is not known{nearest(entry, known) or '; there are ' + ', '.join(known)}")
    command = UserCommand(
        name,
        description=_text(values, "description"),
        argv=_argv(values),
        scopes=_scopes(values),
        key=_key(values),
        label=_text(values, "label", default=""),
        marks=_choice(values, "marks", (EACH, TOGETHER)),
        confirm=_flag(values, "confirm"),
        dangerous=_flag(values, "dangerous"),
        background=_flag(values, "background"),
        place=place,
    )
    _check_places(command)
    return command


def _check_places(command: UserCommand) -> None:
    """Refuse fields that the rows of some view do not have. Raises ValueError."""
    for scope in command.scopes:
        known = fields_of(scope)
        for name in command.places:
            if name not in known:
                near = nearest(name, known) if known else f"; a row is pointed at in {', '.join(ROW_VIEWS)} only"
                raise ValueError(f"argv names {{{name}}}, which {scope} do not have{near}")


def fields_of(view: str) -> tuple[str, ...]:
    """Return what an argument may name in a view: the fields of its rows, and name and pool where a row is that."""
    if view not in ROW_VIEWS:
        return ()
    kind = ROW_KINDS[view]
    extra = ("pool",) if view == "pools" else ()
    return tuple(dict.fromkeys((*kind._fields, "name", *extra)))


def _text(values: Mapping[str, Any], name: str, default: str | None = None) -> str:
    value = values.get(name, default)
    if value is None:
        raise ValueError(f"{name} is needed")
    if not isinstance(value, str) or not value.isprintable() or (default is None and not value.strip()):
        raise ValueError(f"{name} must be a text of one line")
    return value.strip()


def _flag(values: Mapping[str, Any], name: str) -> bool:
    value = values.get(name, False)
    if not isinstance(value, bool):
        raise ValueError(f"{name} must be true or false")  # noqa: TRY004  # the file's fault, not the caller's
    return value


def _choice(values: Mapping[str, Any], name: str, choices: Sequence[str]) -> str:
    value = values.get(name, choices[0])
    if value not in choices:
        raise ValueError(f"{name} must be {' or '.join(choices)}")
    return str(value)


def _texts(values: Mapping[str, Any], name: str) -> tuple[str, ...]:
    value = values.get(name)
    if value is None:
        raise ValueError(f"{name} is needed")
    if not isinstance(value, list) or not value or not all(isinstance(item, str) for item in value):
        raise ValueError(f"{name} must be a list of texts")
    return tuple(value)


def _argv(values: Mapping[str, Any]) -> tuple[str, ...]:
    if isinstance(values.get("argv"), str):
        raise ValueError('argv must be a list, such as ["git", "log", "{id}"]: no shell reads it')
    argv = _texts(values, "argv")
    if not argv[0] or _PLACE.search(argv[0]):
        raise ValueError("argv must begin with the program itself")
    for item in argv:
        if _PLACE.search(item) and not _PLACE.fullmatch(item):
            raise ValueError(f"argv has {_PLACE.search(item)[0]} inside {item!r}: make it an argument of its own")  # type: ignore[index]
        if "\0" in item:
            raise ValueError("argv has an argument with a zero byte")
    return argv


def _scopes(values: Mapping[str, Any]) -> tuple[str, ...]:
    scopes = _texts(values, "scopes")
    for scope in scopes:
        if scope not in VIEWS:
            raise ValueError(f"scopes has {scope!r}, which is no view{nearest(scope, VIEWS) or '; there are ' + ', '.join(VIEWS)}")
    return tuple(dict.fromkeys(scopes))


def _key(values: Mapping[str, Any]) -> tuple[str, ...]:
    value = values.get("key", "")
    if value == "":
        return ()
    written = value if isinstance(value, list) else [value]
    if not all(isinstance(key, str) for key in written):
        raise ValueError('key must be a key or a list of keys, such as "L" or ["L", "M"]')
    try:
        return tuple(dict.fromkeys(name for key in written for name in read_key(key)))
    except ValueError as error:
        raise ValueError(f"key: {error}") from error


# ---- as bindings


def rows_of(commands: Mapping[str, UserCommand]) -> list[Key]:
    """Return the bindings of commands, without keys: those are wishes."""
    return [
        Key(ID_PREFIX + name, "", f"app.run_command('{name}')", command.label, f"{command.description} (your own)", SCOPE_OF.get(scope, scope), is_eager=True)
        for name, command in commands.items()
        for scope in command.scopes
    ]


def wishes_of(commands: Mapping[str, UserCommand]) -> list[Wish]:
    """Return the keys that commands want."""
    return [Wish(ID_PREFIX + name, command.key, command.place) for name, command in commands.items() if command.key]


# ---- what is run


@dataclass(frozen=True, slots=True)
class Invocation:
    """One program to run."""

    argv: tuple[str, ...]
    environment: Mapping[str, str]
    """What is added to the console's own."""
    target: str
    """The row or rows it is about, as people call them; empty for none."""


def invocations(command: UserCommand, kind: str, rows: Sequence[Row], facts: Mapping[str, str]) -> list[Invocation]:
    """Return what one press runs, for rows of a kind. Raises UsageError for rows that cannot be given to the program.

    A field becomes one whole argument as it is. `facts` go to every program as FLEET_TUI_…; a row as FLEET_ROW_….
    """
    if command.places and not rows:
        raise UsageError(f"{command.name} is about a row, and none is chosen")
    if len(rows) > ROWS_MAX:
        raise UsageError(f"{command.name} would be about {len(rows):,} rows; it is run for at most {ROWS_MAX}: filter or mark fewer")
    shared = {f"FLEET_TUI_{name.upper()}": value for name, value in {**facts, "command": command.name, "rows": str(len(rows))}.items()}
    if not rows:
        return [Invocation(command.argv, shared, "")]
    if command.marks == TOGETHER:
        found = [values_of(kind, row) for row in rows]
        return [Invocation(_fill(command.argv, found), {**shared, "FLEET_ROW_KIND": kind}, ", ".join(row["name"] for row in found))]
    made = []
    for row in rows:
        values = values_of(kind, row)
        environment = {f"FLEET_ROW_{name.upper()}": value for name, value in values.items() if "\0" not in value}
        made.append(Invocation(_fill(command.argv, [values]), {**shared, "FLEET_ROW_KIND": kind, **environment}, values["name"]))
    return made


def values_of(kind: str, row: Row) -> dict[str, str]:
    """Return the fields of a row as texts."""
    values = {name: _worded(value) for name, value in zip(row._fields, row, strict=True)}
    values.setdefault("name", values["id"])
    if kind == "pools":
        values.setdefault("pool", values["id"])
    return values


def _worded(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (tuple, list)):
        return ",".join(map(_worded, value))
    return str(value)


def _fill(argv: Sequence[str], rows: Sequence[Mapping[str, str]]) -> tuple[str, ...]:
    """Put whole arguments in their places; one place takes one argument a row. Raises UsageError."""
    filled: list[str] = []
    for item in argv:
        match = _PLACE.fullmatch(item)
        for value in [row[match[1]] for row in rows] if match else [item]:
            if not value and match:
                raise UsageError(f"{item} is empty for {rows[0]['name'] if len(rows) == 1 else 'one of the rows'}")
            if match and value.startswith("-") and "--" not in filled:
                raise UsageError(f'{value!r} begins with -, and the program would take it for an option: put "--" before {item} in argv, if it knows that')
            if "\0" in value:
                raise UsageError(f"{item} has a zero byte, which no argument can have")
            filled.append(value)
    return tuple(filled)
