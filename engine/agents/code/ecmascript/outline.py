"""The outline of a file: its classes, functions, methods and types.

Owner: nobody.
"""

from engine.agents.code.ecmascript.definitions import Definition, Definitions
from engine.agents.code.ecmascript.parsing import Lines, parse
from engine.editing.source import Source
from engine.model.code_requests import OutlineRequest


def outline(source: Source, _request: OutlineRequest) -> dict[str, object]:
    """Give `definitions` in the order of the source, and `totals` of functions, classes and lines.

    What a definition is and where it begins stands in docs/code-operations.md.
    """
    script = parse(source)
    definitions = Definitions(script)
    lines = Lines(source.text)

    def describe(row: Definition) -> dict[str, object]:
        return {
            "kind": row.kind,
            "name": row.name,
            "qualname": row.qualname,
            "line": lines.line(row.start),
            "end_line": lines.line(row.end),
            "parameters": len(row.parameters) if row.is_function else None,
            "decorators": [source.text[node.start + 1 : node.end].strip() for node in row.decorators],
            "docstring": definitions.has_docstring(row),
        }

    rows = [describe(row) for row in definitions.rows]
    functions = sum(row.is_function for row in definitions.rows)
    classes = sum(row.kind == "class" for row in definitions.rows)
    totals = {"functions": functions, "classes": classes, "lines": lines.count}
    return {"definitions": rows, "totals": totals}
