"""Adding return annotations to TypeScript.

Owner: nobody.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Final

from engine.editing.ecmascript.structure import Definition, Structure
from engine.editing.ecmascript.wholes import key_of, line_of
from engine.editing.edits import Edit
from engine.editing.source import Source
from engine.editing.splices import Splice
from engine.editing.targets import find_targets, several
from engine.model.code_errors import CodeError
from engine.model.code_requests import ReturnTypeRequest

_HEAD: Final = "function _(): "
_TAIL: Final = " {}\n"


def add_return_type(
    source: Source, request: ReturnTypeRequest, read: Callable[[Source], Structure]
) -> Edit:
    """Write `: annotation` behind the parameters of a function that has no return annotation.

    One that has another annotation keeps it; `kept` counts those. Several functions of the name are annotated
    only with `every`; classes, constructors and setters never.
    """
    annotation = request.annotation.strip()
    _check_annotation(source, annotation, read)
    structure = read(source)
    rows = structure.definitions
    found = [number for number in find_targets(structure, source, request.function) if rows[number].is_function]
    found = [number for number in found if _may_return(source.text, rows[number])]
    if not found:
        raise CodeError(
            "no_target", f"{request.function} is no function of {source.label} that gives something back; name one that does."
        )
    if len(found) > 1 and not request.every:
        raise several(structure, source, request.function, found, "name its class, too, or give `every`")
    splices: list[Splice] = []
    kept = 0
    for row in (rows[number] for number in found):
        if row.returns_start is not None:
            kept += source.text[row.returns_start : row.returns_end] != annotation
            continue
        if row.parameters_end is None:
            raise CodeError(
                "unsupported", f"{row.name} has a parameter without brackets; put it in brackets first.", line_of(source, row.start)
            )
        splices.append(Splice(row.parameters_end, row.parameters_end, f": {annotation}"))
    return Edit.of(splices, count=len(splices), notes={"kept": kept})


def _may_return(text: str, row: Definition) -> bool:
    return row.name != "constructor" and key_of(text, row).accessor != "set"


def _check_annotation(source: Source, annotation: str, read: Callable[[Source], Structure]) -> None:
    """Raise `CodeError` (bad_parameter) for what is not one type on one line."""
    text = f"{_HEAD}{annotation}{_TAIL}"
    is_right = annotation.isprintable()
    if is_right:
        try:
            found = read(replace(source, path=None, data=text.encode(), encoding="utf-8", text=text))
            row = found.definitions[0]
            is_right = (row.returns_start, row.returns_end) == (len(_HEAD), len(_HEAD) + len(annotation))
            is_right = is_right and (len(found.definitions), len(found.comments)) == (1, 0)
        except (CodeError, UnicodeEncodeError):
            is_right = False
    if not is_right:
        raise CodeError(
            "bad_parameter",
            f"`annotation` must be a type on one line, such as Map<string, number>, not {annotation!r:.80}.",
        )
