"""`:keys`: every binding in force, those that the user changed, and what is wrong in the user's files."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from screens.details import DocumentScreen
from screens.feed import Changes
from screens.key_table import Key
from screens.keymap import Keymap, Problem, shown
from screens.keys import SCOPES
from screens.present_text import Lines, note, title_line
from screens.widgets.cells import Cell

PROBLEMS = "problems"
KEY_WIDTH = 21
ID_WIDTH = 24
NO_KEY = "-"


def keys_text(row: Key) -> str:
    """Return a binding's keys as people read them."""
    return " ".join(map(shown, row.keys.split(","))) if row.keys else NO_KEY


def binding_line(row: Key, origin: str) -> tuple[Cell | str, ...]:
    """Return a binding: its keys, its id, what it does, and where its keys come from if that is said."""
    return (
        Cell(f"  {keys_text(row):<{KEY_WIDTH}}", "accent"),
        f"{row.id:<{ID_WIDTH}}",
        f"{row.help} ({origin})" if origin else row.help,
    )


def changed_at(keymap: Keymap, row: Key) -> str:
    """Return where the user changed a binding; empty if it is as the preset has it."""
    origin = keymap.origin(row.id)
    return "" if origin == keymap.preset else origin


def binding_lines(keymap: Keymap) -> Lines:
    """Return every binding, by scope."""
    lines: Lines = []
    for scope in dict.fromkeys(row.scope for row in keymap):
        rows = [row for row in keymap if row.scope == scope]
        lines += [title_line(SCOPES.get(scope, scope)), *(binding_line(row, changed_at(keymap, row)) for row in rows), ()]
    return lines


def changed_lines(keymap: Keymap) -> Lines:
    """Return the bindings whose keys come from the user's files."""
    rows = [row for row in keymap if changed_at(keymap, row)]
    if not rows:
        return note(f"every key is as the preset {keymap.preset} has it; keys.toml changes them, `fleet-tui keys -o toml` prints one to go on from")
    return [binding_line(row, keymap.origin(row.id)) for row in rows]


def problem_lines(keymap: Keymap) -> Lines:
    """Return what is not as the user meant it, and what may not work."""
    lines: Lines = []
    for title, problems, role in (("Not granted", keymap.problems, "warn"), ("Granted, and to be thought of", keymap.notes, "dim")):
        if problems:
            lines += [title_line(title), *_lines_of(problems, role), ()]
    return lines or note("nothing is wrong in the user's files")


def _lines_of(problems: Iterable[Problem], role: str) -> Lines:
    return [(Cell(f"  {problem.place}", role), problem.text) for problem in problems]


class KeysScreen(DocumentScreen):
    """What is in force. It opens on the problems if there are any."""

    NAME: ClassVar[str] = "keys"
    TITLE: ClassVar[str] = "Keys"
    TABS: ClassVar[tuple[str, ...]] = ("in force", "changed", PROBLEMS)

    def __init__(self, _text: str = "") -> None:
        super().__init__("")
        self._shown_keymap: Keymap | None = None

    def on_mount(self) -> None:
        """Choose the tab that matters."""
        if self.console.keymap.problems:
            self.tab = PROBLEMS
        super().on_mount()

    def subject(self) -> str:
        """Say which preset the keys are of."""
        return f"Keys: {self.console.keymap.preset}"

    async def read(self, tab: str) -> Lines:
        """Return what a tab shows; nothing is asked of the engine."""
        keymap = self._shown_keymap = self.console.keymap
        return {"in force": binding_lines, "changed": changed_lines, PROBLEMS: problem_lines}[tab](keymap)

    def concerns(self, changes: Changes) -> bool:
        """Nothing that happens to the fleet changes the keys."""
        return False

    def is_moving(self) -> bool:
        """The keys were read anew."""
        return self._shown_keymap is not self.console.keymap

    def action_reload(self) -> None:
        """Take the user's files as they are now."""
        self.console.reload_keys()
        self.show_tab(PROBLEMS if self.console.keymap.problems else self.tab)
