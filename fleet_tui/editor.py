"""Edit a thing in the user's own editor: until its text makes sense, nothing was changed in it, or the editor failed.

Owner: of the file that is edited. It is removed when its text was applied or never changed; else it is kept and named.
"""

from __future__ import annotations

import os
import shlex
import tempfile
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from engine.model.editing import Editable, Patch, check_patch, moved, patch_of, value_words, verb_of
from engine.model.errors import FleetError, UsageError
from engine.model.verbs import Command
from fleet_tui.edit_text import TextWrong, read_edited, text_to_edit, with_problems

Run = Callable[[Path], Awaitable[tuple[int, str]]]
"""Lets the user edit a file; returns the editor's exit code, and why it did not run."""
Read = Callable[[], Awaitable[Editable]]
"""Returns the thing as it is now. Raises FleetError."""

NO_EDITOR = "no editor is set: set $VISUAL or $EDITOR, such as EDITOR=vi"


@dataclass(frozen=True, slots=True)
class Change:
    """What came of a text that was edited."""

    command: Command
    """The verb that makes the change."""
    path: Path
    """The text, until discard()."""

    def discard(self) -> None:
        """Remove the text: it was applied."""
        self.path.unlink(missing_ok=True)

    @property
    def kept(self) -> str:
        """Return where the text is."""
        return f"your text is kept in {self.path}"


@dataclass(frozen=True, slots=True)
class Edited(Change):
    """What came of a thing that was edited."""

    thing: Editable
    """As it was when the changes were found to make sense."""
    patch: Patch


def editor_words(editor: str) -> list[str]:
    """Return the words of an editor's command line. Raises UsageError."""
    try:
        words = shlex.split(editor)
    except ValueError as error:
        raise UsageError(f"the editor {editor!r} cannot be read: {error}") from error
    if not words:
        raise UsageError(NO_EDITOR)
    return words


async def edit_as_text(thing: Editable, title: str, run: Run, read: Read) -> Edited | None:
    """Have a thing edited; None when nothing was changed. Raises FleetError that says where the text is kept, if there is one.

    Text that makes no sense, or is about keys that somebody else changed meanwhile, is opened again with that said at the top.
    """
    begun = text = text_to_edit(thing, title)
    path = new_file(thing.id, ".toml", text)
    while True:
        code, problem = await run(path)
        new = read_file(path)
        if problem or code:
            raise UsageError(_told(f"the editor failed: {problem or f'it ended with {code}'}; nothing was changed", path, is_kept=new != begun))
        if new == text:
            if new == begun:
                path.unlink(missing_ok=True)
                return None
            raise UsageError(_told("it was left as it was, with what is wrong in it; nothing was changed", path, is_kept=True))
        try:
            patch = _understand(thing, new)
            now = await read()
        except TextWrong as error:
            text = with_problems(new, error.problems)
        except FleetError as error:
            raise UsageError(_told(str(error), path, is_kept=True)) from error
        else:
            others = _told_others(thing, now)
            if not others:
                return _finish(thing, patch, path)
            thing, text = now, with_problems(new, [others])
        path.write_text(text, "utf-8")


def _understand(thing: Editable, text: str) -> Patch:
    """Return the changes that a text means. Raises TextWrong."""
    patch = patch_of(thing.fields, read_edited(thing, text))
    try:
        check_patch(thing, patch)
    except UsageError as error:
        raise TextWrong([str(error)]) from error
    return patch


def _told_others(before: Editable, now: Editable) -> str:
    """Return what somebody else changed meanwhile, and what to do; empty for nothing."""
    told = ", ".join(f"{new.key} is {value_words(new.value)} now, it was {value_words(old.value)}" for old, new in moved(before, now))
    return f"It changed while you edited: {told}. To have it as it stands below all the same, take these lines out." if told else ""


def _finish(thing: Editable, patch: Patch, path: Path) -> Edited | None:
    if patch:
        return Edited(verb_of(thing, patch), path, thing, patch)
    path.unlink(missing_ok=True)
    return None


def new_file(about: str, suffix: str, text: str) -> Path:
    """Return a new file with a text, whose name says what it is about; readable by the user alone."""
    name = "".join(letter if letter.isalnum() else "-" for letter in about)[:40]
    number, path = tempfile.mkstemp(prefix=f"fleet-tui-{name}-", suffix=suffix)
    with os.fdopen(number, "w", encoding="utf-8", newline="") as file:
        file.write(text)
    return Path(path)


def read_file(path: Path) -> str:
    """Return what the editor left. Raises UsageError when it left nothing that can be read."""
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"what the editor left cannot be read, nothing was changed: {error}") from error


def _told(text: str, path: Path, *, is_kept: bool) -> str:
    if is_kept:
        return f"{text}; your text is kept in {path}"
    path.unlink(missing_ok=True)
    return text
