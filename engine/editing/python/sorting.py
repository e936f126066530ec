"""Sorting imports; the rules are written down in docs/code-operations.md.

Owner: nobody.
"""

import re
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import PurePath
from typing import Final

from engine.editing.edits import Edit
from engine.editing.import_blocks import ImportRow, natural, write_block
from engine.editing.python.importing import Import, is_import, read_import
from engine.editing.source import Source
from engine.editing.splices import Splice
from engine.editing.structure import Structure, line_end, line_start, only_spaces
from engine.model.code_errors import CodeError
from engine.model.code_requests import SortRequest

_FUTURE, _STANDARD, _THIRD_PARTY, _LOCAL, _RELATIVE = range(5)
_HEADER: Final = re.compile(r"#!|#.*?coding[:=]")
_SIMPLE_FROM: Final = re.compile(r"from\s+\S+\s+import\s+[\w\s,]+")
_DIRECTIVE: Final = re.compile(r"#\s*isort\s*:|#\s*ruff\s*:\s*isort\s*:|#\s*fmt\s*:\s*off")


def sort_imports(source: Source, request: SortRequest, read: Callable[[Source], Structure]) -> Edit:
    """Sort each block of imports at the margin into sections, and the sections by module."""
    text = source.text
    structure = read(source)
    if found := _DIRECTIVE.search(text):
        raise _unsupported(source, found.start(), "tells a sorter to leave imports alone")
    folders = () if request.path is None or PurePath(request.path).is_absolute() else PurePath(request.path).parts[:-1]
    splices: list[Splice] = []
    for block in _find_blocks(source, structure):
        start, end = block[0].start, block[-1].end
        after = _write(source, block, frozenset(folders))
        if after != text[start:end]:
            splices.append(Splice(start, end, after))
    return Edit.of(splices, count=len(splices))


def _find_blocks(source: Source, structure: Structure) -> Iterator[list[ImportRow[Import]]]:
    """Go through runs of imports with nothing between them but blank lines and comments that belong to one."""
    block: list[ImportRow[Import]] = []
    last = 0
    for number, row in enumerate(structure.statements):
        what = read_import(source, row) if is_import(row) else None
        if what is None or what.is_star:  # whether a star hides another name is told by the order
            yield from _finished(source, block)
            block, last = [], line_end(source.text, row.end)
            continue
        _check_alone(source, structure, number)
        end = len(source.text[: line_end(source.text, row.end)].rstrip("\r\n \t\f"))
        start = _with_comments(source.text, line_start(source.text, row.start), last)
        if block and source.text[last:start].strip():  # a comment on its own
            yield from _finished(source, block)
            block = []
        block.append(ImportRow(start, end, row.start, row.end, what))
        last = line_end(source.text, row.end)
    yield from _finished(source, block)


def _finished(source: Source, block: list[ImportRow[Import]]) -> Iterator[list[ImportRow[Import]]]:
    if len(block) < 2:
        return
    bound: dict[str, tuple[str, str | None]] = {}
    for row in block:
        for name, stands_for in row.what.entries.items():
            if bound.setdefault(name, stands_for) != stands_for:
                raise _unsupported(source, row.at, f"imports {name} a second time from elsewhere")
    yield block


def _check_alone(source: Source, structure: Structure, number: int) -> None:
    """Raise `CodeError` where an import shares its line with another statement."""
    row = structure.statements[number]
    behind = source.text[row.end : line_end(source.text, row.end)].strip()
    is_first = only_spaces(source.text, line_start(source.text, row.start), row.start)
    if not is_first or (behind and not behind.startswith("#")):
        raise _unsupported(source, row.start, "shares its line with another statement")


def _with_comments(text: str, line: int, last: int) -> int:
    """Give where the comments begin that stand directly above a line; several that head the file stay where they are."""
    at = line
    while at > last:
        above = line_start(text, at - 1 - text.endswith("\r\n", 0, at))
        comment = text[above:at].strip()
        if not comment.startswith("#") or _HEADER.match(comment):
            break
        at = above
    is_head = at == 0 and line_end(text, 0) < line
    return line if is_head else at


def _write(source: Source, block: Sequence[ImportRow[Import]], folders: frozenset[str]) -> str:
    rows = sorted(block, key=lambda row: _key(row.what, folders))
    return write_block(source.text, rows, [_section(row.what, folders) for row in rows], _statement)


def _statement(text: str, what: Import) -> str:
    """Put the names of a simple `from a import b, c` in order."""
    if not what.is_from or not _SIMPLE_FROM.fullmatch(text):
        return text
    names = sorted(set(what.names), key=lambda row: _name_key(row[0]) + (row[1] or "",))
    written = ", ".join(name if alias is None else f"{name} as {alias}" for name, alias in names)
    return f"from {what.module} import {written}"


def _section(what: Import, folders: frozenset[str]) -> int:
    first = what.module.split(".")[0]
    if what.module.startswith("."):
        return _RELATIVE
    if first == "__future__":
        return _FUTURE
    if first in sys.stdlib_module_names:
        return _STANDARD
    return _LOCAL if first in folders else _THIRD_PARTY


def _key(what: Import, folders: frozenset[str]) -> tuple[object, ...]:
    """Order as isort does: by section, `import` before `from`, by module without regard to case."""
    dots = len(what.module) - len(what.module.lstrip("."))
    module = what.module.lstrip(".")
    return (
        *(_section(what, folders), what.is_from, -dots, natural(module.lower()), module),
        sorted((_name_key(name), alias or "") for name, alias in what.names),
    )


def _name_key(name: str) -> tuple[object, ...]:
    """CONSTANTS, then Classes, then the rest."""
    kind = 0 if name.isupper() and len(name) > 1 else 1 if name[:1].isupper() else 2
    return kind, natural(name.lower()), name


def _unsupported(source: Source, at: int, why: str) -> CodeError:
    line = source.text.count("\n", 0, at) + 1
    return CodeError(
        "unsupported", f"Line {line} of {source.label} {why}; sort these imports by hand.", line
    )
