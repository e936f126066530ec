"""`E` in the console and `fleet-tui edit`: lend the terminal to the editor, then ask for what was changed.

Owner: nobody; functions. What cannot be done is said; a text that was not applied is kept, and said where.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn, TypeVar

from engine.model.editing import Editable, verb_of
from engine.model.errors import CommandRefused, FleetError, UsageError
from engine.model.wire import convert
from fleet_tui.editor import Edited, edit_as_text, editor_words
from fleet_tui.lent_terminal import find_editor, run_lent

if TYPE_CHECKING:
    from engine.operations import Operator
    from fleet_tui.acts import Request
    from fleet_tui.app import FleetApp
    from fleet_tui.settings import Paths

_T = TypeVar("_T")

NOUNS = {"pools": "pool", "policies": "policy"}
SHARED = "an editor gives the shell of the account, and this account is shared by names: "


async def read_thing(operator: Operator, kind: str, name: str) -> Editable:
    """Return a thing as somebody begins to edit it. Raises FleetError."""
    return convert(await operator.query("editable", kind=kind, id=name), Editable)


def title_of(thing: Editable) -> str:
    """Return what is edited, in words."""
    return f"{NOUNS[thing.kind]} {thing.id}"


# ---- in the console


async def edit_in_console(app: FleetApp, editor: str | None, kind: str, name: str) -> None:
    """Suspend the console, have a thing edited, and ask for the change; whatever comes in between is said."""
    from textual.app import SuspendNotSupported

    if editor is None:
        app.say(SHARED + app.say_keys("{thing.edit} edits in a form"), role="warn")
        return
    feed = app.feed  # the one that it is a thing of, whatever is in view by then
    operator = feed.operator
    if operator.authority.read_only:
        app.say(f"nothing can be changed here: {operator.authority.read_only}", role="warn")
        return
    try:
        words = editor_words(editor)
        thing = await read_thing(operator, kind, name)

        async def run(path: Path) -> tuple[int, str]:
            return await run_lent([*words, str(path)], {})

        edited = await lend(app, lambda: edit_as_text(thing, title_of(thing), run, lambda: read_thing(feed.operator, kind, name)))
    except SuspendNotSupported:
        app.say("an editor needs a terminal, and this console cannot lend one" + app.say_keys("; {thing.edit} edits in a form"), role="bad")
    except FleetError as error:
        app.say(str(error), role="bad")
    else:
        if edited is None:
            app.say("nothing was changed")
        elif await app._ask(feed, (verb_of(edited.thing, edited.patch),), ""):  # noqa: SLF001  # of this package: what came of it matters
            edited.discard()
        else:
            app.say(f"not applied; {edited.kept}", role="warn")


async def lend(app: FleetApp, work: Callable[[], Awaitable[_T]]) -> _T:
    """Do something while the terminal is lent to another program, and return what came of it. Raises FleetError, SuspendNotSupported."""
    try:
        # Without the batch, frames would be written into the editor's screen.
        with app.batch_update():
            await app.wait_answers()
            with app.suspend():
                outcome = await _outcome(work())
    finally:
        app.rewrite_terminal()
    return outcome()


async def _outcome(work: Awaitable[_T]) -> Callable[[], _T]:
    """Return what gives the result, or raises: an error inside suspend() would leave the terminal with nobody."""
    try:
        edited = await work
    except FleetError as error:
        return partial(_raise, error)
    except OSError as error:
        return partial(_raise, UsageError(f"the text cannot be kept in a file, nothing was changed: {error}"))
    return lambda: edited


def _raise(error: FleetError) -> NoReturn:
    raise error


# ---- in a shell


def edit_in_shell(paths: Paths, kind: str, name: str, request: Request) -> None:
    """Have a thing edited, then plan, ask and carry out as every verb does. Raises FleetError."""
    import click

    from fleet_tui import acts, output
    from fleet_tui.attach import require_address

    if click.get_current_context().find_root().params.get("as_name"):
        raise CommandRefused(SHARED + "use the verbs edit-pool and update-policy")
    words = editor_words(find_editor(os.environ))
    address = require_address(paths)

    async def read() -> Editable:
        # A connection of its own each time: a person takes longer than the engine waits for a pong.
        async with acts.operator_at(address, mode=request.mode) as operator:
            return await read_thing(operator, kind, name)

    async def edit() -> Edited | None:
        thing = await read()
        return await edit_as_text(thing, title_of(thing), lambda path: run_lent([*words, str(path)], {}), read)

    edited = asyncio.run(edit())
    if edited is None:
        output.say("nothing was changed")
        return
    request.commands.append(verb_of(edited.thing, edited.patch))
    try:
        if acts.is_interactive() and not request.yes and not request.dry_run:
            acts.ask_and_carry_out(address, request)
        else:
            acts.act(paths, request)
    except (FleetError, click.Abort) as error:
        output.say(f"not applied; {edited.kept}")
        raise error
    if request.dry_run:
        output.say(edited.kept)
    else:
        edited.discard()


def kind_of(word: str) -> str:
    """Return the kind that a word means. Raises UsageError for one that cannot be edited."""
    from fleet_tui.look import kind_of as any_kind

    kind = any_kind(word)
    if kind not in NOUNS:
        raise UsageError(f"{kind} cannot be edited; {' and '.join(NOUNS)} can")
    return kind
