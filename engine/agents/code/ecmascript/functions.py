"""Functions, classes and objects.

Owner: nobody but the parser that reads.
"""

from typing import Final

from engine.agents.code.ecmascript.expressions import Expressions
from engine.agents.code.ecmascript.tree import Node

_MODIFIERS: Final = frozenset(
    ["static", "async", "get", "set", "accessor", "public", "private", "protected", "readonly", "override", "abstract", "declare"]
)
_ACCESSORS: Final = frozenset({"get", "set"})
_TYPED_MODIFIERS: Final = frozenset(
    ["public", "private", "protected", "readonly", "override", "abstract", "declare"]
)
# What stands behind a word that is a member's name and no modifier.
_AFTER_KEY: Final = frozenset({"(", "=", ";", "}", ",", ":", "?", "!", "<", ""})


class Functions(Expressions):
    """Functions, arrow functions, classes and objects."""

    def parse_function(self) -> Node:
        """`async function* name(...) {...}`."""
        start = self.start
        is_async = self.accept("async")
        self.expect("function")
        is_generator = self.accept("*")
        name = self.parse_identifier() if self.kind == "name" else None
        return self.parse_callable("Function", start, name, is_async=is_async, is_generator=is_generator)

    def parse_callable(
        self,
        kind: str,
        start: int,
        name: Node | None,
        *,
        is_async: bool = False,
        is_generator: bool = False,
    ) -> Node:
        """Parameters and body; TypeScript lets the body lack."""
        generics = self.parse_type_parameters() if self.has_types else []
        with self.inside(is_async=is_async, is_generator=is_generator, in_function=True):
            parameters = self.parse_parameters()
            parameters_end = self.last_end
            result = self.parse_result()
            body = self.parse_function_body() if self.value == "{" else None
        end = self.last_end
        if body is None:
            if not self.has_types:
                raise self.error()
            self.expect_end()
        node = Node(
            kind,
            start,
            end,
            name=name,
            generics=generics,
            parameters=parameters,
            result=result,
            body=body,
        )
        node.parts.update(is_async=is_async, is_generator=is_generator, parameters_end=parameters_end)
        return node

    def parse_arrow(self, start: int) -> Node:
        """An arrow function from its parameters on, `async` before them being read."""
        generics = self.parse_type_parameters() if self.has_types else []
        parameters = self.parse_parameters()
        parameters_end = self.last_end
        with self.inside(in_choice=False):
            result = self.parse_result()
        if self.value != "=>" or self.newline:
            raise self.error()
        node = self.parse_arrow_rest(start, parameters)
        if result is not None and self._in_choice and self.value != ":":
            raise self.error()  # that colon belongs to the conditional expression around
        node.parts = {"generics": generics, **node.parts, "result": result}
        node.parts["body"] = node.parts.pop("body")  # last, in the order of the source
        node.parts["parameters_end"] = parameters_end
        return node

    def parse_arrow_rest(self, start: int, parameters: list[Node]) -> Node:
        """An arrow function from its arrow on."""
        self.expect("=>")
        with self.inside(is_generator=False, in_function=True):
            body = self.parse_function_body() if self.value == "{" else self.parse_assignment()
        return Node(
            "Arrow",
            start,
            self.last_end,
            parameters=parameters,
            body=body,
            is_async=self._is_async,
        )

    # --- classes ---

    def parse_decorators(self) -> list[Node]:
        """Decorators, if there are any."""
        found: list[Node] = []
        while self.value == "@":
            start = self.start
            self.advance()
            value = self.parse_left_hand_side()
            found.append(Node("Decorator", start, self.last_end, value=value))
        return found

    def parse_class(self, decorators: list[Node]) -> Node:
        """`class Name {...}`; the decorators before it were read."""
        start = self.start
        self.accept("abstract")
        self.expect("class")
        name = None
        if self.kind == "name" and self.value not in ("extends", "implements") or self.value == "implements" and self.peek().value in ("{", "extends", "implements"):
            name = self.parse_identifier()
        generics = self.parse_type_parameters() if self.has_types else []
        heritage = self._parse_heritage()
        members = self._parse_members()
        return Node(
            "Class",
            start,
            self.last_end,
            decorators=decorators,
            name=name,
            generics=generics,
            heritage=heritage,
            members=members,
        )

    def _parse_heritage(self) -> list[Node]:
        found: list[Node] = []
        if self.accept("extends"):
            found.append(self.parse_left_hand_side())
            if self.has_types and self.value == "<":
                found += self.parse_type_arguments()
        if self.has_types and self.accept("implements"):
            found.append(self.parse_type_name())
            while self.accept(","):
                found.append(self.parse_type_name())
        return found

    def _parse_members(self) -> list[Node]:
        self.expect("{")
        found: list[Node] = []
        # `await` and `yield` of the function around mean nothing in here.
        with self.enclosed(), self.inside(is_async=False, is_generator=False, in_function=True):
            while self.value != "}":
                if not self.accept(";"):
                    found.append(self._parse_member_of_class())
        self.advance()
        return found

    def _parse_member_of_class(self) -> Node:
        start = self.start
        decorators = self.parse_decorators()
        if self.value == "static" and self.peek().value == "{":
            self.advance()
            body = self.parse_block()
            return Node("StaticBlock", start, self.last_end, body=body)
        words = self._parse_modifiers()
        own = self.start if not words else words[0][1]
        names = {word for word, _ in words}
        if self.value == "[" and self.has_types and self.is_index_signature():
            node = self.parse_index_signature(start)
            self._end_member()
            return node
        is_generator = self.accept("*")
        key, computed = self.parse_key()
        self._skip_mark()
        if self.value in ("(", "<"):
            method = self.parse_callable(
                "Method", own, None, is_async="async" in names, is_generator=is_generator
            )
            method.start = start
            self._describe(method, key, names, computed=computed, decorators=decorators)
            method.parts["own"] = own
            return method
        field = self._parse_field(start, key, names, computed=computed, decorators=decorators)
        field.parts["own"] = own
        return field

    def _skip_mark(self) -> None:
        if self.has_types and (self.value == "?" or (self.value == "!" and not self.newline)):
            self.advance()

    def _parse_field(
        self, start: int, key: Node, names: set[str], *, computed: bool, decorators: list[Node]
    ) -> Node:
        kind = self.parse_annotation()
        value = self.parse_assignment() if self.accept("=") else None
        self._end_member()
        node = Node("Field", start, self.last_end, type=kind, value=value)
        self._describe(node, key, names, computed=computed, decorators=decorators)
        return node

    def _describe(
        self, node: Node, key: Node, names: set[str], *, computed: bool, decorators: list[Node]
    ) -> None:
        """Put in front what stands in front."""
        node.parts = {"decorators": decorators, "computed": computed, "key": key, **node.parts}

    def _parse_modifiers(self) -> list[tuple[str, int]]:
        found: list[tuple[str, int]] = []
        while self.value in _MODIFIERS and (self.has_types or self.value not in _TYPED_MODIFIERS):
            following = self.peek()
            if following.value in _AFTER_KEY and following.kind != "string":
                break
            # A line may end behind these words only where they are the names of fields.
            if following.newline and self.value not in ("static", *_ACCESSORS):
                break
            if following.value == "*" and self.value not in ("static", "async", *_TYPED_MODIFIERS):
                break
            found.append((self.value, self.start))
            self.advance()
        return found

    def _end_member(self) -> None:
        if not self.accept(",") or not self.has_types:
            self.expect_end()

    # --- objects ---

    def parse_object(self) -> Node:
        """`{...}` as a value."""
        start = self.start
        self.advance()
        with self.enclosed():
            properties = self.parse_list("}", self._parse_property_of_object)
        return Node("Object", start, self.last_end, properties=properties)

    def _parse_property_of_object(self) -> Node:
        start = self.start
        if self.accept("..."):
            value = self.parse_assignment()
            return Node("Spread", start, self.last_end, value=value)
        words = self._parse_object_modifiers()
        is_generator = self.accept("*")
        key, computed = self.parse_key()
        if words or is_generator or self.value in ("(", "<"):
            method = self.parse_callable(
                "Method", start, None, is_async="async" in words, is_generator=is_generator
            )
            self._describe(method, key, words, computed=computed, decorators=[])
            method.parts["own"] = start
            return method
        if self.accept(":"):
            value = self.parse_assignment()
            return Node("Property", start, self.last_end, computed=computed, key=key, value=value)
        if computed or key.kind != "Identifier":
            raise self.error()
        if self.accept("="):  # only where a pattern is meant
            default = self.parse_assignment()
            key = Node("Defaulted", start, self.last_end, target=key, default=default)
        return Node("Property", start, self.last_end, shorthand=True, value=key)

    def _parse_object_modifiers(self) -> set[str]:
        if self.value not in ("async", "get", "set"):
            return set()
        following = self.peek()
        if following.value in _AFTER_KEY and following.kind != "string":
            return set()
        if self.value == "async" and following.newline:
            return set()
        word = self.value
        self.advance()
        return {word}
