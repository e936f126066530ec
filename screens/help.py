"""`:help` and `?`: the keys of the view that was in front, and what the command line takes; all from the tables."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import ClassVar

from engine.model.commands import VERBS
from engine.model.verb_lines import usage
from engine.model.verbs import Danger
from screens.commandline import VIEWS, WORDS
from screens.details import DocumentScreen
from screens.feed import Changes
from screens.key_table import Key
from screens.key_view import keys_text
from screens.keymap import Keymap
from screens.keys import CONTEXTS, SCOPES
from screens.present_text import Lines, note, title_line
from screens.widgets.cells import Cell

HERE = "what has the focus"
KEY_WIDTH = 20
WORD_WIDTH = 28


def key_lines(keymap: Keymap, scopes: Sequence[str]) -> Lines:
    """Return the keys that work where some scopes meet, the first one's first."""
    lines: Lines = []
    found = keymap.keys_in(scopes)
    for title in dict.fromkeys(map(title_of, found)):
        by_help: dict[str, list[Key]] = {}
        for key in found:
            if title_of(key) == title:
                by_help.setdefault(key.help, []).append(key)
        lines += [title_line(title), *map(key_line, by_help.values()), ()]
    return lines


def title_of(key: Key) -> str:
    """Return the title under which a key is shown."""
    return SCOPES.get(key.scope, key.scope.capitalize())


def key_line(keys: Sequence[Key]) -> tuple[Cell, str]:
    """Return bindings that do the same, and what they do."""
    return Cell(f"  {' '.join(map(keys_text, keys)):<{KEY_WIDTH}}", "accent"), keys[0].help


def grammar_lines(keymap: Keymap) -> Lines:
    """Return what the command line takes: views and verbs."""
    lines: Lines = [title_line("Command line: views"), (Cell(keymap.fill("  :VIEW SCOPE /FILTER @CONTEXT, as in :tasks coder /state=failed; {prompt.accept} completes"), "dim"),)]
    lines += [(Cell(f"  :{view:<{KEY_WIDTH - 1}}", "accent"), ", ".join(f":{name}" for name in others)) for view, others in VIEWS.items()]
    lines += [(), title_line("Command line: words of the console")]
    lines += [(Cell(f"  :{word.usage:<{KEY_WIDTH - 1}}", "accent"), f"{word.help} ({', '.join(f':{name}' for name in word.others)})") for word in WORDS.values()]
    lines += [(), title_line("Command line: verbs"), (Cell(keymap.fill("  each shows its plan first; {app.undo} undoes what can be undone"), "dim"),)]
    for kind in VERBS.values():
        mark = " (may lose work)" if kind.danger == Danger.DESTRUCTIVE else ""
        lines.append((Cell(f"  :{usage(kind):<{WORD_WIDTH}}", "accent"), f"{kind.help}{mark}"))
        options = [f"--{spec.name.replace('_', '-')}" for spec in dataclasses.fields(kind) if spec.metadata.get("option")]
        if options:
            lines.append((Cell(" " * (WORD_WIDTH + 3)), Cell(" ".join(options), "dim")))
    filters = (
        ("word", "some text of the row holds it; two words: both; \"two words\": in this order"),
        ("!word", "not that; works with every kind of word"),
        ("-r REGEX", "a text matches"),
        ("-f LETTERS", "the name has these letters in this order"),
        ("field=value", keymap.fill("also != < > <= >=, such as priority>7; {prompt.accept} completes fields and values")),
        ("field=a,b", "one of them"),
        ("field~text", "the field holds the text"),
        ("age<2h", "times take ms, s, m, h, d; percentages and amounts as they are shown"),
    )
    lines += [(), title_line("Filters (/)"), *((Cell(f"  {word:<{KEY_WIDTH}}", "accent"), meaning) for word, meaning in filters)]
    return lines


class HelpScreen(DocumentScreen):
    """Keys and grammar. It is about the view named by its argument, else about all."""

    NAME: ClassVar[str] = "help"
    TABS: ClassVar[tuple[str, ...]] = ("keys", HERE, "command line")

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
