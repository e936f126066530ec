"""Wrapping the body of a function in `try`.

Owner: nobody.
"""

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Final, NamedTuple

from engine.editing.ecmascript.proving import prove
from engine.editing.ecmascript.structure import Definition, Form, Kind, Structure
from engine.editing.ecmascript.wholes import line_of, top_of, unit_of
from engine.editing.edits import Edit
from engine.editing.indenting import indent
from engine.editing.source import Source
from engine.editing.splices import Splice
from engine.editing.structure import line_end, line_start, newline_of, only_spaces
from engine.editing.targets import find_target
from engine.model.code_errors import CodeError
from engine.model.code_requests import TryRequest

# What may stand in the handler of an asynchronous function only.
_WAITS: Final = re.compile(r"\bawait\b")
_DECLARES: Final = re.compile(r"(let|const|var|using|class|(async\s+)?function|interface|type|enum|import|export)\b|[{;]")


class _Block(NamedTuple):
    """What goes into the `try`, with its margin; the text ends before the closing brace's line."""

    start: int
    end: int
    margin: str  # of the statements
    body: str  # one level deeper
    head: str  # what stands before `try`
    tail: str  # what stands behind the last brace


def wrap_in_try(source: Source, request: TryRequest, read: Callable[[Source], Structure]) -> Edit:
    """Put the body of a function, but for its directives, into a `try` with one handler.

    A body that is one `try` already stays as it is. What stands in strings over several lines is not moved. Without a
    `handler` the error is thrown again.
    """
    handler = _read_handler(source, request.handler.strip(), read)
    structure = read(source)
    row = structure.definitions[find_target(structure, source, request.function, remedy="name its class, too")]
    _check_target(source, request.function, row)
    if row.is_wrapped:
        return Edit.of([], count=0)
    _check_functions(source, structure, row)
    unit, newline = unit_of(structure, source.text), newline_of(source.text)
    block = _find_block(source, structure, row, unit)
    inner = block.margin + unit
    lines = [f"{block.head}{block.margin}try {{", block.body, f"{block.margin}}} catch (error) {{"]
    if request.exception:
        lines.append(f"{inner}if (!(error instanceof {request.exception})) throw error;")
    lines += [f"{inner}{handler}", f"{block.margin}}}{block.tail}"]
    edit = Edit.of([Splice(block.start, block.end, newline.join(lines))], count=1)
    return prove(source, structure, edit, read) if _WAITS.search(handler) else edit


def _find_block(source: Source, structure: Structure, row: Definition, unit: str) -> _Block:
    assert row.rest is not None and row.body is not None and row.body_end is not None, "checked before"  # noqa: PT018
    text, brace = source.text, row.body_end - 1
    if only_spaces(text, line_start(text, row.rest), row.rest) and only_spaces(text, line_start(text, brace), brace):
        margin = text[line_start(text, row.rest) : row.rest]
        start = max(top_of(structure, text, row.rest), line_end(text, row.body))
        end = len(text[: line_start(text, brace)].rstrip("\r\n"))
        return _Block(start, end, margin, indent(structure, text, (start, end), unit, behind=margin), "", "")
    between = text[row.body + 1 : row.rest]
    if between.strip() or "\n" in text[row.body : row.body_end]:
        raise CodeError(
            "unsupported",
            f"The body of {row.name} shares its lines with its braces or directives; put it on lines of its own first.",
            line_of(source, row.rest),
        )
    line = text[line_start(text, row.own) : row.own]
    own = line[: len(line) - len(line.lstrip())]
    newline = newline_of(text)
    body = f"{own}{unit}{unit}{text[row.rest : brace].rstrip()}"
    return _Block(row.body + 1, brace, own + unit, body, newline, newline + own)


def _check_target(source: Source, name: str, row: Definition) -> None:
    if not row.is_function:
        raise CodeError("no_target", f"{name} is no function in {source.label}; name one.")
    if row.body is None:
        raise CodeError(
            "unsupported", f"{name} has no body in braces; write it with one first.", line_of(source, row.start)
        )
    if row.rest is None:
        raise CodeError("no_target", f"{name} does nothing; there is nothing to wrap.")


def _check_functions(source: Source, structure: Structure, row: Definition) -> None:
    """Refuse functions that share their name: what may stand twice in a function may not in a block."""
    number = structure.definitions.index(row)
    names = [
        other.name
        for other in structure.definitions
        if other.parent == number and other.kind is Kind.FUNCTION and other.form is Form.DECLARATION
    ]
    body = source.text[row.body : row.body_end]
    for name in names:
        if names.count(name) > 1 or re.search(rf"\bvar\s[^;]*?(?<![\w$]){re.escape(name)}(?![\w$])", body):
            raise CodeError("unsupported", f"{row.name} declares {name} more than once; give one of them another name first.")


def _read_handler(source: Source, handler: str, read: Callable[[Source], Structure]) -> str:
    """Give a handler with its semicolon; raise `CodeError` (bad_parameter) for what is not one statement on one line."""
    if not handler:
        return "throw error;"
    text = handler if handler.endswith((";", "}")) else f"{handler};"
    is_right = handler.isprintable()
    try:
        if is_right:
            found = read(replace(source, path=None, data=text.encode(), encoding="utf-8", text=text))
            row = found.statements[0] if len(found.statements) == 1 else None
            is_right = row is not None and (row.start, row.end) == (0, len(text)) and not found.comments
            is_right = is_right and not _DECLARES.match(text)
    except (CodeError, UnicodeEncodeError):
        is_right = False
    if not is_right:
        raise CodeError(
            "bad_parameter",
            f"`handler` must be one statement on one line, such as log(error), not {handler!r:.80}.",
        )
    return text
