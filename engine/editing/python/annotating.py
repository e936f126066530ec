"""Adding return annotations.

Owner: nobody.
"""

import ast
from collections.abc import Callable
from typing import Final

from engine.editing.edits import Edit
from engine.editing.source import Source
from engine.editing.splices import Splice
from engine.editing.structure import Structure
from engine.editing.targets import find_targets, several
from engine.model.code_errors import CodeError
from engine.model.code_requests import ReturnTypeRequest

_NOT_IN_TYPES: Final = (ast.NamedExpr, ast.Yield, ast.YieldFrom, ast.Await)


def add_return_type(
    source: Source, request: ReturnTypeRequest, read: Callable[[Source], Structure]
) -> Edit:
    """Write `-> annotation` behind the parameters of a function that has no return annotation.

    One that has another annotation keeps it; `kept` counts those. Several functions of the name are annotated
    only with `every`, classes never.
    """
    annotation = request.annotation.strip()
    _check_annotation(annotation)
    structure = read(source)
    found = [
        number
        for number in find_targets(structure, source, request.function)
        if not structure.definitions[number].is_class
    ]
    if not found:
        raise CodeError(
            "no_target", f"{request.function} is a class in {source.label}; name a function."
        )
    if len(found) > 1 and not request.every:
        remedy = "name its class, too, or give `every`"
        raise several(structure, source, request.function, found, remedy)
    splices: list[Splice] = []
    kept = 0
    for number in found:
        row = structure.definitions[number]
        assert row.parameters_end is not None, "only a class has none"
        if row.returns_start is None:
            splices.append(Splice(row.parameters_end, row.parameters_end, f" -> {annotation}"))
        elif source.text[row.returns_start : row.returns_end] != annotation:
            kept += 1
    return Edit.of(splices, count=len(splices), notes={"kept": kept})


def _check_annotation(annotation: str) -> None:
    """Raise `CodeError` (bad_parameter) for what is not one expression on one line."""
    try:
        is_right = annotation.isprintable() and "#" not in annotation
        nodes = ast.walk(ast.parse(annotation, mode="eval"))
        is_right = is_right and not any(isinstance(node, _NOT_IN_TYPES) for node in nodes)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        is_right = False
    if not is_right:
        raise CodeError(
            "bad_parameter",
            f"`annotation` must be a type on one line, such as dict[str, int], not {annotation!r:.80}.",
        )
