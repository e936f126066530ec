"""The parser: modules, and the way in.

Owner: nobody; a tree is a value.
"""

from engine.agents.code.ecmascript.statements import Statements, mark_directives
from engine.agents.code.ecmascript.tree import Node


class Parser(Statements):
    """The whole grammar; a parser reads one text."""

    def parse_program(self) -> Node:
        """Parse the whole text; raise `ParseError`."""
        body = self.parse_statements()
        if self.kind != "end":
            raise self.error()
        mark_directives(body)
        return Node("Program", 0, len(self.text), body=body)

    def parse_import(self) -> Node:
        """An import, or an expression that begins with that word."""
        start = self.start
        if self.peek().value in ("(", "."):
            return self._parse_expression_statement()
        self.advance()
        self._skip_phase()
        if self.kind == "string":
            source = self.parse_string()
            return self._end_import(start, [], source)
        names: list[Node] = []
        if self.kind == "name":
            name = self.parse_identifier()
            if self.value == "=" and self.has_types:
                return self._parse_import_equals(start, name)
            names.append(Node("ImportName", name.start, name.end, local=name))
            self.accept(",")
        if self.value == "*":
            names.append(self._parse_namespace_import())
        elif self.accept("{"):
            names += self.parse_list("}", self._parse_import_specifier)
        self.expect("from")
        source = self.parse_string()
        return self._end_import(start, names, source)

    def parse_export(self) -> Node:
        """An export."""
        start = self.start
        self.advance()
        match self.value:
            case "default":
                return self._parse_export_default(start)
            case "*":
                return self._parse_export_all(start)
            case "{":
                return self._parse_export_names(start)
            case "=" if self.has_types:
                self.advance()
                value = self.parse_expression()
                self.expect_end()
                return Node("ExportAssignment", start, self.last_end, value=value)
            case "as" if self.has_types:
                self.advance()
                self.expect("namespace")
                name = self.parse_identifier()
                self.expect_end()
                return Node("ExportNamespace", start, self.last_end, name=name)
            case "type" if self.has_types and self.peek().value in ("{", "*"):
                is_all = self.peek().value == "*"
                self.advance()
                return self._parse_export_all(start) if is_all else self._parse_export_names(start)
        declared = self.parse_statement()
        if declared.kind == "ExpressionStatement":
            raise self.error("no declaration after `export`")
        return Node("Export", start, self.last_end, declared=declared)

    def _skip_phase(self) -> bool:
        """Pass the `type` of a type-only import, or a phase word, which may also be a name."""
        if self.value not in ("type", "typeof", "defer", "source"):
            return False
        following = self.peek()
        if following.kind == "name" and following.value != "from" or following.value in ("{", "*"):
            self.advance()
        elif following.value == "from":
            mark = self.mark()
            self.advance()
            is_name = self.peek().value == "from"  # import type from from "x"
            if not is_name:
                self.go_back(mark)
            return is_name
        else:
            return False
        return True

    def _parse_namespace_import(self) -> Node:
        start = self.start
        self.advance()
        self.expect("as")
        name = self.parse_identifier()
        return Node("ImportName", start, self.last_end, local=name)

    def _parse_import_specifier(self) -> Node:
        start = self.start
        self._skip_type_word()
        outer = self._parse_outer_name()
        if self.accept("as"):
            local = self.parse_identifier()
            return Node("ImportName", start, self.last_end, outer=outer, local=local)
        return Node("ImportName", start, self.last_end, shorthand=True, local=outer)

    def _skip_type_word(self) -> None:
        """Pass the `type` of `type a`, `type as` and `type as as b`, not that of `type` and `type as b`."""
        if self.value != "type" or not self.has_types:
            return
        mark = self.mark()
        self.advance()
        if self.value in (",", "}"):
            self.go_back(mark)
        elif self.value == "as":
            self.advance()
            if self.value == "as":  # type as as b
                is_type = True
            elif self.kind == "name":  # type as b: a value called `type`
                is_type = False
            else:
                is_type = True
            self.go_back(mark)
            if is_type:
                self.advance()

    def _parse_outer_name(self) -> Node:
        return self.parse_string() if self.kind == "string" else self.parse_identifier()

    def _end_import(self, start: int, names: list[Node], source: Node) -> Node:
        self._skip_attributes()
        self.expect_end()
        return Node("Import", start, self.last_end, names=names, source=source)

    def _skip_attributes(self) -> None:
        """`with { type: "json" }`."""
        if self.value in ("with", "assert") and not (self.newline and self.value == "assert"):
            self.advance()
            self._skip_braces()

    def _parse_import_equals(self, start: int, name: Node) -> Node:
        self.advance()
        if self.value == "require" and self.peek().value == "(":
            self.advance()
            self.advance()
            value = self.parse_string()
            self.expect(")")
        else:
            value = self.parse_entity_name()
        self.expect_end()
        return Node("ImportEquals", start, self.last_end, name=name, value=value)

    def _parse_export_default(self, start: int) -> Node:
        self.advance()
        following = self.peek()
        is_declaration = self.value in ("class", "function", "@") or (
            (self.value == "async" and following.value == "function" and not following.newline)
            or (self.value == "abstract" and following.value == "class")
            or (self.value == "interface" and following.kind == "name" and self.has_types)
        )
        if is_declaration:
            declared = self.parse_statement()
            return Node("Export", start, self.last_end, declared=declared, default=True)
        value = self.parse_assignment()
        self.expect_end()
        return Node("ExportValue", start, self.last_end, value=value)

    def _parse_export_all(self, start: int) -> Node:
        self.advance()
        name = self._parse_outer_name() if self.accept("as") else None
        self.expect("from")
        self.parse_string()
        self._skip_attributes()
        self.expect_end()
        return Node("ExportAll", start, self.last_end, name=name)

    def _parse_export_names(self, start: int) -> Node:
        self.expect("{")
        names = self.parse_list("}", self._parse_export_specifier)
        foreign = self.accept("from")
        if foreign:
            self.parse_string()
            self._skip_attributes()
        self.expect_end()
        return Node("ExportNames", start, self.last_end, names=names, foreign=foreign)

    def _parse_export_specifier(self) -> Node:
        start = self.start
        self._skip_type_word()
        local = self._parse_outer_name()
        if self.accept("as"):
            outer = self._parse_outer_name()
            return Node("ExportName", start, self.last_end, local=local, outer=outer)
        return Node("ExportName", start, self.last_end, shorthand=True, local=local)
