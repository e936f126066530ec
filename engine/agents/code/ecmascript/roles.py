"""What each identifier of a script stands for, by its place.

Owner: nobody.
"""

from collections.abc import Iterator, Mapping
from enum import Enum, auto
from types import MappingProxyType
from typing import Final

from engine.agents.code.ecmascript.tree import Node


class Role(Enum):
    """What a node stands for, and names directly in it."""

    USE = auto()
    BIND = auto()  # bound: declared, a parameter, the target of an assignment
    CALL = auto()
    ATTRIBUTE = auto()  # after a dot, a key, a name for others
    IMPORT = auto()
    FOREIGN = auto()  # in an import or export: what another module calls it


# Which child has which role, by the kind of its parent and its field.
_FIELDS: Final[Mapping[str, Mapping[str, Role]]] = MappingProxyType(
    {
        **dict.fromkeys(("Function", "Class", "Interface", "Alias", "Enum", "Namespace"), {"name": Role.BIND}),
        **dict.fromkeys(("TypeParameter", "InferType", "MappedType", "IndexSignature"), {"name": Role.BIND}),
        **dict.fromkeys(("Declarator", "Parameter", "Catch"), {"pattern": Role.BIND}),
        **dict.fromkeys(("ForIn", "ForOf", "Assign"), {"left": Role.BIND}),
        **dict.fromkeys(("Call", "New"), {"callee": Role.CALL}),
        **dict.fromkeys(("ExportAll", "ExportNamespace"), {"name": Role.ATTRIBUTE}),
        "Tagged": {"tag": Role.CALL},
        "Update": {"value": Role.BIND},
        "Member": {"name": Role.ATTRIBUTE},
        "Qualified": {"right": Role.ATTRIBUTE},
        "TupleMember": {"label": Role.ATTRIBUTE},
        "ImportType": {"names": Role.ATTRIBUTE},
        "Attribute": {"key": Role.ATTRIBUTE},
        "ImportEquals": {"name": Role.IMPORT},
        "ImportName": {"local": Role.IMPORT, "outer": Role.FOREIGN},
        "ExportName": {"outer": Role.ATTRIBUTE},
    }
)
# What a node is, its own child is: in patterns, and in brackets.
_PATTERNS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "ArrayPattern": "items", "Array": "items", "ObjectPattern": "properties", "Object": "properties",
        "PatternProperty": "value", "Property": "value", "Rest": "target", "Spread": "value", "Defaulted": "target",
    }
)  # fmt: skip
_KEYED: Final = frozenset(
    {"Method", "Field", "Property", "PatternProperty", "EnumMember", "PropertySignature", "MethodSignature"}
)


def find_roles(root: Node) -> Iterator[tuple[Node, Role, str]]:
    """Go through all nodes in the order of the source, each with its role and what it is short for."""
    pending: list[tuple[Node, Role, str]] = [(root, Role.USE, "")]
    while pending:
        node, role, shorthand = pending.pop()
        yield node, role, shorthand
        fields: list[tuple[str, Node]] = []
        for name, value in node.parts.items():
            if isinstance(value, Node):
                fields.append((name, value))
            elif isinstance(value, list):
                fields += ((name, child) for child in value)
        for name, child in reversed(fields):
            pending.append((child, _find_role(node, name, role, child), _find_shorthand(node, name, shorthand)))


def _find_role(node: Node, name: str, role: Role, child: Node) -> Role:
    kind = node.kind
    if kind in _KEYED and name == "key":
        return Role.USE if node.has("computed") else Role.ATTRIBUTE
    if kind == "Parenthesised":
        return role if role in (Role.BIND, Role.CALL) else Role.USE
    if _PATTERNS.get(kind) == name:
        return role if role is Role.BIND else Role.USE
    if kind == "Qualified" and name == "left":
        return role if role is Role.BIND else Role.USE
    if kind in ("ExportNames", "ExportName"):
        return _find_export_role(node, name, role)
    if kind == "Element" and name in ("name", "closing"):
        is_tag = child.kind == "Identifier" and child.text("name")[0].islower() and child.text("name")[0].isascii()
        return Role.ATTRIBUTE if is_tag else Role.USE
    return _FIELDS.get(kind, {}).get(name, Role.USE)


def _find_export_role(node: Node, name: str, role: Role) -> Role:
    """The names of `export {…} from` are another module's."""
    if node.kind == "ExportNames":
        return Role.FOREIGN if node.has("foreign") else Role.USE
    return Role.ATTRIBUTE if name == "outer" else role


def _find_shorthand(node: Node, name: str, shorthand: str) -> str:
    """`{a}`, `import {a}` and `export {a}` say one name for two."""
    if node.kind in ("Property", "PatternProperty"):
        return "property" if name == "value" and node.has("shorthand") else ""
    if node.kind == "Defaulted":
        return shorthand if name == "target" else ""
    if node.kind in ("ImportName", "ExportName"):
        return node.kind[:6].lower() if node.has("shorthand") else ""
    return ""
