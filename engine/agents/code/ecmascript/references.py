"""References to an identifier: finding them, and renaming them.

Owner: nobody. Identifiers are compared as they are written (escapes are not resolved), in code only. Scopes are not
told apart; the rules stand in docs/code-operations.md.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from engine.agents.code.ecmascript.parsing import Lines, parse
from engine.agents.code.ecmascript.roles import Role, find_roles
from engine.agents.code.ecmascript.scopes import Scopes
from engine.agents.code.ecmascript.tree import Node
from engine.editing.edits import Edit
from engine.editing.source import Source
from engine.editing.splices import Splice, splice
from engine.model.code_errors import CodeError
from engine.model.code_requests import ReferencesRequest, RenameRequest

KINDS: Final = ("definition", "import", "call", "attribute", "use")
_KIND: Final = {
    Role.BIND: "definition",
    Role.IMPORT: "import",
    Role.FOREIGN: "import",
    Role.CALL: "call",
    Role.ATTRIBUTE: "attribute",
    Role.USE: "use",
}


@dataclass(frozen=True, slots=True)
class Reference:
    """One place where an identifier stands."""

    node: Node
    role: Role
    shorthand: str  # "property", "import" or "export": it stands for a name inside and one outside

    @property
    def is_qualified(self) -> bool:
        """Whether another object or module decides what it means."""
        return self.role in (Role.ATTRIBUTE, Role.FOREIGN)


def find_references(source: Source, request: ReferencesRequest) -> dict[str, object]:
    """Give `references` to `name` in the order of the source, and `totals` by kind."""
    lines = Lines(source.text)
    rows: list[dict[str, object]] = []
    counts: Counter[str] = Counter()
    for row in _references(parse(source).root, request.name):
        line, column = lines.place(row.node.start)
        kind = _KIND[row.role]
        rows.append({"line": line, "column": column, "kind": kind})
        counts[kind] += 1
    return {"references": rows, "totals": {kind: counts[kind] for kind in KINDS}}


def rename(source: Source, request: RenameRequest) -> Edit:
    """Rename the identifier `name` to `to` at every reference in this file, whatever its scope.

    Without `attributes`, what another object or module decides stays: after a dot, keys, names on the other side of an
    import or export; `{name}` becomes `{name: to}`, `import {name}` becomes `import {name as to}`. With it, every
    identifier spelled `name` in code is renamed. Note `clashes`: how many identifiers that this rename would touch were
    called `to` before; the two cannot be told apart afterwards.
    """
    name, to = request.name, request.to
    root = parse(source).root

    def affected(name: str) -> list[Reference]:
        return [row for row in _references(root, name) if request.attributes or not row.is_qualified]

    rows = affected(name) if name != to else []
    clashes = len(affected(to)) if rows else 0
    splices = [
        Splice(row.node.start, row.node.end, to if request.attributes else _spell(row, name, to)) for row in rows
    ]
    edit = Edit.of(splices, count=len(splices), notes={"clashes": clashes})
    if clashes:
        _check_declarations(source, edit, root)
    return edit


def _check_declarations(source: Source, edit: Edit, before: Node) -> None:
    """Refuse what would declare a name twice: that parses, but no engine runs it."""
    after = parse(source.with_text(splice(source.text, edit.splices)))
    if Scopes(after.root).twice > Scopes(before).twice:
        raise CodeError(
            "broken_edit",
            f"After the edit {source.label} would declare a name twice; nothing was changed, choose another name.",
        )


def _spell(row: Reference, name: str, to: str) -> str:
    match row.shorthand:
        case "property":
            return f"{name}: {to}"
        case "import":
            return f"{name} as {to}"
        case "export":
            return f"{to} as {name}"
    return to


def _references(root: Node, name: str) -> Iterator[Reference]:
    """Go through the references to a name, in the order of the source."""
    for node, role, shorthand in find_roles(root):
        if node.kind == "Identifier" and node.parts["name"] == name:
            yield Reference(node, role, shorthand)
