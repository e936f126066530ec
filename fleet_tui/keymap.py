"""The user's keys: `keys.toml`, a preset and single bindings, and keys of the user's own commands; whatever is wrong, there are keys.

Owner: nobody; values and functions. Read on the way to the first frame: no library is loaded unless there is a file.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from engine.model.errors import UsageError
from fleet_tui.settings import APPLICATION, user_config_home
from screens.keymap import KEYMAP, Keymap, Problem

if TYPE_CHECKING:
    from fleet_tui.settings import Paths
    from fleet_tui.toml_places import PlacedToml
    from fleet_tui.user_commands import UserCommand
    from screens.key_table import Key
    from screens.rebinding import Wish

FILE_NAME = "keys.toml"
VARIABLE = "FLEET_TUI_KEYS"


COMMANDS_NAME = "commands.toml"
COMMANDS_VARIABLE = "FLEET_TUI_COMMANDS"


class Own(NamedTuple):
    """What the user made of the console."""

    keymap: Keymap
    commands: Mapping[str, UserCommand]
    """Those that may be run, by name."""


OWN = Own(KEYMAP, {})
"""For a user without files."""


class KeyFile(NamedTuple):
    """What a file of keys says."""

    preset: str
    """Empty if it names none."""
    wishes: tuple[Wish, ...] = ()
    problems: tuple[Problem, ...] = ()


def find_key_file(given: str = "", environment: Mapping[str, str] | None = None) -> Path | None:
    """Return the file of keys: the one given, that of the variable, or the user's; None if there is none of these."""
    environment = os.environ if environment is None else environment
    named = given or environment.get(VARIABLE, "")
    if named:
        return Path(named)
    path = user_config_home(environment) / APPLICATION / FILE_NAME
    return path if path.exists() else None


def find_command_file(environment: Mapping[str, str] | None = None) -> Path | None:
    """Return the file of commands: that of the variable, or the user's; None if there is neither. Never a project's own."""
    environment = os.environ if environment is None else environment
    if named := environment.get(COMMANDS_VARIABLE, ""):
        return Path(named)
    path = user_config_home(environment) / APPLICATION / COMMANDS_NAME
    return path if path.exists() else None


def load_own(keys: Path | None, commands: Path | None, *, preset: str = "", is_read_only: bool = False) -> Own:
    """Return the keymap of the user's files; the named preset counts more than the file's. Raises nothing: see its problems.

    A read-only console is offered no dangerous command.
    """
    if keys is None and commands is None and not preset:
        return OWN
    from screens.key_presets import DEFAULT
    from screens.rebinding import build_keymap

    file = KeyFile("") if keys is None else read_key_file(keys)
    offered: Mapping[str, UserCommand] = {}
    rows: list[Key] = []
    wishes, problems = list(file.wishes), list(file.problems)
    if commands is not None:
        from fleet_tui.user_commands import ID_PREFIX, load_commands, rows_of, wishes_of

        known = load_commands(commands)
        offered = known.offered(is_read_only=is_read_only)
        rows, problems = rows_of(offered), [*problems, *known.problems]
        withheld = {ID_PREFIX + name for name in known.commands.keys() - offered.keys()}
        wishes = [wish for wish in wishes if wish.binding not in withheld]
        named = {wish.binding for wish in wishes}
        wishes += [wish for wish in wishes_of(offered) if wish.binding not in named]
    return Own(build_keymap(preset or file.preset or DEFAULT, wishes, rows, problems), offered)


def load_keymap(path: Path | None, preset: str = "") -> Keymap:
    """Return the keymap of a file of keys alone."""
    return load_own(path, None, preset=preset).keymap


def read_key_file(path: Path) -> KeyFile:
    """Return what a file says; what cannot be understood is a problem."""
    from fleet_tui.toml_places import read_placed

    try:
        placed = read_placed(path)
    except UsageError as error:
        return KeyFile("", problems=(Problem(path.name, f"{error}; the keys of the preset hold"),))
    problems: list[Problem] = []
    preset = _preset(placed, problems)
    for name in placed.values:
        if name not in ("preset", "keys"):
            problems.append(Problem(placed.place(name), f"unknown {name!r}{nearest(name, ('preset', 'keys')) or '; there are preset and [keys]'}"))
    wishes = tuple(_wishes(placed, problems))
    return KeyFile(preset, wishes, tuple(problems))


def _preset(placed: PlacedToml, problems: list[Problem]) -> str:
    from screens.key_presets import PRESETS

    name = placed.values.get("preset", "")
    if name == "" or name in PRESETS:
        return str(name)
    problems.append(Problem(placed.place("preset"), no_preset(str(name))))
    return ""


def _wishes(placed: PlacedToml, problems: list[Problem]) -> Iterator[Wish]:
    from screens.key_names import read_key
    from screens.rebinding import Wish

    entries = placed.values.get("keys", {})
    if not isinstance(entries, dict):
        problems.append(Problem(placed.place("keys"), 'keys must be a table: [keys], then lines such as "pools.scale" = "s"'))
        return
    for path, value in _flat(entries):
        place, binding = placed.place("keys", *path), ".".join(path)
        written: list[Any] = value if isinstance(value, list) else [value]
        if not all(isinstance(key, str) for key in written):
            problems.append(Problem(place, f'{binding} must be a key or a list of keys, such as "s" or ["s", "f5"]'))
            continue
        try:
            keys = dict.fromkeys(name for key in written if key != "" or len(written) > 1 for name in read_key(key))
        except ValueError as error:
            problems.append(Problem(place, f"{binding} keeps what it had: {error}"))
            continue
        yield Wish(binding, tuple(keys), place)


def _flat(entries: Mapping[str, Any], above: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], object]]:
    """Give path and value of each entry; `pools.scale = "s"` without quotes is a table in a table."""
    for name, value in entries.items():
        if isinstance(value, dict):
            yield from _flat(value, (*above, name))
        else:
            yield (*above, name), value


def facts_of(paths: Paths) -> dict[str, str]:
    """Return what every command of the user's own is told of the fleet."""
    return {"directory": str(paths.directory), "state_dir": str(paths.state_dir), "socket": str(paths.socket)}


def no_preset(name: str) -> str:
    """Return what is said of a preset that there is not."""
    from screens.key_presets import PRESETS

    return f"no preset {name!r}{nearest(name, PRESETS) or '; there are ' + ', '.join(PRESETS)}"


def nearest(word: str, known: Iterable[str]) -> str:
    """Return a question for the known word that is most like another; empty if none is."""
    near = difflib.get_close_matches(word, list(known), n=1)
    return f"; did you mean {near[0]!r}?" if near else ""
