"""What a new text of a definition leaves out of the old one, and where the two are not the same thing.

Owner: nobody. A snippet that abbreviates is the commonest way to lose code: it is refused.
"""

import re
from collections import Counter
from typing import Final

from engine.editing.abbreviations import abbreviates
from engine.editing.ecmascript.fragments import Fragment
from engine.editing.ecmascript.structure import Definition, Form, Kind, Structure
from engine.editing.ecmascript.wholes import (
    end_of,
    is_field,
    is_signature,
    left_of,
    prefix_of,
)
from engine.editing.source import Source
from engine.model.code_errors import CodeError

_WORDS: Final = {
    Kind.CLASS: "class",
    Kind.FUNCTION: "function",
    Kind.METHOD: "method",
    Kind.INTERFACE: "interface",
    Kind.TYPE: "type",
    Kind.ENUM: "enum",
    Kind.NAMESPACE: "namespace",
}
_HERITAGE: Final = re.compile(r"\b(extends|implements)\b")
_SIGNS: Final = re.compile(r"^\s*(?://+|/\*+|\*+(?!/))|\*+/\s*$")


def check_losses(source: Source, structure: Structure, number: int, fragment: Fragment) -> None:
    """Raise `CodeError` (ambiguous, lost_code) where the new text is something else, or leaves out what it does not speak of."""
    row, new = structure.definitions[number], fragment.row
    _check_likeness(source, row, fragment)
    check_placeholders(source, structure, number, fragment)
    if row.is_decorated and not new.is_decorated and row.start == row.own:
        raise _lost(row.name, "its decorators")
    if is_signature(fragment.source.text, new) and not is_signature(source.text, row):
        raise _lost(row.name, "its body")
    if row.rest is not None and new.body is not None and new.rest is None:
        raise _lost(row.name, "what its body does")
    _check_heritage(source, row, fragment)
    _check_members(structure, number, fragment)


def _check_likeness(source: Source, row: Definition, fragment: Fragment) -> None:
    new, text = fragment.row, fragment.source.text
    if row.kind is not new.kind:
        raise _other(row, source, f"a {_WORDS[row.kind]}", f"a {_WORDS[new.kind]}")
    if row.form is not new.form or is_field(source.text, row) != is_field(text, new):
        raise _other(row, source, "written in one way", "in another")
    if row.form is Form.ASSIGNMENT and left_of(source.text, row) != left_of(text, new):
        raise _other(row, source, left_of(source.text, row), left_of(text, new))
    before, after = prefix_of(source.text, row), prefix_of(text, new)
    if before and after and before != after:
        raise _other(row, source, f"behind `{before}`", f"behind `{after}`")


def check_placeholders(source: Source, structure: Structure, number: int, fragment: Fragment) -> None:
    """Raise `CodeError` (lost_code) for a comment that stands for code, unless the old text has it, too."""
    row = structure.definitions[number]
    old = set(_words(source.text, structure, (row.start, end_of(source.text, row))))
    for words in _words(fragment.source.text, fragment.structure, (fragment.row.start, fragment.end)):
        if words not in old and abbreviates(words):
            raise _lost(fragment.name, f"what it abbreviates by {words!r}")


def _words(text: str, structure: Structure, span: tuple[int, int]) -> list[str]:
    """List the lines of the comments in a piece of text, without their signs."""
    found = [text[start:end] for start, end in structure.comments if span[0] <= start < span[1]]
    return [words for comment in found for line in comment.splitlines() if (words := _SIGNS.sub("", _SIGNS.sub("", line)).strip())]


def _check_heritage(source: Source, row: Definition, fragment: Fragment) -> None:
    if row.kind not in (Kind.CLASS, Kind.INTERFACE):
        return
    there = set(_HERITAGE.findall(_head(source.text, row)))
    for word in there - set(_HERITAGE.findall(_head(fragment.source.text, fragment.row))):
        raise _lost(row.name, f"its `{word}`")


def _head(text: str, row: Definition) -> str:
    return text[row.inner : max(row.inner, text.find("{", row.inner))]


def _check_members(structure: Structure, number: int, fragment: Fragment) -> None:
    missing = _members(structure, number) - _members(fragment.structure, fragment.number)
    for name in missing:
        raise _lost(fragment.name, f"its member {name}" if name else "a member without a name")


def _members(structure: Structure, number: int) -> Counter[str]:
    return Counter(name for owner, name in structure.members if owner == number)


def _other(row: Definition, source: Source, here: str, there: str) -> CodeError:
    return CodeError(
        "ambiguous", f"{row.name} is {here} in {source.label}, in the edit {there}; give `place` replace and `target` if that is meant."
    )


def _lost(name: str, what: str) -> CodeError:
    return CodeError(
        "lost_code",
        f"The edit would throw away of {name} {what}; give the members alone with the class as `target`, or the whole text "
        "with `place` replace.",
    )
