"""What no linter checks: sizes and module docstrings."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("fleet_tui", "engine", "screens", "themes")
MODULES = [
    str(path.relative_to(ROOT)) for name in PACKAGES for path in sorted((ROOT / name).rglob("*.py"))
]
FILE_LINES_MAX = 500
FUNCTION_LINES_MAX = 50
CLASS_METHODS_MAX = 15
# Handlers that a framework calls by name are not what a class offers to others.
HANDLERS = ("_", "on_", "action_", "watch_", "validate_", "compute_", "visit_", "leave_")
# Debts by "path:name", with the size today. Lower the number when it shrinks; never raise it, never add one.
DEBTS: dict[str, int] = {}


def count_body_lines(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Return the lines of a function without its docstring."""
    assert node.end_lineno is not None
    lines = node.end_lineno - node.lineno + 1
    if ast.get_docstring(node, clean=False) is not None:
        docstring = node.body[0]
        assert docstring.end_lineno is not None
        lines -= docstring.end_lineno - docstring.lineno + 1
    return lines


def count_public_methods(node: ast.ClassDef) -> int:
    """Return how many methods a class offers to others."""
    methods = (item for item in node.body if isinstance(item, ast.FunctionDef | ast.AsyncFunctionDef))
    return sum(not method.name.startswith(HANDLERS) for method in methods)


def measure(tree: ast.Module) -> dict[str, tuple[int, int]]:
    """Return the size and the limit of every function and class, by name."""
    sizes: dict[str, tuple[int, int]] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            size, limit = count_body_lines(node), FUNCTION_LINES_MAX
        elif isinstance(node, ast.ClassDef):
            size, limit = count_public_methods(node), CLASS_METHODS_MAX
        else:
            continue
        # Two methods of one name in a module: the larger one counts.
        sizes[node.name] = max(sizes.get(node.name, (0, limit)), (size, limit))
    return sizes


@pytest.mark.parametrize("module", MODULES)
def test_module_is_tidy(module: str) -> None:
    source = (ROOT / module).read_text(encoding="utf-8")
    assert source.count("\n") <= FILE_LINES_MAX, f"{module} is longer than {FILE_LINES_MAX} lines"
    tree = ast.parse(source)
    assert ast.get_docstring(tree), f"{module}: every module says in one line what it is for"
    too_large = {
        f"{module}:{name}": size
        for name, (size, limit) in measure(tree).items()
        if size > DEBTS.get(f"{module}:{name}", limit)
    }
    assert not too_large


def test_debts_are_still_owed() -> None:
    owed = {
        f"{module}:{name}": size
        for module in {key.partition(":")[0] for key in DEBTS}
        for name, (size, limit) in measure(ast.parse((ROOT / module).read_text(encoding="utf-8"))).items()
        if size > limit
    }
    assert owed == DEBTS, "lower the numbers and drop the debts that were paid"
