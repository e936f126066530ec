"""The structure of a file, from LibCST's tree; the booster's module finds the same from tokens.

Owner: nobody.
"""

from typing import NamedTuple

import libcst as cst

from engine.agents.code.python.parsing import parse
from engine.agents.code.python.positions import Span, locate
from engine.agents.code.python.tree import (
    DefinitionNode,
    find_definitions,
    has_docstring,
    is_text,
    statements,
    walk,
)
from engine.editing.source import Source
from engine.editing.structure import Definition, Statement, StatementKind, Structure

_String = cst.SimpleString | cst.FormattedString


class _Body(NamedTuple):
    """The first two statements of a definition, and what they are of."""

    first: cst.CSTNode
    second: cst.CSTNode | None
    has_docstring: bool
    is_wrapped: bool


def find_structure(source: Source) -> Structure:
    """Find the parts of a source; raise `CodeError` (syntax_error, too_deep). Call in `run_deep`."""
    module = parse(source)
    rows = [row.node for row in find_definitions(module)]
    bodies = [_look_into(row) for row in rows]
    strings = [node for node in walk(module) if isinstance(node, _String)]
    top = _list_statements(module.body)
    wanted: list[cst.CSTNode] = [*rows, *strings, *top]
    for row, body in zip(rows, bodies, strict=True):
        wanted += [row.name, row.body, body.first, *row.decorators[:1]]
        wanted += [body.second] if body.second else []
        if isinstance(row, cst.FunctionDef):
            wanted += [row.params, *([row.returns.annotation] if row.returns else [])]
        wanted += [*_first_decorator(body.first), *_first_decorator(body.second)]
    wanted += [decorator for node in top for decorator in _first_decorator(node)]
    spans = locate(module, source.text, wanted)
    numbers = _find_parents(rows)
    return Structure(
        tuple(_describe(*row, spans, numbers) for row in zip(rows, bodies, strict=True)),
        tuple(Statement(_kind(node), _start(node, spans), spans[node].end) for node in top),
        _outermost(source.text, [spans[node] for node in strings]),
        module.default_indent,
    )


def _describe(
    node: DefinitionNode,
    body: _Body,
    spans: dict[cst.CSTNode, Span],
    parents: dict[cst.CSTNode, int],
) -> Definition:
    function = node if isinstance(node, cst.FunctionDef) else None
    returns = function and function.returns and spans[function.returns.annotation]
    rest = body.second if body.has_docstring else body.first
    return Definition(
        function is None,
        function is not None and function.asynchronous is not None,
        parents.get(node),
        _start(node, spans),
        spans[node].start,
        spans[node.name].begin,
        spans[node.name].stop,
        spans[function.params].stop + 1 if function else None,
        returns.begin if returns else None,
        returns.stop if returns else None,
        spans[node.body].begin,
        _start(body.first, spans),
        spans[body.first].end if body.has_docstring else None,
        _start(rest, spans) if rest else None,
        spans[node].end,
        isinstance(node.body, cst.SimpleStatementSuite),
        body.is_wrapped,
    )


def _look_into(node: DefinitionNode) -> _Body:
    found = _list_statements(node.body.body)
    has_text = has_docstring(node)
    is_wrapped = len(found) == has_text + 1 and isinstance(found[-1], (cst.Try, cst.TryStar))
    return _Body(found[0], found[1] if len(found) > 1 else None, has_text, is_wrapped)


def _list_statements(lines: object) -> list[cst.CSTNode]:
    """List statements, those of `a; b` one by one."""
    assert isinstance(lines, (list, tuple))
    return [
        node
        for line in lines
        for node in (line.body if isinstance(line, cst.SimpleStatementLine) else [line])
    ]


def _first_decorator(node: cst.CSTNode | None) -> list[cst.CSTNode]:
    return list(node.decorators[:1]) if isinstance(node, (cst.FunctionDef, cst.ClassDef)) else []


def _start(node: cst.CSTNode, spans: dict[cst.CSTNode, Span]) -> int:
    """Give where a statement begins, with its decorators."""
    return spans[(_first_decorator(node) or [node])[0]].start


def _kind(node: cst.CSTNode) -> StatementKind:
    if isinstance(node, (cst.FunctionDef, cst.ClassDef)):
        return StatementKind.DEFINITION
    if isinstance(node, cst.Import):
        return StatementKind.IMPORT
    if isinstance(node, cst.ImportFrom):
        return StatementKind.FROM
    return StatementKind.TEXT if isinstance(node, cst.Expr) and is_text(node.value) else StatementKind.OTHER


def _find_parents(rows: list[DefinitionNode]) -> dict[cst.CSTNode, int]:
    """Tell for each definition the number of the one directly around it."""
    numbers: dict[cst.CSTNode, int] = {row: number for number, row in enumerate(rows)}
    found: dict[cst.CSTNode, int] = {}
    for row in rows:
        pending: list[cst.CSTNode] = statements(row.body)
        while pending:
            node = pending.pop()
            if node in numbers:
                found[node] = numbers[row]
            else:
                pending.extend(statements(node))
    return found


def _outermost(text: str, spans: list[Span]) -> tuple[tuple[int, int], ...]:
    """Keep the strings that go over several lines and are not in another one's fields."""
    found: list[tuple[int, int]] = []
    for span in sorted(spans, key=lambda row: (row.start, -row.end)):
        piece = text[span.start : span.end]
        if ("\n" in piece or "\r" in piece) and (not found or span.end > found[-1][1]):
            found.append((span.start, span.end))
    return tuple(found)
