"""The proof of an edit: its result is read again.

Owner: nobody.
"""

from collections.abc import Callable
from dataclasses import replace

from engine.editing.ecmascript.structure import Structure
from engine.editing.edits import Edit, broken, reread
from engine.editing.source import Source
from engine.editing.splices import splice


def prove(source: Source, structure: Structure, edit: Edit, read: Callable[[Source], Structure]) -> Edit:
    """Give an edit after whose result was read; raise `CodeError` (broken_edit).

    What parses may still be an error that every engine finds before it runs a line: a name that is declared twice, and
    `await` where nothing may wait. There must not be more of them than before.
    """
    if not edit.splices:
        return edit
    after = source.with_text(splice(source.text, edit.splices))
    if reread(source, after, read).twice > structure.twice:
        raise broken(source, "a name is declared twice, or `await` stands where nothing may wait")
    return replace(edit, is_read=True)
