"""TypeScript's types.

Owner: nobody but the parser that reads.
"""

from collections.abc import Callable
from typing import Final

from engine.agents.code.ecmascript.bindings import Bindings
from engine.agents.code.ecmascript.tree import Node

_KEYWORDS: Final = frozenset(
    ["any", "unknown", "number", "string", "boolean", "symbol", "object", "never", "void", "undefined", "null", "true", "false", "this"]
)
_PREFIXES: Final = frozenset({"keyof", "unique", "readonly"})
_MEMBER_ENDS: Final = frozenset("(<:?,;}=")


class Types(Bindings):
    """Types, and the members of interfaces."""

    def parse_type(self) -> Node:
        """Type."""
        start = self.start
        if self._is_function_type():
            return self._parse_function_type()
        node = self._parse_union()
        if self._no_choice or self.newline or self.value != "extends":
            return node
        self.advance()
        with self.inside(no_choice=True):
            limit = self.parse_type()
        self.expect("?")
        with self.inside(no_choice=False):
            chosen = self.parse_type()
            self.expect(":")
            other = self.parse_type()
        return Node(
            "ConditionalType", start, self.last_end, check=node, limit=limit, chosen=chosen, other=other
        )

    def parse_return_type(self) -> Node:
        """What stands after the colon of a signature: a type, or a statement about a parameter."""
        start = self.start
        if self.value == "asserts" and self.is_followed_on_line():
            self.advance()
            return self._parse_predicate(start)
        if self.kind == "name":
            following = self.peek()
            if following.value == "is" and not following.newline:
                return self._parse_predicate(start)
        return self.parse_type()

    def parse_type_arguments(self) -> list[Node]:
        """`<A, B>`."""
        if self.value == "<<":
            self.read_less()
        self.expect("<")
        with self.enclosed():
            return self.parse_list(">", self.parse_type)

    def parse_type_parameters(self) -> list[Node]:
        """`<T extends A = B>`, or nothing."""
        if self.value != "<":
            return []
        self.advance()
        with self.enclosed():
            return self.parse_list(">", self._parse_type_parameter)

    def parse_type_name(self) -> Node:
        """`A.B<C>`."""
        start = self.start
        name = self.parse_entity_name()
        arguments: list[Node] = []
        if not self.newline and self.value in ("<", "<<"):
            arguments = self.parse_type_arguments()
        return Node("TypeReference", start, self.last_end, name=name, arguments=arguments)

    def parse_entity_name(self) -> Node:
        """`A.B`."""
        node = self.parse_identifier()
        while self.value == ".":
            self.advance()
            part = self.parse_key_word()
            node = Node("Qualified", node.start, part.end, left=node, right=part)
        return node

    def parse_type_members(self) -> Node:
        """What an interface or an object type has in its braces."""
        start = self.start
        self.expect("{")
        members: list[Node] = []
        with self.enclosed():
            while self.value != "}":
                members.append(self._parse_type_member())
                if not (self.accept(";") or self.accept(",")) and not (
                    self.value == "}" or self.newline
                ):
                    raise self.error()
        self.advance()
        return Node("TypeMembers", start, self.last_end, members=members)

    def parse_index_signature(self, start: int) -> Node:
        """`[key: A]: B`."""
        self.expect("[")
        name = self.parse_identifier()
        self.expect(":")
        key = self.parse_type()
        self.expect("]")
        value = self.parse_annotation()
        return Node("IndexSignature", start, self.last_end, name=name, key=key, value=value)

    def is_index_signature(self) -> bool:
        """Does `[name:` begin here?"""
        mark = self.mark()
        self.advance()
        is_name = self.kind == "name"
        self.advance()
        found = is_name and self.value == ":"
        self.go_back(mark)
        return found

    # --- functions ---

    def _is_function_type(self) -> bool:
        if self.value in ("<", "new"):
            return True
        if self.value == "abstract":
            return self.peek().value == "new"
        return self.value == "(" and self._is_parameter_list()

    def _is_parameter_list(self) -> bool:
        """Do parameters begin here, and no type in parentheses?"""
        mark = self.mark()
        self.advance()
        found = self.value in (")", "...") or self._skips_parameter()
        self.go_back(mark)
        return found

    def _skips_parameter(self) -> bool:
        if self.value in ("{", "["):
            if self.attempt(self.parse_pattern) is None:
                return False
        elif self.kind == "name":
            self.advance()
        else:
            return False
        if self.value in (":", ",", "?", "="):
            return True
        return self.accept(")") and self.value == "=>"

    def _parse_function_type(self) -> Node:
        start = self.start
        self.accept("abstract")
        self.accept("new")
        generics = self.parse_type_parameters()
        parameters = self.parse_parameters()
        self.expect("=>")
        with self.inside(no_choice=False):
            result = self.parse_return_type()
        return Node(
            "FunctionType",
            start,
            self.last_end,
            generics=generics,
            parameters=parameters,
            result=result,
        )

    def _parse_predicate(self, start: int) -> Node:
        name = self.parse_key_word()
        if name.text("name") == "this":
            name.kind = "This"
        kind = self.parse_type() if self.accept("is") else None
        return Node("TypePredicate", start, self.last_end, name=name, type=kind)

    def _parse_type_parameter(self) -> Node:
        start = self.start
        while self.value in ("const", "in", "out") and self.peek().kind == "name":
            following = self.peek()
            if self.value == "out" and following.value == "extends":
                break
            self.advance()
        name = self.parse_identifier()
        limit = self.parse_type() if self.accept("extends") else None
        default = self.parse_type() if self.accept("=") else None
        return Node("TypeParameter", start, self.last_end, name=name, limit=limit, default=default)

    # --- operators ---

    def _parse_union(self) -> Node:
        return self._parse_chain("|", "UnionType", self._parse_intersection)

    def _parse_intersection(self) -> Node:
        return self._parse_chain("&", "IntersectionType", self._parse_type_operator)

    def _parse_chain(self, operator: str, kind: str, parse: Callable[[], Node]) -> Node:
        start = self.start
        leads = self.accept(operator)
        first = self._parse_function_type() if leads and self._is_function_type() else parse()
        if self.value != operator:
            return first
        found = [first]
        while self.accept(operator):
            found.append(self._parse_function_type() if self._is_function_type() else parse())
        return Node(kind, start, self.last_end, types=found)

    def _parse_type_operator(self) -> Node:
        start = self.start
        if self.value in _PREFIXES and self._begins_type(self.peek().value):
            self.advance()
            kind = self._parse_type_operator()
            return Node("TypeOperator", start, self.last_end, type=kind)
        if self.value == "infer" and self.is_followed_on_line():
            return self._parse_infer()
        return self._parse_postfix_type()

    def _begins_type(self, value: str) -> bool:
        return bool(value) and value not in ")]}>,;=|&?:." and value not in ("=>", "extends", "is")

    def _parse_infer(self) -> Node:
        start = self.start
        self.advance()
        name = self.parse_identifier()

        def parse_limit() -> Node:
            self.expect("extends")
            with self.inside(no_choice=True):
                limit = self.parse_type()
            if not self._no_choice and self.value == "?":
                raise self.error()  # the `extends` of a conditional type around
            return limit

        limit = self.attempt(parse_limit) if self.value == "extends" else None
        return Node("InferType", start, self.last_end, name=name, limit=limit)

    def _parse_postfix_type(self) -> Node:
        node = self._parse_primary_type()
        while not self.newline and self.value in ("[", "!"):
            if self.accept("!"):
                continue
            self.advance()
            if self.accept("]"):
                node = Node("ArrayType", node.start, self.last_end, item=node)
                continue
            with self.enclosed():
                index = self.parse_type()
            self.expect("]")
            node = Node("IndexedType", node.start, self.last_end, object=node, index=index)
        return node

    # --- primaries ---

    def _parse_primary_type(self) -> Node:
        match self.value:
            case "{":
                return self._parse_mapped_type() if self._is_mapped() else self.parse_type_members()
            case "[":
                return self._parse_tuple_type()
            case "(":
                return self._parse_parenthesised_type()
            case "-":
                return self._parse_negative()
            case "`":
                return self._parse_template_type()
            case "typeof":
                return self._parse_type_query()
            case "import":
                return self._parse_import_type()
        return self._parse_simple_type()

    def _parse_simple_type(self) -> Node:
        if self.kind in ("string", "number"):
            return self.parse_literal()
        if self.kind != "name":
            raise self.error()
        if self.value in _KEYWORDS and self.peek().value != ".":
            node = Node("KeywordType", self.start, self.end, name=self.value)
            self.advance()
            return node
        return self.parse_type_name()

    def _is_mapped(self) -> bool:
        mark = self.mark()
        self.advance()
        if self.value in ("+", "-"):
            self.advance()
        if self.value == "readonly":
            self.advance()
        found = False
        if self.accept("["):
            self.advance()
            found = self.value == "in"
        self.go_back(mark)
        return found

    def _parse_mapped_type(self) -> Node:
        start = self.start
        self.advance()
        with self.enclosed():
            while self.value != "[":
                self.advance()
            self.advance()
            name = self.parse_identifier()
            self.expect("in")
            keys = self.parse_type()
            alias = self.parse_type() if self.accept("as") else None
            self.expect("]")
            while self.value in ("+", "-", "?"):
                self.advance()
            value = self.parse_annotation()
            while self.value in (";", ","):
                self.advance()
        self.expect("}")
        return Node(
            "MappedType", start, self.last_end, name=name, keys=keys, alias=alias, value=value
        )

    def _parse_tuple_type(self) -> Node:
        start = self.start
        self.advance()
        with self.enclosed():
            items = self.parse_list("]", self._parse_tuple_item)
        return Node("TupleType", start, self.last_end, items=items)

    def _parse_tuple_item(self) -> Node:
        start = self.start
        spreads = self.accept("...")
        if self.kind == "name":
            following = self.peek()
            label = self.attempt(self._parse_label) if following.value in (":", "?") else None
            if label is not None:
                kind = self.parse_type()
                return Node("TupleMember", start, self.last_end, label=label, type=kind)
        kind = self.parse_type()
        self.accept("?")
        return Node("TupleItem", start, self.last_end, spreads=spreads, type=kind)

    def _parse_label(self) -> Node:
        label = self.parse_identifier()
        self.accept("?")
        self.expect(":")
        return label

    def _parse_parenthesised_type(self) -> Node:
        start = self.start
        self.advance()
        with self.enclosed():
            kind = self.parse_type()
        self.expect(")")
        return Node("ParenthesisedType", start, self.last_end, type=kind)

    def _parse_type_query(self) -> Node:
        start = self.start
        self.advance()
        name = self._parse_import_type() if self.value == "import" else self._parse_query_name()
        arguments: list[Node] = []
        if not self.newline and self.value in ("<", "<<"):
            arguments = self.parse_type_arguments()
        return Node("TypeQuery", start, self.last_end, name=name, arguments=arguments)

    def _parse_query_name(self) -> Node:
        node = self.parse_identifier()
        if node.text("name") == "this":
            node.kind = "This"
        while self.accept("."):
            part = self.parse_key_word()
            node = Node("Qualified", node.start, part.end, left=node, right=part)
        return node

    def _parse_import_type(self) -> Node:
        start = self.start
        self.advance()
        self.expect("(")
        source = self.parse_type()
        if self.accept(","):
            self._skip_braces()
            self.accept(",")
        self.expect(")")
        names: list[Node] = []
        while self.accept("."):
            names.append(self.parse_key_word())
        arguments: list[Node] = []
        if not self.newline and self.value in ("<", "<<"):
            arguments = self.parse_type_arguments()
        return Node(
            "ImportType", start, self.last_end, source=source, names=names, arguments=arguments
        )

    def _skip_braces(self) -> None:
        depth = 0
        while True:
            depth += (self.value == "{") - (self.value == "}")
            self.advance()
            if depth == 0:
                return
            if self.kind == "end":
                raise self.error()

    def _parse_negative(self) -> Node:
        start = self.start
        self.advance()
        if self.kind != "number":
            raise self.error()
        self.advance()
        return Node("Literal", start, self.last_end, raw="")

    def _parse_template_type(self) -> Node:
        start = self.start
        types: list[Node] = []
        while self.read_template_text():
            self.advance()
            with self.enclosed():
                types.append(self.parse_type())
            if self.value != "}":
                raise self.error()
        self.advance()
        return Node("TemplateType", start, self.last_end, types=types)

    # --- members ---

    def _parse_type_member(self) -> Node:
        start = self.start
        if self.value in ("(", "<"):
            return self._parse_signature(start, None)
        if self.value == "new" and self.peek().value in ("(", "<"):
            self.advance()
            return self._parse_signature(start, None)
        while self.value in ("readonly", "static") and self.peek().value[:1] not in _MEMBER_ENDS:
            self.advance()
        if self.value == "[" and self.is_index_signature():
            return self.parse_index_signature(start)
        if self.value in ("get", "set"):
            following = self.peek()
            if following.value[:1] not in _MEMBER_ENDS and not following.newline:
                self.advance()
        key, computed = self.parse_key()
        self.accept("?")
        if self.value in ("(", "<"):
            return self._parse_signature(start, key, computed=computed)
        kind = self.parse_annotation()
        return Node(
            "PropertySignature", start, self.last_end, key=key, computed=computed, type=kind
        )

    def _parse_signature(self, start: int, key: Node | None, *, computed: bool = False) -> Node:
        generics = self.parse_type_parameters()
        parameters = self.parse_parameters()
        result = self.parse_result()
        return Node(
            "MethodSignature",
            start,
            self.last_end,
            key=key,
            computed=computed,
            generics=generics,
            parameters=parameters,
            result=result,
        )

