"""Adding docstrings that are made from names.

Owner: nobody.
"""

from collections.abc import Callable

from engine.editing.edits import Edit
from engine.editing.sentences import check_template, make_sentence
from engine.editing.source import Source
from engine.editing.splices import Splice
from engine.editing.structure import Definition, Structure, line_end, line_start, newline_of
from engine.model.code_requests import DocstringsRequest


def add_docstrings(
    source: Source, request: DocstringsRequest, read: Callable[[Source], Structure]
) -> Edit:
    """Add a docstring to each public class, function and method that has none.

    Public is what has no name in its qualified name that begins with an underscore, and is not inside
    a function. The docstring is the `template` with {words} (the name in words: "parse http header"),
    {name} and {kind} (class, function or method) filled in and its first letter made large; it stands
    in the line after the colon (and its comment), before comments and empty lines there. A body on the
    line of the colon moves to a line of its own.
    """
    template = request.template
    check_template(template, forbidden=('"', "\\"))
    structure = read(source)
    publics = _find_publics(structure, source.text)
    splices = [
        _place(source.text, structure, row, template)
        for row, is_public in zip(structure.definitions, publics, strict=True)
        if is_public and row.doc_end is None
    ]
    return Edit.of(splices, count=len(splices))


def _find_publics(structure: Structure, text: str) -> list[bool]:
    """Tell of each definition whether no part of its name begins with "_" and no function is around it."""
    publics: list[bool] = []
    for row in structure.definitions:
        outer = None if row.parent is None else structure.definitions[row.parent]
        is_reached = outer is None or (outer.is_class and publics[row.parent or 0])
        publics.append(is_reached and text[row.name_start] != "_")
    return publics


def _place(text: str, structure: Structure, row: Definition, template: str) -> Splice:
    newline = newline_of(text)
    own = text[line_start(text, row.own) : row.own]
    line = f'"""{_sentence(template, structure, row, text)}"""{newline}'
    if row.is_inline:
        indent = own + structure.indent
        return Splice(row.head_end, row.body, f"{newline}{indent}{line}{indent}")
    at = line_end(text, row.head_end)
    return Splice(at, at, text[line_start(text, row.body) : row.body] + line)


def _sentence(template: str, structure: Structure, row: Definition, text: str) -> str:
    in_class = row.parent is not None and structure.definitions[row.parent].is_class
    kind = "class" if row.is_class else "method" if in_class else "function"
    return make_sentence(template, structure.name(text, row), kind)
