"""The check of syntax.

Owner: nobody.
"""

from engine.agents.code.ecmascript.parsing import Lines, read_script
from engine.agents.code.ecmascript.tokens import ParseError
from engine.editing.source import decode
from engine.model.code_errors import CodeError
from engine.model.code_requests import SyntaxRequest


def check_syntax(request: SyntaxRequest, data: bytes) -> dict[str, object]:
    """Give `ok` and `errors`: the first thing that does not fit the grammar, if there is one."""
    try:
        source = decode(request, data)
        read_script(source)
    except ParseError as error:
        return _refuse(error.message, *Lines(source.text).place(error.offset))
    except CodeError as error:
        return _refuse(error.message, error.line, error.column)
    return {"ok": True, "errors": []}


def _refuse(message: str, line: int | None, column: int | None) -> dict[str, object]:
    problem = {"by": "regular", "message": message, "line": line, "column": column}
    return {"ok": False, "errors": [problem]}
