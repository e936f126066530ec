"""Expressions.

Owner: nobody but the parser that reads.
"""

from abc import abstractmethod
from collections.abc import Sequence
from types import MappingProxyType
from typing import Final

from engine.agents.code.ecmascript.tree import Node
from engine.agents.code.ecmascript.types import Types

_LEVELS: Final = (
    ("??",),
    ("||",),
    ("&&",),
    ("|",),
    ("^",),
    ("&",),
    ("==", "!=", "===", "!=="),
    ("<", ">", "<=", ">=", "instanceof", "in", "as", "satisfies"),
    ("<<", ">>", ">>>"),
    ("+", "-"),
    ("*", "/", "%"),
    ("**",),
)
_LEVEL: Final = MappingProxyType(
    {operator: level for level, row in enumerate(_LEVELS, 1) for operator in row}
)
_POWER: Final = len(_LEVELS)
_LOGICAL: Final = frozenset({"??", "||", "&&"})
_ASSIGNMENTS: Final = frozenset(
    ["=", "+=", "-=", "*=", "/=", "%=", "**=", "<<=", ">>=", ">>>=", "&=", "|=", "^=", "&&=", "||=", "??="]
)
_UNARY: Final = frozenset({"delete", "void", "typeof", "+", "-", "~", "!", "++", "--"})
# After these words no value can have begun, so `await` or `yield` before them is a name.
_AFTER_NAME: Final = frozenset({"in", "of", "instanceof", "as", "satisfies"})
_CLOSING: Final = frozenset({")", "]", "}", ",", ";", ":", "?", "=>", "=", ".", "?.", ""})
_RESERVED: Final = frozenset(
    ["break", "case", "catch", "const", "continue", "debugger", "default", "do", "else", "enum", "export", "extends", "finally", "for", "if", "in", "instanceof", "return", "switch", "throw", "try", "var", "while", "with", "delete", "void", "typeof"]
)


class Expressions(Types):
    """Expressions, but for what begins a function, a class or a JSX element."""

    def __init__(self, text: str, *, has_types: bool, has_jsx: bool) -> None:
        super().__init__(text, has_types=has_types, has_jsx=has_jsx)
        self._no_arrows: set[int] = set()  # parentheses that were tried and begin no arrow function

    @abstractmethod
    def parse_function(self) -> Node:
        """`async function* name(...) {...}`."""

    @abstractmethod
    def parse_class(self, decorators: list[Node]) -> Node:
        """`class Name {...}`."""

    @abstractmethod
    def parse_object(self) -> Node:
        """`{...}` as a value."""

    @abstractmethod
    def parse_element(self) -> Node:
        """JSX."""

    @abstractmethod
    def parse_arrow(self, start: int) -> Node:
        """An arrow function from its parameters on, `async` before them being read."""

    @abstractmethod
    def parse_arrow_rest(self, start: int, parameters: list[Node]) -> Node:
        """An arrow function from its arrow on."""

    def parse_expression(self) -> Node:
        """Expression, with commas."""
        first = self.parse_assignment()
        if self.value != ",":
            return first
        found = [first]
        while self.accept(","):
            found.append(self.parse_assignment())
        return Node("Sequence", first.start, self.last_end, items=found)

    def parse_assignment(self) -> Node:
        """Expression without commas."""
        if self.value == "yield" and self._is_generator:
            return self._parse_yield()
        if arrow := self._parse_some_arrow():
            return arrow
        start = self.start
        left = self._parse_conditional()
        if self.value == ">":
            self.read_greater()
        if self.value not in _ASSIGNMENTS:
            return left
        operator = self.value
        self.advance()
        right = self.parse_assignment()
        return Node("Assign", start, self.last_end, operator=operator, left=left, right=right)

    def parse_left_hand_side(self) -> Node:
        """A value with its calls, members and indexes."""
        return self._parse_tail(self._parse_primary(), has_calls=True)

    def parse_arguments(self) -> list[Node]:
        """Arguments in parentheses."""
        self.expect("(")
        with self.enclosed():
            return self.parse_list(")", self._parse_argument)

    def parse_template(self) -> Node:
        """A template from its backtick on."""
        start = self.start
        values: list[Node] = []
        while self.read_template_text():
            self.advance()
            with self.enclosed():
                values.append(self.parse_expression())
            if self.value != "}":
                raise self.error()
        self.advance()
        return Node("Template", start, self.last_end, values=values)

    # --- arrow functions ---

    def _parse_some_arrow(self) -> Node | None:
        """An arrow function, if one begins here."""
        if self.kind == "name":
            if self.value == "async":
                return self._parse_async_arrow()
            if self.value not in _RESERVED and self.is_before_arrow():
                return self._parse_short_arrow(self.start)
        elif self.value == "(":
            if self._may_be_parameters():
                return self._attempt_arrow(self.start)
        elif self.value == "<" and self.has_types and (not self.has_jsx or self._is_generic()):
            return self._attempt_arrow(self.start)
        return None

    def _may_be_parameters(self) -> bool:
        """Look two tokens ahead, to spare most parentheses the attempt."""
        mark = self.mark()
        self.advance()
        found = self.value in (")", "...", "{", "[", "@")
        if self.kind == "name":
            self.advance()
            found = self.value in (")", ",", ":", "?", "=") or self.kind == "name"
        self.go_back(mark)
        return found

    def _is_generic(self) -> bool:
        """In TSX only these begin type parameters: `<T,`, `<T =` and `<T extends U`, also with `const`."""
        mark = self.mark()
        self.advance()
        self.accept("const")
        self.advance()
        found = self.value in (",", "=")
        if self.accept("extends"):
            found = self.value not in ("=", ">", "/")
        self.go_back(mark)
        return found

    def _parse_short_arrow(self, start: int) -> Node:
        name = self.parse_identifier()
        parameter = Node("Parameter", name.start, name.end, pattern=name)
        return self.parse_arrow_rest(start, [parameter])

    def _parse_async_arrow(self) -> Node | None:
        start, following = self.start, self.peek()
        if following.value == "=>":
            return self._parse_short_arrow(start)
        if following.newline or following.value in ("function", *_AFTER_NAME):
            return None
        if following.value in ("(", "<"):
            return self._attempt_arrow(start)
        if following.kind != "name":
            return None

        def parse() -> Node:
            self.advance()
            if not self.is_before_arrow():
                raise self.error()
            with self.inside(is_async=True):
                return self._parse_short_arrow(start)

        return self.attempt(parse)

    def _attempt_arrow(self, start: int) -> Node | None:
        if start in self._no_arrows:
            return None

        def parse() -> Node:
            is_async = self.accept("async")
            with self.inside(is_async=is_async):
                return self.parse_arrow(start)

        found = self.attempt(parse)
        if found is None:
            self._no_arrows.add(start)
        return found

    # --- operators ---

    def _parse_yield(self) -> Node:
        start = self.start
        self.advance()
        value = None
        if self.value == "*" or not (self.newline or self.value in _CLOSING or self.value == "in"):
            self.accept("*")
            value = self.parse_assignment()
        return Node("Yield", start, self.last_end, value=value)

    def _parse_conditional(self) -> Node:
        start = self.start
        test = self._parse_binary(1)
        if self.value != "?":
            return test
        self.advance()
        with self.inside(no_in=False, in_choice=True):
            chosen = self.parse_assignment()
        self.expect(":")
        other = self.parse_assignment()
        return Node("Conditional", start, self.last_end, test=test, chosen=chosen, other=other)

    def _parse_binary(self, lowest: int) -> Node:
        start = self.start
        left = self._parse_unary()
        while (level := self._find_level()) >= lowest:
            operator = self.value
            if operator in ("as", "satisfies"):
                self.advance()
                kind = self.parse_type()
                left = Node("Cast", start, self.last_end, value=left, type=kind)
                continue
            self.advance()
            right = self._parse_binary(level + (level < _POWER))
            name = "Logical" if operator in _LOGICAL else "Binary"
            left = Node(name, start, self.last_end, left=left, right=right)
        return left

    def _find_level(self) -> int:
        """Say how strong the operator at hand binds; 0 if there is none."""
        if self.value == ">":
            self.read_greater()
        if self.kind not in ("punctuation", "name"):
            return 0
        if self.value == "in" and self._no_in:
            return 0
        if self.value in ("as", "satisfies") and (self.newline or not self.has_types):
            return 0
        return _LEVEL.get(self.value, 0)

    def _parse_unary(self) -> Node:
        start = self.start
        if self.value in _UNARY:
            operator = self.value
            self.advance()
            value = self._parse_unary()
            kind = "Update" if operator in ("++", "--") else "Unary"
            return Node(kind, start, self.last_end, operator=operator, value=value)
        if self.value == "await" and self._is_awaiting():
            self.advance()
            value = self._parse_unary()
            return Node("Await", start, self.last_end, value=value)
        if self.value == "<" and self.has_types and not self.has_jsx:
            return self._parse_assertion()
        value = self.parse_left_hand_side()
        if self.value in ("++", "--") and not self.newline:
            self.advance()
            return Node("Update", start, self.last_end, value=value)
        return value

    def _is_awaiting(self) -> bool:
        if self._is_async:
            return True
        following = self.peek()
        if following.value in _AFTER_NAME:
            return False
        if following.kind in ("name", "number", "string", "template"):
            return not following.newline
        # At the top level of a module it waits for anything that can begin a value.
        return not self._in_function and following.value in ("(", "[", "{")

    def _parse_assertion(self) -> Node:
        start = self.start
        self.advance()
        with self.enclosed():
            kind = self.parse_type()
        self.expect(">")
        value = self._parse_unary()
        return Node("Cast", start, self.last_end, type=kind, value=value)

    # --- calls and members ---

    def _parse_tail(self, node: Node, *, has_calls: bool) -> Node:
        while (longer := self._parse_link(node, has_calls=has_calls)) is not None:
            node = longer
        return node

    def _parse_link(self, node: Node, *, has_calls: bool) -> Node | None:
        """One more call, member or index behind a value, if there is one."""
        match self.value:
            case ".":
                self.advance()
                return self._parse_member(node)
            case "[":
                return self._parse_index(node)
            case "`":
                quasi = self.parse_template()
                return Node("Tagged", node.start, self.last_end, tag=node, quasi=quasi)
            case "(" if has_calls:
                return self._parse_call(node)
            case "?." if has_calls:
                return self._parse_optional(node)
            case "!" if self.has_types and not self.newline:
                self.advance()
                return Node("NonNull", node.start, self.last_end, value=node)
            case "<" | "<<" if self.has_types:
                return self.attempt(lambda: self._parse_instantiation(node, has_calls=has_calls))
        return None

    def _parse_call(
        self, node: Node, generics: Sequence[Node] = (), *, optional: bool = False
    ) -> Node:
        arguments = self.parse_arguments()
        return Node(
            "Call",
            node.start,
            self.last_end,
            callee=node,
            generics=list(generics),
            arguments=arguments,
            optional=optional,
        )

    def _parse_member(self, node: Node, *, optional: bool = False) -> Node:
        name = self.parse_key_word()
        return Node("Member", node.start, name.end, object=node, name=name, optional=optional)

    def _parse_index(self, node: Node) -> Node:
        self.expect("[")
        with self.enclosed():
            index = self.parse_expression()
        self.expect("]")
        return Node("Index", node.start, self.last_end, object=node, index=index)

    def _parse_optional(self, node: Node) -> Node:
        self.advance()
        if self.value == "[":
            return self._parse_index(node)
        generics: list[Node] = []
        if self.value in ("<", "<<") and self.has_types:
            generics = self.parse_type_arguments()
        if self.value == "(":
            return self._parse_call(node, generics, optional=True)
        if self.value == "`":
            raise self.error()
        return self._parse_member(node, optional=True)

    def _parse_instantiation(self, node: Node, *, has_calls: bool) -> Node:
        """`f<A>(x)`, a tagged template with types, or `f<A>` alone; raise `ParseError` for a comparison."""
        generics = self.parse_type_arguments()
        if self.value == "(" and has_calls:
            return self._parse_call(node, generics)
        if self.value == "`":
            quasi = self.parse_template()
            return Node(
                "Tagged", node.start, self.last_end, tag=node, generics=generics, quasi=quasi
            )
        if self.value != "(" and not self._ends_instantiation():
            raise self.error()
        return Node("Instantiation", node.start, self.last_end, value=node, generics=generics)

    def _ends_instantiation(self) -> bool:
        if self.value in ("<", ">", "+", "-"):
            return False
        return (
            self.newline
            or self.value in _CLOSING
            or self.value in _LEVEL
            or self.value in _ASSIGNMENTS
            or (self.kind == "punctuation" and self.value not in ("[", "{", "!", "~", "@", "++", "--"))
        )

    def _parse_argument(self) -> Node:
        start = self.start
        if self.accept("..."):
            value = self.parse_assignment()
            return Node("Spread", start, self.last_end, value=value)
        return self.parse_assignment()

    # --- primaries ---

    def _parse_primary(self) -> Node:
        match self.kind:
            case "name":
                return self._parse_word()
            case "number" | "string":
                return self.parse_literal()
            case "template":
                return self.parse_template()
            case "private":  # `#field in object`
                return self.parse_key_word()
        return self._parse_bracketed()

    def _parse_bracketed(self) -> Node:
        match self.value:
            case "(":
                return self._parse_parenthesised()
            case "[":
                return self._parse_array()
            case "{":
                return self.parse_object()
            case "/" | "/=":
                self.read_regular()
                return self.parse_literal()
            case "<" if self.has_jsx:
                return self.parse_element()
            case "@":
                return self.parse_class(self.parse_decorators())
        raise self.error()

    def _parse_word(self) -> Node:
        match self.value:
            case "function":
                return self.parse_function()
            case "async":
                following = self.peek()
                if following.value == "function" and not following.newline:
                    return self.parse_function()
            case "class":
                return self.parse_class([])
            case "new":
                return self._parse_new()
            case "this" | "super" | "null" | "true" | "false":
                return self.parse_literal()
            case "import":
                return self._parse_import()
        if self.value in _RESERVED:
            raise self.error()
        return self.parse_identifier()

    def _parse_parenthesised(self) -> Node:
        start = self.start
        self.advance()
        with self.enclosed():
            value = self.parse_expression()
        self.expect(")")
        return Node("Parenthesised", start, self.last_end, value=value)

    def _parse_array(self) -> Node:
        start = self.start
        items = self.parse_elements(self._parse_argument)
        return Node("Array", start, self.last_end, items=items)

    def _parse_new(self) -> Node:
        start = self.start
        self.advance()
        if self.value == ".":
            return self._parse_meta(start)
        callee = self._parse_new() if self.value == "new" else self._parse_primary()
        callee = self._parse_tail(callee, has_calls=False)
        generics: list[Node] = []
        if callee.kind == "Instantiation":
            inner = callee.node("value")
            assert inner is not None
            callee, generics = inner, callee.nodes("generics")
        arguments = self.parse_arguments() if self.value == "(" else []
        return Node(
            "New", start, self.last_end, callee=callee, generics=generics, arguments=arguments
        )

    def _parse_import(self) -> Node:
        start = self.start
        self.advance()
        if self.value == ".":
            return self._parse_meta(start)
        if self.value != "(":
            raise self.error()
        arguments = self.parse_arguments()
        return Node("ImportCall", start, self.last_end, arguments=arguments)

    def _parse_meta(self, start: int) -> Node:
        """`new.target` and `import.meta`; also `import.defer(...)`, whose call follows."""
        self.advance()
        self.parse_key_word()
        return Node("Meta", start, self.last_end)
