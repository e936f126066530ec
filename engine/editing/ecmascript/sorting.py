"""Sorting the imports of a script; the rules are written down in docs/code-operations.md.

Owner: nobody.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Final

from engine.editing.ecmascript.importing import Import, Name, is_import, read_import
from engine.editing.ecmascript.structure import Structure
from engine.editing.ecmascript.wholes import above, line_of, tail_of
from engine.editing.edits import Edit
from engine.editing.import_blocks import ImportRow, natural, write_block
from engine.editing.source import Source
from engine.editing.splices import Splice
from engine.editing.structure import line_end, line_start, only_spaces
from engine.model.code_errors import CodeError
from engine.model.code_requests import SortRequest

_BUILT_IN, _PACKAGE, _LOCAL, _PARENT, _SIBLING = range(5)
_DIRECTIVE: Final = re.compile(r"\b(eslint-disable|prettier-ignore|biome-ignore|sort-imports-ignore|@ts-ignore|@ts-expect-error)\b")
_BRACES: Final = re.compile(r"\{[^{}\n]*\}")


def sort_imports(source: Source, request: SortRequest, read: Callable[[Source], Structure]) -> Edit:
    """Sort each block of imports that bind names into sections, and the sections by module."""
    del request
    structure = read(source)
    splices: list[Splice] = []
    for block in _find_blocks(source, structure):
        start, end = block[0].start, block[-1].end
        after = _write(source, block)
        if after != source.text[start:end]:
            splices.append(Splice(start, end, after))
    return Edit.of(splices, count=len(splices))


def _find_blocks(source: Source, structure: Structure) -> Iterator[list[ImportRow[Import]]]:
    """Go through runs of imports with nothing between them but blank lines and comments that belong to one."""
    block: list[ImportRow[Import]] = []
    last = 0
    for row in structure.statements:
        what = read_import(source, structure, row) if is_import(row) else None
        if what is None or not what.names or what.names[0].outer == "=":  # for its effect alone: that is told by the order
            yield from _finished(block)
            block, last = [], line_end(source.text, row.end)
            continue
        end = tail_of(structure, source.text, row.end)
        if end is None or not only_spaces(source.text, line_start(source.text, row.start), row.start):
            raise _unsupported(source, row.start, "shares its line with another statement")
        start = _begin(source, structure, row.start, last)
        if block and source.text[last:start].strip():  # a comment on its own
            yield from _finished(block)
            block = []
        block.append(ImportRow(start, end, row.start, row.end, what))
        last = line_end(source.text, end)
    yield from _finished(block)


def _finished(block: list[ImportRow[Import]]) -> Iterator[list[ImportRow[Import]]]:
    if len(block) > 1:
        yield block


def _begin(source: Source, structure: Structure, at: int, last: int) -> int:
    """Give where the comments begin that stand directly above an import; those that head the file stay where they are."""
    found = [row for row in above(structure, source.text, at) if row[0] >= last]
    if any(_DIRECTIVE.search(source.text[start:end]) for start, end in found):
        raise _unsupported(source, at, "has a comment above that is meant for this place")
    if not found or not source.text[: found[0][0]].strip():
        return line_start(source.text, at)
    return line_start(source.text, found[0][0])


def _write(source: Source, block: Sequence[ImportRow[Import]]) -> str:
    rows = sorted(block, key=lambda row: _key(row.what))
    return write_block(source.text, rows, [_section(row.what.module) for row in rows], _statement)


def _statement(text: str, what: Import) -> str:
    """Put the names in braces in order, where they stand on one line."""
    names = [row for row in what.names if row.outer not in ("default", "*")]
    braces = _BRACES.search(text)
    if braces is None or len([piece for piece in braces[0][1:-1].split(",") if piece.strip()]) != len(names):
        return text  # over several lines, or with `default as ...`
    found = sorted(names, key=lambda row: (*_name_key(row.outer), row.local))
    if found == names:
        return text
    spelled = ", ".join(_spell(row, is_type=what.is_type) for row in found)
    return text[: braces.start()] + _fill(braces[0], spelled) + text[braces.end() :]


def _spell(row: Name, *, is_type: bool) -> str:
    name = row.outer if row.outer == row.local else f"{row.outer} as {row.local}"
    return f"type {name}" if row.is_type and not is_type else name


def _fill(braces: str, names: str) -> str:
    before = braces[1 : len(braces) - len(braces[1:].lstrip())]
    return "{" + before + names + before + "}"


def _section(module: str) -> int:
    if module.startswith(("node:", "bun:")):
        return _BUILT_IN
    if module in (".", "./") or module.startswith("./"):
        return _SIBLING
    if module.startswith(".."):
        return _PARENT
    return _LOCAL if module.startswith(("/", "@/", "~/", "#")) else _PACKAGE


def _key(what: Import) -> tuple[object, ...]:
    """By section, parents far away first, and by module without regard to case."""
    ups = what.module.split("/").count("..")
    return (_section(what.module), -ups, natural(what.module.lower()), what.module, what.is_type, [row.local for row in what.names])


def _name_key(name: str) -> tuple[object, ...]:
    return natural(name.lower()), name


def _unsupported(source: Source, at: int, why: str) -> CodeError:
    line = line_of(source, at)
    return CodeError("unsupported", f"Line {line} of {source.label} {why}; sort these imports by hand.", line)
