"""`fleet-tui keys`: the bindings in force as a table, as JSON, or as a file to go on from; and the check of a file.

Owner: nobody; functions that return lines.
"""

from __future__ import annotations

import json
from pathlib import Path

from engine.model.errors import EXIT_USAGE, UsageError
from fleet_tui import output
from fleet_tui.keymap import COMMANDS_NAME, find_command_file, find_key_file, load_own, no_preset
from fleet_tui.toml_places import read_placed
from screens.key_presets import PRESETS
from screens.key_table import Key
from screens.keymap import Keymap, shown
from screens.keys import SCOPES
from screens.present import plural

NO_KEY = "-"
TITLES = ("BINDING", "KEYS", "WHERE", "FROM", "WHAT")


def keys_of(row: Key) -> list[str]:
    """Return a binding's keys as people write them."""
    return [shown(key) for key in row.keys.split(",")] if row.keys else []


def table_lines(keymap: Keymap) -> list[str]:
    """Return every binding on a line, below a line of titles."""
    rows = [TITLES, *((row.id, " ".join(keys_of(row)) or NO_KEY, row.scope, keymap.origin(row.id), row.help) for row in keymap)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(TITLES) - 1)]
    return ["  ".join((*(text.ljust(width) for text, width in zip(row, widths, strict=False)), row[-1])) for row in rows]


def objects(keymap: Keymap) -> list[dict[str, object]]:
    """Return every binding as plain values."""
    return [
        {"id": row.id, "keys": keys_of(row), "scope": row.scope, "from": keymap.origin(row.id), "help": row.help, "action": row.action}
        for row in keymap
    ]


def toml_lines(keymap: Keymap) -> list[str]:
    """Return a whole keys.toml that means what is in force."""
    lines = ["# Keys of the fleet-tui console. Keep what you change; the preset has the rest.", f"preset = {_quoted(keymap.preset)}", "", "[keys]"]
    scope = ""
    for row in keymap:
        if row.scope != scope:
            scope = row.scope
            lines += ["", f"# {SCOPES.get(scope, scope)}"]
        lines += [f"# {row.help}", f"{_quoted(row.id)} = {_toml_keys(keys_of(row))}"]
    return lines


def _toml_keys(keys: list[str]) -> str:
    return _quoted(keys[0]) if len(keys) == 1 else f"[{', '.join(map(_quoted, keys))}]" if keys else '""'


def _quoted(text: str) -> str:
    return json.dumps(text)  # a JSON string is a TOML string


def check_lines(path: Path, other: Path | None = None) -> tuple[list[str], bool]:
    """Return what is to be said of a file of keys or of commands beside the other one, and whether it is as it was meant."""
    is_commands = _has_commands(path)
    keymap, commands = load_own(other, path) if is_commands else load_own(path, other)
    problems = [problem for problem in keymap.problems if problem.place.startswith(path.name)]
    lines = [str(problem) for problem in problems]
    lines += [f"note: {note}" for note in keymap.notes if note.place.startswith(path.name)]
    if not problems and is_commands:
        lines.append(f"{path}: valid; {plural(len(commands), 'command')}")
    elif not problems:
        changed = len({row.id for row in keymap if keymap.origin(row.id).startswith(path.name)})
        lines.append(f"{path}: valid; preset {keymap.preset}, {plural(changed, 'binding')} changed")
    return lines, not problems


def _has_commands(path: Path) -> bool:
    try:
        return path.name == COMMANDS_NAME or "commands" in read_placed(path).values
    except UsageError:
        return False


def check(path: Path) -> int:
    """Say what is wrong in a file of keys or of commands, and return the exit code."""
    lines, is_right = check_lines(path, find_key_file() if _has_commands(path) else find_command_file())
    for line in lines:
        output.say(line)
    return 0 if is_right else EXIT_USAGE


def print_keys(file: str, preset: str, form: str) -> None:
    """Print the keys in force, or those of a preset. Raises UsageError for a preset that there is not."""
    if preset and preset not in PRESETS:
        raise UsageError(no_preset(preset))
    keymap = load_own(None if preset else find_key_file(file), find_command_file(), preset=preset).keymap
    for problem in keymap.problems:
        output.say(f"warning: {problem}")
    if form == "json":
        output.print_json(objects(keymap))
    else:
        output.print_lines(toml_lines(keymap) if form == "toml" else table_lines(keymap))
