"""Adding docstrings that are made from names.

Owner: nobody.
"""

import re
import string
from typing import Final

import libcst as cst

from engine.agents.code.python.parsing import parse
from engine.agents.code.python.positions import locate
from engine.agents.code.python.tree import Definition, find_definitions, has_docstring
from engine.editing.edits import Edit
from engine.editing.source import Source
from engine.editing.splices import Splice
from engine.model.code_errors import CodeError
from engine.model.code_requests import DocstringsRequest

_FIELDS: Final = frozenset({"words", "name", "kind"})
# "HTTPServer2" -> HTTP, Server, 2; letters outside ASCII stay with their neighbours.
_WORD: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[^\W\dA-Z_]+|\d+")


def add_docstrings(source: Source, request: DocstringsRequest) -> Edit:
    """Add a docstring to each public class, function and method that has none.

    Public is what has no name in its qualified name that begins with an underscore, and is not inside
    a function. The docstring is the `template` with {words} (the name in words: "parse http header"),
    {name} and {kind} (class, function or method) filled in and its first letter made large; it stands
    in the line after the colon (and its comment), before comments and empty lines there. A body on the
    line of the colon moves to a line of its own.
    """
    template = request.template
    _check_template(template)
    module = parse(source)
    rows = [
        row for row in find_definitions(module) if row.is_public and not has_docstring(row.node)
    ]
    nodes: list[cst.CSTNode] = []
    for row in rows:
        nodes += (row.node, row.node.body)
    spans = locate(module, source.text, nodes)
    splices: list[Splice] = []
    for row in rows:
        span, body = spans[row.node], row.node.body
        own = body.indent if isinstance(body, cst.IndentedBlock) else None
        indent = source.text[span.line : span.start] + (own or module.default_indent)
        line = f'{indent}"""{_sentence(template, row)}"""{module.default_newline}'
        place = spans[body]
        if isinstance(body, cst.IndentedBlock):
            splices.append(Splice(place.start, place.start, line))
        else:
            moved = f"{module.default_newline}{line}{indent}"
            splices.append(Splice(place.begin, place.start, moved))
    return Edit.of(splices, count=len(splices))


def _check_template(template: str) -> None:
    """Raise `CodeError` (bad_parameter) for what would not make one line of plain text."""
    try:
        fields = [row[1:] for row in string.Formatter().parse(template) if row[1] is not None]
    except ValueError as error:
        raise CodeError(
            "bad_parameter", f"`template` has a stray brace: {error}; write {{{{ for {{."
        ) from error
    if not all(
        field in _FIELDS and not spec and not conversion for field, spec, conversion in fields
    ):
        raise CodeError("bad_parameter", "`template` may only hold {words}, {name} and {kind}.")
    if not template.isprintable() or '"' in template or "\\" in template:
        raise CodeError(
            "bad_parameter", "`template` must be one line without quotes and backslashes."
        )


def _sentence(template: str, row: Definition) -> str:
    name = row.node.name.value
    words = [
        word if word.isupper() and len(word) > 1 else word.lower() for word in _WORD.findall(name)
    ]
    kind = row.kind.removeprefix("async ")
    sentence = template.format(words=" ".join(words) or name, name=name, kind=kind)
    return sentence[:1].upper() + sentence[1:]
