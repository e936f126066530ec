"""A form over the keys of something that is there, made from what the engine says may be edited: each key is checked as it is
typed, what would change is shown, and what somebody else changed meanwhile is said before anything is asked for.

Owner: of the texts while it is open. What it gives is a merge patch: changed keys, null for one that is to have its default.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.events import DescendantFocus
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from engine.model.editing import (
    Editable,
    EditField,
    Patch,
    check_patch,
    help_of,
    moved,
    patch_of,
    read_text,
    text_of,
    value_words,
)
from engine.model.errors import FleetError, UsageError
from screens.forms import Fields
from screens.keyed import Keyed
from screens.present import arrow
from screens.widgets.cells import UNICODE, Glyphs
from screens.widgets.line import Line

CHANGES_SHOWN = 6
ROOMY = 32
"""Rows of a terminal from which a replay's charts leave the fields as many as they were."""


@dataclass(frozen=True, slots=True)
class Editing:
    """What is edited and what is asked about it."""

    title: str
    thing: Editable
    read_again: Callable[[], Awaitable[Editable]]
    """Returns the thing as it is now. Raises FleetError."""
    what_if: Callable[[Patch], Awaitable[Sequence[str]]] | None = None
    """Returns what the changes would have done. Raises FleetError."""


def note_of(field: EditField) -> str:
    """Return what is said beside a key: what it takes, or its default."""
    return field.limits or ("" if field.default in (None, "", [], ()) else f"default {text_of(field.default)}")


def change_words(field: EditField, value: object, glyphs: Glyphs) -> str:
    """Return a change as plans tell it: `max 9 → max 6`."""
    return f"{field.key} {value_words(field.value)} {arrow(glyphs)} {field.key} {value_words(value)}"


class EditForm(Keyed, ModalScreen[Patch | None]):
    """Gives the changes, or None."""

    DEFAULT_CSS = """
    EditForm .dialog { width: 100; max-width: 100%; }
    EditForm .field { height: 1; }
    EditForm .label { width: 27; }
    EditForm .field Input { width: 18; }
    EditForm .beside { width: 1fr; height: 1; padding-left: 1; text-wrap: nowrap; text-overflow: ellipsis; }
    EditForm Fields { height: auto; max-height: 10; }
    EditForm #help { height: 2; }
    EditForm #diff { height: auto; max-height: 9; }
    EditForm.-texts .field Input { width: 1fr; }
    EditForm.-texts .label { width: 18; }
    EditForm.-texts .beside { width: auto; max-width: 30; }
    EditForm.-texts .dialog { max-width: 100%; }
    EditForm.-compares Fields { max-height: 4; }
    EditForm.-compares #help { height: 1; }
    """
    KEY_SCOPES: ClassVar[tuple[str, ...]] = ("edit", "form")

    def __init__(self, editing: Editing, glyphs: Glyphs = UNICODE) -> None:
        super().__init__()
        self._editing = editing
        self._thing = editing.thing
        self._glyphs = glyphs
        self.set_class(editing.thing.kind == "rules", "-texts")  # conditions and sentences need room

    def compose(self) -> ComposeResult:
        """Lay out a line for each key, its help, what would change, and what is wrong."""
        with Vertical(classes="dialog"):
            yield Static(self._editing.title, classes="title", markup=False)
            with Fields(can_focus=False):
                for number, field in enumerate(self._thing.fields):
                    label = Static(field.key.replace("_", " "), classes="label note", markup=False)
                    line = Line(text_of(field.value), placeholder=text_of(field.default), id=f"edit-{number}", compact=True)
                    yield Horizontal(label, line, Static(note_of(field), id=f"beside-{number}", classes="beside note", markup=False), classes="field")
            yield Static("", id="help", classes="note", markup=False)
            yield Static("nothing changes yet", id="diff", markup=False)
            yield Static("", id="problem", classes="bad", markup=False)
            keys = "{form.next} next · {line.submit} shows the plan · {form.drop} drops it"
            if self._editing.what_if is not None:
                keys = "{edit.what_if} what would it have done · " + keys
            yield Static(self.say_keys(keys), classes="note", markup=False)

    def on_mount(self) -> None:
        """Begin with the first key."""
        self.query(Input).first().focus()

    # ---- checking

    def _input(self, number: int) -> Input:
        return self.query_one(f"#edit-{number}", Input)

    @on(DescendantFocus)
    def _explain(self, event: DescendantFocus) -> None:
        """Say what the key is for that is typed into."""
        if event.widget.id and event.widget.id.startswith("edit-"):
            field = self._thing.fields[int(event.widget.id.removeprefix("edit-"))]
            self.query_one("#help", Static).update(help_of(field))

    @on(Input.Changed)
    def _check(self) -> None:
        self._checked()

    def _read(self) -> tuple[dict[str, Any], str]:
        """Return what is typed by key, with what is wrong said beside each; and the first that is wrong, in full."""
        values: dict[str, Any] = {}
        wrong = ""
        for number, field in enumerate(self._thing.fields):
            beside = self.query_one(f"#beside-{number}", Static)
            text = self._input(number).value
            try:
                values[field.key] = field.value if text.strip() == text_of(field.value) else read_text(field, text)
            except UsageError as error:
                wrong = wrong or f"{field.key}: {error}"
                beside.update(str(error))
                beside.set_classes("beside bad")
            else:
                beside.update(note_of(field))
                beside.set_classes("beside note")
        return values, wrong

    def _checked(self) -> Patch | None:
        """Show what would change and what is wrong with it; return changes that make sense."""
        values, wrong = self._read()
        self._show_changes(values)
        problem = self.query_one("#problem", Static)
        patch = patch_of(self._thing.fields, values)
        try:
            if not wrong:
                check_patch(self._thing, patch)
        except UsageError as error:
            problem.update(str(error))
            return None
        problem.update(wrong)
        return patch if not wrong else None

    def _show_changes(self, values: dict[str, Any]) -> None:
        changed = [field for field in self._thing.fields if field.key in values and values[field.key] != field.value]
        lines = [change_words(field, values[field.key], self._glyphs) for field in changed]
        rest = len(lines) - CHANGES_SHOWN
        lines = [*lines[:CHANGES_SHOWN], f"and {rest} more"] if rest > 0 else lines
        self.query_one("#diff", Static).update("\n".join(lines) or "nothing changes yet")
        self.remove_class("-compares")

    # ---- answering

    @on(Input.Submitted)
    def _submitted(self) -> None:
        self.action_send()

    def action_send(self) -> None:
        """Give the changes if nobody else changed anything meanwhile, or say what is wrong."""
        patch = self._checked()
        if patch == {}:
            self.query_one("#problem", Static).update("nothing was changed")
        elif patch is not None:
            self.run_worker(self._send(patch), group="send", exclusive=True, exit_on_error=False)
        else:
            self._go_to_wrong()

    def _go_to_wrong(self) -> None:
        wrong = next((number for number, _ in enumerate(self._thing.fields) if self.query_one(f"#beside-{number}").has_class("bad")), None)
        if wrong is not None:
            self._input(wrong).focus()

    async def _send(self, patch: Patch) -> None:
        problem = self.query_one("#problem", Static)
        try:
            now = await self._editing.read_again()
        except FleetError as error:
            problem.update(str(error))
            return
        others = moved(self._thing, now)
        if not others:
            self.dismiss(patch)
            return
        self._take(now)
        told = ", ".join(f"{new.key} is {value_words(new.value)} now, it was {value_words(old.value)}" for old, new in others)
        problem.update(f"it changed while you edited: {told}. Look at it, and send it again")

    def _take(self, now: Editable) -> None:
        """Go on from how the thing is now: keys that nobody typed into follow, the others stay as typed."""
        before, self._thing = self._thing, now
        with self.prevent(Input.Changed):
            for number, (old, new) in enumerate(zip(before.fields, now.fields, strict=True)):
                line = self._input(number)
                if line.value.strip() == text_of(old.value):
                    line.value = text_of(new.value)
        self._checked()

    def action_what_if(self) -> None:
        """Say what the changes would have done on what was recorded."""
        patch = self._checked()
        if patch is not None and self._editing.what_if is not None:
            self.query_one("#diff", Static).update("replaying what was recorded …")
            self.run_worker(self._ask_what_if(patch), group="what-if", exclusive=True, exit_on_error=False)

    async def _ask_what_if(self, patch: Patch) -> None:
        assert self._editing.what_if is not None
        try:
            lines = await self._editing.what_if(patch)
        except FleetError as error:
            self.query_one("#problem", Static).update(str(error))
            self._show_changes(self._read()[0])
            return
        self.query_one("#diff", Static).update("\n".join(lines))
        self.set_class(self.size.height < ROOMY, "-compares")

    def action_drop(self) -> None:
        """Close it; nothing changes."""
        self.dismiss(None)
