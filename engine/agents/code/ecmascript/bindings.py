"""Names that are bound: patterns, parameters and the keys of properties.

Owner: nobody but the parser that reads.
"""

from collections.abc import Callable
from typing import Final

from engine.agents.code.ecmascript.grammar import Grammar
from engine.agents.code.ecmascript.tree import Node

_PARAMETER_MODIFIERS: Final = frozenset({"public", "private", "protected", "readonly", "override"})


class Bindings(Grammar):
    """Patterns and parameters."""

    def parse_pattern(self) -> Node:
        """What a declaration binds: a name, or several in brackets or braces."""
        if self.value == "[":
            return self._parse_array_pattern()
        if self.value == "{":
            return self._parse_object_pattern()
        return self.parse_identifier()

    def parse_parameters(self) -> list[Node]:
        """Parameters in parentheses."""
        self.expect("(")
        with self.enclosed():
            return self.parse_list(")", self._parse_parameter)

    def parse_annotation(self) -> Node | None:
        """`: Type`, or nothing."""
        return self.parse_type() if self.has_types and self.accept(":") else None

    def parse_result(self) -> Node | None:
        """`: Type` of what a function gives back, or nothing."""
        return self.parse_return_type() if self.has_types and self.accept(":") else None

    def parse_key(self) -> tuple[Node, bool]:
        """Key of a property, and whether it is computed."""
        if self.value == "[":
            self.advance()
            with self.enclosed():
                key = self.parse_assignment()
            self.expect("]")
            return key, True
        if self.kind in ("string", "number"):
            return self.parse_literal(), False
        return self.parse_key_word(), False

    def parse_key_word(self) -> Node:
        """A word after a dot or as a key: any, also a reserved one, and a private name."""
        if self.kind == "private":
            node = Node("PrivateName", self.start, self.end, name=self.value)
            self.advance()
            return node
        return self.parse_identifier()

    def parse_elements(self, parse: Callable[[], Node]) -> list[Node]:
        """What stands in square brackets, holes left out; from the bracket on."""
        self.advance()
        items: list[Node] = []
        with self.enclosed():
            while self.value != "]":
                if not self.accept(","):
                    items.append(parse())
                    if self.value != "]":
                        self.expect(",")
        self.advance()
        return items

    def _parse_array_pattern(self) -> Node:
        start = self.start
        items = self.parse_elements(self._parse_item)
        return Node("ArrayPattern", start, self.last_end, items=items)

    def _parse_object_pattern(self) -> Node:
        start = self.start
        self.advance()
        with self.enclosed():
            properties = self.parse_list("}", self._parse_property)
        return Node("ObjectPattern", start, self.last_end, properties=properties)

    def _parse_item(self) -> Node:
        start = self.start
        if self.accept("..."):
            target = self.parse_pattern()
            return Node("Rest", start, self.last_end, target=target)
        return self._with_default(self.parse_pattern())

    def _with_default(self, target: Node) -> Node:
        if not self.accept("="):
            return target
        default = self.parse_assignment()
        return Node("Defaulted", target.start, self.last_end, target=target, default=default)

    def _parse_property(self) -> Node:
        start = self.start
        if self.value == "...":
            return self._parse_item()
        key, computed = self.parse_key()
        if self.accept(":"):
            value = self._parse_item()
            return Node(
                "PatternProperty", start, self.last_end, computed=computed, key=key, value=value
            )
        if computed or key.kind != "Identifier":
            raise self.error()
        value = self._with_default(key)
        return Node("PatternProperty", start, self.last_end, shorthand=True, value=value)

    def _parse_parameter(self) -> Node:
        start = self.start
        decorators = self.parse_decorators()
        while self.value in _PARAMETER_MODIFIERS and self._is_modifier():
            self.advance()
        rests = self.accept("...")
        pattern = self.parse_pattern()
        if pattern.kind == "Identifier" and pattern.text("name") == "this":
            pattern.kind = "This"
        if self.has_types:
            self.accept("?")
        kind = self.parse_annotation()
        default = self.parse_assignment() if self.accept("=") else None
        return Node(
            "Parameter",
            start,
            self.last_end,
            decorators=decorators,
            rests=rests,
            pattern=pattern,
            type=kind,
            default=default,
        )

    def _is_modifier(self) -> bool:
        following = self.peek()
        return self.has_types and (following.kind == "name" or following.value in ("[", "{"))
