"""Forms about entries of memory: a value with its options, and who may use it; they begin as the entry is, and end in a plan.

Owner: nobody; what is typed is the form's.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import cast

from textual import on
from textual.app import ComposeResult
from textual.events import DescendantFocus
from textual.widgets import Static

from engine.model.entry_rows import EntryRow, EntrySheet, name_of
from engine.model.errors import FleetError
from engine.model.memory_commands import PermitEntry, RememberEntry
from engine.model.rows import AgentRow
from engine.model.verbs import Command
from engine.model.wire import convert
from screens.base import FleetScreen
from screens.forms import VerbForm, ask_by
from screens.present import plural
from screens.present_memory import SEEN_BY

VALUE_IN_LINE_MAX = 2_000
"""Characters of a value that are edited in one line; an editor takes longer ones."""


class EntryForm(VerbForm):
    """Asks for some fields of a verb about an entry, and says what the field is for that is typed into."""

    DEFAULT_CSS = "EntryForm #help { height: 2; margin-top: 1; }"

    def compose_notes(self) -> ComposeResult:
        """Yield the help of the field that has the focus."""
        yield Static("", id="help", classes="note", markup=False)

    @on(DescendantFocus)
    def _explain(self, event: DescendantFocus) -> None:
        specs = {f"field-{spec.name}": spec for spec in dataclasses.fields(self._kind)}
        spec = specs.get(event.widget.id or "")
        if spec is not None:
            self.query_one("#help", Static).update(_help_of(spec.name, str(spec.metadata["help"])))


def _help_of(name: str, text: str) -> str:
    if name == "level":
        return "; ".join(f"{level}: {who}" for level, who in SEEN_BY.items())
    if name in ("read", "write", "delete"):
        return f"{text}, beyond what the level says: names of agents or operators, with commas between"
    return text


def permit(screen: FleetScreen, rows: Sequence[EntryRow]) -> None:
    """Ask who may use entries, in a form that begins as the first of them is."""
    screen.run_worker(_permit(screen, rows), group="edit", exclusive=True, exit_on_error=False)


async def _permit(screen: FleetScreen, rows: Sequence[EntryRow]) -> None:
    sheet = await _sheet(screen, rows[0])
    if sheet is None:
        return
    names = {row.id: cast("AgentRow", row).name for row in screen.feed.tables["agents"].values()}
    lists = {name: ",".join(names.get(id_, id_) for id_ in getattr(sheet.permissions, name)) for name in ("read", "write", "delete")}
    given = {"key": rows[0].key, "level": sheet.permissions.level, **lists}
    whose = name_of(rows[0]) if len(rows) == 1 else plural(len(rows), "entry")
    form = EntryForm(PermitEntry, screen.feed.tables, given, asked=("level", *lists), title=f"Who may use {whose}")

    def ask(command: Command | None) -> None:
        if isinstance(command, PermitEntry):
            screen.console.ask([dataclasses.replace(command, key=row.key, namespace=row.namespace, owner=row.owner_id) for row in rows])

    screen.app.push_screen(form, ask)


def edit_value(screen: FleetScreen, row: EntryRow) -> None:
    """Edit a value in a line; it is stored only over the version that was shown."""
    screen.run_worker(_edit(screen, row), group="edit", exclusive=True, exit_on_error=False)


async def _edit(screen: FleetScreen, row: EntryRow) -> None:
    sheet = await _sheet(screen, row)
    if sheet is None:
        return
    value = sheet.value
    console = screen.console
    if value.refused or value.is_bytes:
        console.say(value.refused or "bytes cannot be edited as text; a program can store others", role="warn")
        return
    if len(value.text) > VALUE_IN_LINE_MAX or value.left_out:
        console.say(f"{len(value.text) + value.left_out:,} characters are too many for a line" + screen.say_keys("; {entry.edit_text} opens an editor"), role="warn")
        return
    row = sheet.row
    given = {"key": row.key, "value": value.text, "level": row.level, "kind": row.kind, "version": str(row.version)}
    given |= {"namespace": row.namespace, "owner": row.owner_id}
    form = EntryForm(RememberEntry, screen.feed.tables, given, asked=("value", "level", "kind", "ttl", "tags"), title=f"Edit {name_of(row)}")
    ask_by(screen, form)


async def _sheet(screen: FleetScreen, row: EntryRow) -> EntrySheet | None:
    """Return an entry as it is now; None, and it was said why, when it cannot be read."""
    try:
        return convert(await screen.feed.operator.query("entry-sheet", id=row.id), EntrySheet)
    except FleetError as error:
        screen.console.say(str(error), role="bad")
        return None
