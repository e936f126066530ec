"""Definitions as whole statements and members: where they end, what stands before them, what their words say.

Owner: nobody.
"""

import re
from typing import Final, NamedTuple

from engine.editing.ecmascript.structure import Definition, Form, Kind, Structure
from engine.editing.source import Source
from engine.editing.structure import line_end, line_start, only_spaces
from engine.model.code_errors import CodeError

_MODIFIERS: Final = re.compile(
    r"(?:(?:static|get|set|async|public|private|protected|readonly|override|abstract|declare|accessor)\s+)*"
)
_LEFT: Final = re.compile(r"[^=]*")
_SPACE: Final = re.compile(r"[ \t]*")


class Key(NamedTuple):
    """What tells members of one name apart."""

    is_static: bool
    accessor: str  # "get", "set" or nothing


def end_of(text: str, row: Definition) -> int:
    """Give where a definition ends, with its semicolon."""
    at = _SPACE.match(text, row.end)
    return at.end() + 1 if at and text[row.end - 1] != ";" and text.startswith(";", at.end()) else row.end


def tail_of(structure: Structure, text: str, end: int) -> int | None:
    """Give where the comments end that stand behind a place on its line; None if something else stands there."""
    at, stop = end, line_end(text, end)
    while True:
        while at < stop and text[at] in " \t\f\r\n":
            at += 1
        if at >= stop:
            return len(text[:stop].rstrip()) if text[end:stop].strip() else end
        behind = next((last for start, last in structure.comments if start == at), None)
        if behind is None:
            return None
        if behind >= stop:  # one that ends its line, or goes on below
            return behind if text[at : at + 2] == "//" else None
        at = behind


def margin_of(source: Source, row: Definition) -> str:
    """Give the blanks before a definition; raise `CodeError` (unsupported) where something else stands there."""
    at = line_start(source.text, row.start)
    if not only_spaces(source.text, at, row.start):
        raise CodeError("unsupported", f"{row.name} does not begin its line.", line_of(source, row.start))
    return source.text[at : row.start]


def line_of(source: Source, at: int) -> int:
    """Give the line of a place, from 1."""
    return source.text.count("\n", 0, at) + 1


def above(structure: Structure, text: str, start: int) -> list[tuple[int, int]]:
    """List the comments that stand directly above the line of a place, on lines of their own, in order."""
    found: list[tuple[int, int]] = []
    at = line_start(text, start)
    for begin, end in reversed([row for row in structure.comments if row[1] <= at]):
        line = line_start(text, begin)
        is_next = only_spaces(text, end, at - (2 if text.endswith("\r\n", 0, at) else 1)) and end < at
        if not is_next or line_end(text, end) != at or not only_spaces(text, line, begin):
            break
        found.insert(0, (begin, end))
        at = line
    return found


def top_of(structure: Structure, text: str, start: int) -> int:
    """Give the beginning of the line of a place, or of the comments directly above."""
    found = above(structure, text, start)
    return line_start(text, found[0][0] if found else start)


def is_doc(text: str, comment: tuple[int, int]) -> bool:
    """Tell whether a comment is one for readers of documentation."""
    return text.startswith("/**", comment[0]) and comment[1] - comment[0] > 4


def prefix_of(text: str, row: Definition) -> str:
    """Give the words before a declaration: "export", "export default", "declare"; nothing if there are none."""
    return " ".join(text[row.own : row.inner].split())


def key_of(text: str, row: Definition) -> Key:
    """Give what tells a member apart from others of its name."""
    words = _modifiers(text, row)
    return Key("static" in words, next((word for word in ("get", "set") if word in words), ""))


def _modifiers(text: str, row: Definition) -> list[str]:
    found = _MODIFIERS.match(text, row.own) if row.kind is Kind.METHOD else None
    return found[0].split() if found else []


def left_of(text: str, row: Definition) -> str:
    """Give what an assignment is to, without blanks."""
    found = _LEFT.match(text, row.inner)
    return "".join(found[0].split()) if found else ""


def is_field(text: str, row: Definition) -> bool:
    """Is it a function as the value of a field, and no method?"""
    return row.form is Form.MEMBER and not is_signature(text, row) and (row.body is None or "=" in _between(text, row))


def _between(text: str, row: Definition) -> str:
    """Give what stands before the parameters; an arrow function without brackets has none."""
    end = row.parameters_end if row.parameters_end is not None else row.end
    head = text[row.own : end]
    return head[: head.find("(")] if "(" in head else head


def is_signature(text: str, row: Definition) -> bool:
    """Is it a function without a body?"""
    if not row.is_function or row.body is not None or row.parameters_end is None:
        return False
    return not text[max(row.parameters_end, row.returns_end or 0) :].lstrip().startswith("=>")


def is_method(structure: Structure, row: Definition) -> bool:
    """Is it a member of a class?"""
    return row.form is Form.MEMBER and row.parent is not None and structure.definitions[row.parent].kind is Kind.CLASS


def unit_of(structure: Structure, text: str) -> str:
    """Give one level of indentation, as the file begins with; two blanks if it has none."""
    for found in re.finditer(r"(?m)^([ \t]+)\S", text):
        if not structure.in_string(found.start()) and not structure.in_comment(found.start(1) + len(found[1])):
            return found[1]
    return "  "
