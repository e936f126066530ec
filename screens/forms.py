"""A form for any verb, made from the fields of its dataclass; what it gives is checked as everywhere else."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, get_type_hints

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.screen import ModalScreen
from textual.suggester import Suggester, SuggestFromList
from textual.widgets import Input, Static

from engine.model import wire
from engine.model.errors import UsageError
from engine.model.plans import Call
from engine.model.rows import Row
from engine.model.verb_lines import convert_word
from engine.model.verbs import Command
from screens.commandline import names_in
from screens.keyed import Keyed
from screens.widgets.line import Line

if TYPE_CHECKING:
    from screens.base import FleetScreen

LABEL_WIDTH = 18


def field_names(kind: type[Command]) -> list[str]:
    """Return the fields of a verb in the order in which a form asks for them."""
    return [spec.name for spec in dataclasses.fields(kind)]


def hint_of(spec: dataclasses.Field[Any]) -> str:
    """Return what is said in an empty field: what it is for, its default and its bounds."""
    text = str(spec.metadata["help"])
    default = spec.default
    if default not in (dataclasses.MISSING, "", (), False, 0, 0.0):
        text += f"; {default} if left empty"
    return text


def command_from(kind: type[Command], texts: Mapping[str, str]) -> Command:
    """Return the verb that the texts of a form mean; empty ones keep their default. Raises UsageError."""
    hints = get_type_hints(kind)
    args: dict[str, object] = {}
    for spec in dataclasses.fields(kind):
        text = texts.get(spec.name, "").strip()
        if text:
            args[spec.name] = convert_word(spec.name, text, hints[spec.name])
        elif spec.default is dataclasses.MISSING and spec.default_factory is dataclasses.MISSING:
            raise UsageError(f"{spec.name} is needed: {spec.metadata['help']}")
    return wire.command_of(Call(kind.name, args))


class SuggestLast(Suggester):
    """Completes the last of several names with commas between."""

    def __init__(self, names: Sequence[str]) -> None:
        super().__init__(use_cache=False, case_sensitive=True)
        self._names = sorted(names)

    async def get_suggestion(self, value: str) -> str | None:
        """Return the text with its last name complete."""
        head, comma, begun = value.rpartition(",")
        taken = set(head.split(","))
        return next((f"{head}{comma}{name}" for name in self._names if begun and name.startswith(begun) and name not in taken), None)


def suggester_of(spec: dataclasses.Field[Any], tables: Mapping[str, Mapping[str, Row]]) -> Suggester | None:
    """Return what completes a field: its choices, or the things that it names; agents in a list by their names."""
    rows = tables.get(str(spec.metadata.get("completes", "")), {})
    if str(spec.type).startswith("tuple") and rows:
        return SuggestLast(names_in(rows))
    names = [*map(str, spec.metadata.get("choices", ())), *rows]
    return SuggestFromList(names) if names else None


class Fields(Keyed, VerticalScroll):
    """Scrolls with the field that has the focus, and by the mouse; up and down go from field to field."""


class VerbForm(Keyed, ModalScreen[Command | None]):
    """Asks for a verb's fields; gives the verb, or None."""

    DEFAULT_CSS = """
    VerbForm .field { height: 1; }
    VerbForm .label { width: 18; }
    VerbForm .field Input { width: 1fr; }
    VerbForm Fields { height: auto; max-height: 14; }
    """
    KEY_SCOPES: ClassVar[tuple[str, ...]] = ("form",)

    def __init__(
        self,
        kind: type[Command],
        tables: Mapping[str, Mapping[str, Row]],
        given: Mapping[str, str] | None = None,
        *,
        asked: Sequence[str] = (),
        title: str = "",
    ) -> None:
        """Ask for the fields that are named, in their order, or for all; what else is given goes along unseen."""
        super().__init__()
        self._kind = kind
        self._tables = tables
        self._given = given or {}
        self._asked = [name for name in field_names(kind) if not asked or name in asked]
        self._title = title or kind.help

    def compose(self) -> ComposeResult:
        """Lay out a line for each field."""
        with Vertical(classes="dialog"):
            yield Static(self._title, classes="title", markup=False)
            with Fields(can_focus=False):
                for spec in dataclasses.fields(self._kind):
                    if spec.name in self._asked:
                        yield self._line(spec)
            yield from self.compose_notes()
            yield Static("", id="problem", classes="bad", markup=False)
            yield Static(self.say_keys("{form.next} next field · {line.submit} shows the plan · {form.drop} drops it"), classes="note", markup=False)

    def compose_notes(self) -> ComposeResult:
        """Yield what is said below the fields."""
        yield from ()

    def _line(self, spec: dataclasses.Field[Any]) -> Horizontal:
        suggester = suggester_of(spec, self._tables)
        required = spec.default is dataclasses.MISSING and spec.default_factory is dataclasses.MISSING
        label = Static(spec.name.replace("_", " ") + (" *" if required else ""), classes="label note", markup=False)
        value = self._given.get(spec.name, "")
        return Horizontal(
            label, Line(value, placeholder=hint_of(spec), suggester=suggester, id=f"field-{spec.name}", compact=True), classes="field"
        )

    def on_mount(self) -> None:
        """Begin with the first field that is empty."""
        inputs = list(self.query(Input))
        next((entry for entry in inputs if not entry.value), inputs[0]).focus()

    @on(Input.Submitted)
    def _submitted(self) -> None:
        self.action_send()

    def action_send(self) -> None:
        """Give the verb, or say what is wrong with it and where."""
        texts = {**self._given, **{name: self.query_one(f"#field-{name}", Input).value for name in self._asked}}
        try:
            command = command_from(self._kind, texts)
        except UsageError as error:
            self.query_one("#problem", Static).update(str(error))
            wrong = next((name for name in self._asked if name in str(error)), None)
            if wrong is not None:
                self.query_one(f"#field-{wrong}", Input).focus()
            return
        self.dismiss(command)

    def action_drop(self) -> None:
        """Change nothing."""
        self.dismiss(None)


def ask_by(screen: FleetScreen, form: VerbForm) -> None:
    """Show a form, and ask for the verb that it gives."""

    def ask(command: Command | None) -> None:
        if command is not None:
            screen.console.ask([command])

    screen.app.push_screen(form, ask)
