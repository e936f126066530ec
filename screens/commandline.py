"""The `:` line: views with scope, filter and context, words of the console, verbs; reading and writing it; pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from engine.model import wire
from engine.model.commands import VERBS
from engine.model.errors import UsageError
from engine.model.fields import kind_of
from engine.model.filters import (
    FilterError,
    format_terms,
    parse_filter,
    quote_value,
    read_terms,
    split_words,
)
from engine.model.rows import Row
from engine.model.verb_lines import parse_verb
from engine.model.verbs import Command

VIEWS: dict[str, tuple[str, ...]] = {
    "pulse": ("pu", "home", "0"),
    "pools": ("po", "pool"),
    "agents": ("ag", "agent"),
    "tasks": ("ta", "task"),
    "hosts": ("ho", "host"),
    "engines": ("en", "engine"),
    "regions": ("rg", "region"),
    "plugins": ("plg", "plugin"),
    "inbox": ("in", "!", "needs"),
    "reviews": ("rev", "review"),
    "alerts": ("al", "alert"),
    "rules": ("rul", "rule"),
    "silences": ("si",),
    "channels": ("ch", "channel"),
    "notifications": ("no", "notification"),
    "dead-events": ("de", "dead-event", "dead"),
    "scaler": ("sc", "scaling"),
    "policies": ("pol", "policy"),
    "optimize": ("op", "savings"),
    "gangs": ("ga",),
    "votes": ("vo", "proposals"),
    "routes": ("rt", "route"),
    "swarms": ("sw", "swarm"),
    "sessions": ("se", "session"),
    "cost": ("co", "costs", "money"),
    "report": ("re", "performance"),
    "trends": ("tr", "metrics", "history"),
    "dash": ("da", "dashboards", "board"),
    "heatmap": ("he", "heat"),
    "topology": ("to", "topo", "graph"),
    "xray": ("xr", "tree"),
    "memory": ("me", "mem", "entries"),
    "booster": ("bo", "boosters", "instances"),
    "ctx": ("contexts", "context"),
    "events": ("ev", "event", "log"),
    "plans": ("pl", "plan"),
    "audit": ("au",),
    "bookmarks": ("bms",),
    "keys": ("ke",),
    "conflicts": ("conf", "peers"),
    "runs": ("ru",),
    "can-i": ("can", "may"),
    "skin": ("sk", "theme", "themes"),
    "help": ("h", "?"),
}
"""View to its other names."""


@dataclass(frozen=True, slots=True)
class Word:
    """A word that is the console's own: it asks nothing of the engine."""

    usage: str
    help: str
    others: tuple[str, ...] = ()


WORDS: dict[str, Word] = {
    "quit": Word("quit", "leave; asks what becomes of the engine", ("q", "exit")),
    "export": Word("export [FORM] [ROWS]", "write what is shown as csv, json, text or svg; rows shown, marked or all", ("save",)),
    "bookmark": Word("bookmark 1-9", "keep this view with its filter and sort under a digit", ("bm",)),
}

SCOPES: dict[str, tuple[tuple[str, str], ...]] = {
    "pools": (("pools", "id"),),
    "agents": (("pools", "pool"), ("hosts", "host"), ("agents", "name")),
    "xray": (("pools", "pool"), ("hosts", "host"), ("agents", "name")),
    "tasks": (("pools", "pool"), ("agents", "agent")),
    "hosts": (("hosts", "id"),),
    "scaler": (("pools", "id"),),
    "policies": (("policies", "name"),),
    "alerts": (("pools", "pool"), ("rules", "rule")),
    "rules": (("rules", "id"),),
    "channels": (("channels", "id"),),
    "notifications": (("channels", "channel"),),
    "dead-events": (("dead-events", "group"),),
    "optimize": (("pools", "pool"),),
    "gangs": (("pools", "pool"),),
    "reviews": (("pools", "pool"),),
    "routes": (("pools", "id"),),
    "sessions": (("swarms", "swarm"),),
    "booster": (("hosts", "host"),),
    "memory": (("agents", "owner"),),
}
"""View to the kinds whose names narrow it, each with the field that such a name is compared with."""

FILTERED = {
    "pools": "pools",
    "agents": "agents",
    "xray": "agents",
    "tasks": "tasks",
    "hosts": "hosts",
    "engines": "engines",
    "regions": "regions",
    "plugins": "plugins",
    "scaler": "scaling",
    "policies": "policies",
    "optimize": "advice",
    "gangs": "gangs",
    "reviews": "reviews",
    "votes": "proposals",
    "swarms": "swarms",
    "sessions": "sessions",
    "alerts": "alerts",
    "rules": "rules",
    "silences": "silences",
    "channels": "channels",
    "notifications": "notifications",
    "dead-events": "dead-events",
    "routes": "routes",
    "booster": "instances",
    "memory": "memory",
    "plans": "plans",
    "audit": "audit",
}
"""Views of rows, which have typed filters, to their kind of row; others take the text after `/` as it is."""

_VIEW_OF = {name: view for view, others in VIEWS.items() for name in (view, *others)}
_WORD_OF = {name: word for word, entry in WORDS.items() for name in (word, *entry.others)}


class LineError(UsageError):
    """A line that cannot be read: what is wrong, and the characters that are."""

    def __init__(self, text: str, start: int, end: int) -> None:
        super().__init__(text)
        self.start = start
        self.end = max(end, start + 1)


Spans = tuple[tuple[int, int], ...]
"""Where words begin and end in a line."""


@dataclass(frozen=True, slots=True)
class ViewLine:
    """A line that opens a view."""

    view: str
    scope: str = ""
    """Names or terms that Esc does not take away."""
    filter_text: str = ""
    context: str = ""
    """Another engine to look at; empty = the one in view."""
    scope_at: Spans = field(default=(), compare=False)
    filter_at: Spans = field(default=(), compare=False)
    """Where the words of the two stand in the line that was read."""


@dataclass(frozen=True, slots=True)
class WordLine:
    """A line that asks the console itself for something."""

    word: str
    args: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class VerbLine:
    """A line that asks for verbs."""

    commands: tuple[Command, ...]


Line = ViewLine | WordLine | VerbLine


def parse_line(line: str) -> Line | None:
    """Return what a line means, None for an empty one. Raises UsageError with the nearest word.

    `agents coder /busy !slow @prod` opens a view with scope, filter and context; `scale coder +3`, `cancel tsk_a tsk_b` and
    `submit code.outline coder --payload {…}` are verbs; a verb's first argument may be given several times when all
    its others have defaults.
    """
    text = line.strip().removeprefix(":").strip()
    if not text:
        return None
    at = line.index(text)
    word, _, rest = text.partition(" ")
    if word in _VIEW_OF:
        return _parse_view(_VIEW_OF[word], line, at + len(word))
    if word in _WORD_OF:
        return WordLine(_WORD_OF[word], tuple(rest.split()))
    if word in VERBS:
        return VerbLine(tuple(parse_verb(VERBS[word], rest)))
    raise LineError(f"no view or verb {word!r}{wire.nearest(word, {**_VIEW_OF, **_WORD_OF, **VERBS})}", at, at + len(word))


def _parse_view(view: str, line: str, at: int) -> ViewLine:
    """Read what follows a view's name, from a character on."""
    scope: dict[tuple[int, int], str] = {}
    words: dict[tuple[int, int], str] = {}
    contexts: list[str] = []
    taken = scope
    while found := next(split_words(line, at), None):
        word, start, at = found
        if taken is scope and word.startswith("/"):
            taken, at = words, start + 1
        elif word.startswith("@") and len(word) > 1:
            if contexts:
                raise LineError(f"one @context at a time; {contexts[0]} is named already", start, at)
            contexts.append(word[1:])
        else:
            taken[start, at] = word
    return ViewLine(view, " ".join(scope.values()), " ".join(words.values()), "".join(contexts), tuple(scope), tuple(words))


def _place_in(spans: Spans, offset: int) -> int:
    """Return where in its line a character of words stands that were joined by blanks."""
    for start, end in spans:
        if offset <= end - start:
            return start + offset
        offset -= end - start + 1
    return spans[-1][1]


def format_line(line: ViewLine) -> str:
    """Return the line that means this view; parse_line() reads it back."""
    slash = f"/{line.filter_text}" if line.filter_text else ""
    context = f"@{line.context}" if line.context else ""
    return " ".join(part for part in (line.view, line.scope, slash, context) if part)


def resolve_scope(view: str, scope: str, tables: Mapping[str, Mapping[str, Row]]) -> str:
    """Return the terms that a scope means: `coder` is `pool=coder` where there is such a pool. Raises UsageError.

    Before anything is known of the fleet a name is taken for the first thing that it may be.
    """
    if view not in FILTERED:
        return scope
    parts = []
    try:
        placed = read_terms(scope)
    except FilterError as error:
        raise UsageError(f"scope {scope!r}: {error}") from error
    for entry in placed:
        term = entry.term
        parts.append(format_terms([term]) if term.kind != "word" or term.is_negated else _resolve_name(view, term.values[0], tables))
    return " ".join(parts)


def names_in(rows: Mapping[str, Row]) -> list[str]:
    """Return what people call these things: agents by their names, anything else by its id."""
    return [str(getattr(row, "name", id_)) for id_, row in rows.items()]


def _resolve_name(view: str, name: str, tables: Mapping[str, Mapping[str, Row]]) -> str:
    known: dict[str, str] = {}
    places = SCOPES.get(view, ())
    for kind, key in places:
        names = names_in(tables.get(kind, {}))
        if name in names:
            return f"{key}={quote_value(name)}"
        known |= dict.fromkeys(names, key)
    if not places:
        raise UsageError(f"{view} have no scope {name!r}; write /{name} to filter by a word")
    if not known:
        return f"{places[0][1]}={quote_value(name)}"
    raise UsageError(f"no pool, agent or host {name!r} here{wire.nearest(name, set(known))}; write /{name} to filter by a word")


def find_fault(line: str, tables: Mapping[str, Mapping[str, Row]]) -> LineError | None:
    """Return what is wrong with a line, and where; None if it can be done as far as the console knows."""
    try:
        meant = parse_line(line)
    except LineError as error:
        return error
    except UsageError as error:
        after = len(line) - len(line.lstrip(": ").partition(" ")[2])
        return LineError(str(error), min(after, len(line)), len(line))
    if not isinstance(meant, ViewLine) or meant.view not in FILTERED:
        return None
    try:
        # What another engine calls things is not known here.
        resolve_scope(meant.view, meant.scope, {} if meant.context else tables)
    except UsageError as error:
        return LineError(str(error), meant.scope_at[0][0], meant.scope_at[-1][1])
    try:
        parse_filter(meant.filter_text, kind_of(FILTERED[meant.view]))
    except FilterError as error:
        return LineError(str(error), _place_in(meant.filter_at, error.start), _place_in(meant.filter_at, error.end))
    return None
