"""What a new text of a definition leaves out of the old one.

Owner: nobody. A snippet that abbreviates is the commonest way to lose code: it is refused.
"""

from collections.abc import Iterator

from engine.editing.abbreviations import abbreviates
from engine.editing.indenting import lines_of
from engine.editing.python.fragments import Fragment, written
from engine.editing.source import Source
from engine.editing.structure import Structure
from engine.model.code_errors import CodeError


def check_losses(source: Source, structure: Structure, number: int, fragment: Fragment) -> None:
    """Raise `CodeError` (ambiguous, lost_code) where the new text leaves out what it does not speak of."""
    row = structure.definitions[number]
    if row.is_class != fragment.is_class:
        raise CodeError(
            "ambiguous",
            f"{fragment.name} is a {'class' if row.is_class else 'function'} in {source.label}, in the edit it is none; "
            "give `place` and `target`.",
        )
    check_placeholders(source, structure, number, fragment)
    if _is_stub(fragment.source, fragment.structure, fragment.number) and not _is_stub(source, structure, number):
        raise _lost(fragment.name, "its body, for which the edit has `...`")
    if row.is_class:
        _check_members(source, structure, number, fragment)


def check_placeholders(source: Source, structure: Structure, number: int, fragment: Fragment) -> None:
    """Raise `CodeError` (lost_code) for a comment that stands for code, unless the old text has it, too."""
    row = structure.definitions[number]
    old = {line.strip() for _, line in lines_of(source.text, (row.start, written(structure, source.text, row)))}
    for at, line in lines_of(fragment.source.text, (fragment.row.start, fragment.end)):
        if fragment.structure.in_string(at) or line.strip() in old:
            continue
        if line.lstrip().startswith("#") and abbreviates(line.strip().lstrip("#")):
            raise _lost(fragment.name, f"what it abbreviates by {line.strip()!r}")


def _is_stub(source: Source, structure: Structure, number: int) -> bool:
    row = structure.definitions[number]
    return row.rest is not None and source.text[row.rest : row.end] == "..."


def _check_members(source: Source, structure: Structure, number: int, fragment: Fragment) -> None:
    there = {name for name, _ in _members(fragment.structure, fragment.source.text, fragment.number)}
    for name, _ in _members(structure, source.text, number):
        if name not in there:
            raise _lost(fragment.name, f"its member {name}")
    kept = set(_other_lines(fragment.structure, fragment.source.text, fragment.number))
    for line in _other_lines(structure, source.text, number):
        if line not in kept:
            raise _lost(fragment.name, f"its line {line!r:.80}")


def _members(structure: Structure, text: str, number: int) -> Iterator[tuple[str, tuple[int, int]]]:
    for row in structure.definitions[number + 1 :]:
        if row.parent == number:
            yield structure.name(text, row), (row.start, row.end)


def _other_lines(structure: Structure, text: str, number: int) -> Iterator[str]:
    """Go through the lines of a class that are in none of its members; its docstring and comments do not count."""
    row = structure.definitions[number]
    if row.rest is None:
        return
    covered = [span for _, span in _members(structure, text, number)]
    for at, line in lines_of(text, (row.rest, row.end)):
        middle = at + len(line) - len(line.lstrip())
        bare = line.strip()
        is_covered = any(start <= middle < end for start, end in covered)
        if bare and not is_covered and not (bare.startswith("#") and not structure.in_string(at)) and bare != "pass":
            yield bare


def _lost(name: str, what: str) -> CodeError:
    return CodeError(
        "lost_code",
        f"The edit would throw away of {name} {what}; give the members alone with the class as `target`, or the whole text "
        "with `place` replace.",
    )
