"""`E` on a conflict of memory: lend the terminal to the editor with both versions in one text, then ask to store what came of it.

Owner: of the file that is edited, readable by the user alone. It is removed when its text was stored or never changed; else
it is kept and named.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.model.errors import UsageError
from engine.model.memory_commands import ResolveConflict
from engine.model.wire import decode, encode
from fleet_tui.edit_here import Words, edit_and_ask, lend
from fleet_tui.editor import Change, new_file, read_file
from fleet_tui.lent_terminal import run_lent
from screens.present_conflicts import entry_of, place_of, version_of

if TYPE_CHECKING:
    from fleet_tui.app import FleetApp

WON, MIDDLE, LOST = "<<<<<<<", "=======", ">>>>>>>"
"""As version control marks them, which editors know."""

Side = Mapping[str, Any]


async def edit_conflict_in_console(app: FleetApp, editor: str | None, thing: str) -> None:
    """Suspend the console, have one value made of both, and ask to store it; whatever comes in between is said."""
    feed = app.feed

    async def edit(words: list[str]) -> Change | None:
        sheet: Any = await feed.operator.query("conflict", id=entry_of(thing), whole=True)
        place = place_of(sheet, version_of(thing))
        if not place:
            raise UsageError("this conflict is settled")
        return await lend(app, lambda: merge_by_hand(sheet, place, words))

    await edit_and_ask(app, feed, editor, edit, Words("not settled", "conflict.resolve"))


async def merge_by_hand(sheet: Side, place: int, words: list[str]) -> Change | None:
    """Have both versions edited; None when nothing was changed. Raises UsageError that says where the text is kept."""
    won, lost = sheet["sides"][0], sheet["sides"][place]
    is_text = all(isinstance(value_of(side), str) for side in (won, lost))
    begun = marked(won, lost)
    path = new_file("merged", ".txt" if is_text else ".json", begun)
    code, problem = await run_lent([*words, str(path)], {})
    new = read_file(path)
    if problem or code:
        raise UsageError(f"the editor failed: {problem or f'it ended with {code}'}; nothing was changed; your text is kept in {path}")
    if new == begun:
        path.unlink(missing_ok=True)
        return None
    return Change(_settled(sheet, new, path, is_text=is_text), path)


def value_of(side: Side) -> object:
    """Return a side's value. Raises UsageError where there is none that can be edited as text."""
    value = side["value"]
    if value["refused"]:
        raise UsageError(f"a version cannot be edited: {value['refused']}")
    if value["is_bytes"]:
        raise UsageError("bytes cannot be edited as text; take one of the versions, or have a program store another")
    return decode(value["text"])


def marked(won: Side, lost: Side) -> str:
    """Return both values as one text: lines of both once, others between marks."""
    ours, theirs = (_lines_of(side) for side in (won, lost))
    lines: list[str] = []
    for kind, a, b, c, d in difflib.SequenceMatcher(None, ours, theirs, autojunk=False).get_opcodes():
        if kind == "equal":
            lines += ours[a:b]
        else:
            lines += [f"{WON} won: {_by(won)}", *ours[a:b], MIDDLE, *theirs[c:d], f"{LOST} lost: {_by(lost)}"]
    return "\n".join(lines) + "\n"


def _lines_of(side: Side) -> Sequence[str]:
    value = value_of(side)
    return (value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=2)).splitlines()


def _by(side: Side) -> str:
    return f"version {side['version']} by {side['writer']}"


def _settled(sheet: Side, text: str, path: Path, *, is_text: bool) -> ResolveConflict:
    kept = f"nothing was changed; your text is kept in {path}"
    left = next((number for number, line in enumerate(text.splitlines(), 1) if line.startswith((WON, LOST)) or line == MIDDLE), 0)
    if left:
        raise UsageError(f"line {left} still has a mark between the versions: leave what shall be stored, and no marks; {kept}")
    try:
        value = text.removesuffix("\n") if is_text else decode(text)
    except UsageError as error:
        raise UsageError(f"{error}; {kept}") from error
    return ResolveConflict(sheet["key"], value=encode(value).decode(), namespace=sheet["namespace"], owner=sheet["owner_id"])
