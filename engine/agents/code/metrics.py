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

from engine.agents.code.operations import Request
from engine.agents.code.parsing import parse
from engine.agents.code.positions import Lines, Span, locate
from engine.agents.code.source import Source
from engine.agents.code.tree import Definition, children, count_parameters, find_definitions, statements

_NESTING: Final = (cst.If, cst.For, cst.While, cst.Try, cst.TryStar, cst.With, cst.Match)


def measure(source: Source, _request: Request) -> dict[str, object]:
    """Give `functions` in the order of the source, and `totals` of the file.

    `length` is end_line - line + 1, with lines as in the outline. `nesting` is the greatest number of
    if, for, while, try, with and match around one statement, within the function; an elif, else, except,
    finally or case is as deep as its first branch. Totals: the sum and the greatest of each figure.
    """
    module = parse(source)
    functions = [row for row in find_definitions(module) if isinstance(row.node, cst.FunctionDef)]
    spans = locate(module, source.text, [row.node for row in functions])
    lines = Lines(source.text)
    rows = [_measure_function(row, spans[row.node], lines) for row in functions]
    totals: dict[str, object] = {"functions": len(rows), "lines": lines.count}
    for figure in ("length", "complexity", "nesting", "parameters"):
        values = [row[figure] for row in rows]
        totals[figure] = sum(values)
        totals[f"{figure}_max"] = max(values, default=0)
    return {"functions": rows, "totals": totals}
