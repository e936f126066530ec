"""A snippet in its parts: its definitions, each with the comments above it, and its imports.

Owner: nobody; a snippet is a value.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from engine.editing.ecmascript.importing import Import, is_import, read_import
from engine.editing.ecmascript.structure import Definition, Form, Structure
from engine.editing.ecmascript.wholes import end_of, line_of, tail_of
from engine.editing.indenting import dedent, indent, lines_of
from engine.editing.source import Source
from engine.editing.structure import line_start
from engine.model.code_errors import CodeError, HandedOn
from engine.model.code_requests import LANGUAGE_NAMES

_NEWLINE: Final = re.compile(r"\r\n?|\n")
_FIRST_LINE: Final = re.compile(r"\s*^([ \t]*)\S", re.MULTILINE)
_CLASS: Final = "class _ {"


@dataclass(frozen=True, slots=True)
class Fragment:
    """One definition of a snippet."""

    source: Source
    structure: Structure
    number: int  # of the definition
    end: int  # with its semicolon, and comments behind it on its line
    comments: tuple[str, ...]  # above it, line by line

    @property
    def row(self) -> Definition:
        """Give what was found of it."""
        return self.structure.definitions[self.number]

    @property
    def name(self) -> str:
        """Give its name."""
        return self.row.name

    @property
    def is_member(self) -> bool:
        """Is it one of a class?"""
        return self.row.form is Form.MEMBER

    @property
    def is_decorated(self) -> bool:
        """Has it decorators?"""
        return self.row.is_decorated

    @property
    def has_tail(self) -> bool:
        """Is there a comment behind it?"""
        return self.end > end_of(self.source.text, self.row)

    def above(self, margin: str, newline: str) -> str:
        """Give the comments above it, as lines."""
        return "".join(f"{margin}{line}{newline}" for line in self.comments)

    def text(self, margin: str) -> str:
        """Give it at another depth, from the margin of its first line to its end."""
        return indent(self.structure, self.source.text, (self.row.start, self.end), margin)


@dataclass(frozen=True, slots=True)
class Snippet:
    """What an edit consists of."""

    fragments: tuple[Fragment, ...]
    imports: tuple[tuple[Import, str], ...]  # each with its text, comments behind it included
    twice: int  # names that it declares twice, and the like


@dataclass(frozen=True, slots=True)
class _Text:
    """A snippet as it was read: by itself, or as the body of a class."""

    source: Source
    structure: Structure
    start: int
    end: int
    is_body: bool


def read_snippet(
    edit: str, source: Source, newline: str, read: Callable[[Source], Structure], *, prefers_members: bool
) -> Snippet:
    """Read an edit, wherever its margin is: as statements, or as members of a class.

    Raises `CodeError` (bad_parameter) for what is no whole definition or import, (ambiguous) for two of one name.
    """
    text = _read(_NEWLINE.sub(newline, edit), source, newline, read, prefers_members=prefers_members)
    snippet = _list_members(text) if text.is_body else _list_statements(text)
    if not snippet.fragments and not snippet.imports:
        raise CodeError("bad_parameter", "`edit` has neither a definition nor an import.")
    for fragment in snippet.fragments:
        own = [other for other in snippet.fragments if _is_same(other, fragment)]
        if len(own) > 1:
            raise CodeError(
                "ambiguous", f"The edit defines {fragment.name} more than once; give them one by one, with `place` and `target`."
            )
    return snippet


def _is_same(one: Fragment, other: Fragment) -> bool:
    if one.name != other.name:
        return False
    return not one.is_member or _accessor(one) == _accessor(other)


def _accessor(fragment: Fragment) -> str:
    found = re.match(r"(?:static\s+)?(get|set)\s+[\w$#\['\"]", fragment.source.text[fragment.row.own :])
    return found[1] if found else ""


def _read(
    text: str, source: Source, newline: str, read: Callable[[Source], Structure], *, prefers_members: bool
) -> _Text:
    errors: list[CodeError | HandedOn] = []
    for is_body in (prefers_members, not prefers_members):
        try:
            return _read_at_margin(text, source, newline, read, is_body=is_body)
        except (CodeError, HandedOn) as error:
            errors.append(error)
    first = errors[prefers_members]  # what is said of it as statements
    if isinstance(first, HandedOn):
        raise first
    raise CodeError("bad_parameter", f"`edit` is no whole piece of {LANGUAGE_NAMES[source.language]}: {first.message}") from first


def _read_at_margin(
    text: str, source: Source, newline: str, read: Callable[[Source], Structure], *, is_body: bool
) -> _Text:
    found = _read_as(text, source, newline, read, is_body=is_body)
    margin = _FIRST_LINE.match(text)
    if not margin or not margin[1]:
        return found
    moved = dedent(found.structure, found.source.text, (found.start, found.end), margin[1])
    return _read_as(moved, source, newline, read, is_body=is_body)


def _read_as(
    text: str, source: Source, newline: str, read: Callable[[Source], Structure], *, is_body: bool
) -> _Text:
    head = f"{_CLASS}{newline}" if is_body else ""
    whole = f"{head}{text}{newline}}}{newline}" if is_body else text
    try:
        told = replace(source, path=None, data=whole.encode(), encoding="utf-8", text=whole)
    except UnicodeEncodeError as error:
        raise CodeError("bad_parameter", "`edit` has lone surrogates; give text that UTF-8 can carry.") from error
    structure = read(told)
    if is_body and (len(structure.statements) != 1 or not structure.definitions or structure.definitions[0].name != "_"):
        raise CodeError("bad_parameter", "`edit` closes more braces than it opens.")
    return _Text(told, structure, len(head), len(head) + len(text), is_body)


def _list_statements(text: _Text) -> Snippet:
    source, structure = text.source, text.structure
    fragments: list[Fragment] = []
    imports: list[tuple[Import, str]] = []
    tops = {row.start: number for number, row in enumerate(structure.definitions) if row.parent is None and row.form is not Form.INSIDE}
    last = 0
    for row in structure.statements:
        comments = _comments(text, last, row.start, may_stand=not is_import(row))
        if is_import(row):
            last = _end_of_line(text, row.end)
            imports.append((read_import(source, structure, row), source.text[row.start : last]))
            continue
        number = tops.get(row.start)
        if number is None:
            if row.end - row.start == 1:  # a lone semicolon
                continue
            raise _bad("`edit` may hold whole definitions and imports only", source, row.start)
        last = _end_of_line(text, end_of(source.text, structure.definitions[number]))
        fragments.append(Fragment(source, structure, number, last, comments))
    _comments(text, last, text.end, may_stand=False)
    return Snippet(tuple(fragments), tuple(imports), structure.twice)


def _list_members(text: _Text) -> Snippet:
    source, structure = text.source, text.structure
    rows = [(number, row) for number, row in enumerate(structure.definitions) if row.parent == 0 and row.form is Form.MEMBER]
    if len(rows) != sum(owner == 0 for owner, _ in structure.members):
        raise CodeError("bad_parameter", "`edit` may hold whole definitions only, of a class its methods and functions.")
    fragments: list[Fragment] = []
    last = text.start
    for number, row in rows:
        comments = _comments(text, last, row.start, may_stand=True)
        last = _end_of_line(text, end_of(source.text, row))
        fragments.append(Fragment(source, structure, number, last, comments))
    _comments(text, last, text.end, may_stand=False)
    return Snippet(tuple(fragments), (), structure.twice)


def _end_of_line(text: _Text, end: int) -> int:
    tail = tail_of(text.structure, text.source.text, end)
    if tail is None:
        raise _bad("Something stands in `edit` behind a definition or import on its line", text.source, end)
    return tail


def _comments(text: _Text, start: int, end: int, *, may_stand: bool) -> tuple[str, ...]:
    """List the lines of the comments between two statements, without their margin and without empty lines between them."""
    found = [row for row in text.structure.comments if start <= row[0] < end]
    if found and not may_stand:
        raise _bad("A comment in `edit` belongs to no definition", text.source, found[0][0])
    lines: list[str] = []
    for comment in found:
        span = (line_start(text.source.text, comment[0]), comment[1])
        margin = text.source.text[span[0] : comment[0]]
        lines += (line.rstrip().removeprefix(margin) for _, line in lines_of(text.source.text, span))
    return tuple(lines)


def _bad(why: str, source: Source, at: int) -> CodeError:
    line = line_of(source, at) - source.text.startswith(_CLASS)
    return CodeError("bad_parameter", f"{why} (its line {line}); leave out the rest, or put it on lines of its own.")
