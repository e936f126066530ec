"""The definitions of a script: what has a name and is a function, a class or a type.

Owner: nobody. A function or class is named by itself, or by the variable, member or property whose value it is; what
has no name is part of what is around it. The rules stand in docs/code-operations.md.
"""

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Final, TypeAlias

from engine.agents.code.ecmascript.parsing import Script
from engine.agents.code.ecmascript.tree import Node

FUNCTIONS: Final = frozenset({"Function", "Arrow", "Method"})
_NAMED: Final = frozenset({*FUNCTIONS, "Class"})
_TYPES: Final = MappingProxyType(
    {"Interface": "interface", "Alias": "type", "Enum": "enum", "Namespace": "namespace"}
)
# A definition in these may begin where they begin: a comment before them is about it.
_HEADS: Final = frozenset({"Export", "ExportValue", "Ambient", "Declaration", "Variable", "ExpressionStatement"})
_SPACE: Final = " \t\r\n\f\v"


@dataclass(slots=True)
class Definition:
    """One definition."""

    node: Node
    kind: str
    name: str
    qualname: str
    start: int  # where it begins without `export` and decorators: at the name of a variable or property
    end: int
    head: int | None  # where the statement or member begins, if the definition does not stand inside of it
    decorators: list[Node] = field(default_factory=list)
    owner: "Definition | None" = None  # the definition around

    @property
    def is_function(self) -> bool:
        """Whether it has parameters."""
        return self.node.kind in FUNCTIONS

    @property
    def parameters(self) -> list[Node]:
        """Its parameters; TypeScript's `this` is none."""
        rows = self.node.nodes("parameters")
        return [row for row in rows if not (target := row.node("pattern")) or target.kind != "This"]


@dataclass(frozen=True, slots=True)
class _Given:
    """What the parent of a function or class says of it."""

    head: int | None = None
    name: str = ""
    fallback: str = ""  # the name of what has no other
    start: int | None = None
    is_member: bool = False
    decorators: tuple[Node, ...] = ()


_Row: TypeAlias = tuple[Node, Definition | None, _Given]


class Definitions:
    """Looks for the definitions of a script."""

    def __init__(self, script: Script) -> None:
        self._text = script.text
        self._comments = script.comments
        self._ends = [end for _, end in script.comments]
        self.rows: list[Definition] = []  # in the order of the source
        pending: list[_Row] = [(script.root, None, _Given())]
        while pending:
            node, owner, given = pending.pop()
            found = self._define(node, owner, given)
            if found is not None:
                self.rows.append(found)
            pending += reversed(list(self._descend(node, owner, found, given)))
        # What is in a decorator stands before what it decorates.
        self.rows.sort(key=lambda row: row.start)

    def has_docstring(self, row: Definition) -> bool:
        """Tell whether a comment that begins with /** stands directly before it."""
        if row.head is None:
            return False
        at = bisect_right(self._ends, row.head) - 1
        if at < 0:
            return False
        start, end = self._comments[at]
        comment = self._text[start:end]
        is_documentation = comment.startswith("/**") and comment != "/**/"
        return is_documentation and not self._text[end : row.head].strip(_SPACE)

    def _define(self, node: Node, owner: Definition | None, given: _Given) -> Definition | None:
        kind = _TYPES.get(node.kind, "class" if node.kind == "Class" else "")
        if not kind and node.kind not in FUNCTIONS:
            return None
        name = given.name or self._own_name(node) or given.fallback
        if not name:
            return None
        if not kind:
            is_member = given.is_member or node.kind == "Method"
            kind = f"{'async ' if node.has('is_async') else ''}{'method' if is_member else 'function'}"
        return Definition(
            node,
            kind,
            name,
            f"{owner.qualname}.{name}" if owner else name,
            start=_begin(node) if given.start is None else given.start,
            end=node.end,
            head=node.start if node.kind == "Method" else given.head,
            decorators=[*given.decorators, *node.nodes("decorators")],
            owner=owner,
        )

    def _own_name(self, node: Node) -> str:
        if node.kind == "Method":
            return self._key_name(node)
        name = node.node("name")
        if name is None:
            return ""
        text = self._text[name.start : name.end]
        return text[1:-1] if name.kind == "Literal" else text

    def _key_name(self, node: Node) -> str:
        key = node.node("key")
        assert key is not None
        text = self._text[key.start : key.end]
        if node.has("computed"):
            return f"[{text}]"
        return text[1:-1] if text[0] in "'\"" else text

    def _descend(
        self, node: Node, owner: Definition | None, found: Definition | None, given: _Given
    ) -> Iterator[_Row]:
        """Go on to the children, each with its owner and what is said of it."""
        head = given.head
        if node.kind in _HEADS and head is None:
            head = node.start
        for child in node.children():
            # What decorates stands outside of what it decorates, and so does the key of a method.
            is_outside = child.kind == "Decorator" or child is node.parts.get("key")
            inner = owner if found is None or is_outside else found
            yield child, inner, self._give(node, child, replace(given, head=head))

    def _give(self, node: Node, child: Node, given: _Given) -> _Given:
        """What a node says of a child that may be a definition; `given` is what was said of the node."""
        match node.kind:
            case "Variable":
                is_first = child is node.nodes("declarations")[0]
                return _Given(given.head if is_first else child.start)
            case "Export" | "ExportValue":
                is_default = node.has("default") or node.kind == "ExportValue"
                return _Given(given.head, fallback="default" if is_default else "")
            case "Ambient" | "Declaration" | "ExpressionStatement":
                return _Given(given.head, fallback=given.fallback)
        if child.kind not in _NAMED:
            return _Given()
        return self._give_by_value(node, child, given.head)

    def _give_by_value(self, node: Node, child: Node, head: int | None) -> _Given:
        """The name of a function or class that is the value of something."""
        if node.kind == "Assign" and child is node.parts["right"]:
            name = self._target_name(node.node("left")) if node.text("operator") == "=" else ""
            return _Given(head, name, start=node.start) if name else _Given()
        if child is not node.parts.get("value"):
            return _Given()
        if node.kind == "Declarator":
            name = self._target_name(node.node("pattern"))
            return _Given(head, name, start=node.start) if name else _Given()
        if node.kind in ("Property", "Field"):
            name, decorators = self._key_name(node), tuple(node.nodes("decorators"))
            return _Given(node.start, name, "", _begin(node), is_member=True, decorators=decorators)
        return _Given()

    def _target_name(self, target: Node | None) -> str:
        """`a` or `a.b` by its last word; "" for what is more."""
        if target is not None and target.kind == "Member":
            target = target.node("name")
        is_name = target is not None and target.kind in ("Identifier", "PrivateName")
        return target.text("name") if target is not None and is_name else ""


def _begin(node: Node) -> int:
    """Where a node begins without the decorators before it."""
    return node.number("own") if "own" in node.parts else node.start
