"""Wrapping the body of a function in `try`.

Owner: nobody.
"""

import ast
from collections.abc import Callable
from typing import Final

from engine.editing.edits import Edit
from engine.editing.indenting import indent
from engine.editing.source import Source
from engine.editing.splices import Splice
from engine.editing.structure import (
    Definition,
    Structure,
    line_end,
    line_start,
    newline_of,
    only_spaces,
)
from engine.editing.targets import find_target
from engine.model.code_errors import CodeError
from engine.model.code_requests import TryRequest

_BOUND: Final = (
    *(ast.Await, ast.Yield, ast.YieldFrom, ast.Return, ast.Break, ast.Continue),
    *(ast.Global, ast.Nonlocal, ast.ImportFrom, ast.comprehension),
)


def wrap_in_try(source: Source, request: TryRequest, read: Callable[[Source], Structure]) -> Edit:
    """Put the body of a function, but for its docstring, into a `try` with one handler.

    A body that is one `try` already stays as it is. What stands in strings over several lines is not moved. Without a
    `handler` the exception is raised again.
    """
    handler = request.handler.strip()
    is_bound = _check_handler(handler)
    structure = read(source)
    remedy = "name its class, too"
    row = structure.definitions[find_target(structure, source, request.function, remedy=remedy)]
    _check_target(source, request.function, row)
    if row.is_wrapped:
        return Edit.of([], count=0)
    assert row.rest is not None, "checked above"
    text, newline = source.text, newline_of(source.text)
    own = text[line_start(text, row.own) : row.own]
    if row.is_inline:
        level, start = own + structure.indent, row.head_end
        body, unit = text[row.body : row.end], structure.indent
        head = f"{newline}{level}try:{newline}{level}{unit}"
        end = row.end
    else:
        level = text[line_start(text, row.rest) : row.rest]
        start = _above_comments(text, line_start(text, row.rest), line_end(text, row.doc_end or row.head_end))
        unit = level.removeprefix(own) if level.startswith(own) else structure.indent
        end = line_end(text, row.end)
        lines = text[start:end]
        end = start + len(lines.rstrip("\r\n"))
        body = indent(structure, text, (start, end), unit, behind=level)
        head = f"{level}try:{newline}"
    caught = request.exception or "Exception"
    clause = f"except {caught} as error:" if handler else f"except {caught}:"
    tail = f"{newline}{level}{clause}{newline}{level}{unit}{handler or 'raise'}"
    return Edit.of([Splice(start, end, head + body + tail)], count=1, compiles=is_bound)


def _above_comments(text: str, at: int, stop: int) -> int:
    """Give where the comments begin that stand directly above a line, but not above `stop`."""
    while at > stop:
        above = line_start(text, at - 1 - text.endswith("\r\n", 0, at))
        if not text[above:at].lstrip(" \t\f").startswith("#"):
            break
        at = above
    return at


def _check_target(source: Source, name: str, row: Definition) -> None:
    if row.is_class:
        raise CodeError("no_target", f"{name} is a class in {source.label}; name a function.")
    if row.rest is None:
        raise CodeError("no_target", f"{name} has nothing but a docstring; there is nothing to wrap.")
    at = row.rest
    is_alone = only_spaces(source.text, line_start(source.text, at), at)
    if not (is_alone or (row.is_inline and row.doc_end is None)):
        raise CodeError(
            "unsupported",
            f"The body of {name} begins on the line of its docstring; put it on a line of its own first.",
            source.text.count("\n", 0, at) + 1,
        )


def _check_handler(handler: str) -> bool:
    """Tell whether it depends on the function whether Python compiles a handler.

    Raises `CodeError` (bad_parameter) for what is not one simple statement on one line.
    """
    if not handler:
        return False
    try:
        found = ast.parse(handler).body if handler.isprintable() else []
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        found = []
    nodes = [node for statement in found for node in ast.walk(statement)]
    if len(found) != 1 or hasattr(found[0], "body"):
        raise CodeError(
            "bad_parameter",
            f"`handler` must be one statement on one line, such as log(error), not {handler!r:.80}.",
        )
    return any(isinstance(node, _BOUND) for node in nodes)
