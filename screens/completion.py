"""What a line that is being typed may become: views, words, verbs with their arguments, scopes, fields, values, contexts; pure.

Candidates are whole lines that begin with what is typed, the likeliest first; letters that only occur in a word in their
order come last, so that `bm` finds `bookmark`. The filter line completes with the same fields and values.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from engine.model.commands import VERBS
from engine.model.fields import Kind, kind_of
from engine.model.filters import find_letters, quote_value, split_words
from engine.model.rows import Row
from engine.model.verb_lines import usage
from engine.model.verbs import Command
from screens.commandline import FILTERED, SCOPES, VIEWS, WORDS, names_in

Complete = Callable[[str], list[str]]
CANDIDATES_MAX = 40

_COMPARED = re.compile(r"(?P<bang>!?)(?P<field>[A-Za-z_]\w*)(?P<operator><=|>=|!=|=|<|>|~)(?P<before>(?:[^,]*,)*)(?P<value>[^,]*)")
_FIRST_WORDS: tuple[str, ...] = (*VIEWS, *WORDS, *sorted(VERBS))
_OTHER_NAMES = {name: view for view, others in VIEWS.items() for name in others} | {name: word for word, entry in WORDS.items() for name in entry.others}


@dataclass(frozen=True, slots=True)
class Known:
    """What lines can be completed from."""

    tables: Mapping[str, Mapping[str, Row]]
    contexts: Callable[[], Sequence[str]] = tuple


def complete_line(line: str, known: Known) -> list[str]:
    """Return the lines that the typed one may become."""
    if not line.strip():
        return []
    word, space, rest = line.partition(" ")
    if not space:
        return _first_words(word)
    view = word if word in VIEWS else _OTHER_NAMES.get(word, "")
    if view in VIEWS:
        return [f"{word} {entry}" for entry in _complete_view(view, rest, known)]
    if word in VERBS:
        return [f"{word} {entry}" for entry in _complete_verb(VERBS[word], rest, known)]
    return []


def _first_words(typed: str) -> list[str]:
    begun = [word for word in _FIRST_WORDS if word.startswith(typed) and word != typed]
    if typed in _OTHER_NAMES or typed in _FIRST_WORDS:
        return begun  # it means something already
    begun += [word for other, word in _OTHER_NAMES.items() if other.startswith(typed) and word not in begun]
    return begun or [word for word in _FIRST_WORDS if find_letters(typed, word)]


def _complete_view(view: str, rest: str, known: Known) -> list[str]:
    """Return what may follow a view's name: scopes, then a filter, a context anywhere."""
    words = list(split_words(rest))
    begun = "" if not words or rest[-1].isspace() else words[-1][0]
    head = rest[: len(rest) - len(begun)]
    if begun.startswith("@"):
        return [f"{head}@{name}" for name in known.contexts() if name.startswith(begun[1:]) and name != begun[1:]]
    slash = next((start for word, start, _ in words if word.startswith("/")), -1)
    if slash >= 0:
        return [rest[: slash + 1] + entry for entry in complete_filter(rest[slash + 1 :], view, known)]
    if view == "ctx":
        return [name for name in known.contexts() if name.startswith(begun) and name != begun]
    if view not in SCOPES:
        return []
    if _COMPARED.fullmatch(begun):
        return [head + entry for entry in complete_filter(begun, view, known)]
    names = dict.fromkeys(name for kind, _field in SCOPES[view] for name in names_in(known.tables.get(kind, {})))
    return [head + name for name in _choose(begun, names)] if begun else []


def complete_filter(text: str, view: str, known: Known) -> list[str]:
    """Return the filters that the typed one may become: the word at its end is a field, or a field's value."""
    if view not in FILTERED or not text or text[-1].isspace():
        return []
    word, start, _ = list(split_words(text))[-1]
    kind, head = kind_of(FILTERED[view]), text[:start]
    compared = _COMPARED.fullmatch(word)
    if compared is None:
        bang, begun = ("!", word[1:]) if word.startswith("!") else ("", word)
        return [f"{head}{bang}{name}" for name in _choose_fields(begun, kind)]
    values = kind.values_of(compared["field"], known.tables.get(FILTERED[view], {}).values())
    before = word[: compared.start("value")]
    typed = compared["value"].strip("\"'")
    return [head + before + quote_value(value) for value in _choose(typed, values)]


def _choose_fields(begun: str, kind: Kind) -> list[str]:
    return [f"{name}{'>' if field.type == 'number' else '='}" for name, field in kind.fields.items() if name.startswith(begun)]


def _choose(begun: str, names: Iterable[str]) -> list[str]:
    """Return the names that begin so, shortest first, and not what is typed out already."""
    lower = begun.lower()
    found = [name for name in names if name.lower().startswith(lower) and name != begun]
    return sorted(found, key=lambda name: (len(name), name))[:CANDIDATES_MAX]


def _complete_verb(verb: type[Command], rest: str, known: Known) -> list[str]:
    head, _, begun = rest.rpartition(" ")
    head += " " if head or rest.startswith(" ") else ""
    specs = dataclasses.fields(verb)
    words = head.split()
    if begun.startswith("--"):
        options = [f"--{spec.name.replace('_', '-')}" for spec in specs if spec.metadata.get("option")]
        return [head + option for option in options if option.startswith(begun) and option != begun]
    if words and words[-1].startswith("--"):
        field = next((spec for spec in specs if spec.name == words[-1][2:].replace("-", "_")), None)
    else:
        places = [spec for spec in specs if not spec.metadata.get("option")]
        position = min(len([word for word in words if not word.startswith("--")]), len(places) - 1)
        field = places[position] if places else None
    if field is None:
        return []
    rows = known.tables.get(str(field.metadata.get("completes", "")), {})
    choices = [str(choice) for choice in field.metadata.get("choices", ())]
    return [head + name for name in _choose(begun, dict.fromkeys([*choices, *names_in(rows), *rows]))] if begun else []


def explain_line(line: str) -> str:
    """Return how the line that is being typed goes on."""
    word = line.split(" ", 1)[0]
    view = word if word in VIEWS else _OTHER_NAMES.get(word, "")
    if view in FILTERED:
        scope = " NAME" if view in SCOPES else ""
        return f"{view}{scope} /FILTER @CONTEXT"
    if view == "ctx":
        return "ctx NAME: look at another engine, where it was left"
    if view in VIEWS:
        return f"{view} @CONTEXT"
    if word in VERBS:
        return f"{usage(VERBS[word])}: {VERBS[word].help}"
    entry = WORDS.get(_OTHER_NAMES.get(word, word))
    return f"{entry.usage}: {entry.help}" if entry else ""
