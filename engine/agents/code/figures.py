"""The answer of code.metrics, from what was counted of each function.

Owner: nobody.
"""

from collections.abc import Sequence

from engine.agents.code.lines import TextLines

Figures = dict[str, int]


def describe_figures(
    lines: TextLines, span: tuple[int, int], *, complexity: int, nesting: int, parameters: int
) -> Figures:
    """Give the figures of a function that stands from one offset to another."""
    line, end_line = map(lines.line, span)
    return {
        "line": line,
        "end_line": end_line,
        "length": end_line - line + 1,
        "complexity": complexity,
        "nesting": nesting,
        "parameters": parameters,
    }


def sum_up(qualnames: Sequence[str], figures: Sequence[Figures], lines: TextLines) -> dict[str, object]:
    """Give `functions` and `totals`: the sum and the greatest of each figure."""
    totals = {"functions": len(figures), "lines": lines.count}
    totals["complexity"] = sum(row["complexity"] for row in figures)
    for figure in ("length", "complexity", "nesting", "parameters"):
        totals[f"{figure}_max"] = max((row[figure] for row in figures), default=0)
    rows = [{"qualname": name, **row} for name, row in zip(qualnames, figures, strict=True)]
    return {"functions": rows, "totals": totals}
