"""`var` and `let` that can be `const` or `let` without changing what the file does.

Owner: nobody. Whatever is not certain stays; the conditions stand in docs/code-operations.md.
"""

from typing import Final

from engine.agents.code.ecmascript.parsing import parse
from engine.agents.code.ecmascript.scopes import (
    LOOPS,
    Binding,
    Declaration,
    Reference,
    Scope,
    Scopes,
    find_names,
)
from engine.agents.code.ecmascript.tree import Node
from engine.editing.edits import Edit
from engine.editing.source import Source
from engine.editing.splices import Splice
from engine.model.code_requests import ConstRequest

_LISTS: Final = frozenset({"Program", "Block", "For", "ForIn", "ForOf"})
_MODULE_KINDS: Final = frozenset({"Import", "Export", "ExportValue", "ExportAll", "ExportNames", "ImportEquals", "ExportAssignment"})
_COMMON_JS: Final = frozenset({"require", "module", "exports"})
_FUNCTION_VALUES: Final = frozenset({"Function", "Arrow"})


def use_const(source: Source, _request: ConstRequest) -> Edit:
    """Make declarations `const` or `let`; note `to_const`, `to_let`, and `kept`: those with `var` that stay."""
    root = parse(source).root
    scopes = Scopes(root)
    is_module = any(node.kind in _MODULE_KINDS for node in root.nodes("body")) or bool(scopes.names & _COMMON_JS)
    # In these a name may mean what nobody sees.
    is_dark = scopes.has_with or "eval" in scopes.names
    splices: list[Splice] = []
    counts = {"to_const": 0, "to_let": 0, "kept": 0}
    for row in scopes.declarations:
        word = row.node.text("word")
        if word not in ("var", "let"):
            continue
        is_shared = row.scope.function is scopes.program and not is_module
        to = "" if is_shared or is_dark or _is_ambient(row) else _choose(row, scopes, word)
        if to in ("", word):
            counts["kept"] += word == "var"
            continue
        counts[f"to_{to}"] += 1
        splices.append(Splice(row.node.start, row.node.start + len(word), to))
    return Edit.of(splices, count=len(splices), notes=counts)


def _is_ambient(row: Declaration) -> bool:
    """Is it only told of, or in a namespace, whose variables others may write to?"""
    scope: Scope | None = row.scope
    while scope is not None:
        if scope.node.kind in ("Global", "Namespace"):
            return True
        scope = scope.outer
    return any(node.kind == "Ambient" for node in row.parents)


def _choose(row: Declaration, scopes: Scopes, word: str) -> str:
    """Give the word that a declaration may begin with; "" if its own must stay."""
    rows = row.node.nodes("declarations")
    bindings = [(part, binding) for part in rows for binding in _find_bindings(row, part, word)]
    if any(binding.declarations != 1 for _, binding in bindings):
        return ""
    if word == "var" and not all(_may_be_let(row, part, binding, scopes) for part, binding in bindings):
        return ""
    if word == "var" and not _is_well_placed(row, bindings):
        return ""
    has_values = _is_head(row) or all(part.has("value") for part in rows)
    is_written = any(reference.writes for _, binding in bindings for reference in binding.references)
    return "const" if has_values and bindings and not is_written else "let"


def _find_bindings(row: Declaration, part: Node, word: str) -> list[Binding]:
    scope = row.scope.function if word == "var" else row.scope
    return [scope.bindings[name.text("name")] for name in find_names(part.node("pattern"))]


def _is_head(row: Declaration) -> bool:
    """Is it in the head of a for in or for of?"""
    return row.parents[-1].kind in ("ForIn", "ForOf")


def _is_well_placed(row: Declaration, bindings: list[tuple[Node, Binding]]) -> bool:
    """Stands it where a `let` may, and is made anew in each turn of a loop, as a `let` is?"""
    parent = row.parents[-1]
    if parent.kind not in _LISTS or row.node is parent.parts.get("body"):
        return False
    names = {name.text("name") for part in row.node.nodes("declarations") for name in find_names(part.node("pattern"))}
    if "let" in names or _is_hidden(row, names):
        return False
    is_head = parent.kind in LOOPS
    around = row.parents[:-1] if is_head else row.parents
    in_loop = any(node.kind in LOOPS for node in around)
    if in_loop and not (_is_head(row) or all(part.has("value") for part, _ in bindings)):
        return False
    is_captured = any(_is_captured(row, reference) for _, binding in bindings for reference in binding.references)
    return not ((in_loop or is_head) and is_captured)


def _is_hidden(row: Declaration, names: set[str]) -> bool:
    """Does a block between the declaration and its function bind one of the names, too?"""
    scope: Scope | None = row.scope
    while scope is not None and not scope.is_function:
        if names & scope.bindings.keys():
            return True
        scope = scope.outer
    return False


def _is_captured(row: Declaration, reference: Reference) -> bool:
    return reference.scope.function is not row.scope.function


def _may_be_let(row: Declaration, part: Node, binding: Binding, scopes: Scopes) -> bool:
    """Are all references inside of the block, and none is reached before the declaration?"""
    head = row.parents[-1].node("right") if _is_head(row) else None
    end = part.end if head is None else head.end
    value = part.node("value")
    for reference in binding.references:
        if not reference.scope.is_inside(row.scope):
            return False
        if not _is_captured(row, reference):
            if reference.node.start < end:
                return False
        elif not _runs_late(row, reference, part, value) or _is_hoisted(row, reference) and scopes.is_calling(row.scope.function, end):
            return False
    return True


def _runs_late(row: Declaration, reference: Reference, part: Node, value: Node | None) -> bool:
    """A function that stands behind the declaration, or is its value, is not called before it."""
    if reference.node.start >= part.end or _is_hoisted(row, reference):
        return True
    return reference.node.start > part.start and value is not None and value.kind in _FUNCTION_VALUES


def _is_hoisted(row: Declaration, reference: Reference) -> bool:
    """Is the function around the reference, as seen from the declaration, one that can be called before its place?"""
    scope: Scope | None = reference.scope.function
    is_hoisted = False
    while scope is not None and scope is not row.scope.function:
        is_hoisted = scope.is_hoisted
        scope = scope.outer.function if scope.outer is not None else None
    return is_hoisted
