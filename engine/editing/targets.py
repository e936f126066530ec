"""Finding the definitions that a request names.

Owner: nobody.
"""

from collections.abc import Sequence
from typing import Protocol

from engine.editing.source import Source
from engine.model.code_errors import CodeError


class HasPlace(Protocol):
    """A definition, of whatever language."""

    @property
    def own(self) -> int:
        """Give where it begins without its decorators."""
        ...


class HasNames(Protocol):
    """A structure, of whatever language."""

    @property
    def definitions(self) -> Sequence[HasPlace]:
        """Give its definitions."""
        ...

    def qualnames(self, text: str) -> list[str]:
        """Give each definition's name with what it is in."""
        ...


def find_targets(structure: HasNames, source: Source, name: str) -> list[int]:
    """Give the numbers of the definitions called so, with or without what they are in; raise `CodeError` (no_target).

    One that is called just so goes before those whose names only end so.
    """
    names = [row.replace(".<locals>.", ".") for row in structure.qualnames(source.text)]
    found = [number for number, row in enumerate(names) if row == name]
    found = found or [number for number, row in enumerate(names) if row.endswith(f".{name}")]
    if not found:
        raise CodeError(
            "no_target",
            f"{source.label} defines no {name}; see code.outline for what it defines.",
        )
    return found


def find_target(structure: HasNames, source: Source, name: str, *, remedy: str) -> int:
    """Give the one definition called so; raise `CodeError` (no_target, ambiguous)."""
    found = find_targets(structure, source, name)
    if len(found) > 1:
        raise several(structure, source, name, found, remedy)
    return found[0]


def several(
    structure: HasNames, source: Source, name: str, found: list[int], remedy: str
) -> CodeError:
    """Say which definitions there are of a name."""
    names = structure.qualnames(source.text)
    lines = [source.text.count("\n", 0, structure.definitions[number].own) + 1 for number in found]
    places = ", ".join(
        f"{names[number]} in line {line}" for number, line in zip(found[:5], lines, strict=False)
    )
    return CodeError(
        "ambiguous",
        f"{source.label} has {len(found)} definitions of {name} ({places}); {remedy}.",
        lines[0],
    )
