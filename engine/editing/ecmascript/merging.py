"""Merging the imports of a snippet into those of a file.

Owner: nobody.
"""

import re
from collections.abc import Sequence
from typing import Final

from engine.editing.ecmascript.importing import Import, Name, is_import, read_import
from engine.editing.ecmascript.structure import Kind, Structure
from engine.editing.ecmascript.wholes import line_of, tail_of
from engine.editing.gathering import Gathering
from engine.editing.source import Source
from engine.editing.structure import Statement, StatementKind, line_end, newline_of
from engine.model.code_errors import CodeError

_COMMON_JS: Final = re.compile(r"\brequire\s*\(|\bmodule\.exports\b|\bexports\.[\w$]")
_MODULE: Final = ("import", "export")


def merge_imports(work: Gathering, source: Source, structure: Structure, imports: Sequence[tuple[Import, str]]) -> None:
    """Add the imports that the file lacks, behind those at its top; raise `CodeError` (ambiguous, unsupported)."""
    if not imports:
        return
    there = _list_names(source, structure)
    types = {row.name for row in structure.definitions if row.parent is None and row.kind in (Kind.INTERFACE, Kind.TYPE)}
    lines: list[str] = []
    for what, text in imports:
        missing = tuple(row for row in what.names if _is_missing(there, what, row, source))
        for row in missing:
            if row.local in types:
                raise CodeError("ambiguous", f"{source.label} declares a type {row.local} of its own; give one of the two another name.")
            there[row.local] = (what.module, row)
        if not what.names and what.module not in {module for module, _ in there.values()}:
            there[f"'{what.module}'"] = (what.module, None)
            lines.append(text)
        elif missing:
            lines.append(text if missing == what.names else what.write(missing))
    if lines:
        _check_module(source, structure)
        work.imports = len(lines)
        _insert(work, source, structure, lines)


def _list_names(source: Source, structure: Structure) -> dict[str, tuple[str, Name | None]]:
    found: dict[str, tuple[str, Name | None]] = {}
    for row in structure.statements:
        if is_import(row):
            what = read_import(source, structure, row)
            found.update({name.local: (what.module, name) for name in what.names})
            found.setdefault(f"'{what.module}'", (what.module, None))
    return found


def _is_missing(there: dict[str, tuple[str, Name | None]], what: Import, row: Name, source: Source) -> bool:
    module, name = there.get(row.local, ("", None))
    if name is None:
        return True
    if (module, name.outer) != (what.module, row.outer) or (name.is_type and not row.is_type):
        raise CodeError(
            "ambiguous", f"{source.label} imports {row.local} from elsewhere, or as a type only; give one of the two another name."
        )
    return False


def _check_module(source: Source, structure: Structure) -> None:
    """Refuse to make a module of a file that requires its modules."""
    is_module = any(source.text.startswith(_MODULE, row.start) for row in structure.statements)
    if source.language == "javascript" and not is_module and _COMMON_JS.search(source.text):
        raise CodeError("ambiguous", f"{source.label} requires its modules; an import would make another kind of file of it.")


def _insert(work: Gathering, source: Source, structure: Structure, lines: Sequence[str]) -> None:
    text, newline = source.text, newline_of(source.text)
    block = newline.join(lines) + newline
    behind = _last_of_head(structure)
    if behind is None:
        at = _below_header(structure, text)
        is_next = text[at:].lstrip(" \t").startswith(("\n", "\r")) or not text[at:].strip()
        head = newline if at and not text[:at].endswith(("\n", "\r")) else ""
        work.insert(at, head + block + ("" if is_next else newline))
        return
    if tail_of(structure, text, behind.end) is None:
        raise CodeError("unsupported", "The imports share their line with another statement; put that on a line of its own first.", line_of(source, behind.end))
    at = line_end(text, behind.end)
    is_directive = behind.kind is StatementKind.TEXT
    head = "" if text[:at].endswith(("\n", "\r")) else newline
    gap = newline if is_directive and text[at:].strip() and not text[at:].startswith(("\n", "\r")) else ""
    work.insert(at, head + (newline if is_directive else "") + block + gap)


def _last_of_head(structure: Structure) -> Statement | None:
    """Give the last import at the top, or the last directive if there is none."""
    last = None
    for row in structure.statements:
        if not is_import(row) and row.kind is not StatementKind.TEXT:
            break
        last = row
    return last


def _below_header(structure: Structure, text: str) -> int:
    """Give where the first line is behind the comments that begin the file, which an empty line or code ends."""
    at = line_end(text, 0) if text.startswith("#!") else 0
    for start, end in structure.comments:
        if text[at:start].strip() or text[end : line_end(text, end)].strip():
            break
        below = text[line_end(text, end) :]
        is_about_code = bool(below.strip()) and not below.lstrip(" \t").startswith(("\n", "\r", "//", "/*"))
        if is_about_code:
            break
        at = line_end(text, end)
    return at
