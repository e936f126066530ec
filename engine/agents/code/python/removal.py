"""Removing statements that only call one function.

Owner: nobody.
"""

from collections.abc import Iterator, Sequence
from typing import TypeAlias

import libcst as cst

from engine.agents.code.python.parsing import parse
from engine.agents.code.python.positions import Span, locate
from engine.agents.code.python.tree import walk
from engine.editing.edits import Edit
from engine.editing.source import Source
from engine.editing.splices import Splice
from engine.model.code_requests import RemovalRequest

_Block: TypeAlias = cst.Module | cst.IndentedBlock | cst.SimpleStatementSuite
_Line: TypeAlias = cst.SimpleStatementLine | cst.SimpleStatementSuite


def remove_calls(source: Source, request: RemovalRequest) -> Edit:
    """Remove each statement that is nothing but a call of `function`, arguments included.

    A statement alone on its lines goes with them; a comment behind it stays, at its indentation, and so
    do comments and empty lines above. Of `a; f(); b` stays `a; b`. A block that would be empty gets
    `pass` in the place of its first statement. Calls whose value is used or awaited stay; `kept` counts
    them. The function is compared as it is written: `print` is not `builtins.print`.
    """
    module = parse(source)
    parts = request.function.split(".")
    calls: set[cst.CSTNode] = set()
    removed: set[cst.CSTNode] = set()
    blocks: list[_Block] = []
    for node in walk(module):
        if isinstance(node, cst.Call) and _is_named(node.func, parts):
            calls.add(node)
        elif isinstance(node, cst.Expr) and isinstance(node.value, cst.Call):
            if _is_named(node.value.func, parts):
                removed.add(node)
        elif isinstance(node, (cst.Module, cst.IndentedBlock, cst.SimpleStatementSuite)):
            blocks.append(node)
    kept = len(calls) - sum(node in calls for statement in removed for node in walk(statement))
    rows: list[tuple[_Line, bool]] = []
    for block in blocks:
        lines = [line for line in _lines(block) if not removed.isdisjoint(line.body)]
        first = _first_of_empty(block, removed) if lines else None
        rows += [(line, line is first) for line in lines]
    spans = locate(module, source.text, [node for line, _ in rows for node in _places(line)])
    splices: list[Splice] = []
    for line, becomes_pass in rows:
        if not removed.issuperset(line.body):
            splices += _cut(line.body, removed, spans)
        elif becomes_pass:
            splices.append(Splice(spans[line.body[0]].start, spans[line.body[-1]].end, "pass"))
        else:
            splices.append(_drop(line, spans, len(source.text)))
    return Edit.of(splices, count=len(removed), notes={"kept": kept})


def _is_named(node: cst.CSTNode, parts: Sequence[str]) -> bool:
    """Is it that dotted name?"""
    for part in reversed(parts[1:]):
        if not isinstance(node, cst.Attribute) or node.attr.value != part:
            return False
        node = node.value
    return isinstance(node, cst.Name) and node.value == parts[0]


def _lines(block: _Block) -> list[_Line]:
    """List the lines of a block that hold simple statements."""
    if isinstance(block, cst.SimpleStatementSuite):
        return [block]
    return [line for line in block.body if isinstance(line, cst.SimpleStatementLine)]


def _places(line: _Line) -> Iterator[cst.CSTNode]:
    """Go through the nodes whose places an edit of this line needs."""
    yield line
    yield from line.body
    if line.trailing_whitespace.comment is not None:
        yield line.trailing_whitespace.comment


def _first_of_empty(block: _Block, removed: set[cst.CSTNode]) -> _Line | None:
    """Give the first line of a block in which no statement would be left; a module may be empty."""
    lines = _lines(block)
    if isinstance(block, cst.Module) or (
        isinstance(block, cst.IndentedBlock) and len(lines) < len(block.body)
    ):
        return None
    return lines[0] if all(removed.issuperset(line.body) for line in lines) else None


def _drop(line: _Line, spans: dict[cst.CSTNode, Span], length: int) -> Splice:
    """Remove a whole line, but for a comment behind the statements."""
    span, comment = spans[line], line.trailing_whitespace.comment
    if comment is not None:
        return Splice(span.start, spans[comment].begin, "")
    return Splice(
        span.line, min(span.stop, length), ""
    )  # the last line of a file may lack its newline


def _cut(
    statements: Sequence[cst.CSTNode], removed: set[cst.CSTNode], spans: dict[cst.CSTNode, Span]
) -> Iterator[Splice]:
    """Remove some statements of a line, each with one semicolon."""
    kept_before = False
    for index, statement in enumerate(statements):
        if statement not in removed:
            kept_before = True
        elif kept_before:
            yield Splice(spans[statements[index - 1]].end, spans[statement].end, "")
        else:
            yield Splice(spans[statement].start, spans[statements[index + 1]].start, "")
