"""What an import statement says: the module, the names, and what it binds.

Owner: nobody.
"""

import re
from typing import Final, NamedTuple

from engine.editing.ecmascript.structure import Structure
from engine.editing.source import Source
from engine.editing.structure import Statement, StatementKind
from engine.model.code_errors import CodeError

_NAME: Final = r"[\w$]+"
_IMPORT: Final = re.compile(
    r"""import\b\s*(?P<type>type\b(?=\s*(?:[{*]|(?!from\b)[\w$]|from\s+from\b))\s*)?
        (?:(?P<clause>[^'"=]*?)\bfrom\s*|(?P<braces>[^'"=]*\})\s*from\s*)?
        (?P<quote>['"])(?P<module>[^'"\n]*)(?P=quote)
        (?P<attributes>\s*(?:with|assert)\s*\{[^}]*\})?\s*(?P<end>;?)""",
    re.VERBOSE,
)
_EQUALS: Final = re.compile(rf"import\s+(?P<type>type\s+)?(?P<name>{_NAME})\s*=\s*(?P<value>.*?)\s*(?P<end>;?)", re.DOTALL)
_CLAUSE: Final = re.compile(
    rf"""\s*(?P<default>{_NAME})?\s*,?\s*(?:\*\s*as\s+(?P<star>{_NAME})|\{{(?P<names>[^}}]*)\}})?\s*""", re.VERBOSE
)
_SPECIFIER: Final = re.compile(rf"\s*(?P<type>type\s+(?!as\s|as$))?(?P<outer>{_NAME})(?:\s+as\s+(?P<local>{_NAME}))?\s*")


class Name(NamedTuple):
    """One name that an import binds."""

    outer: str  # "default" and "*" too; "=" for all of what is assigned
    local: str
    is_type: bool


class Import(NamedTuple):
    """One import statement."""

    module: str
    names: tuple[Name, ...]  # none: it is for its effect alone
    is_type: bool
    quote: str
    attributes: str
    end: str  # its semicolon

    def write(self, names: tuple[Name, ...]) -> str:
        """Give the statement with some of its names."""
        clause = [row.local for row in names if row.outer == "default"][:1]
        rest = [row for row in names if row.local not in clause or row.outer != "default"]
        clause += [f"* as {row.local}" for row in rest if row.outer == "*"]
        braces = [_specify(row, is_type=self.is_type) for row in rest if row.outer != "*"]
        clause += ["{ " + ", ".join(braces) + " }"] if braces else []
        word = "import type " if self.is_type else "import "
        return f"{word}{', '.join(clause)} from {self.quote}{self.module}{self.quote}{self.attributes}{self.end}"


def _specify(row: Name, *, is_type: bool) -> str:
    name = row.outer if row.outer == row.local else f"{row.outer} as {row.local}"
    return f"type {name}" if row.is_type and not is_type else name


def is_import(row: Statement) -> bool:
    """Is it one?"""
    return row.kind is StatementKind.IMPORT


def read_import(source: Source, structure: Structure, row: Statement) -> Import:
    """Read an import statement; raise `CodeError` (unsupported) for one with comments inside, and of rare forms."""
    text = source.text[row.start : row.end]
    has_comment = any(row.start < start < row.end for start, _ in structure.comments)
    found = None if has_comment else _read_equals(text) or _read(text)
    if found is None:
        line = source.text.count("\n", 0, row.start) + 1
        raise CodeError("unsupported", f"The import in line {line} of {source.label} has a comment inside, or a form that edits do not know.", line)
    return found


def _read_equals(text: str) -> Import | None:
    found = _EQUALS.fullmatch(text)
    if found is None:
        return None
    names = (Name("=", found["name"], bool(found["type"])),)
    return Import(found["value"], names, bool(found["type"]), "", "", found["end"])


def _read(text: str) -> Import | None:
    found = _IMPORT.fullmatch(text)
    if found is None:
        return None
    is_type = bool(found["type"])
    clause = found["clause"] if found["clause"] is not None else found["braces"]
    names = _read_names(clause, is_type=is_type) if clause is not None else ()
    if names is None:
        return None
    attributes = found["attributes"] or ""
    return Import(found["module"], names, is_type, found["quote"], attributes, found["end"])


def _read_names(clause: str, *, is_type: bool) -> tuple[Name, ...] | None:
    found = _CLAUSE.fullmatch(clause)
    if found is None:
        return None
    names = [Name("default", found["default"], is_type)] if found["default"] else []
    names += [Name("*", found["star"], is_type)] if found["star"] else []
    for piece in (found["names"] or "").split(","):
        if not piece.strip():
            continue
        row = _SPECIFIER.fullmatch(piece)
        if row is None:
            return None
        names.append(Name(row["outer"], row["local"] or row["outer"], is_type or bool(row["type"])))
    return tuple(names)
