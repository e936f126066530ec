"""The `:` line: what a line means, what completes it, and the input that asks for it."""

from __future__ import annotations

import dataclasses
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, get_type_hints

from textual.suggester import Suggester

from engine.model import wire
from engine.model.commands import VERBS, Command
from engine.model.errors import UsageError
from engine.model.plans import Call
from engine.model.rows import Row
from screens.widgets.line import Line

VIEWS: dict[str, tuple[str, ...]] = {
    "pulse": ("pu", "home", "0"),
    "pools": ("po", "pool"),
    "agents": ("ag", "agent"),
    "tasks": ("ta", "task"),
    "scaler": ("sc", "scaling"),
    "policies": ("pol", "policy"),
    "events": ("ev", "event", "log"),
    "plans": ("pl", "plan"),
    "audit": ("au",),
    "keys": ("ke",),
    "help": ("h", "?"),
    "quit": ("q", "exit"),
}
"""View to its other names."""

HISTORY_MAX = 100

_BY_NAME = {name: view for view, others in VIEWS.items() for name in (view, *others)}


@dataclass(frozen=True, slots=True)
class ViewLine:
    """A line that opens a view."""

    view: str
    filter_text: str = ""


@dataclass(frozen=True, slots=True)
class VerbLine:
    """A line that asks for verbs."""

    commands: tuple[Command, ...]


def parse_line(line: str) -> ViewLine | VerbLine | None:
    """Return what a line means, None for an empty one. Raises UsageError with the nearest word.

    `agents coder /busy` opens a view with a filter; `scale coder +3`, `cancel tsk_a tsk_b` and
    `submit code.outline coder --payload {…}` are verbs; a verb's first argument may be given several times when all
    its others have defaults.
    """
    text = line.strip().removeprefix(":").strip()
    if not text:
        return None
    word, _, rest = text.partition(" ")
    if word in _BY_NAME:
        return ViewLine(_BY_NAME[word], rest.strip().removeprefix("/").strip())
    if word in VERBS:
        return VerbLine(tuple(parse_verb(VERBS[word], rest)))
    raise UsageError(f"no view or verb {word!r}{wire.nearest(word, {**_BY_NAME, **VERBS})}")


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


def complete(line: str, tables: Mapping[str, Mapping[str, Row]]) -> str | None:
    """Return the whole line that the typed one most likely begins, or None."""
    head, space, tail = line.rpartition(" ")
    if not space:
        words = sorted([*VIEWS, *VERBS], key=len)
        return next((word for word in words if word.startswith(line) and word != line), None) if line else None
    verb = VERBS.get(line.split(" ", 1)[0])
    if verb is None or not tail:
        return None
    places = [spec for spec in dataclasses.fields(verb) if not spec.metadata.get("option")]
    position = min(len(head.split()) - 1, len(places) - 1)
    kind = str(places[position].metadata.get("completes", "")) if places else ""
    names = _names(tables.get(kind, {}))
    found = next((name for name in names if name.startswith(tail) and name != tail), None)
    return f"{head} {found}" if found else None


def _names(rows: Mapping[str, Row]) -> list[str]:
    names = [str(getattr(row, "name", row[0])) for row in rows.values()]
    return sorted({*names, *rows}, key=lambda name: (len(name), name))


class LineSuggester(Suggester):
    """Ghost text for the command line."""

    def __init__(self, tables: Mapping[str, Mapping[str, Row]]) -> None:
        super().__init__(use_cache=False, case_sensitive=True)
        self._tables = tables

    async def get_suggestion(self, value: str) -> str | None:
        """Return the line that `value` begins."""
        return complete(value, self._tables)


class CommandLine(Line):
    """The input itself: ghost text, tab or right accepts, up and down walk through history."""

    KEY_SCOPES: ClassVar[tuple[str, ...]] = ("prompt", "line")

    def __init__(self, tables: Mapping[str, Mapping[str, Row]], history: list[str]) -> None:
        super().__init__(placeholder="a view, or a verb with its arguments", suggester=LineSuggester(tables), classes="command-line", id="line")
        self.display = False
        self._history = history
        self._at = 0

    def action_accept(self) -> None:
        """Take the ghost text."""
        self.action_cursor_right()
        self.cursor_position = len(self.value)

    def action_older(self, step: int) -> None:
        """Show an older or newer line of the history."""
        self._at = max(0, min(len(self._history), self._at + step))
        self.value = self._history[-self._at] if self._at else ""
        self.cursor_position = len(self.value)

    def begin(self, text: str) -> None:
        """Show the line with a text to go on from."""
        self._at = 0
        self.value = text
        self.cursor_position = len(text)
        self.display = True


def remember(history: list[str], line: str) -> None:
    """Put a line at the end of the history, once."""
    if line in history:
        history.remove(line)
    history.append(line)
    del history[:-HISTORY_MAX]
