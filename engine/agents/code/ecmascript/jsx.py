"""JSX: elements among expressions.

Owner: nobody but the parser that reads. Inside a tag and between tags other tokens hold, so the `>` that ends a tag is
not passed before it is known what comes next.
"""

from engine.agents.code.ecmascript.functions import Functions
from engine.agents.code.ecmascript.tree import Node


class Jsx(Functions):
    """Elements and fragments."""

    def parse_element(self) -> Node:
        """An element or a fragment."""
        node = self._parse_element()
        self.advance()
        node.end = self.last_end
        return node

    def _parse_element(self) -> Node:
        """An element; its last `>` stays the token at hand."""
        start = self.start
        self.advance_in_tag()
        name = None if self.value == ">" else self._parse_name()
        generics: list[Node] = []
        if self.value == "<" and self.has_types:
            generics = self._parse_generics()
        attributes: list[Node] = []
        while self.value not in (">", "/"):
            attributes.append(self._parse_attribute())
        children: list[Node] = []
        closing = None
        if self.value == "/":
            self.advance_in_tag()
        else:
            self._parse_children(children)
            closing = self._parse_closing()
        if self.value != ">":
            raise self.error()
        return Node(
            "Element",
            start,
            self.end,
            name=name,
            generics=generics,
            attributes=attributes,
            children=children,
            closing=closing,
        )

    def _parse_closing(self) -> Node | None:
        """`/name` of the closing tag, whose `<` is the token at hand."""
        self.advance_in_tag()
        if self.value != "/":
            raise self.error()
        self.advance_in_tag()
        return None if self.value == ">" else self._parse_name()

    def _parse_name(self) -> Node:
        """`a`, `a-b`, `a:b` or `A.B`."""
        if self.kind != "name":
            raise self.error()
        start, first = self.start, self._take_name()
        if self.value == ":":
            self.advance_in_tag()
            self._take_name()
            return Node("Namespaced", start, self.last_end)
        node = first
        while self.value == ".":
            self.advance_in_tag()
            part = self._take_name()
            node = Node("Member", start, part.end, object=node, name=part)
        return node

    def _take_name(self) -> Node:
        if self.kind != "name":
            raise self.error()
        kind = "TagName" if "-" in self.value else "Identifier"
        node = Node(kind, self.start, self.end, name=self.value)
        self.advance_in_tag()
        return node

    def _parse_generics(self) -> list[Node]:
        self.advance()
        found = [self.parse_type()]
        while self.accept(","):
            found.append(self.parse_type())
        if self.value != ">":
            raise self.error()
        self.advance_in_tag()
        return found

    def _parse_attribute(self) -> Node:
        start = self.start
        if self.value == "{":
            self.advance()
            self.expect("...")
            with self.enclosed():
                value = self.parse_assignment()
            self._leave_braces()
            self.advance_in_tag()
            return Node("Spread", start, self.last_end, value=value)
        key = self._parse_name()
        if self.value != "=":
            return Node("Attribute", start, key.end, key=key, value=None)
        self.advance_in_tag()
        value = self._parse_attribute_value()
        return Node("Attribute", start, self.last_end, key=key, value=value)

    def _parse_attribute_value(self) -> Node:
        if self.kind == "string":
            node = Node("Literal", self.start, self.end, raw=self.value)
        elif self.value == "<":
            node = self._parse_element()
        elif self.value == "{":
            node = self._parse_container()
        else:
            raise self.error()
        self.advance_in_tag()
        return node

    def _parse_container(self) -> Node:
        """`{value}` or `{}`; its last brace stays the token at hand."""
        start = self.start
        self.advance()
        value = None
        if self.value != "}":
            with self.enclosed():
                value = self._parse_spread_or_value()
            self._leave_braces()
        return Node("Container", start, self.end, value=value)

    def _parse_spread_or_value(self) -> Node:
        self.accept("...")
        return self.parse_expression()

    def _leave_braces(self) -> None:
        if self.value != "}":
            raise self.error()

    def _parse_children(self, children: list[Node]) -> None:
        """Children up to the `<` of the closing tag."""
        while True:
            at = self.end
            self.read_jsx_child()
            if self.start > at:
                children.append(Node("Text", at, self.start))
            if self.value == "{":
                children.append(self._parse_container())
            elif self._is_closing():
                return
            else:
                children.append(self._parse_element())

    def _is_closing(self) -> bool:
        mark = self.mark()
        self.advance_in_tag()
        found = self.value == "/"
        self.go_back(mark)
        return found
