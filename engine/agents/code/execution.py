"""Carrying out a checked request: read, do the operation on a deep stack, and write if that was asked.

Owner: nobody.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from engine.agents.code.checking import check_syntax
from engine.agents.code.docstrings import add_docstrings
from engine.agents.code.edits import Edit, finish
from engine.agents.code.metrics import measure
from engine.agents.code.operations import Request
from engine.agents.code.outline import outline
from engine.agents.code.parsing import run_deep
from engine.agents.code.references import find_references, rename
from engine.agents.code.removal import remove_calls
from engine.agents.code.source import Source, decode, read_bytes
from engine.agents.code.writing import check_target, write

_READS: Final[Mapping[str, Callable[[Source, Request], dict[str, object]]]] = MappingProxyType(
    {"code.outline": outline, "code.metrics": measure, "code.find_references": find_references}
)
_EDITS: Final[Mapping[str, Callable[[Source, Request], Edit]]] = MappingProxyType(
    {
        "code.rename": rename,
        "code.remove_calls": remove_calls,
        "code.add_docstrings": add_docstrings,
    }
)


def perform(name: str, request: Request) -> dict[str, object]:
    """Carry out the operation of that name; raise `CodeError`."""
    if name == "code.syntax_check":
        data = read_bytes(request)
        return run_deep(lambda: check_syntax(request, data))
    if name in _READS:
        source = decode(request, read_bytes(request))
        return run_deep(lambda: _READS[name](source, request))
    return _edit(name, request)


def _edit(name: str, request: Request) -> dict[str, object]:
    if request.apply:  # refuse before the work, not after it
        check_target(request)
    source = decode(request, read_bytes(request))
    edit, after = run_deep(lambda: _edited(name, source, request))
    changed = after.text != source.text
    if changed and request.apply:
        write(check_target(request), source.data, after.data)
    return {
        "path": request.path,
        "changed": changed,
        "diff": edit.diff(source),
        "edits": edit.count,
        "applied": changed and request.apply,
        **edit.notes,
    }


def _edited(name: str, source: Source, request: Request) -> tuple[Edit, Source]:
    edit = _EDITS[name](source, request)
    return edit, finish(source, edit)
