"""`:help` and `?`: the keys of the view that was in front, and what the command line takes; all from the tables."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import ClassVar

from engine.model.commands import VERBS, Danger
from screens.commandline import VIEWS, usage
from screens.details import DocumentScreen
from screens.feed import Changes
from screens.key_view import keys_text
from screens.keymap import Keymap
from screens.keys import CONTEXTS, SCOPES, Key
from screens.present_text import Lines, note, title_line
from screens.widgets.cells import Cell

HERE = "what has the focus"
KEY_WIDTH = 20
WORD_WIDTH = 28


def key_lines(keymap: Keymap, scopes: Sequence[str]) -> Lines:
    """Return the keys that work where some scopes meet, the first one's first."""
    lines: Lines = []
    found = keymap.keys_in(scopes)
    for scope in dict.fromkeys(key.scope for key in found):
        lines += [title_line(SCOPES.get(scope, scope.capitalize())), *(key_line(key) for key in found if key.scope == scope), ()]
    return lines


def key_line(key: Key) -> tuple[Cell, str]:
    """Return one binding and what it does."""
    return Cell(f"  {keys_text(key):<{KEY_WIDTH}}", "accent"), key.help


def grammar_lines(keymap: Keymap) -> Lines:
    """Return what the command line takes: views and verbs."""
    lines: Lines = [title_line("Command line: views"), (Cell("  :VIEW /FILTER opens a view with a filter", "dim"),)]
    lines += [(Cell(f"  :{view:<{KEY_WIDTH - 1}}", "accent"), ", ".join(f":{name}" for name in others)) for view, others in VIEWS.items()]
    lines += [(), title_line("Command line: verbs"), (Cell(keymap.fill("  each shows its plan first; {app.undo} undoes what can be undone"), "dim"),)]
    for kind in VERBS.values():
        mark = " (may lose work)" if kind.danger == Danger.DESTRUCTIVE else ""
        lines.append((Cell(f"  :{usage(kind):<{WORD_WIDTH}}", "accent"), f"{kind.help}{mark}"))
        options = [f"--{spec.name.replace('_', '-')}" for spec in dataclasses.fields(kind) if spec.metadata.get("option")]
        if options:
            lines.append((Cell(" " * (WORD_WIDTH + 3)), Cell(" ".join(options), "dim")))
    filters = (
        ("word", "some text of the row holds it; two words: both"),
        ("!word", "no text holds it"),
        ("-r REGEX", "a text matches"),
        ("field=value", "also != < > <= >=, such as priority>7"),
        ("age<2h", "s, m, h, d; counts from when it was made"),
    )
    lines += [(), title_line("Filters (/)"), *((Cell(f"  {word:<{KEY_WIDTH}}", "accent"), meaning) for word, meaning in filters)]
    return lines


class HelpScreen(DocumentScreen):
    """Keys and grammar. It is about the view named by its argument, else about all."""

    NAME: ClassVar[str] = "help"
    TABS: ClassVar[tuple[str, ...]] = ("keys", HERE, "command line")
    HAS_YAML: ClassVar[bool] = False

    def __init__(self, view: str = "", tab: str = "keys", focus: Sequence[str] = ()) -> None:
        super().__init__(view, tab)
        self._focus = focus
        """Scopes of what had the focus."""

    def subject(self) -> str:
        """Return what is helped with."""
        return f"Help: {self.thing}" if self.thing else "Help"

    async def read(self, tab: str) -> Lines:
        """Return keys or grammar; nothing is asked of the engine."""
        keymap = self.console.keymap
        if tab == HERE:
            return key_lines(keymap, self._focus) or note("nothing had the focus")
        return key_lines(keymap, CONTEXTS.get(self.thing, ("screen", "app", "anywhere"))) if tab == "keys" else grammar_lines(keymap)

    def concerns(self, changes: Changes) -> bool:
        """Nothing that happens changes the keys."""
        return False
