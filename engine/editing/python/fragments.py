"""A snippet in its parts: its definitions, each with the comments above it, and its imports.

Owner: nobody; a snippet is a value.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from engine.editing.indenting import dedent, indent, lines_of
from engine.editing.python.importing import Import, is_import, read_import
from engine.editing.source import Source
from engine.editing.structure import (
    Definition,
    StatementKind,
    Structure,
    line_end,
    line_start,
)
from engine.model.code_errors import CodeError

_NEWLINE: Final = re.compile(r"\r\n?|\n")
_FIRST_LINE: Final = re.compile(r"\s*^([ \t]*)\S", re.MULTILINE)
_RECEIVER: Final = re.compile(r"\(\s*(self|cls)\b")
_OF_CLASS: Final = re.compile(r"@\s*(staticmethod|classmethod|property|\w+\.setter)\b")


@dataclass(frozen=True, slots=True)
class Fragment:
    """One definition of a snippet."""

    source: Source
    structure: Structure
    number: int  # of the definition
    end: int  # of what belongs to it: comments in its body and behind its last line, too
    comments: tuple[str, ...]  # above it, line by line

    @property
    def row(self) -> Definition:
        """Give what was found of it."""
        return self.structure.definitions[self.number]

    @property
    def name(self) -> str:
        """Give its name."""
        return self.structure.name(self.source.text, self.row)

    @property
    def is_class(self) -> bool:
        """Is it a class?"""
        return self.row.is_class

    @property
    def is_decorated(self) -> bool:
        """Has it decorators?"""
        return self.row.start != self.row.own

    @property
    def is_method(self) -> bool:
        """Does it look like one: by its first parameter, or by its decorators?"""
        text, row = self.source.text, self.row
        if row.is_class:
            return False
        decorators = text[row.start : row.own]
        return bool(_RECEIVER.match(text, row.name_end) or _OF_CLASS.search(decorators))

    @property
    def has_tail(self) -> bool:
        """Is there a comment behind its last line?"""
        return self.end > written(self.structure, self.source.text, self.row)

    def above(self, margin: str, newline: str) -> str:
        """Give the comments above it, as lines."""
        return "".join(f"{margin}{line}{newline}" for line in self.comments)

    def text(self, margin: str, *, newline: str = "", with_comments: bool = True) -> str:
        """Give it at another depth, from the margin of its first line to its end."""
        body = indent(self.structure, self.source.text, (self.row.start, self.end), margin)
        return (self.above(margin, newline) if with_comments else "") + body


@dataclass(frozen=True, slots=True)
class Snippet:
    """What an edit consists of."""

    fragments: tuple[Fragment, ...]
    imports: tuple[tuple[Import, str], ...]  # each with the comment behind it


def written(structure: Structure, text: str, row: Definition) -> int:
    """Give where a definition ends, with the comments on lines of their own at the end of its body."""
    depth = _depth(text[line_start(text, row.own) : row.own])
    end = row.end
    for at, line in lines_of(text, (line_end(text, row.end), len(text))):
        bare = line.strip()
        if bare and not (bare.startswith("#") and _depth(line) > depth):
            break
        if bare:
            end = at + len(line.rstrip())
    return end


def _depth(line: str) -> int:
    whole = line.replace("\f", "").expandtabs()
    return len(whole) - len(whole.lstrip(" "))


def read_snippet(edit: str, newline: str, read: Callable[[Source], Structure]) -> Snippet:
    """Read an edit, wherever its margin is; raise `CodeError` (bad_parameter) for what is no whole definition or import."""
    source, structure = _read(_NEWLINE.sub(newline, edit), newline, read)
    fragments: list[Fragment] = []
    imports: list[tuple[Import, str]] = []
    tops = [number for number, row in enumerate(structure.definitions) if row.parent is None]
    last = 0
    for row in structure.statements:
        comments = _comments(source, (last, line_start(source.text, row.start)), may_stand=not is_import(row))
        if row.kind is StatementKind.DEFINITION:
            number = next(at for at in tops if structure.definitions[at].start == row.start)
            end = written(structure, source.text, structure.definitions[number])
            end = max(end, _tail(source.text, end))
            fragments.append(Fragment(source, structure, number, end, comments))
        elif is_import(row):
            end = row.end
            behind = source.text[end : _tail(source.text, end)].strip()
            imports.append((read_import(source, row), behind if behind.startswith("#") else ""))
        else:
            raise _bad("`edit` may hold whole definitions and imports only", source, row.start)
        last = line_end(source.text, end)
    _comments(source, (last, len(source.text)), may_stand=False)
    names = [fragment.name for fragment in fragments]
    for fragment in fragments:
        if names.count(fragment.name) > 1:
            raise CodeError(
                "ambiguous", f"The edit defines {fragment.name} more than once; give them one by one, with `place` and `target`."
            )
    if not fragments and not imports:
        raise CodeError("bad_parameter", "`edit` has neither a definition nor an import.")
    return Snippet(tuple(fragments), tuple(imports))


def _read(text: str, newline: str, read: Callable[[Source], Structure]) -> tuple[Source, Structure]:
    first = _FIRST_LINE.match(text)
    margin = first[1] if first else ""
    if margin:  # read it as a block, to know what stands in strings
        head = f"if 1:{newline}"
        _, structure = _parse(head + text, read)
        text = dedent(structure, head + text, (len(head), len(head) + len(text)), margin)
    return _parse(text, read)


def _parse(text: str, read: Callable[[Source], Structure]) -> tuple[Source, Structure]:
    try:
        source = Source(None, text.encode(), "utf-8", text)
        return source, read(source)
    except UnicodeEncodeError as error:
        raise CodeError("bad_parameter", "`edit` has lone surrogates; give text that UTF-8 can carry.") from error
    except CodeError as error:
        raise CodeError("bad_parameter", f"`edit` is no whole piece of Python: {error.message}") from error


def _tail(text: str, end: int) -> int:
    """Give where the line ends that a place is on, without blanks."""
    return len(text[: line_end(text, end)].rstrip())


def _comments(source: Source, span: tuple[int, int], *, may_stand: bool) -> tuple[str, ...]:
    found = [(at, line.strip()) for at, line in lines_of(source.text, span) if line.strip()]
    if found and not may_stand:
        raise _bad("A comment in `edit` belongs to no definition", source, found[0][0])
    return tuple(line for _, line in found)


def _bad(why: str, source: Source, at: int) -> CodeError:
    line = source.text.count("\n", 0, at) + 1
    return CodeError("bad_parameter", f"{why} (its line {line}); leave out the rest.")
