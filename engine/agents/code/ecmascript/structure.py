"""The structure of a file, from the tree of the regular agent; the booster's module finds the same from its own.

Owner: nobody.
"""

from types import MappingProxyType
from typing import Final, NamedTuple

from engine.agents.code.ecmascript.definitions import Definition as Found
from engine.agents.code.ecmascript.definitions import Definitions
from engine.agents.code.ecmascript.parsing import Script, parse
from engine.agents.code.ecmascript.scopes import Scopes
from engine.agents.code.ecmascript.tree import Node, walk
from engine.editing.ecmascript.structure import Definition, Form, Kind, Structure
from engine.editing.source import Source
from engine.editing.structure import Statement, StatementKind

_KINDS: Final = MappingProxyType(
    {
        "class": Kind.CLASS,
        "function": Kind.FUNCTION,
        "method": Kind.METHOD,
        "interface": Kind.INTERFACE,
        "type": Kind.TYPE,
        "enum": Kind.ENUM,
        "namespace": Kind.NAMESPACE,
    }
)
_WRAPPERS: Final = frozenset({"Declaration", "Ambient", "Export", "ExportValue"})
_LISTS: Final = frozenset({"Program", "Block"})
_STRINGS: Final = frozenset({"Template", "TemplateType", "Literal"})
_NAMELESS: Final = frozenset({"StaticBlock", "IndexSignature"})


class _Place(NamedTuple):
    """The statement or member that a definition is."""

    form: Form
    start: int
    own: int
    inner: int
    end: int


def find_structure(source: Source) -> Structure:
    """Find the parts of a source; raise `CodeError` (syntax_error, too_deep). Call in `run_deep`."""
    script = parse(source)
    parents = {child: node for node in walk(script.root) for child in node.children()}
    rows = Definitions(script).rows
    numbers = {row.node: number for number, row in enumerate(rows)}
    scopes = Scopes(script.root)
    return Structure(
        tuple(_describe(script, row, numbers, parents) for row in rows),
        _list_members(script, rows),
        tuple(Statement(_kind(node), node.start, node.end) for node in script.root.nodes("body")),
        tuple(script.comments),
        _outermost(script),
        scopes.twice + scopes.stray_awaits,
    )


def _describe(script: Script, row: Found, numbers: dict[Node, int], parents: dict[Node, Node]) -> Definition:
    place = _find_place(script, row, parents)
    node = row.node
    body = node.node("body") if row.is_function else None
    block = body if body is not None and body.kind == "Block" else None
    statements = [] if block is None else [child for child in block.nodes("body") if child.kind != "Directive"]
    returns = node.node("result") if row.is_function else None
    return Definition(
        _KINDS[row.kind.removeprefix("async ")],
        place.form,
        row.name,
        None if row.owner is None else numbers[row.owner.node],
        bool(row.decorators),
        [child.kind for child in statements] == ["Try"],
        place.start,
        place.own,
        place.inner,
        place.end,
        block.start if block else None,
        block.end if block else None,
        statements[0].start if statements else None,
        node.number("parameters_end") if "parameters_end" in node.parts else None,
        returns.start if returns else None,
        returns.end if returns else None,
    )


def _find_place(script: Script, row: Found, parents: dict[Node, Node]) -> _Place:
    node, parent = row.node, parents[row.node]
    inside = _Place(Form.INSIDE, row.start, row.start, row.start, row.end)
    if parent.kind == "Class" and node.kind == "Method":
        own = node.number("own")
        return _Place(Form.MEMBER, node.start, own, own, node.end)
    if parent.kind == "Field" and node is parent.parts["value"] and parents[parent].kind == "Class":
        own = parent.number("own")
        return _Place(Form.MEMBER, parent.start, own, own, node.end)
    form, inner = _find_form(node, parents)
    if inner is None:
        return inside
    statement = inner
    while parents[statement].kind in _WRAPPERS:
        statement = parents[statement]
    if parents[statement].kind not in _LISTS or (statement is inner and form is Form.DECLARATION):
        return inside
    own = statement.start
    first = node.nodes("decorators")[:1] if node.kind == "Class" else []
    if first and first[0].start == own:
        own = _behind(script, node.nodes("decorators")[-1].end)
    begin = own if inner.start < own else inner.start
    return _Place(form, statement.start, own, begin, statement.end)


def _find_form(node: Node, parents: dict[Node, Node]) -> tuple[Form, Node | None]:
    """Tell how a definition is written, and give what of its statement is no `export`."""
    parent = parents[node]
    if parent.kind == "Declarator" and node is parent.parts["value"]:
        variable = parents[parent]
        return Form.VARIABLE, variable if len(variable.nodes("declarations")) == 1 else None
    if parent.kind == "Assign" and node is parent.parts["right"]:
        statement = parents[parent]
        return Form.ASSIGNMENT, statement if statement.kind == "ExpressionStatement" else None
    return Form.DECLARATION, node if parent.kind in _WRAPPERS else None


def _behind(script: Script, at: int) -> int:
    """Give where something stands behind blanks and comments."""
    ends = dict(script.comments)
    text = script.text
    while True:
        at += len(text[at:]) - len(text[at:].lstrip())
        if at not in ends:
            return at
        at = ends[at]


def _list_members(script: Script, rows: list[Found]) -> tuple[tuple[int, str], ...]:
    found: list[tuple[int, int, str]] = []
    for number, row in enumerate(rows):
        if row.kind == "class":
            members = row.node.nodes("members")
        elif row.kind == "interface":
            body = row.node.node("body")
            members = body.nodes("members") if body else []
        else:
            members = row.node.nodes("members") if row.kind == "enum" else []
        found += ((node.start, number, _member_name(script, node)) for node in members)
    return tuple((number, name) for _, number, name in sorted(found))


def _member_name(script: Script, node: Node) -> str:
    key = None if node.kind in _NAMELESS else node.node("key")
    if key is None:
        return ""
    text = script.text[key.start : key.end]
    if node.has("computed"):
        return f"[{text}]"
    return text[1:-1] if text[0] in "'\"" else text


def _kind(node: Node) -> StatementKind:
    if node.kind in ("Import", "ImportEquals"):
        return StatementKind.IMPORT
    return StatementKind.TEXT if node.kind == "Directive" else StatementKind.OTHER


def _outermost(script: Script) -> tuple[tuple[int, int], ...]:
    """Keep the strings that go over several lines and are not in another one's holes."""
    found: list[tuple[int, int]] = []
    for node in walk(script.root):
        piece = script.text[node.start : node.end] if node.kind in _STRINGS else ""
        if piece[:1] in ("'", '"', "`") and ("\n" in piece or "\r" in piece) and (not found or node.end > found[-1][1]):
            found.append((node.start, node.end))
    return tuple(found)
