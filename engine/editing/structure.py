"""Where the parts of a file of Python stand: what an engine finds, and what the edits that are decided here start from.

Owner: nobody; a structure is a value. The regular agent makes one from its tree, the booster's module from tokens:
the two are equal, so whatever is decided from one is, byte for byte, what is decided from the other.
"""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Final, NamedTuple


class StatementKind(IntEnum):
    """What a statement directly in the module is; the numbers are those of the module `booster.wasm`."""

    OTHER = 0
    IMPORT = 1  # import a
    FROM = 2  # from a import b
    DEFINITION = 3
    TEXT = 4  # a plain string


class Statement(NamedTuple):
    """A statement directly in the module; `a; b` are two."""

    kind: StatementKind
    start: int  # of the first decorator's @, if it has one
    end: int  # after its last character; neither newline nor comment


class Definition(NamedTuple):
    """A class or function, in the order of the source; offsets of characters into the text."""

    is_class: bool
    is_async: bool
    parent: int | None  # which definition it stands directly in
    start: int  # of the first decorator's @, else `own`
    own: int  # of `def`, `async` or `class`
    name_start: int
    name_end: int
    parameters_end: int | None  # behind the bracket; None for a class
    returns_start: int | None
    returns_end: int | None
    head_end: int  # behind the colon
    body: int  # its first statement
    doc_end: int | None  # of the docstring
    rest: int | None  # the first statement that is no docstring
    end: int  # of its last statement
    is_inline: bool  # the body stands on the line of the colon
    is_wrapped: bool  # the body is, but for the docstring, one `try`


_FLAGS: Final = {
    Definition._fields.index(name)
    for name in ("is_class", "is_async", "parent", "is_inline", "is_wrapped")
}


@dataclass(frozen=True, slots=True)
class Structure:
    """The parts of one source."""

    definitions: tuple[Definition, ...]
    statements: tuple[Statement, ...]
    strings: tuple[tuple[int, int], ...]  # those over several lines, in order; of nested ones the outermost
    indent: str  # of one level, as the file begins with; four spaces if it has none

    def name(self, text: str, row: Definition) -> str:
        """Give the last part of its name."""
        return text[row.name_start : row.name_end]

    def qualnames(self, text: str) -> list[str]:
        """Give each definition's `__qualname__`: "Outer.method.<locals>.inner"."""
        names: list[str] = []
        for row in self.definitions:
            name = self.name(text, row)
            if row.parent is not None:
                within = "." if self.definitions[row.parent].is_class else ".<locals>."
                name = f"{names[row.parent]}{within}{name}"
            names.append(name)
        return names

    def in_string(self, offset: int) -> bool:
        """Tell whether a place is inside of a string over several lines."""
        at = bisect_right(self.strings, (offset, offset)) - 1
        return at >= 0 and self.strings[at][0] < offset < self.strings[at][1]


def read_structure(answer: Mapping[str, Any], data: bytes) -> Structure:
    """Read the answer of the module's code.structure about those bytes; its offsets count bytes."""
    characters = Characters(data)
    indent = [characters.offset(at) for at in answer["indent"]]
    return Structure(
        tuple(_read_definition(row, characters) for row in answer["definitions"]),
        tuple(
            Statement(StatementKind(kind), characters.offset(start), characters.offset(end))
            for kind, start, end in answer["statements"]
        ),
        tuple((characters.offset(start), characters.offset(end)) for start, end in answer["strings"]),
        data[slice(*answer["indent"])].decode() if indent[1] else "    ",
    )


def _read_definition(row: Sequence[Any], characters: "Characters") -> Definition:
    if characters.is_ascii:
        return Definition(*row)
    values: list[Any] = [
        value if value is None or index in _FLAGS else characters.offset(value)
        for index, value in enumerate(row)
    ]
    return Definition(*values)


class Characters:
    """Turns offsets of bytes into those of characters."""

    def __init__(self, data: bytes) -> None:
        self.is_ascii = data.isascii()
        self._shifts: list[int] = []  # behind which bytes of that offset there is one character less than bytes
        if not self.is_ascii:
            self._shifts = [at for at, byte in enumerate(data) if byte & 0xC0 == 0x80]

    def offset(self, at: int) -> int:
        """Give the offset in characters."""
        return at - bisect_right(self._shifts, at - 1)


def line_start(text: str, offset: int) -> int:
    """Give where the line of an offset begins; a lone carriage return ends a line, too."""
    return max(text.rfind("\n", 0, offset), text.rfind("\r", 0, offset)) + 1


def line_end(text: str, offset: int) -> int:
    """Give where the next line begins, or the end of the text."""
    ends = [at for at in (text.find("\n", offset), text.find("\r", offset)) if at >= 0]
    if not ends:
        return len(text)
    at = min(ends)
    return at + (2 if text.startswith("\r\n", at) else 1)


def newline_of(text: str) -> str:
    """Give how the first line of a text ends; a line feed if none does."""
    at = line_end(text, 0)
    return "\r\n" if text.endswith("\r\n", 0, at) else text[at - 1] if at and text[at - 1] in "\r\n" else "\n"


def only_spaces(text: str, start: int, end: int) -> bool:
    """Tell whether there is nothing but blanks between two places of a line."""
    return not text[start:end].strip(" \t\f")
