"""Editing a thing from wherever it is: asks the engine what may be edited, opens the form, and asks for the change.

Every table that can be edited imports this, and the first frame those tables: what forms need is loaded by the first of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from engine.model.errors import FleetError
from engine.model.wire import convert
from engine.operations import Operator
from screens.base import FleetScreen
from screens.present_text import noun_of

if TYPE_CHECKING:
    from engine.model.editing import Editable, Patch
    from screens.editing import Editing


async def read_editable(operator: Operator, kind: str, id_: str) -> Editable:
    """Return a thing as somebody begins to edit it. Raises FleetError."""
    from engine.model.editing import Editable

    return convert(await operator.query("editable", kind=kind, id=id_), Editable)


def edit_thing(screen: FleetScreen, kind: str, id_: str) -> None:
    """Open the form of a thing, and ask for what was changed in it."""
    screen.run_worker(_edit(screen, kind, id_), group="edit", exclusive=True, exit_on_error=False)


async def _edit(screen: FleetScreen, kind: str, id_: str) -> None:
    from engine.model.editing import table_of
    from screens.editing import Editing
    from screens.present_what_if import what_if_lines
    from screens.rule_forms import trying

    console, operator = screen.console, screen.feed.operator
    try:
        thing = await read_editable(operator, kind, id_)
    except FleetError as error:
        console.say(str(error), role="bad")
        return

    async def read_again() -> Editable:
        return await read_editable(operator, kind, id_)

    async def replayed(patch: Patch) -> Sequence[str]:
        return what_if_lines(await console.backtest(id_, table_of(thing, patch)), console.glyphs)

    what_if = {"policies": replayed, "rules": trying(screen, thing)}.get(kind)
    open_form(screen, Editing(f"{noun_of(kind)} {id_}", thing, read_again, what_if))


def open_form(screen: FleetScreen, editing: Editing) -> None:
    """Open a form, and ask for the verb that its changes mean."""
    from engine.model.editing import verb_of
    from screens.editing import EditForm

    def ask(patch: Patch | None) -> None:
        if patch is not None:
            screen.console.ask([verb_of(editing.thing, patch)])

    screen.app.push_screen(EditForm(editing, screen.console.glyphs), ask)
