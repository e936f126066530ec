"""How the console is to look: `console.toml` of the user, and what the command line wishes beyond it.

Owner: nobody; values and functions. Read on the way to the first frame: no library is loaded unless there is a file.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from engine.model.errors import UsageError
from fleet_tui.settings import APPLICATION, Paths, user_config_home
from fleet_tui.terminal import LEVELS

FILE_NAME = "console.toml"
PLAIN_VARIABLE = "FLEET_TUI_PLAIN"
"""Set to anything but 0: to be read aloud, whatever the file says of shapes."""
AUTO = "auto"
COLORS = (AUTO, *LEVELS)
SHAPES = (AUTO, "unicode", "ascii", "plain")
NOTIFY = ("off", "bell", "osc9", "osc777")
BARS = ("", "accent", "good", "warn", "bad")
THEME_OPTIONS = ("theme", "dark", "light")
LOOPBACK = ("127.0.0.1", "localhost", "::1")


PLACES = ("directory", "state_dir", "socket", "url")
"""Ways to say where the engine of a context is; one of them at most."""
CONTEXT_NAME = re.compile(r"[^\s\"'/@!,=<>~-][^\s\"'@]*")


@dataclass(frozen=True, slots=True)
class ContextPreferences:
    """Where one fleet's engine is, and what makes the fleet unmistakable."""

    theme: str = ""
    """Its theme; empty for the general one."""
    bar: str = ""
    """Colour of its context line: accent, good, warn or bad; empty for the usual one."""
    directory: str = ""
    """The fleet's directory on this machine."""
    state_dir: str = ""
    """The directory in which its engine keeps state, where that is not the usual one."""
    socket: str = ""
    """The engine's socket, for example one that ssh forwards."""
    url: str = ""
    """The engine's address: wss://…, or ws:// on this machine."""
    token_file: str = ""
    """File with the token that an address wants."""
    read_only: bool = False
    """Whether consoles and commands only look at it."""

    @property
    def has_place(self) -> bool:
        """Whether it says where the engine is."""
        return bool(self.directory or self.state_dir or self.socket or self.url)


@dataclass(frozen=True, slots=True)
class Preferences:
    """How the console looks where the command line says nothing."""

    theme: str = AUTO
    """A theme, or `auto`: light or dark as the terminal is."""
    dark: str = "fleet-dark"
    """What `auto` takes on a dark terminal."""
    light: str = "fleet-light"
    """What `auto` takes on a light terminal."""
    colors: str = AUTO
    shapes: str = AUTO
    mouse: bool = True
    notify: str = "bell"
    """How the terminal is told of something that needs somebody: off, bell, osc9 or osc777."""
    contexts: Mapping[str, ContextPreferences] = field(default_factory=dict)
    """By a name of one's own, or a fleet directory's name or whole path."""
    problems: tuple[str, ...] = ()
    """What is wrong with contexts in the file, each with file and key; the rest of it holds."""

    def of_context(self, names: Iterable[str]) -> ContextPreferences:
        """Return what is said of a fleet by the first of its names that is known."""
        return next((self.contexts[name] for name in names if name in self.contexts), ContextPreferences())


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the command line says of the look; empty and None leave it to the file."""

    theme: str = ""
    colors: str = ""
    shapes: str = ""
    mouse: bool | None = None
    keys: str = ""
    """The file of keys; empty for the usual one."""

    def apply(self, preferences: Preferences) -> Preferences:
        """Return the preferences with the wishes in their place."""
        return replace(
            preferences,
            colors=self.colors or preferences.colors,
            shapes=self.shapes or preferences.shapes,
            mouse=preferences.mouse if self.mouse is None else self.mouse,
        )


def context_names(paths: Paths) -> tuple[str, str]:
    """Return the names by which a fleet's context can be configured, the most exact one first."""
    return str(paths.directory), paths.directory.name


def load_preferences(environment: Mapping[str, str] | None = None) -> Preferences:
    """Return the user's preferences, of the file and of the environment, or the defaults without either. Raises UsageError that says what is wrong where."""
    environment = os.environ if environment is None else environment
    preferences = _load_file(user_config_home(environment) / APPLICATION / FILE_NAME)
    return replace(preferences, shapes="plain") if environment.get(PLAIN_VARIABLE, "0") not in ("", "0") else preferences


def _load_file(path: Path) -> Preferences:
    try:
        text = path.read_text("utf-8")
    except FileNotFoundError:
        return Preferences()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} cannot be read: {error}") from error
    import tomllib

    try:
        found = read_preferences(tomllib.loads(text))
    except (tomllib.TOMLDecodeError, ValueError) as error:
        raise UsageError(f"{path}: {error}") from error
    return replace(found, problems=tuple(f"{path}: {problem}" for problem in found.problems))


def read_preferences(values: Mapping[str, Any]) -> Preferences:
    """Return the preferences that a file's values are. Raises ValueError, but not for what is wrong with a context."""
    _refuse_unknown(values, Preferences, "", hidden=("problems",))
    given = {name: value for name, value in values.items() if name != "contexts"}
    for name, choices in (("colors", COLORS), ("shapes", SHAPES), ("notify", NOTIFY)):
        if name in given:
            given[name] = str(given[name])
            _expect(given[name] in choices, name, f"one of {', '.join(choices)}")
    for name in THEME_OPTIONS:
        _expect(isinstance(given.get(name, ""), str), name, "the name of a theme; `:skin` lists them")
    _expect(isinstance(given.get("mouse", True), bool), "mouse", "true or false")
    problems: list[str] = []
    contexts = _read_contexts(values.get("contexts", {}), problems)
    return Preferences(**given, contexts=contexts, problems=tuple(problems))


def _read_contexts(values: object, problems: list[str]) -> dict[str, ContextPreferences]:
    if not isinstance(values, dict):
        problems.append("contexts must be a table for each context, such as [contexts.shop]")
        return {}
    found = {}
    for name, entry in values.items():
        if not isinstance(entry, dict):
            problems.append(f"contexts.{name} must be a table")
        elif not name.startswith("/") and not CONTEXT_NAME.fullmatch(name):
            problems.append(f"contexts.{name!r} is no name for a context: letters, digits and .:_- without spaces, or a directory's whole path")
        else:
            found[name] = _read_context(f"contexts.{name}", entry, problems)
    return found


def _read_context(where: str, values: Mapping[str, Any], problems: list[str]) -> ContextPreferences:
    """Return what holds of an entry; what does not is a problem. One that may have meant to protect a fleet protects it."""
    given: dict[str, Any] = {}
    for name, value in values.items():
        problem = _find_problem(name, value)
        if not problem:
            given[name] = value
            continue
        problems.append(f"{where}.{problem}")
        if _nearest(name, ["read_only"]):
            given["read_only"] = True
    given |= {name: _from_home(given[name]) for name in (*PLACES[:3], "token_file") if name in given}
    said = [name for name in PLACES if name in given]
    if len(said) > 1 and said != ["directory", "state_dir"]:
        problems.append(f"{where} says where the engine is by {' and by '.join(said)}; {said[0]} counts")
        given = {name: value for name, value in given.items() if name not in said[1:]}
    if "token_file" in given and "url" not in given:
        problems.append(f"{where}.token_file is for a url; a socket asks for none")
    return ContextPreferences(**given)


def _find_problem(name: str, value: object) -> str:
    """Return what is wrong with one key of a context; empty if nothing is."""
    known = [entry.name for entry in fields(ContextPreferences)]
    if name not in known:
        return f"{name} is unknown" + (_nearest(name, known) or f"; there are {', '.join(known)}")
    if name == "read_only":
        return "" if isinstance(value, bool) else "read_only must be true or false; it is taken for true"
    if not isinstance(value, str):
        return f"{name} must be {'the name of a theme' if name == 'theme' else 'a text'}"
    if name == "bar":
        return "" if value in BARS else f"bar must be one of {', '.join(BARS[1:])}"
    if name == "url":
        return _find_url_problem(value)
    is_path = name in PLACES or name == "token_file"
    return f"{name} must be a whole path, such as /srv/shop or ~/shop" if is_path and not _from_home(value).startswith("/") else ""


def _from_home(path: str) -> str:
    # Path's own raises where no home is known.
    return os.path.expanduser(path)  # noqa: PTH111


def _find_url_problem(url: str) -> str:
    scheme, _, rest = url.partition("://")
    host = rest.partition("/")[0]
    if scheme not in ("ws", "wss") or not host:
        return "url must be wss://HOST:PORT, or ws://127.0.0.1:PORT for an engine on this machine"
    if scheme == "ws" and host.rpartition(":")[0].strip("[]") not in LOOPBACK and host not in LOOPBACK:
        return "url must be wss://: a token on ws:// can be read on its way to another machine; or forward the socket with ssh -L"
    return ""


def _nearest(name: str, known: Iterable[str]) -> str:
    import difflib  # a tenth of the help's modules, for mistakes alone

    near = difflib.get_close_matches(name, [*known], n=1)
    return f"; did you mean {near[0]}?" if near else ""


def _refuse_unknown(values: Mapping[str, Any], kind: type, where: str, hidden: tuple[str, ...] = ()) -> None:
    known = [entry.name for entry in fields(kind) if entry.name not in hidden]
    for name in values:
        if name not in known:
            raise ValueError(f"unknown key {where}{name}" + (_nearest(name, known) or f"; there are {', '.join(known)}"))


def _expect(holds: bool, name: str, wanted: str) -> None:  # noqa: FBT001  # reads as a sentence
    if not holds:
        raise ValueError(f"{name} must be {wanted}")
