"""`E` on an entry of memory: lend the terminal to the editor with the value alone, then ask to store what came of it.

Owner: of the file that is edited, readable by the user alone. It is removed when its text was stored or never changed; else
it is kept and named. The value is stored only over the version that was edited.
"""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from engine.model.entry_rows import EntrySheet
from engine.model.errors import FleetError, UsageError
from engine.model.memory_commands import RememberEntry
from engine.model.wire import convert, decode, encode
from fleet_tui.edit_here import SHARED, lend
from fleet_tui.editor import editor_words, read_file
from fleet_tui.lent_terminal import run_lent

if TYPE_CHECKING:
    from fleet_tui.app import FleetApp


class EditedValue(NamedTuple):
    """A value that somebody changed."""

    command: RememberEntry
    path: Path


async def edit_value_in_console(app: FleetApp, editor: str | None, path: str) -> None:
    """Suspend the console, have a value edited, and ask to store it; whatever comes in between is said."""
    from textual.app import SuspendNotSupported

    if editor is None:
        app.say(SHARED + app.say_keys("{thing.edit} edits in a form"), role="warn")
        return
    feed = app.feed
    try:
        words = editor_words(editor)
        sheet = convert(await feed.operator.query("entry-sheet", id=path, whole=True), EntrySheet)
        require_text(sheet)
        edited = await lend(app, lambda: edit_value(sheet, words))
    except SuspendNotSupported:
        app.say("an editor needs a terminal, and this console cannot lend one" + app.say_keys("; {thing.edit} edits in a form"), role="bad")
    except FleetError as error:
        app.say(str(error), role="bad")
    else:
        if edited is None:
            app.say("nothing was changed")
        elif await app._ask(feed, (edited.command,), ""):  # noqa: SLF001  # of this package: what came of it matters
            _discard(edited.path)
        else:
            app.say(f"not stored; your text is kept in {edited.path}", role="warn")


def require_text(sheet: EntrySheet) -> None:
    """Raise UsageError for a value that is no text to edit, or not for this operator."""
    if sheet.value.refused:
        raise UsageError(sheet.value.refused)
    if sheet.value.is_bytes:
        raise UsageError("bytes cannot be edited as text; a program can store others")


async def edit_value(sheet: EntrySheet, words: list[str]) -> EditedValue | None:
    """Have a value edited; None when nothing was changed. Raises UsageError that says where the text is kept."""
    value = decode(sheet.value.text)
    begun = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=2) + "\n"
    number, name = tempfile.mkstemp(prefix="fleet-tui-value-", suffix=".txt" if isinstance(value, str) else ".json")  # readable by the user alone
    path = Path(name)
    with os.fdopen(number, "w", encoding="utf-8", newline="") as file:
        file.write(begun)
    code, problem = await run_lent([*words, str(path)], {})
    new = read_file(path)
    if new == begun and not problem and not code:
        _discard(path)
        return None
    if problem or code:
        raise UsageError(f"the editor failed: {problem or f'it ended with {code}'}; nothing was changed; your text is kept in {path}")
    return EditedValue(_stored(sheet, new, path, is_text=isinstance(value, str)), path)


def _discard(path: Path) -> None:
    path.unlink(missing_ok=True)


def _stored(sheet: EntrySheet, text: str, path: Path, *, is_text: bool) -> RememberEntry:
    try:
        value = text.removesuffix("\n") if is_text else decode(text)
    except UsageError as error:
        raise UsageError(f"{error}; nothing was changed; your text is kept in {path}") from error
    row = sheet.row
    return RememberEntry(row.key, encode(value).decode(), version=row.version, namespace=row.namespace, owner=row.owner_id)
