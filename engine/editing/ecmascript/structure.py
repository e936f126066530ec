"""Where the parts of a script stand: what an engine finds, and what the edits that are decided here start from.

Owner: nobody; a structure is a value. The regular agent makes one from its tree, the booster's module from another: the
two are equal, so whatever is decided from one is, byte for byte, what is decided from the other.
"""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Final, NamedTuple

from engine.editing.structure import Characters, Statement, StatementKind


class Kind(IntEnum):
    """What a definition is; the numbers are those of the module `booster.wasm`."""

    CLASS = 0
    FUNCTION = 1
    METHOD = 2  # also a function as the value of a field or a property
    INTERFACE = 3
    TYPE = 4
    ENUM = 5
    NAMESPACE = 6


class Form(IntEnum):
    """How a definition is written; the numbers are those of the module."""

    INSIDE = 0  # in an expression: no statement by itself
    DECLARATION = 1  # also the value of `export default`
    VARIABLE = 2  # the only one of its `const`
    ASSIGNMENT = 3  # exports.name = function () {...}
    MEMBER = 4  # of a class


class Definition(NamedTuple):
    """What has a name and is a function, a class or a type, in the order of the source; offsets of characters."""

    kind: Kind
    form: Form
    name: str
    parent: int | None  # which definition it stands in
    is_decorated: bool
    is_wrapped: bool  # its body is, but for directives, one `try`
    start: int  # of the statement or member, with its decorators
    own: int  # without those that stand before it
    inner: int  # without `export` and `declare`
    end: int  # of the statement or member; whether with its semicolon is not said
    body: int | None  # of a function's brace
    body_end: int | None
    rest: int | None  # the first statement in there that is no directive
    parameters_end: int | None  # behind the bracket
    returns_start: int | None  # the type alone
    returns_end: int | None

    @property
    def is_function(self) -> bool:
        """Has it parameters?"""
        return self.kind in (Kind.FUNCTION, Kind.METHOD)


_OFFSETS: Final = range(Definition._fields.index("start"), len(Definition._fields))


@dataclass(frozen=True, slots=True)
class Structure:
    """The parts of one source."""

    definitions: tuple[Definition, ...]
    members: tuple[tuple[int, str], ...]  # of classes, interfaces and enumerations: of which definition, and the name
    statements: tuple[Statement, ...]  # directly in the file
    comments: tuple[tuple[int, int], ...]  # in order
    strings: tuple[tuple[int, int], ...]  # those over several lines, in order; of nested ones the outermost
    twice: int  # names that are declared again where that is an error

    def name(self, _text: str, row: Definition) -> str:
        """Give the last part of its name."""
        return row.name

    def qualnames(self, _text: str) -> list[str]:
        """Give each definition's name with those of what it is in, with dots between."""
        names: list[str] = []
        for row in self.definitions:
            names.append(row.name if row.parent is None else f"{names[row.parent]}.{row.name}")
        return names

    def in_string(self, offset: int) -> bool:
        """Tell whether a place is inside of a string over several lines."""
        return _is_inside(self.strings, offset)

    def in_comment(self, offset: int) -> bool:
        """Tell whether a place is inside of a comment."""
        return _is_inside(self.comments, offset)


def _is_inside(spans: Sequence[tuple[int, int]], offset: int) -> bool:
    at = bisect_right(spans, (offset, offset)) - 1
    return at >= 0 and spans[at][0] < offset < spans[at][1]


def read_structure(answer: Mapping[str, Any], data: bytes) -> Structure:
    """Read the answer of the module's code.structure about those bytes; its offsets count bytes."""
    characters = Characters(data)

    def spans(rows: Sequence[Sequence[int]]) -> tuple[tuple[int, int], ...]:
        return tuple((characters.offset(start), characters.offset(end)) for start, end in rows)

    return Structure(
        tuple(_read_definition(row, characters) for row in answer["definitions"]),
        tuple((number, name) for number, name in answer["members"]),
        tuple(
            Statement(StatementKind(kind), characters.offset(start), characters.offset(end))
            for kind, start, end in answer["statements"]
        ),
        spans(answer["comments"]),
        spans(answer["strings"]),
        answer["twice"],
    )


def _read_definition(row: Sequence[Any], characters: Characters) -> Definition:
    kind, form, *values = row
    if not characters.is_ascii:
        shifted = _OFFSETS.start - 2
        values[shifted:] = [None if value is None else characters.offset(value) for value in values[shifted:]]
    return Definition(Kind(kind), Form(form), *values)
