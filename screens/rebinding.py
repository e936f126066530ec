"""From a preset and the user's wishes to a keymap without conflicts; what cannot be done is said, and the preset holds."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

from screens.key_names import doubt, is_typed
from screens.key_presets import DEFAULT, PRESETS
from screens.key_table import KEYS, Key
from screens.keymap import Keymap, Problem, shown
from screens.keys import CONTEXTS

NEEDED = frozenset({"app.command", "screen.back", "dialog.drop", "form.drop", "palette.drop", "choice.drop", "line.submit"})
"""Bindings that must have a key: without one there is no way on."""

TYPED_SCOPES = frozenset({"line", "prompt", "form", "palette", "dialog"})
"""Scopes in which characters are typed, so that they can do nothing else."""


@dataclass(frozen=True, slots=True)
class Wish:
    """Keys that somebody wants for a binding."""

    binding: str
    keys: tuple[str, ...]
    """Textual's names; none = not bound."""
    place: str


@dataclass(frozen=True, slots=True)
class Conflict:
    """Two bindings on one key where both work."""

    first: str
    second: str
    key: str
    context: str


def preset_rows(preset: str) -> tuple[Key, ...]:
    """Return every binding with the keys of a preset."""
    changes = PRESETS[preset].keys
    return tuple(row.with_keys([changes[row.id]]) if row.id in changes else row for row in KEYS)


def build_keymap(preset: str = DEFAULT, wishes: Iterable[Wish] = (), extra: Sequence[Key] = (), problems: Iterable[Problem] = ()) -> Keymap:
    """Return the keymap of a preset with what is wished; a binding that cannot have its wish keeps what it had.

    `extra` are bindings of the user's own commands, without keys; `problems` were found before. Of two wishes that
    exclude each other the earlier one holds; a second wish for the same binding takes the place of the first.
    """
    rows = (*preset_rows(preset), *extra)
    known = {row.id: row for row in rows}
    granted: dict[str, Wish] = {}
    found = list(problems)
    for wish in wishes:
        if refusal := _refuse(wish, known):
            found.append(Problem(wish.place, refusal))
        else:
            granted[wish.binding] = wish
    met = {frozenset((conflict.first, conflict.second)) for conflict in find_conflicts(rows)}
    while conflict := next(find_conflicts(_apply(rows, granted), met), None):
        found.append(_give_way(conflict, granted, known))
    notes = [Problem(wish.place, text) for wish in granted.values() if (text := _doubt(wish))]
    origins = {wish.binding: wish.place for wish in granted.values()}
    return Keymap(_apply(rows, granted), preset=preset, origins=origins, problems=sorted(found, key=_line), notes=notes)


def find_conflicts(rows: Sequence[Key], met: Iterable[frozenset[str]] = ()) -> Iterator[Conflict]:
    """Give the pairs of bindings on one key in one context, but for those that are meant to meet there."""
    allowed = set(met)
    for context, scopes in CONTEXTS.items():
        holders: dict[str, list[str]] = {}
        for row in (row for scope in scopes for row in rows if row.scope == scope and row.keys):
            for key in row.keys.split(","):
                holders.setdefault(key, []).append(row.id)
        for key, ids in holders.items():
            for first, second in combinations(dict.fromkeys(ids), 2):
                if frozenset((first, second)) not in allowed:
                    yield Conflict(first, second, key, context)


def _apply(rows: Sequence[Key], granted: Mapping[str, Wish]) -> tuple[Key, ...]:
    return tuple(row.with_keys(granted[row.id].keys) if row.id in granted else row for row in rows)


def _refuse(wish: Wish, known: Mapping[str, Key]) -> str:
    """Return why a wish cannot be granted whatever else is wished; empty if it can."""
    row = known.get(wish.binding)
    if row is None:
        near = difflib.get_close_matches(wish.binding, known, n=1)
        return f"no binding {wish.binding!r}" + (f"; did you mean {near[0]!r}?" if near else "; `fleet-tui keys` lists them")
    if not wish.keys and row.id in NEEDED:
        return f"{row.id} needs a key, for without one there is no way on; it keeps {_said(row)}"
    typed = [key for key in wish.keys if is_typed(key)] if row.scope in TYPED_SCOPES else []
    if typed:
        return f"{row.id}: {shown(typed[0])} is typed there and can do nothing else; it keeps {_said(row)}"
    return ""


def _give_way(conflict: Conflict, granted: dict[str, Wish], known: Mapping[str, Key]) -> Problem:
    """Take back the later of the wishes that conflict, and say so."""
    order = list(granted)
    wished = [binding for binding in (conflict.first, conflict.second) if binding in granted]
    assert wished, f"the preset itself has {conflict}"
    loser = max(wished, key=order.index)
    other = conflict.first if loser == conflict.second else conflict.second
    wish = granted.pop(loser)
    where = f"both work in {conflict.context}"
    return Problem(
        wish.place,
        f"{loser} cannot have {shown(conflict.key)}, which is {other}'s, and {where}; it keeps {_said(known[loser])}."
        f" Give {other} another key, or none: \"{other}\" = \"\"",
    )


def _doubt(wish: Wish) -> str:
    """Return why none of a binding's keys may arrive; empty if one surely does."""
    doubts = [doubt(key) for key in wish.keys]
    if not doubts or not all(doubts):
        return ""
    return f"{wish.binding} has no key that surely arrives: {shown(wish.keys[0])}: {doubts[0]}; give it a second one"


def _line(problem: Problem) -> tuple[str, int]:
    file, _, number = problem.place.partition(" line ")
    return file, int(number or 0)


def _said(row: Key) -> str:
    return " ".join(map(shown, row.keys.split(","))) if row.keys else "no key"
