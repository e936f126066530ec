"""The check of syntax: what LibCST and this Python's compiler think of a file.

Owner: nobody.
"""

import libcst

from engine.agents.code.python.guards import check_nesting
from engine.agents.code.python.parsing import parse_tree
from engine.agents.code.python.problems import parser_problem
from engine.editing.compiler import Problem, compile_problem
from engine.editing.source import decode
from engine.model.code_errors import CodeError
from engine.model.code_requests import SyntaxRequest


def check_syntax(request: SyntaxRequest, data: bytes) -> dict[str, object]:
    """Give `ok` and `errors`, each with `by` ("libcst" or "compile"), `message`, `line`, `column`.

    A file that nests too deep to be parsed raises `CodeError`: neither judge has seen it.
    """
    problems = [problem for problem in _problems(request, data) if problem is not None]
    return {"ok": not problems, "errors": [problem._asdict() for problem in problems]}


def _problems(request: SyntaxRequest, data: bytes) -> list[Problem | None]:
    name = request.path or "<source>"
    try:
        source = decode(request, data)
    except CodeError as error:
        # An encoding that does not hold is an error of syntax by PEP 263; nesting is the same in Latin-1.
        check_nesting(data.decode("latin-1"))
        return [
            Problem("libcst", error.message, error.line, error.column),
            compile_problem(data, name),
        ]
    by_parser = _parse_problem(source.text)  # first: it refuses what is too deep for either
    # Text that came as `source` is compiled as text: a coding comment in it means nothing any more.
    return [by_parser, compile_problem(source.text if request.path is None else data, name)]


def _parse_problem(text: str) -> Problem | None:
    try:
        parse_tree(text)
    except libcst.ParserSyntaxError as error:
        return parser_problem(error)
    return None
