"""The keys in force: what is bound, hinted, explained and listed comes from here.

Owner: nobody; a keymap is a value. `KEYMAP` is the one out of the box; the app has the one that the user chose.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import NamedTuple

from textual.binding import Binding, BindingsMap

from screens.key_presets import DEFAULT
from screens.key_table import KEYS, Key

SHOWN = {
    "escape": "esc",
    "pageup": "pgup",
    "pagedown": "pgdn",
    "underscore": "_",
    "minus": "-",
    "plus": "+",
    "comma": ",",
    "full_stop": ".",
    "slash": "/",
    "backslash": "\\",
    "colon": ":",
    "semicolon": ";",
    "question_mark": "?",
    "exclamation_mark": "!",
    "greater_than_sign": ">",
    "less_than_sign": "<",
    "equals_sign": "=",
    "left_square_bracket": "[",
    "right_square_bracket": "]",
    "left_parenthesis": "(",
    "right_parenthesis": ")",
    "left_curly_bracket": "{",
    "right_curly_bracket": "}",
    "asterisk": "*",
    "at": "@",
    "number_sign": "#",
    "dollar_sign": "$",
    "percent_sign": "%",
    "ampersand": "&",
    "apostrophe": "'",
    "quotation_mark": '"',
    "grave_accent": "`",
    "circumflex_accent": "^",
    "vertical_line": "|",
    "tilde": "~",
}
"""Textual's name of a key to what people call it, where that is something else."""

CLAUSES = re.compile(r"( · |; |, )")
PLACES = re.compile(r"\{(\w+\.\w+)\}")


def shown(key: str) -> str:
    """Return how people read a key: `colon` is `:`."""
    *modifiers, base = key.split("+")
    return "+".join((*modifiers, SHOWN.get(base, base)))


class Problem(NamedTuple):
    """Something in the user's files that is not as they meant it."""

    place: str
    """File and line, as people look for it."""
    text: str
    """What is wrong, what holds instead, and what to do."""

    def __str__(self) -> str:
        return f"{self.place}: {self.text}"


class Keymap:
    """Bindings as they are in force."""

    def __init__(
        self,
        rows: Iterable[Key] = KEYS,
        *,
        preset: str = DEFAULT,
        origins: Mapping[str, str] | None = None,
        problems: Iterable[Problem] = (),
        notes: Iterable[Problem] = (),
    ) -> None:
        self.rows = tuple(rows)
        self.preset = preset
        self.problems = tuple(problems)
        """What the user wished and does not have."""
        self.notes = tuple(notes)
        """What the user has and may not like."""
        self._origins = dict(origins or {})
        self._maps: dict[tuple[str, ...], BindingsMap] = {}

    @cached_property
    def _by_id(self) -> dict[str, Key]:
        return {row.id: row for row in self.rows}

    def __contains__(self, binding: str) -> bool:
        return binding in self._by_id

    def __getitem__(self, binding: str) -> Key:
        return self._by_id[binding]

    def __iter__(self) -> Iterator[Key]:
        return iter(self.rows)

    def origin(self, binding: str) -> str:
        """Return where a binding's keys come from: the preset, or file and line."""
        return self._origins.get(binding, self.preset)

    def word(self, binding: str) -> str:
        """Return the first key of a binding as people read it; empty if it has none."""
        return shown(self[binding].keys.split(",")[0])

    def fill(self, template: str) -> str:
        """Return `{app.undo} undoes it · {dialog.drop} drops it` with the keys in force; a clause whose binding has none is left out."""
        first, *rest = CLAUSES.split(template)
        kept = [("", first), *zip(rest[::2], rest[1::2], strict=True)]
        said = [(link, PLACES.sub(lambda place: self.word(place[1]), clause)) for link, clause in kept if self._can_say(clause)]
        return "".join((link if index else "") + clause for index, (link, clause) in enumerate(said))

    def _can_say(self, clause: str) -> bool:
        return all(self.word(binding) for binding in PLACES.findall(clause))

    def keys_in(self, scopes: Sequence[str]) -> list[Key]:
        """Return the bindings that work where some scopes meet, the first scope's first; a key taken there hides later ones."""
        found: list[Key] = []
        taken: set[str] = set()
        for scope in scopes:
            mine = [row for row in self.rows if row.scope == scope and row.keys]
            for row in mine:
                free = [key for key in row.keys.split(",") if key not in taken]
                if free:
                    found.append(row if len(free) == row.keys.count(",") + 1 else row.with_keys(free))
            taken.update(key for row in mine for key in row.keys.split(","))
        return found

    def bindings_of(self, scopes: Sequence[str]) -> BindingsMap:
        """Return what a node binds that answers for some scopes, the first one first."""
        known = tuple(scopes)
        if known not in self._maps:
            self._maps[known] = BindingsMap(
                Binding(row.keys, row.action, row.label or row.help, show=False, id=row.id, priority=row.is_eager)
                for scope in known
                for row in self.rows
                if row.scope == scope and row.keys
            )
        return self._maps[known].copy()

    def hint_of(self, binding: str) -> tuple[str, str]:
        """Return (key, label) of a binding."""
        row = next(row for row in self.rows if row.id == binding)
        return shown(row.keys.split(",")[0]), row.label

    def hints_in(self, scopes: Sequence[str]) -> list[tuple[str, str]]:
        """Return (key, label) of what is worth a hint, the view's own first."""
        return [(shown(row.keys.split(",")[0]), row.label) for row in self.keys_in(scopes) if row.label]

    def refusing(self, bindings: Collection[str]) -> Keymap:
        """Return a keymap in which the keys of some bindings only say why they do nothing, and are not hinted."""
        rows = [_refused(row) if row.id in bindings else row for row in self.rows]
        return Keymap(rows, preset=self.preset, origins=self._origins, problems=self.problems, notes=self.notes)


def _refused(row: Key) -> Key:
    return row._replace(action=f"app.refuse('{row.id}')", label="", help=f"{row.help} (not for you: :can-i says why)", is_eager=False)


KEYMAP = Keymap()
