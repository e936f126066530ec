"""The syntax tree: nodes with their places, and walks over them.

Owner: nobody. Kinds and fields are named after ESTree where it has a word. Walks keep their own stack, so no nesting is
too deep for them.
"""

from collections.abc import Iterator
from typing import TypeAlias

Part: TypeAlias = "Node | list[Node] | str | int | None"


class Node:
    """One construct; `start` and `end` are offsets of characters into the text."""

    __slots__ = ("end", "kind", "parts", "start")

    def __init__(self, kind: str, start: int, end: int, **parts: Part) -> None:
        self.kind = kind
        self.start = start
        self.end = end
        self.parts = parts  # in the order of the source

    def node(self, name: str) -> "Node | None":
        """Give a field that holds a node, if it is filled."""
        value = self.parts.get(name)
        assert value is None or isinstance(value, Node), (self.kind, name)
        return value

    def nodes(self, name: str) -> "list[Node]":
        """Give a field that holds a list of nodes."""
        value = self.parts.get(name)
        if value is None:
            return []
        assert isinstance(value, list), (self.kind, name)
        return value

    def text(self, name: str) -> str:
        """Give a field that holds a word."""
        value = self.parts.get(name, "")
        assert isinstance(value, str), (self.kind, name)
        return value

    def number(self, name: str) -> int:
        """Give a field that holds an offset."""
        value = self.parts[name]
        assert isinstance(value, int), (self.kind, name)
        return value

    def has(self, name: str) -> bool:
        """Tell whether a flag is set or a field is filled."""
        return bool(self.parts.get(name))

    def children(self) -> "list[Node]":
        """List the nodes directly in this one, in the order of the source."""
        found: list[Node] = []
        for value in self.parts.values():
            if value.__class__ is Node:
                found.append(value)
            elif value.__class__ is list:
                found.extend(value)
        return found

    def __repr__(self) -> str:
        return f"<{self.kind} {self.start}-{self.end}>"


def walk(node: Node) -> Iterator[Node]:
    """Go through a node and all nodes in it, in the order of the source, parents first."""
    pending = [node]
    while pending:
        node = pending.pop()
        yield node
        pending.extend(reversed(node.children()))
