"""Scopes: which variable each name of a script stands for.

Owner: nobody. Names of types are looked up like those of values, which makes more references than there are, never fewer.
"""

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from engine.agents.code.ecmascript.roles import Role, find_roles
from engine.agents.code.ecmascript.tree import Node

_FUNCTIONS: Final = frozenset(
    {"Program", "Function", "Arrow", "Method", "StaticBlock", "Namespace", "Global", "Field", "FunctionType", "MethodSignature"}
)
_BLOCKS: Final = frozenset({"Block", "For", "ForIn", "ForOf", "Switch", "Catch", "Class"})
LOOPS: Final = frozenset({"For", "ForIn", "ForOf", "While", "DoWhile"})
_REFERRING: Final = frozenset({Role.USE, Role.CALL, Role.BIND})
_OTHERS: Final = frozenset({Role.ATTRIBUTE, Role.FOREIGN})  # names that another object or module gives
_NAMES: Final = MappingProxyType(
    {"ImportName": "local", "ImportEquals": "name", "Enum": "name", "Namespace": "name", "Parameter": "pattern"}
)
_DECLARING: Final = frozenset({"Declaration", "Export"})


@dataclass(slots=True, eq=False)
class Reference:
    """A place that reads or writes a variable."""

    node: Node
    scope: "Scope"
    writes: bool


@dataclass(slots=True, eq=False)
class Binding:
    """A variable of one scope."""

    declarations: int = 0
    is_single: bool = False  # another declaration of the name in the same scope is an error
    references: list[Reference] = field(default_factory=list)


@dataclass(slots=True, eq=False)
class Scope:
    """What is bound in a function or block."""

    node: Node
    outer: "Scope | None"
    is_function: bool
    is_hoisted: bool = False  # a function that can be called before its place
    bindings: dict[str, Binding] = field(default_factory=dict)

    @property
    def function(self) -> "Scope":
        """Give the function that it is in, or itself."""
        scope = self
        while not scope.is_function and scope.outer is not None:
            scope = scope.outer
        return scope

    def is_inside(self, other: "Scope") -> bool:
        """Tell whether it is that scope or in it."""
        scope: Scope | None = self
        while scope is not None and scope is not other:
            scope = scope.outer
        return scope is other

    def find(self, name: str) -> Binding | None:
        """Give the variable that a name stands for here, if it is bound in the file."""
        scope: Scope | None = self
        while scope is not None:
            if name in scope.bindings:
                return scope.bindings[name]
            scope = scope.outer
        return None


@dataclass(frozen=True, slots=True)
class Declaration:
    """A statement or head of a loop that declares variables, and where it stands."""

    node: Node
    scope: Scope
    parents: tuple[Node, ...]  # the innermost last, up to the function


class Scopes:
    """The scopes of a script, and what is declared and called in them."""

    def __init__(self, root: Node) -> None:
        self.declarations: list[Declaration] = []
        self._calls: list[tuple[int, Scope]] = []  # where calls begin, and in which function
        self._requires: list[tuple[int, Scope]] = []
        self._exports_at = root.end  # where the file is first offered to others
        self._block_functions: list[tuple[str, Scope]] = []
        self.names: set[str] = set()  # all identifiers but those after a dot and the like
        self.has_with = False
        self.stray_awaits = 0  # `await` where no async function is around
        self._declared: set[Node] = set()
        self._twice = 0
        self._places: list[tuple[Node, Scope, Role]] = []
        roles = {node: role for node, role, _ in find_roles(root) if node.kind == "Identifier"}
        self.program = Scope(root, None, is_function=True)
        pending: list[tuple[Node, Scope, tuple[Node, ...]]] = [
            (child, self.program, (root,)) for child in root.children()
        ]
        while pending:
            node, scope, parents = pending.pop()
            if node.kind == "Identifier":
                self._note_name(node, scope, roles[node])
                continue
            inner = self._enter(node, scope, parents)
            around = (node,) if inner.is_function and inner is not scope else (*parents, node)
            for child in node.children():
                is_outside = child.kind == "Decorator" or child is node.parts.get("key")
                pending.append((child, scope if is_outside else inner, parents if is_outside else around))
        self._first_calls = self._find_first_calls()
        # Where the code is not strict, a function of a block is also written to the variable around it.
        for name, outer in self._block_functions:
            if (hidden := outer.find(name)) is not None:
                hidden.declarations += 1
        for node, scope, role in self._places:
            binding = scope.find(node.text("name"))
            if binding is not None and node not in self._declared:
                binding.references.append(Reference(node, scope, role is Role.BIND))

    @property
    def twice(self) -> int:
        """Count the names that are declared again where that is an error."""
        return self._twice

    def is_calling(self, function: Scope, before: int) -> bool:
        """Tell whether something is called in a function itself before a place; to require another module is no call."""
        return self._first_calls.get(function, before) < before

    def _find_first_calls(self) -> dict[Scope, int]:
        found: dict[Scope, int] = {}
        for start, function in [*self._calls, *(row for row in self._requires if row[0] > self._exports_at)]:
            found[function] = min(start, found.get(function, start))
        return found

    def _enter(self, node: Node, scope: Scope, parents: tuple[Node, ...]) -> Scope:
        """Note what a node declares, and give the scope of what is in it."""
        kind, parent = node.kind, parents[-1]
        self.has_with = self.has_with or kind == "With"
        self.stray_awaits += kind == "Await" and not _may_await(scope.function.node)
        if kind in ("Call", "New", "Tagged", "Await", "Yield"):
            self._note_call(node, scope)
        elif kind == "Variable":
            self.declarations.append(Declaration(node, scope, parents))
            target = scope.function if node.text("word") == "var" else scope
            for row in node.nodes("declarations"):
                self._bind(row.node("pattern"), target, is_single=target is scope and node.text("word") != "var")
        elif kind in _NAMES:
            self._bind(node.node(_NAMES[kind]), scope, is_single=kind == "ImportName")
        is_body = kind == "Block" and len(parents) == 1 and parent.kind != "Program"
        if is_body or kind not in (_FUNCTIONS | _BLOCKS):
            return scope
        return self._open(node, scope, is_declared=parent.kind in _DECLARING)

    def _open(self, node: Node, scope: Scope, *, is_declared: bool) -> Scope:
        """Begin a scope, with the name of what it is the scope of."""
        kind = node.kind
        inner = Scope(node, scope, kind in _FUNCTIONS, is_hoisted=kind == "Function" and is_declared)
        if kind in ("Function", "Class"):
            name = node.node("name")
            self._bind(name, scope if is_declared else inner, is_single=kind == "Class")
            if inner.is_hoisted and name is not None and not scope.is_function and scope.outer is not None:
                self._block_functions.append((name.text("name"), scope.outer))
        elif kind == "Catch":
            self._bind(node.node("pattern"), inner)
        return inner

    def _note_name(self, node: Node, scope: Scope, role: Role) -> None:
        if role in _OTHERS:
            return
        self.names.add(node.text("name"))
        if node.text("name") in ("module", "exports"):
            self._exports_at = min(self._exports_at, node.start)
        if role in _REFERRING:
            self._places.append((node, scope, role))

    def _note_call(self, node: Node, scope: Scope) -> None:
        called = node.node("callee") if node.kind == "Call" else None
        # What is required is another module: it knows nothing of the functions here, unless they were exported before.
        is_require = called is not None and called.kind == "Identifier" and called.text("name") == "require"
        (self._requires if is_require else self._calls).append((node.start, scope.function))

    def _bind(self, pattern: Node | None, scope: Scope, *, is_single: bool = False) -> None:
        for node in find_names(pattern):
            self._declared.add(node)
            binding = scope.bindings.setdefault(node.text("name"), Binding())
            if binding.is_single or is_single:  # all so far, where it only now turns out to be single
                self._twice += 1 if binding.is_single and binding.declarations else binding.declarations
            binding.declarations += 1
            binding.is_single = binding.is_single or is_single


def _may_await(function: Node) -> bool:
    return function.kind == "Program" or function.has("is_async")


def find_names(pattern: Node | None) -> list[Node]:
    """List the identifiers that a pattern binds."""
    found: list[Node] = []
    pending = [pattern]
    while pending:
        node = pending.pop()
        if node is None:
            continue
        if node.kind == "Identifier":
            found.append(node)
        for name in ("items", "properties"):
            pending += node.nodes(name) if node.kind in ("ArrayPattern", "ObjectPattern") else []
        if node.kind in ("Rest", "Defaulted"):
            pending.append(node.node("target"))
        elif node.kind == "PatternProperty":
            pending.append(node.node("value"))
    return found
