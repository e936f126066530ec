"""The outline of a file: its classes, functions and methods.

Owner: nobody.
"""

import libcst as cst

from engine.agents.code.python.parsing import parse
from engine.agents.code.python.positions import Lines, locate
from engine.agents.code.python.tree import count_parameters, find_definitions, has_docstring
from engine.editing.source import Source
from engine.model.code_requests import OutlineRequest


def outline(source: Source, _request: OutlineRequest) -> dict[str, object]:
    """Give `definitions` in the order of the source, and `totals` of functions, classes and lines.

    A definition starts in the line of its `def`, `async` or `class`, not of its decorators, and ends
    in the line of its last statement; comments after that are not part of it. `decorators` are the texts
    after the @. `parameters` is a number, null for a class. Methods count as functions in the totals.
    """
    module = parse(source)
    definitions = find_definitions(module)
    decorators = [decorator for row in definitions for decorator in row.node.decorators]
    spans = locate(module, source.text, [*(row.node for row in definitions), *decorators])
    lines = Lines(source.text)

    def decorator_text(decorator: cst.Decorator) -> str:
        span = spans[decorator]
        return source.text[span.start + 1 : span.end].strip()

    rows: list[dict[str, object]] = [
        {
            "kind": row.kind,
            "name": row.node.name.value,
            "qualname": row.qualname,
            "line": lines.line(spans[row.node].start),
            "end_line": lines.line(spans[row.node].end),
            "parameters": count_parameters(row.node)
            if isinstance(row.node, cst.FunctionDef)
            else None,
            "decorators": [decorator_text(decorator) for decorator in row.node.decorators],
            "docstring": has_docstring(row.node),
        }
        for row in definitions
    ]
    classes = sum(row.kind == "class" for row in definitions)
    totals = {"functions": len(rows) - classes, "classes": classes, "lines": lines.count}
    return {"definitions": rows, "totals": totals}
