"""The metrics of functions: length, cyclomatic complexity, nesting, parameters.

Owner: nobody.

The complexity is McCabe's: 1, and

    +1  each if, `? :`, &&, ||, ??, &&=, ||=, ??=
    +1  each for, for in, for of, while, do
    +1  each case of a switch, but not its default
    +1  each catch

Parameters and body count, also what functions without a name hold in there; not decorators and computed names, and
not the definitions and classes inside.
"""

from typing import Final

from engine.agents.code.ecmascript.definitions import Definition, Definitions
from engine.agents.code.ecmascript.parsing import Lines, parse
from engine.agents.code.ecmascript.tree import Node
from engine.agents.code.figures import describe_figures, sum_up
from engine.editing.source import Source
from engine.model.code_requests import MetricsRequest

_BRANCHES: Final = frozenset(
    {"If", "Conditional", "Logical", "For", "ForIn", "ForOf", "While", "DoWhile", "Catch"}
)
_NESTING: Final = frozenset(
    {"If", "For", "ForIn", "ForOf", "While", "DoWhile", "With", "Switch", "Try"}
)
_LOGICAL_ASSIGNMENTS: Final = frozenset({"&&=", "||=", "??="})


class _Figures:
    """What is counted of one function."""

    def __init__(self) -> None:
        self.complexity = 1
        self.nesting = 0


def measure(source: Source, _request: MetricsRequest) -> dict[str, object]:
    """Give `functions` in the order of the source, and `totals` of the file; those without a body are left out."""
    script = parse(source)
    functions = [
        row for row in Definitions(script).rows if row.is_function and row.node.node("body") is not None
    ]
    figures = _count(script.root, functions)
    lines = Lines(source.text)
    rows = [
        describe_figures(
            lines,
            (row.start, row.end),
            complexity=figures[row.node].complexity,
            nesting=figures[row.node].nesting,
            parameters=len(row.parameters),
        )
        for row in functions
    ]
    return sum_up([row.qualname for row in functions], rows, lines)


def _count(root: Node, functions: list[Definition]) -> dict[Node, _Figures]:
    found = {row.node: _Figures() for row in functions}
    pending: list[tuple[Node, _Figures | None, int]] = [(root, None, 0)]
    while pending:
        node, counted, depth = pending.pop()
        if counted is not None:
            counted.complexity += _weigh(node)
            counted.nesting = max(counted.nesting, depth)
        for child in node.children():
            inner, inner_depth = counted, depth
            if node.kind == "Class":
                inner, inner_depth = None, 0
            elif node in found and child.kind != "Decorator" and child is not node.parts.get("key"):
                inner, inner_depth = found[node], 0
            is_else_if = node.kind == "If" and child is node.parts["other"]
            nests = child.kind in _NESTING and not (is_else_if and child.kind == "If")
            pending.append((child, inner, inner_depth + nests))
    return found


def _weigh(node: Node) -> int:
    if node.kind in _BRANCHES:
        return 1
    if node.kind == "Case":
        return int(node.has("test"))
    return int(node.kind == "Assign" and node.text("operator") in _LOGICAL_ASSIGNMENTS)
