"""How the console is to look: `console.toml` of the user, and what the command line wishes beyond it.

Owner: nobody; values and functions. Read on the way to the first frame: no library is loaded unless there is a file.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

from engine.model.errors import UsageError
from fleet_tui.settings import APPLICATION, Paths, user_config_home
from fleet_tui.terminal import LEVELS

FILE_NAME = "console.toml"
AUTO = "auto"
COLORS = (AUTO, *LEVELS)
SHAPES = (AUTO, "unicode", "ascii")
NOTIFY = ("off", "bell", "osc9", "osc777")
BARS = ("", "accent", "good", "warn", "bad")
THEME_OPTIONS = ("theme", "dark", "light")


@dataclass(frozen=True, slots=True)
class ContextPreferences:
    """What makes one fleet unmistakable."""

    theme: str = ""
    """Its theme; empty for the general one."""
    bar: str = ""
    """Colour of its context line: accent, good, warn or bad; empty for the usual one."""


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
    """By a fleet directory's name or whole path."""

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
    """Return the user's preferences, or the defaults without a file. Raises UsageError that says what is wrong where."""
    path = user_config_home(os.environ if environment is None else environment) / APPLICATION / FILE_NAME
    try:
        text = path.read_text("utf-8")
    except FileNotFoundError:
        return Preferences()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} cannot be read: {error}") from error
    import tomllib

    try:
        return read_preferences(tomllib.loads(text))
    except (tomllib.TOMLDecodeError, ValueError) as error:
        raise UsageError(f"{path}: {error}") from error


def read_preferences(values: Mapping[str, Any]) -> Preferences:
    """Return the preferences that a file's values are. Raises ValueError."""
    _refuse_unknown(values, Preferences, "")
    contexts = values.get("contexts", {})
    _expect(isinstance(contexts, dict), "contexts", "a table for each context, such as [contexts.shop]")
    given = {name: value for name, value in values.items() if name != "contexts"}
    for name, choices in (("colors", COLORS), ("shapes", SHAPES), ("notify", NOTIFY)):
        if name in given:
            given[name] = str(given[name])
            _expect(given[name] in choices, name, f"one of {', '.join(choices)}")
    for name in THEME_OPTIONS:
        _expect(isinstance(given.get(name, ""), str), name, "the name of a theme; `:skin` lists them")
    _expect(isinstance(given.get("mouse", True), bool), "mouse", "true or false")
    return Preferences(**given, contexts={str(name): _read_context(str(name), value) for name, value in contexts.items()})


def _read_context(name: str, values: object) -> ContextPreferences:
    where = f"contexts.{name}"
    if not isinstance(values, dict):
        raise ValueError(f"{where} must be a table")  # noqa: TRY004  # the file's fault, not the caller's
    _refuse_unknown(values, ContextPreferences, f"{where}.")
    context = ContextPreferences(**values)
    _expect(isinstance(context.theme, str), f"{where}.theme", "the name of a theme")
    _expect(context.bar in BARS, f"{where}.bar", f"one of {', '.join(BARS[1:])}")
    return context


def _refuse_unknown(values: Mapping[str, Any], kind: type, where: str) -> None:
    known = [entry.name for entry in fields(kind)]
    for name in values:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            raise ValueError(f"unknown key {where}{name}" + (f"; did you mean {near[0]}?" if near else f"; there are {', '.join(known)}"))


def _expect(holds: bool, name: str, wanted: str) -> None:  # noqa: FBT001  # reads as a sentence
    if not holds:
        raise ValueError(f"{name} must be {wanted}")
