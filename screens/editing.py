"""A form over the keys of something that is there: live checks, what would change, and what that would have done.

Owner: of the texts while it is open. What it gives is a merge patch: changed keys, null for one that is to have its default.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from engine.model.errors import FleetError, UsageError
from screens.forms import Fields
from screens.keyed import Keyed
from screens.widgets.line import Line

Changes = dict[str, Any]
CHANGES_SHOWN = 6


@dataclass(frozen=True, slots=True)
class Entry:
    """One key that can be edited."""

    key: str
    """Dotted where it is inside another: up.threshold."""
    text: str
    """As it is; empty = its default."""
    hint: str
    """What it is for, and its default."""


@dataclass(frozen=True, slots=True)
class Editing:
    """What is edited and what is asked about it."""

    title: str
    entries: Sequence[Entry]
    check: Callable[[Changes], None]
    """Raises UsageError for changes that make no sense together."""
    what_if: Callable[[Changes], Awaitable[Sequence[str]]] | None = None
    """Returns what the changes would have done. Raises FleetError."""


def value_of(text: str) -> object:
    """Return what a text means: a number, yes or no, JSON, else itself; None for an empty one."""
    from engine.model.wire import decode

    word = text.strip()
    if not word:
        return None
    if word.lower() in ("yes", "no", "true", "false"):
        return word.lower() in ("yes", "true")
    if word[0] in "[{\"-0123456789":
        try:
            return decode(word)
        except UsageError:
            return word
    return word


def changes_of(entries: Sequence[Entry], texts: Mapping[str, str]) -> Changes:
    """Return the merge patch that the texts mean."""
    patch: Changes = {}
    for entry in entries:
        text = texts.get(entry.key, "").strip()
        if text == entry.text.strip():
            continue
        place = patch
        *path, last = entry.key.split(".")
        for word in path:
            place = place.setdefault(word, {})
        place[last] = value_of(text)
    return patch


class EditForm(Keyed, ModalScreen[Changes | None]):
    """Gives the changes, or None."""

    DEFAULT_CSS = """
    EditForm .field { height: 1; }
    EditForm .label { width: 26; }
    EditForm .field Input { width: 1fr; }
    EditForm Fields { height: auto; max-height: 12; }
    EditForm #diff { height: auto; max-height: 10; }
    """
    KEY_SCOPES: ClassVar[tuple[str, ...]] = ("edit", "form")

    def __init__(self, editing: Editing) -> None:
        super().__init__()
        self._editing = editing

    def compose(self) -> ComposeResult:
        """Lay out a line for each key, what would change, and what is wrong."""
        editing = self._editing
        with Vertical(classes="dialog"):
            yield Static(editing.title, classes="title", markup=False)
            with Fields(can_focus=False):
                for number, entry in enumerate(editing.entries):
                    label = Static(entry.key.replace("_", " "), classes="label note", markup=False)
                    line = Line(entry.text, placeholder=entry.hint, id=f"edit-{number}", compact=True)
                    yield Horizontal(label, line, classes="field")
            yield Static("nothing changes yet", id="diff", markup=False)
            yield Static("", id="problem", classes="bad", markup=False)
            keys = "{form.next} next · {line.submit} shows the plan · {form.drop} drops it"
            if editing.what_if is not None:
                keys = "{edit.what_if} what would it have done · " + keys
            yield Static(self.say_keys(keys), classes="note", markup=False)

    def on_mount(self) -> None:
        """Begin with the first key."""
        self.query(Input).first().focus()

    @property
    def changes(self) -> Changes:
        """Return what the texts mean."""
        texts = {entry.key: self.query_one(f"#edit-{number}", Input).value for number, entry in enumerate(self._editing.entries)}
        return changes_of(self._editing.entries, texts)

    @on(Input.Changed)
    def _check(self) -> None:
        self._checked()

    def _checked(self) -> Changes | None:
        """Show what would change and what is wrong with it; return changes that make sense."""
        changes = self.changes
        self.query_one("#diff", Static).update("\n".join(self._differences()) or "nothing changes yet")
        problem = self.query_one("#problem", Static)
        try:
            self._editing.check(changes)
        except UsageError as error:
            problem.update(str(error))
            return None
        problem.update("")
        return changes

    def _differences(self) -> list[str]:
        lines = []
        for number, entry in enumerate(self._editing.entries):
            text = self.query_one(f"#edit-{number}", Input).value.strip()
            if text != entry.text.strip():
                lines.append(f"{entry.key}: {entry.text or 'default'} → {text or 'default'}")
        rest = len(lines) - CHANGES_SHOWN
        return [*lines[:CHANGES_SHOWN], f"and {rest} more"] if rest > 0 else lines

    @on(Input.Submitted)
    def _submitted(self) -> None:
        self.action_send()

    def action_send(self) -> None:
        """Give the changes, or say what is wrong."""
        changes = self._checked()
        if changes is None:
            return
        if not changes:
            self.query_one("#problem", Static).update("nothing was changed")
            return
        self.dismiss(changes)

    def action_what_if(self) -> None:
        """Say what the changes would have done on the recorded load."""
        changes = self._checked()
        if changes is not None and self._editing.what_if is not None:
            self.query_one("#diff", Static).update("replaying the recorded load …")
            self.run_worker(self._ask_what_if(changes), group="what-if", exclusive=True, exit_on_error=False)

    async def _ask_what_if(self, changes: Changes) -> None:
        assert self._editing.what_if is not None
        try:
            lines = await self._editing.what_if(changes)
        except FleetError as error:
            self.query_one("#problem", Static).update(str(error))
            lines = self._differences()
        self.query_one("#diff", Static).update("\n".join(lines))

    def action_drop(self) -> None:
        """Close it; nothing changes."""
        self.dismiss(None)
