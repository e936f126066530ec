"""No approved picture outlives its test; those of `matrix/` are held together by `test_matrix`."""

from __future__ import annotations

import ast
from pathlib import Path

from tests.ui.conftest import SNAPSHOTS

TESTS = Path(__file__).parents[1]
MATRIX = SNAPSHOTS / "matrix"


def find_test_names(module: str) -> set[str]:
    """Return the names of the tests in the modules of that name."""
    trees = (ast.parse(path.read_text("utf-8")) for path in TESTS.rglob(f"{module}.py"))
    functions = (node for tree in trees for node in ast.walk(tree))
    return {
        node.name for node in functions if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }


def test_every_picture_belongs_to_a_test() -> None:
    pictures = [path for path in SNAPSHOTS.rglob("*.*") if not path.name.startswith(".") and path.parent != MATRIX]
    assert pictures
    forgotten = [
        str(path.relative_to(SNAPSHOTS))
        for path in pictures
        if not any(path.name.startswith(name) for name in find_test_names(path.parent.name))
    ]
    assert forgotten == []


def test_every_picture_has_its_text() -> None:
    svgs = {path.with_suffix("") for path in SNAPSHOTS.rglob("*.svg") if ".new." not in path.name}
    texts = {path.with_suffix("") for path in SNAPSHOTS.rglob("*.txt") if path.parent != MATRIX}
    assert svgs == texts
