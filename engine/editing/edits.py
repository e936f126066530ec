"""What an edit is, the proof that its result still parses, and its answer.

Owner: nobody; an edit is a value. Edits replace pieces of the text: every other character stays as it is.
"""

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from engine.editing.compiler import compile_problem
from engine.editing.source import Source
from engine.editing.splices import Splice, splice, unified_diff
from engine.editing.writing import check_target, write
from engine.model.code_errors import CodeError
from engine.model.code_requests import LANGUAGE_NAMES, CodeRequest

Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class Edit:
    """What an operation wants to change."""

    splices: tuple[Splice, ...]  # in the order of the text, none overlaps another
    count: int  # of what was asked for: identifiers, calls, docstrings
    notes: Mapping[str, object]  # further fields of the answer
    compiles: bool  # also ask Python's compiler whether the edit broke what was whole
    is_read: bool = False  # its result has been read again already

    @classmethod
    def of(
        cls,
        splices: Iterable[Splice],
        *,
        count: int,
        notes: Mapping[str, object] | None = None,
        compiles: bool = False,
        is_read: bool = False,
    ) -> "Edit":
        """Make an edit of splices in any order."""
        return cls(tuple(sorted(splices)), count, notes or {}, compiles, is_read)

    def diff(self, source: Source) -> str:
        """Give the edit as a unified diff of the file as it is written, byte order mark included."""
        if source.encoding != "utf-8-sig":
            return unified_diff(source.text, self.splices, source.label)
        moved = [Splice(row.start + 1, row.end + 1, row.text) for row in self.splices]
        return unified_diff(f"\ufeff{source.text}", moved, source.label)


def finish(source: Source, edit: Edit, parse: Callable[[Source], object]) -> Source:
    """Give the source after an edit; raise `CodeError` (broken_edit) if `parse` refuses it."""
    if not edit.splices:
        return source
    if source.encode(source.text) != source.data:
        raise CodeError(
            "unreadable",
            f"{source.label} cannot be written back in {source.encoding} as it was; convert it to UTF-8 first.",
        )
    after = source.with_text(splice(source.text, edit.splices))
    if not edit.is_read:
        reread(source, after, parse)
    problem = compile_problem(after.text, source.label) if edit.compiles else None
    if problem is not None and compile_problem(source.text, source.label) is None:
        raise broken(source, problem.message, problem.line, problem.column)
    return after


def reread(source: Source, after: Source, read: Callable[[Source], Answer]) -> Answer:
    """Give what a reader says of the source after an edit; raise `CodeError` (broken_edit) if it refuses it."""
    try:
        return read(after)
    except CodeError as error:
        raise broken(source, error.message, error.line, error.column) from error


def conclude(
    request: CodeRequest, source: Source, edit: Edit, after: Source, *, engine: str
) -> dict[str, object]:
    """Write the edit if that was asked, and give its answer; `engine` names who made it, with its version."""
    changed = after.text != source.text
    if changed and request.apply:
        write(check_target(request), source.data, after.data)
    return {
        "path": request.path,
        "changed": changed,
        "diff": edit.diff(source),
        "edits": edit.count,
        "applied": changed and request.apply,
        "provenance": {
            "operation": request.operation,
            "engine": engine,
            "language": request.language,
            "before_sha256": hashlib.sha256(source.data).hexdigest(),
            "after_sha256": hashlib.sha256(after.data).hexdigest(),
        },
        **edit.notes,
    }


def broken(source: Source, reason: str, line: int | None = None, column: int | None = None) -> CodeError:
    """Say why the source would not be valid after an edit."""
    return CodeError(
        "broken_edit",
        f"After the edit {source.label} would not be valid {LANGUAGE_NAMES[source.language]} ({reason}); nothing "
        "was changed, choose other parameters.",
        line,
        column,
    )
