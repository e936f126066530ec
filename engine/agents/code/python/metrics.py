"""The metrics of functions: length, cyclomatic complexity, nesting.

Owner: nobody.

The complexity is McCabe's, counted as radon 6.0 counts it (radon.visitors.ComplexityVisitor): 1, and

    +1  each if, elif, conditional expression, except clause, assert, `and`, `or`
    +1  each for and while, and +1 for its else
    +1  the else of a try
    +1  each `for` of a comprehension, and +1 for each of its ifs
    +1  each case of a match; if some cases are a bare name or `_`, one of them is not counted

Nothing for else of an if, finally, with, match, lambda; but what a lambda holds counts. What stands in the
condition of an assert does not count. Only the body counts: not decorators, defaults and annotations, and
not the functions and classes inside, which have figures of their own.
One difference to radon: `except*` counts as `except` (radon 6.0 overlooks it).
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

import libcst as cst

from engine.agents.code.figures import Figures, describe_figures, sum_up
from engine.agents.code.python.parsing import parse
from engine.agents.code.python.positions import Lines, Span, locate
from engine.agents.code.python.tree import children, count_parameters, find_definitions, statements
from engine.editing.source import Source
from engine.model.code_requests import MetricsRequest

_NESTING: Final = (cst.If, cst.For, cst.While, cst.Try, cst.TryStar, cst.With, cst.Match)


def measure(source: Source, _request: MetricsRequest) -> dict[str, object]:
    """Give `functions` in the order of the source, and `totals` of the file.

    `length` is end_line - line + 1, with lines as in the outline. `nesting` is the greatest number of
    if, for, while, try, with and match around one statement, within the function; an elif, else, except,
    finally or case is as deep as its first branch. Totals: the sum and the greatest of each figure.
    """
    module = parse(source)
    functions = [
        (row.qualname, row.node)
        for row in find_definitions(module)
        if isinstance(row.node, cst.FunctionDef)
    ]
    spans = locate(module, source.text, [node for _, node in functions])
    lines = Lines(source.text)
    figures = [_measure_function(node, spans[node], lines) for _, node in functions]
    return sum_up([qualname for qualname, _ in functions], figures, lines)


def _measure_function(node: cst.FunctionDef, span: Span, lines: Lines) -> Figures:
    return describe_figures(
        lines,
        (span.start, span.end),
        complexity=count_complexity(node),
        nesting=find_nesting(node),
        parameters=count_parameters(node),
    )


def count_complexity(function: cst.FunctionDef) -> int:
    """Count the cyclomatic complexity of one function, by the table above."""
    complexity = 1
    pending: list[cst.CSTNode] = [function.body]
    while pending:
        node = pending.pop()
        count = _BRANCHES.get(type(node))
        if count is not None:
            complexity += count(node)
        if not isinstance(node, _CLOSED):
            pending.extend(children(node))
    return complexity


def find_nesting(function: cst.FunctionDef) -> int:
    """Find how deep the statements of one function nest."""
    deepest = 0
    pending: list[tuple[cst.CSTNode, int]] = [(function.body, 0)]
    while pending:
        node, depth = pending.pop()
        deepest = max(deepest, depth)
        for child in statements(node):
            is_elif = isinstance(node, cst.If) and child is node.orelse
            if not isinstance(child, _DEFINITIONS):
                pending.append((child, depth + (isinstance(child, _NESTING) and not is_elif)))
    return deepest


def _count_cases(match: cst.Match) -> int:
    bare = any(
        isinstance(case.pattern, cst.MatchAs) and case.pattern.pattern is None
        for case in match.cases
    )
    return len(match.cases) - bare


# Any: each row takes the kind of node that it stands for.
_BRANCHES: Final[Mapping[type[cst.CSTNode], Callable[[Any], int]]] = MappingProxyType(
    {
        cst.If: lambda _: 1,
        cst.IfExp: lambda _: 1,
        cst.BooleanOperation: lambda _: 1,
        cst.Assert: lambda _: 1,
        cst.ExceptHandler: lambda _: 1,
        cst.ExceptStarHandler: lambda _: 1,
        cst.For: lambda node: 1 + bool(node.orelse),
        cst.While: lambda node: 1 + bool(node.orelse),
        cst.Try: lambda node: int(bool(node.orelse)),
        cst.TryStar: lambda node: int(bool(node.orelse)),
        cst.CompFor: lambda node: 1 + len(node.ifs),
        cst.Match: _count_cases,
    }
)
_DEFINITIONS: Final = (cst.FunctionDef, cst.ClassDef)
_CLOSED: Final = (*_DEFINITIONS, cst.Assert)
