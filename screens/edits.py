"""Editing a thing from wherever it is: asks the engine what may be edited, opens the form, and asks for the change."""

from __future__ import annotations

from collections.abc import Sequence

from engine.model.editing import Editable, Patch, table_of, verb_of
from engine.model.errors import FleetError
from engine.model.wire import convert
from engine.operations import Operator
from screens.base import FleetScreen
from screens.editing import EditForm, Editing
from screens.present_text import noun_of
from screens.present_what_if import what_if_lines


async def read_editable(operator: Operator, kind: str, id_: str) -> Editable:
    """Return a thing as somebody begins to edit it. Raises FleetError."""
    return convert(await operator.query("editable", kind=kind, id=id_), Editable)


def edit_thing(screen: FleetScreen, kind: str, id_: str) -> None:
    """Open the form of a thing, and ask for what was changed in it."""
    screen.run_worker(_edit(screen, kind, id_), group="edit", exclusive=True, exit_on_error=False)


async def _edit(screen: FleetScreen, kind: str, id_: str) -> None:
    console, operator = screen.console, screen.feed.operator
    try:
        thing = await read_editable(operator, kind, id_)
    except FleetError as error:
        console.say(str(error), role="bad")
        return

    async def read_again() -> Editable:
        return await read_editable(operator, kind, id_)

    async def what_if(patch: Patch) -> Sequence[str]:
        return what_if_lines(await console.backtest(id_, table_of(thing, patch)), console.glyphs)

    def ask(patch: Patch | None) -> None:
        if patch is not None:
            console.ask([verb_of(thing, patch)])

    editing = Editing(f"{noun_of(kind)} {id_}", thing, read_again, what_if if kind == "policies" else None)
    screen.app.push_screen(EditForm(editing, console.glyphs), ask)
