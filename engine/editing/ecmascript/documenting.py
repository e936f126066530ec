"""Adding documentation that is made from names: `/** ... */`.

Owner: nobody.
"""

from bisect import bisect_right
from collections.abc import Callable
from typing import Final

from engine.editing.ecmascript.structure import Definition, Form, Kind, Structure
from engine.editing.ecmascript.wholes import is_doc, is_method
from engine.editing.edits import Edit
from engine.editing.sentences import check_template, make_sentence
from engine.editing.source import Source
from engine.editing.splices import Splice
from engine.editing.structure import line_start, newline_of, only_spaces
from engine.model.code_requests import DocstringsRequest

_KINDS: Final = (Kind.CLASS, Kind.FUNCTION, Kind.METHOD)


def add_docstrings(
    source: Source, request: DocstringsRequest, read: Callable[[Source], Structure]
) -> Edit:
    """Add a comment to each public class, function and method that has none directly before it.

    Public is what has no name in its qualified name that begins with "_" or "#", and is not inside a function or an
    expression. Constructors have none, and what has several bodies or signatures (overloads, a getter and its setter)
    has one.
    """
    template = request.template
    check_template(template, forbidden=('"', "\\", "*/"))
    structure = read(source)
    publics = _find_publics(structure)
    ends = [end for _, end in structure.comments]
    told: set[tuple[int | None, str]] = set()
    splices: list[Splice] = []
    for row, is_public in zip(structure.definitions, publics, strict=True):
        if not is_public or row.kind not in _KINDS or (row.parent, row.name) in told:
            continue
        told.add((row.parent, row.name))
        if not _has_doc(source.text, structure, ends, row):
            kind = "class" if row.kind is Kind.CLASS else "method" if is_method(structure, row) else "function"
            splices.append(_place(source.text, row, make_sentence(template, row.name, kind)))
    return Edit.of(splices, count=len(splices))


def _find_publics(structure: Structure) -> list[bool]:
    publics: list[bool] = []
    for row in structure.definitions:
        outer = None if row.parent is None else structure.definitions[row.parent]
        is_reached = outer is None or (outer.kind in (Kind.CLASS, Kind.NAMESPACE) and publics[row.parent or 0])
        is_named = row.name[:1] not in ("_", "#", "[") and row.name not in ("constructor", "default")
        publics.append(is_reached and is_named and row.form is not Form.INSIDE)
    return publics


def _has_doc(text: str, structure: Structure, ends: list[int], row: Definition) -> bool:
    """Tell whether documentation stands before it, or before what of it follows its decorators."""
    for at in {row.start, row.own, row.inner}:
        last = bisect_right(ends, at) - 1
        if last >= 0 and is_doc(text, structure.comments[last]) and not text[ends[last] : at].strip():
            return True
    return False


def _place(text: str, row: Definition, sentence: str) -> Splice:
    at = line_start(text, row.start)
    comment = f"/** {sentence} */"
    if not only_spaces(text, at, row.start):
        return Splice(row.start, row.start, f"{comment} ")
    return Splice(row.start, row.start, f"{comment}{newline_of(text)}{text[at : row.start]}")
