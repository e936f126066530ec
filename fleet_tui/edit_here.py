"""`E` in the console and `fleet-tui edit`: lend the terminal to the editor, then ask for what was changed.

Owner: nobody; functions. What cannot be done is said; a text that was not applied is kept, and said where.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Coroutine
from functools import partial
from typing import TYPE_CHECKING, NamedTuple, NoReturn, TypeVar

from engine.model.editing import Editable
from engine.model.errors import CommandRefused, FleetError, UsageError
from engine.model.wire import convert
from fleet_tui.editor import Change, Edited, edit_as_text, editor_words
from fleet_tui.lent_terminal import find_editor, run_lent

if TYPE_CHECKING:
    from engine.operations import Operator
    from fleet_tui.acts import Request
    from fleet_tui.app import FleetApp
    from fleet_tui.settings import Paths
    from screens.feed import Feed

_T = TypeVar("_T")


class Words(NamedTuple):
    """How an edit is spoken of."""

    undone: str
    """What did not become of it."""
    form: str
    """The binding that does the same in a form."""


NOUNS = {"pools": "pool", "policies": "policy", "rules": "alert rule"}
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
    feed = app.feed  # the one that it is a thing of, whatever is in view by then
    if editor is not None and feed.operator.authority.read_only:
        app.say(f"nothing can be changed here: {feed.operator.authority.read_only}", role="warn")
        return

    async def edit(words: list[str]) -> Edited | None:
        thing = await read_thing(feed.operator, kind, name)
        return await lend(app, lambda: edit_as_text(thing, title_of(thing), lambda path: run_lent([*words, str(path)], {}), lambda: read_thing(feed.operator, kind, name)))

    await edit_and_ask(app, feed, editor, edit, Words("not applied", "policy.edit" if kind == "policies" else "thing.edit"))


def editing_of(app: FleetApp, editor: str | None, kind: str, name: str) -> Coroutine[None, None, None]:
    """Return what edits a thing of a kind in the console."""
    if kind == "memory":
        from fleet_tui.edit_value import edit_value_in_console

        return edit_value_in_console(app, editor, name)
    if kind == "conflicts":
        from fleet_tui.edit_conflict import edit_conflict_in_console

        return edit_conflict_in_console(app, editor, name)
    return edit_in_console(app, editor, kind, name)


async def edit_and_ask(app: FleetApp, feed: Feed, editor: str | None, edit: Callable[[list[str]], Awaitable[Change | None]], words: Words) -> None:
    """Ask for what came of an edit, which is given the words of the editor; what cannot be done is said, and where the text is kept."""
    from textual.app import SuspendNotSupported

    if editor is None:
        app.say(SHARED + app.say_keys(f"{{{words.form}}} edits in a form"), role="warn")
        return
    try:
        edited = await edit(editor_words(editor))
    except SuspendNotSupported:
        app.say("an editor needs a terminal, and this console cannot lend one" + app.say_keys(f"; {{{words.form}}} edits in a form"), role="bad")
    except FleetError as error:
        app.say(str(error), role="bad")
    else:
        if edited is None:
            app.say("nothing was changed")
        elif await app._ask(feed, (edited.command,), ""):  # noqa: SLF001  # of this package: what came of it matters
            edited.discard()
        else:
            app.say(f"{words.undone}; {edited.kept}", role="warn")


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
        raise CommandRefused(SHARED + "use the verbs edit-pool, update-policy and update-rule")
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
    request.commands.append(edited.command)
    try:
        if acts.is_interactive() and not request.yes and not request.dry_run:
            code = acts.ask_and_carry_out(address, request)
        else:
            code = acts.act(paths, request)
    except (FleetError, click.Abort) as error:
        output.say(f"not applied; {edited.kept}")
        raise error
    if request.dry_run:
        output.say(edited.kept)
    else:
        edited.discard()
    click.get_current_context().exit(code)


def kind_of(word: str) -> str:
    """Return the kind that a word means. Raises UsageError for one that cannot be edited."""
    from fleet_tui.look import kind_of as any_kind

    kind = any_kind(word)
    if kind not in NOUNS:
        raise UsageError(f"{kind} cannot be edited; {', '.join(NOUNS)} can")
    return kind
