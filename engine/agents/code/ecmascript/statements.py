"""Statements and declarations.

Owner: nobody but the parser that reads.
"""

import re
from abc import abstractmethod
from typing import Final

from engine.agents.code.ecmascript.jsx import Jsx
from engine.agents.code.ecmascript.tokens import Mark
from engine.agents.code.ecmascript.tree import Node

_LABEL: Final = re.compile(r"\s*:")
_NAME_ENDS: Final = frozenset({"in", "of", "instanceof", "as", "satisfies"})


class Statements(Jsx):
    """Statements; what only stands at the top of a module comes in `Modules`."""

    @abstractmethod
    def parse_export(self) -> Node:
        """An export."""

    def parse_statement(self) -> Node:
        """One statement or declaration."""
        if self.kind == "punctuation":
            return self._parse_punctuated()
        if self.kind == "name":
            parse = _KEYWORDS.get(self.value)
            if parse is not None:
                return getattr(self, parse)()  # type: ignore[no-any-return]  # the table names methods
            special = self._parse_contextual()
            if special is not None:
                return special
            if _LABEL.match(self.text, self.end):
                return self._parse_labelled()
        return self._parse_expression_statement()

    def parse_block(self) -> Node:
        """Statements in braces."""
        start = self.start
        self.expect("{")
        with self.enclosed():
            body = self.parse_statements()
        self.expect("}")
        return Node("Block", start, self.last_end, body=body)

    def parse_function_body(self) -> Node:
        """Statements in braces, of which the first may be directives."""
        node = self.parse_block()
        mark_directives(node.nodes("body"))
        return node

    def parse_statements(self) -> list[Node]:
        """Statements up to a closing brace or the end."""
        found: list[Node] = []
        while self.value != "}" and self.kind != "end":
            found.append(self.parse_statement())
        return found

    def parse_declarations(self, kind: str) -> list[Node]:
        """`a = 1, b` after the word that declares them."""
        found = [self._parse_declarator()]
        while self.accept(","):
            found.append(self._parse_declarator())
        return found

    def _parse_declarator(self) -> Node:
        start = self.start
        pattern = self.parse_pattern()
        if self.has_types and self.value == "!":
            self.advance()
        kind = self.parse_annotation()
        value = self.parse_assignment() if self.accept("=") else None
        return Node("Declarator", start, self.last_end, pattern=pattern, type=kind, value=value)

    def _parse_punctuated(self) -> Node:
        start = self.start
        if self.value == "{":
            return self.parse_block()
        if self.accept(";"):
            return Node("Empty", start, self.last_end)
        if self.value == "@":
            return self._parse_decorated()
        return self._parse_expression_statement()

    def _parse_decorated(self) -> Node:
        start = self.start
        decorators = self.parse_decorators()
        if self.value != "export":
            node = self.parse_class(decorators)
            return Node("Declaration", start, node.end, declared=node)
        mark = self.mark()
        exported = self.parse_export()
        outer = exported.node("declared")
        declared = outer.node("declared") if outer is not None else None
        if declared is None or declared.kind != "Class":
            self.go_back(mark)
            raise self.error("no class after a decorator")
        declared.parts["decorators"] = decorators
        exported.start = start
        return exported

    def _parse_expression_statement(self) -> Node:
        start = self.start
        value = self.parse_expression()
        self.expect_end()
        return Node("ExpressionStatement", start, self.last_end, value=value)

    def _parse_labelled(self) -> Node:
        start = self.start
        self.advance()
        self.expect(":")
        body = self.parse_statement()
        return Node("Labelled", start, self.last_end, body=body)

    # --- declarations ---

    def _parse_function_declaration(self) -> Node:
        start = self.start
        node = self.parse_function()
        return Node("Declaration", start, self.last_end, declared=node)

    def _parse_class_statement(self) -> Node:
        start = self.start
        node = self.parse_class([])
        return Node("Declaration", start, node.end, declared=node)

    def _parse_variable(self) -> Node:
        start, word = self.start, self.value
        self.advance()
        if word == "const" and self.value == "enum" and self.has_types:
            return self._parse_enum(start)
        if word == "await":
            word = self.value  # `await using`
            self.advance()
        declarations = self.parse_declarations(word)
        self.expect_end()
        return Node("Variable", start, self.last_end, word=word, declarations=declarations)

    def _parse_contextual(self) -> Node | None:
        """A declaration that begins with a word that may also be a name."""
        match self.value:
            case "let" | "using" | "await":
                return self._parse_variable() if self._is_declaring() else None
            case "async":
                following = self.peek()
                if following.value == "function" and not following.newline:
                    return self._parse_function_declaration()
        return self._parse_typed_declaration() if self.has_types else None

    def _is_declaring(self) -> bool:
        """Does a name or a pattern follow, and not the rest of an expression?"""
        following = self.peek()
        if self.value == "let":
            return following.value in ("[", "{") or (
                following.kind == "name" and following.value not in ("in", "instanceof")
            )
        if self.value == "await":
            return following.value == "using" and not following.newline and self._is_await_using()
        return (
            following.kind == "name" and not following.newline and following.value not in _NAME_ENDS
        )

    def _is_await_using(self) -> bool:
        mark = self.mark()
        self.advance()
        following = self.peek()
        self.go_back(mark)
        return following.kind == "name" and not following.newline and following.value != "in"

    def _parse_typed_declaration(self) -> Node | None:
        following = self.peek()
        if following.newline and self.value != "abstract":
            return None
        if following.kind == "name":
            return self._parse_typed_after(following)
        if self.value == "module" and following.kind == "string":
            return self._parse_namespace()
        if self.value == "global" and following.value == "{":
            return self._parse_namespace()
        return None

    def _parse_typed_after(self, following: Mark) -> Node | None:
        if following.value in _NAME_ENDS and self.value not in ("type", "interface", "enum"):
            return None
        match self.value:
            case "interface":
                return self._parse_interface()
            case "type":
                return self._parse_alias()
            case "enum":
                return self._parse_enum(self.start)
            case "namespace" | "module":
                return self._parse_namespace()
            case "declare":
                return self._parse_declare()
            case "abstract" if following.value == "class":
                return self._parse_class_statement()
        return None

    def _parse_interface(self) -> Node:
        start = self.start
        self.advance()
        name = self.parse_identifier()
        generics = self.parse_type_parameters()
        bases: list[Node] = []
        if self.accept("extends"):
            bases.append(self.parse_type_name())
            while self.accept(","):
                bases.append(self.parse_type_name())
        body = self.parse_type_members()
        return self._declare("Interface", start, name=name, generics=generics, bases=bases, body=body)

    def _parse_alias(self) -> Node | None:
        start = self.start

        def parse_head() -> tuple[Node, list[Node]]:
            self.advance()
            name = self.parse_identifier()
            generics = self.parse_type_parameters()
            self.expect("=")
            return name, generics

        head = self.attempt(parse_head)
        if head is None:
            return None
        kind = self.parse_type()
        end = self.last_end
        self.expect_end()
        node = self._declare("Alias", start, name=head[0], generics=head[1], type=kind)
        inner = node.node("declared")
        assert inner is not None
        inner.end = end
        return node

    def _parse_enum(self, start: int) -> Node:
        self.expect("enum")
        name = self.parse_identifier()
        self.expect("{")
        with self.enclosed():
            members = self.parse_list("}", self._parse_enum_member)
        return self._declare("Enum", start, name=name, members=members)

    def _parse_enum_member(self) -> Node:
        start = self.start
        key, computed = self.parse_key()
        value = self.parse_assignment() if self.accept("=") else None
        return Node("EnumMember", start, self.last_end, computed=computed, key=key, value=value)

    def _parse_namespace(self) -> Node:
        start, word = self.start, self.value
        self.advance()
        if word == "global":
            body = self.parse_block()
            return Node("Global", start, self.last_end, body=body)
        name = self.parse_string() if self.kind == "string" else self.parse_entity_name()
        if self.value != "{":
            self.expect_end()
            return self._declare("Namespace", start, name=name, body=None)
        body = self.parse_block()
        return self._declare("Namespace", start, name=name, body=body)

    def _parse_declare(self) -> Node:
        start = self.start
        self.advance()
        inner = self.parse_statement()
        return Node("Ambient", start, self.last_end, declared=inner)

    def _declare(self, kind: str, start: int, **parts: Node | list[Node] | None) -> Node:
        node = Node(kind, start, self.last_end, **parts)
        return Node("Declaration", start, self.last_end, declared=node)

    # --- control ---

    def _parse_if(self) -> Node:
        start = self.start
        self.advance()
        test = self._parse_condition()
        body = self.parse_statement()
        other = self.parse_statement() if self.accept("else") else None
        return Node("If", start, self.last_end, test=test, body=body, other=other)

    def _parse_condition(self) -> Node:
        self.expect("(")
        with self.enclosed():
            value = self.parse_expression()
        self.expect(")")
        return value

    def _parse_while(self) -> Node:
        start, word = self.start, self.value
        self.advance()
        test = self._parse_condition()
        body = self.parse_statement()
        return Node("With" if word == "with" else "While", start, self.last_end, test=test, body=body)

    def _parse_do(self) -> Node:
        start = self.start
        self.advance()
        body = self.parse_statement()
        self.expect("while")
        test = self._parse_condition()
        self.accept(";")
        return Node("DoWhile", start, self.last_end, body=body, test=test)

    def _parse_for(self) -> Node:
        start = self.start
        self.advance()
        self.accept("await")
        self.expect("(")
        with self.enclosed():
            with self.inside(no_in=True):
                left = self._parse_for_begin()
            if self.value in ("of", "in"):
                return self._parse_for_each(start, left)
            self.expect(";")
            test = None if self.value == ";" else self.parse_expression()
            self.expect(";")
            update = None if self.value == ")" else self.parse_expression()
        self.expect(")")
        body = self.parse_statement()
        return Node("For", start, self.last_end, begin=left, test=test, update=update, body=body)

    def _parse_for_begin(self) -> Node | None:
        start, word = self.start, self.value
        if word == ";":
            return None
        if word in ("var", "const") or (word in ("let", "using", "await") and self._is_declaring()):
            if word == "using" and self.peek().value == "of":
                return self.parse_expression()
            self.advance()
            if word == "await":
                self.advance()
            declarations = self.parse_declarations(word)
            return Node("Variable", start, self.last_end, word=word, declarations=declarations)
        return self.parse_expression()

    def _parse_for_each(self, start: int, left: Node | None) -> Node:
        kind = "ForOf" if self.value == "of" else "ForIn"
        self.advance()
        right = self.parse_assignment() if kind == "ForOf" else self.parse_expression()
        self.expect(")")
        with self.enclosed():
            body = self.parse_statement()
        return Node(kind, start, self.last_end, left=left, right=right, body=body)

    def _parse_switch(self) -> Node:
        start = self.start
        self.advance()
        test = self._parse_condition()
        self.expect("{")
        cases: list[Node] = []
        while self.value != "}":
            cases.append(self._parse_case())
        self.advance()
        return Node("Switch", start, self.last_end, test=test, cases=cases)

    def _parse_case(self) -> Node:
        start = self.start
        test = None
        if not self.accept("default"):
            self.expect("case")
            with self.enclosed():
                test = self.parse_expression()
        self.expect(":")
        body: list[Node] = []
        while self.value not in ("}", "case", "default"):
            body.append(self.parse_statement())
        return Node("Case", start, self.last_end, test=test, body=body)

    def _parse_try(self) -> Node:
        start = self.start
        self.advance()
        body = self.parse_block()
        handler = self._parse_catch() if self.value == "catch" else None
        final = self.parse_block() if self.accept("finally") else None
        if handler is None and final is None:
            raise self.error()
        return Node("Try", start, self.last_end, body=body, handler=handler, final=final)

    def _parse_catch(self) -> Node:
        start = self.start
        self.advance()
        pattern = kind = None
        if self.accept("("):
            pattern = self.parse_pattern()
            kind = self.parse_annotation()
            self.expect(")")
        body = self.parse_block()
        return Node("Catch", start, self.last_end, pattern=pattern, type=kind, body=body)

    def _parse_value_statement(self) -> Node:
        """`return`, `throw`."""
        start, word = self.start, self.value
        self.advance()
        value = None
        if not (self.newline or self.value in (";", "}") or self.kind == "end"):
            value = self.parse_expression()
        self.expect_end()
        return Node("Throw" if word == "throw" else "Return", start, self.last_end, value=value)

    def _parse_jump(self) -> Node:
        """`break`, `continue`, `debugger`."""
        start = self.start
        self.advance()
        if self.kind == "name" and not self.newline:
            self.advance()  # a label
        self.expect_end()
        return Node("Jump", start, self.last_end)


def mark_directives(body: list[Node]) -> None:
    """Mark the strings that begin a program or a function: 'use strict'."""
    for statement in body:
        value = statement.parts.get("value")
        is_text = isinstance(value, Node) and value.kind == "Literal" and value.text("raw")[:1] in "'\""
        if statement.kind != "ExpressionStatement" or not is_text:
            return
        statement.kind = "Directive"


_KEYWORDS: Final[dict[str, str]] = {
    "function": "_parse_function_declaration",
    "class": "_parse_class_statement",
    "var": "_parse_variable",
    "const": "_parse_variable",
    "if": "_parse_if",
    "for": "_parse_for",
    "while": "_parse_while",
    "with": "_parse_while",
    "do": "_parse_do",
    "switch": "_parse_switch",
    "try": "_parse_try",
    "return": "_parse_value_statement",
    "throw": "_parse_value_statement",
    "break": "_parse_jump",
    "continue": "_parse_jump",
    "debugger": "_parse_jump",
    "import": "parse_import",
    "export": "parse_export",
}
