"""What all parts of the parser share: helpers, the context they parse in, and the productions they call each other by.

Owner: nobody but the parser that reads.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from engine.agents.code.ecmascript.tokens import ParseError, Tokens
from engine.agents.code.ecmascript.tree import Node

Found = TypeVar("Found")


class Grammar(Tokens, ABC):
    """The context, and the productions that are needed before they are defined."""

    def __init__(self, text: str, *, has_types: bool, has_jsx: bool) -> None:
        super().__init__(text)
        self.has_types = has_types  # TypeScript
        self.has_jsx = has_jsx
        self._is_async = False  # inside a function of that kind
        self._is_generator = False
        self._in_function = False
        self._no_in = False  # in the head of a `for`, before its `in` or `of`
        self._in_choice = False  # between ? and : of a conditional expression
        self._no_choice = False  # after `extends` in a conditional type

    @abstractmethod
    def parse_expression(self) -> Node:
        """Expression, with commas."""

    @abstractmethod
    def parse_assignment(self) -> Node:
        """Expression without commas."""

    @abstractmethod
    def parse_type(self) -> Node:
        """Type."""

    @abstractmethod
    def parse_return_type(self) -> Node:
        """Type, or a statement about a parameter."""

    @abstractmethod
    def parse_decorators(self) -> list[Node]:
        """Decorators, if there are any."""

    @abstractmethod
    def parse_block(self) -> Node:
        """Statements in braces."""

    @abstractmethod
    def parse_function_body(self) -> Node:
        """Statements in braces, of which the first may be directives."""

    def attempt(self, work: Callable[[], Found]) -> Found | None:
        """Do what may not fit; go back and give None if it does not."""
        mark = self.mark()
        context = self._context()
        try:
            return work()
        except ParseError:
            self.go_back(mark)
            self._set_context(context)
            return None

    @contextmanager
    def inside(self, **context: bool) -> Iterator[None]:
        """Parse in another context."""
        before = self._context()
        self.__dict__.update({f"_{name}": value for name, value in context.items()})
        try:
            yield
        finally:
            self._set_context(before)

    @contextmanager
    def enclosed(self) -> Iterator[None]:
        """Parse inside brackets: what the surrounding expression forbids is allowed again."""
        before = self._no_in, self._in_choice, self._no_choice
        self._no_in = self._in_choice = self._no_choice = False
        try:
            yield
        finally:
            self._no_in, self._in_choice, self._no_choice = before

    def parse_list(self, close: str, parse: Callable[[], Node]) -> list[Node]:
        """Items between commas up to a closing bracket, which is passed; the last may have a comma too."""
        found: list[Node] = []
        while self.value != close:
            found.append(parse())
            if self.value != close:
                self.expect(",")
        self.advance()
        return found

    def parse_identifier(self) -> Node:
        """A word as the name of something."""
        if self.kind != "name":
            raise self.error()
        node = Node("Identifier", self.start, self.end, name=self.value)
        self.advance()
        return node

    def parse_string(self) -> Node:
        """A string."""
        if self.kind != "string":
            raise self.error()
        return self.parse_literal()

    def parse_literal(self) -> Node:
        """The token at hand as a literal."""
        node = Node("Literal", self.start, self.end, raw=self.value)
        self.advance()
        return node

    def expect_end(self) -> None:
        """The end of a statement: a semicolon, or where one may lack."""
        if self.value == ";":
            self.advance()
        elif not (self.newline or self.value == "}" or self.kind == "end"):
            raise self.error()

    def _context(self) -> tuple[bool, ...]:
        return (
            self._is_async,
            self._is_generator,
            self._in_function,
            self._no_in,
            self._in_choice,
            self._no_choice,
        )

    def _set_context(self, context: tuple[bool, ...]) -> None:
        (
            self._is_async,
            self._is_generator,
            self._in_function,
            self._no_in,
            self._in_choice,
            self._no_choice,
        ) = context
