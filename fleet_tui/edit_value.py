"""`E` on an entry of memory: lend the terminal to the editor with the value alone, then ask to store what came of it.

Owner: of the file that is edited, readable by the user alone. It is removed when its text was stored or never changed; else
it is kept and named. The value is stored only over the version that was edited.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from engine.model.entry_rows import EntrySheet
from engine.model.errors import UsageError
from engine.model.memory_commands import RememberEntry
from engine.model.wire import convert, decode, encode
from fleet_tui.edit_here import Words, edit_and_ask, lend
from fleet_tui.editor import Change, new_file, read_file
from fleet_tui.lent_terminal import run_lent

if TYPE_CHECKING:
    from fleet_tui.app import FleetApp


async def edit_value_in_console(app: FleetApp, editor: str | None, path: str) -> None:
    """Suspend the console, have a value edited, and ask to store it; whatever comes in between is said."""
    feed = app.feed

    async def edit(words: list[str]) -> Change | None:
        sheet = convert(await feed.operator.query("entry-sheet", id=path, whole=True), EntrySheet)
        require_text(sheet)
        return await lend(app, lambda: edit_value(sheet, words))

    await edit_and_ask(app, feed, editor, edit, Words("not stored", "entry.edit"))


def require_text(sheet: EntrySheet) -> None:
    """Raise UsageError for a value that is no text to edit, or not for this operator."""
    if sheet.value.refused:
        raise UsageError(sheet.value.refused)
    if sheet.value.is_bytes:
        raise UsageError("bytes cannot be edited as text; a program can store others")


async def edit_value(sheet: EntrySheet, words: list[str]) -> Change | None:
    """Have a value edited; None when nothing was changed. Raises UsageError that says where the text is kept."""
    value = decode(sheet.value.text)
    begun = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=2) + "\n"
    path = new_file("value", ".txt" if isinstance(value, str) else ".json", begun)
    code, problem = await run_lent([*words, str(path)], {})
    new = read_file(path)
    if new == begun and not problem and not code:
        path.unlink(missing_ok=True)
        return None
    if problem or code:
        raise UsageError(f"the editor failed: {problem or f'it ended with {code}'}; nothing was changed; your text is kept in {path}")
    return Change(_stored(sheet, new, path, is_text=isinstance(value, str)), path)


def _stored(sheet: EntrySheet, text: str, path: Path, *, is_text: bool) -> RememberEntry:
    try:
        value = text.removesuffix("\n") if is_text else decode(text)
    except UsageError as error:
        raise UsageError(f"{error}; nothing was changed; your text is kept in {path}") from error
    row = sheet.row
    return RememberEntry(row.key, encode(value).decode(), version=row.version, namespace=row.namespace, owner=row.owner_id)
