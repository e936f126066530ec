"""References to an identifier: finding them, and renaming them.

Owner: nobody. Identifiers are compared as they are written (no Unicode normalisation), in code only: also
in the fields of formatted strings, never in other strings or in comments. Scopes are not told apart.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

import libcst as cst

from engine.agents.code.python.parsing import parse
from engine.agents.code.python.positions import Lines, locate
from engine.agents.code.python.tree import children, walk
from engine.editing.edits import Edit
from engine.editing.source import Source
from engine.editing.splices import Splice
from engine.model.code_requests import ReferencesRequest, RenameRequest

KINDS: Final = ("definition", "import", "call", "attribute", "use")


@dataclass(frozen=True, slots=True)
class Reference:
    """One place where an identifier stands."""

    node: cst.Name
    kind: str  # one of KINDS
    is_qualified: bool  # after a dot or naming an argument: another object decides what it means


def find_references(source: Source, request: ReferencesRequest) -> dict[str, object]:
    """Give `references` to `name` in the order of the source, and `totals` by kind.

    definition: a place that binds the name: `def`, `class`, parameter, target of an assignment (also
    `+=`), for, with, except or :=, name in a pattern, type alias or type parameter.
    import: any part of an import statement. call: `name(…)`. attribute: after a dot, also when called, and
    the name of a keyword argument or of a keyword in a class pattern. use: all others, such as `del`, `global`.
    """
    module = parse(source)
    found = list(_references(module, request.name))
    spans = locate(module, source.text, [row.node for row in found])
    lines = Lines(source.text)
    rows: list[dict[str, object]] = []
    for row in sorted(found, key=lambda row: spans[row.node].start):
        line, column = lines.place(spans[row.node].start)
        rows.append({"line": line, "column": column, "kind": row.kind})
    counts = Counter(row.kind for row in found)
    return {"references": rows, "totals": {kind: counts[kind] for kind in KINDS}}


def rename(source: Source, request: RenameRequest) -> Edit:
    """Rename the identifier `name` to `to` at every reference in this file, whatever its scope.

    Without `attributes`, places after a dot (`x.name`, `import x.name`) and names of arguments and
    class patterns (`f(name=1)`, `case P(name=1)`) stay; with it, every identifier spelled `name` in code is
    renamed. A part of an import that stands after no dot is renamed too: `import name` then asks
    for another module. Note `clashes`: how many identifiers that this rename would touch were called
    `to` before; the two cannot be told apart afterwards.
    """
    name, to = request.name, request.to
    module = parse(source)
    attributes = request.attributes

    def affected(name: str) -> list[cst.CSTNode]:
        return [row.node for row in _references(module, name) if attributes or not row.is_qualified]

    nodes = affected(name) if name != to else []
    clashes = len(affected(to)) if nodes else 0
    spans = locate(module, source.text, nodes)
    splices = [Splice(span.start, span.end, to) for span in spans.values()]
    # LibCST parses what names can break: `def f(a, a)`, `global` after a use, `__debug__ = 1`, a feature of `__future__`.
    return Edit.of(splices, count=len(splices), notes={"clashes": clashes}, compiles=True)


def _references(module: cst.Module, name: str) -> Iterator[Reference]:
    """Go through the references to a name, in no order."""
    kinds: dict[cst.CSTNode, str] = {}
    qualified: set[cst.CSTNode] = set()
    for node in walk(module):
        if isinstance(node, cst.Name):
            if node.value == name:
                yield Reference(node, kinds.get(node, "use"), node in qualified)
            continue
        find = _NAMES.get(type(node))
        if find is None:
            continue
        kind, names = find(node)
        if kind == "attribute":
            qualified.update(names)
        for child in names:
            # Parents come first: what an import holds stays "import".
            kinds.setdefault(child, kind)


_Found = tuple[str, list[cst.CSTNode]]


def _bound(target: object) -> list[cst.CSTNode]:
    """List the names that an assignment to a target binds; not what it takes from or puts into."""
    found: list[cst.CSTNode] = []
    pending = [target]
    while pending:
        node = pending.pop()
        if isinstance(node, cst.Name):
            found.append(node)
        elif isinstance(node, (cst.Tuple, cst.List)):
            pending.extend(node.elements)
        elif isinstance(node, (cst.Element, cst.StarredElement)):
            pending.append(node.value)
    return found


def _binds(field: str) -> Callable[[Any], _Found]:
    return lambda node: ("definition", _bound(getattr(node, field)))


def _qualifies(field: str) -> Callable[[Any], _Found]:
    return lambda node: ("attribute", [child for child in (getattr(node, field),) if child])


def _imports(node: cst.Import | cst.ImportFrom) -> _Found:
    parts = [part for child in children(node) for part in walk(child)]
    return "import", [part for part in parts if isinstance(part, cst.Name)]


def _calls(node: cst.Call) -> _Found:
    return "call", [node.func]


# Any: each row takes the kind of node that it stands for.
_NAMES: Final[Mapping[type[cst.CSTNode], Callable[[Any], _Found]]] = MappingProxyType(
    {
        cst.Import: _imports,
        cst.ImportFrom: _imports,
        cst.Call: _calls,
        cst.Attribute: _qualifies("attr"),
        cst.Arg: _qualifies("keyword"),
        cst.MatchKeywordElement: _qualifies("key"),
        **{
            kind: _binds("name")
            for kind in (
                *(cst.FunctionDef, cst.ClassDef, cst.Param, cst.AsName, cst.MatchAs, cst.MatchStar),
                *(cst.TypeAlias, cst.TypeVar, cst.TypeVarTuple, cst.ParamSpec),
            )
        },
        **{
            kind: _binds("target")
            for kind in (
                *(cst.AssignTarget, cst.AnnAssign, cst.AugAssign),
                *(cst.For, cst.CompFor, cst.NamedExpr),
            )
        },
        cst.MatchMapping: _binds("rest"),
    }
)
