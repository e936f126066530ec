"""The tokens of JavaScript and TypeScript, read one at a time as the parser asks for them.

Owner: nobody but the parser that reads. What a slash, a backtick or a `>` begins depends on the grammar around it: the
parser says so by reading the token again.
"""

import re
from typing import Final, NamedTuple

_NAME: Final = (
    r"(?:[^\W\d]|\$|\\u(?:\{[0-9a-fA-F]+\}|[0-9a-fA-F]{4}))"
    r"(?:[\w$\u200c\u200d]|\\u(?:\{[0-9a-fA-F]+\}|[0-9a-fA-F]{4}))*"
)
_NUMBER: Final = (
    r"0[xX][\da-fA-F_]+n?|0[oO][0-7_]+n?|0[bB][01_]+n?|(?:\d[\d_]*\.?[\d_]*|\.\d[\d_]*)(?:[eE][+-]?\d[\d_]*)?n?"
)
_PUNCTUATION: Final = (
    r"\.\.\.|=>|===|!==|\*\*=|\*\*|<<=|&&=|\|\|=|\?\?=|\?\?|\?\.(?!\d)|==|!=|<=|<<|&&|\|\||\+\+|--"
    r"|\+=|-=|\*=|/=|%=|&=|\|=|\^=|[{}()\[\];,<>+\-*/%&|^!~?:=.@]"
)
_TOKEN: Final = re.compile(
    rf"(?P<name>{_NAME})|(?P<number>{_NUMBER})|(?P<punctuation>{_PUNCTUATION})"
    r"""|(?P<string>"(?:[^"\\\n\r]|\\(?:\r\n|.))*"|'(?:[^'\\\n\r]|\\(?:\r\n|.))*')"""
    rf"|(?P<private>\#{_NAME})|(?P<template>`)",
    re.DOTALL,
)
_JSX_TOKEN: Final = re.compile(
    rf"""(?P<name>{_NAME}(?:-[\w$]*)*)|(?P<string>"[^"]*"|'[^']*')|(?P<punctuation>[{{}}<>/=:.])"""
)
_GREATER: Final = re.compile(r">>>=|>>>|>>=|>>|>=|>")
# Atomic: what is a comment must not become one that ends earlier because of what follows it.
_SPACE: Final = re.compile(r"(?>[\s\ufeff]+|//[^\n\r\u2028\u2029]*|/\*.*?\*/)*+", re.DOTALL)
_COMMENT: Final = re.compile(r"//[^\n\r\u2028\u2029]*|/\*.*?\*/", re.DOTALL)
_NEWLINE: Final = re.compile("[\n\r\u2028\u2029]")
_REGULAR: Final = re.compile(
    r"/(?![*/])(?:[^\\/\[\n\r]|\\[^\n\r]|\[(?:[^\]\\\n\r]|\\[^\n\r])*\])+/[\w$]*"
)
_TEMPLATE_TEXT: Final = re.compile(r"(?:[^`\\$]|\\.|\$(?!\{))*", re.DOTALL)
_JSX_TEXT: Final = re.compile(r"[^{<]*")
_ARROW: Final = re.compile(_SPACE.pattern + "=>", re.DOTALL)
_HASHBANG: Final = re.compile(r"#![^\n\r]*")


class ParseError(Exception):
    """The text is not in the language."""

    def __init__(self, message: str, offset: int) -> None:
        super().__init__(message, offset)
        self.message = message
        self.offset = offset


class Mark(NamedTuple):
    """A place to go back to."""

    kind: str
    value: str
    start: int
    end: int
    newline: bool
    last_end: int


class Tokens:
    """The token that is to be read next, and ways to go on."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.kind = ""  # name, number, string, private, template, punctuation, regular or end
        self.value = ""  # its text
        self.start = self.end = 0
        self.newline = False  # a line ends before it
        self.last_end = 0  # where the token before it ended
        self.comments: list[tuple[int, int]] = []
        self._comments_to = 0
        hashbang = _HASHBANG.match(text)
        self._read(hashbang.end() if hashbang else 0)

    def error(self, message: str = "") -> ParseError:
        """Make the error that says what is wrong with the token."""
        found = "the end of the file" if self.kind == "end" else repr(self.value)[:40]
        return ParseError(message or f"unexpected {found}", self.start)

    def mark(self) -> Mark:
        """Remember this place."""
        return Mark(self.kind, self.value, self.start, self.end, self.newline, self.last_end)

    def go_back(self, mark: Mark) -> None:
        """Read on from a place that was marked."""
        self.kind, self.value, self.start, self.end, self.newline, self.last_end = mark

    def advance(self) -> None:
        """Go to the next token."""
        self.last_end = self.end
        self._read(self.end)

    def accept(self, value: str) -> bool:
        """Go on if the token is this punctuation or word, and tell whether it was."""
        if self.value != value:
            return False
        self.advance()
        return True

    def expect(self, value: str) -> None:
        """Go on past this punctuation or word; raise `ParseError`."""
        if self.value != value:
            raise self.error()
        self.advance()

    def peek(self) -> Mark:
        """Look at the token after this one."""
        here = self.mark()
        self.advance()
        there = self.mark()
        self.go_back(here)
        return there

    def is_followed_on_line(self) -> bool:
        """Tell whether a name follows the token at hand on the same line."""
        following = self.peek()
        return following.kind == "name" and not following.newline

    def is_before_arrow(self) -> bool:
        """Tell whether `=>` is the token after this one."""
        return _ARROW.match(self.text, self.end) is not None

    def read_regular(self) -> None:
        """Take the slash at hand for the begin of a regular expression."""
        match = _REGULAR.match(self.text, self.start)
        if match is None:
            raise self.error("a regular expression does not end")
        self.kind, self.value, self.end = "regular", match.group(), match.end()

    def read_greater(self) -> None:
        """Take the `>` at hand for the begin of an operator; types want it alone."""
        match = _GREATER.match(self.text, self.start)
        assert match is not None
        self.value, self.end = match.group(), match.end()

    def read_less(self) -> None:
        """Take the `<<` at hand for two brackets."""
        self.value, self.end = "<", self.start + 1

    def read_template_text(self) -> bool:
        """Go past text of a template from the end of the token; tell whether a `${` ends it, not a backtick."""
        match = _TEMPLATE_TEXT.match(self.text, self.end)
        assert match is not None
        is_hole = self.text.startswith("${", match.end())
        if not is_hole and not self.text.startswith("`", match.end()):
            raise ParseError("a template does not end", self.start)
        self.end = match.end() + 1 + is_hole
        return is_hole

    def advance_in_tag(self) -> None:
        """Go to the next token inside a JSX tag, where names have hyphens and strings no escapes."""
        self.last_end = self.end
        at = self._skip_space(self.end)
        self._take(_JSX_TOKEN.match(self.text, at), at)

    def read_jsx_child(self) -> None:
        """Go past JSX text from the end of the token to the next `{` or `<`."""
        match = _JSX_TEXT.match(self.text, self.end)
        assert match is not None
        if match.end() == len(self.text):
            raise ParseError("a JSX element does not end", self.start)
        self.last_end = match.end()
        self.kind, self.value = "punctuation", self.text[match.end()]
        self.start, self.end = match.end(), match.end() + 1

    def _read(self, at: int) -> None:
        at = self._skip_space(at)
        self._take(_TOKEN.match(self.text, at), at)

    def _take(self, match: re.Match[str] | None, at: int) -> None:
        self.start = at
        if match is not None:
            self.kind = match.lastgroup or ""
            self.value = match.group()
            self.end = match.end()
        elif at == len(self.text):
            self.kind, self.value, self.end = "end", "", at
        else:
            self.kind, self.value, self.end = "unknown", self.text[at], at + 1

    def _skip_space(self, at: int) -> int:
        match = _SPACE.match(self.text, at)
        assert match is not None
        end = match.end()
        self.newline = end > at and _NEWLINE.search(self.text, at, end) is not None
        if end > self._comments_to:
            self._comments_to = end
            if end - at > 1 and self.text.find("/", at, end) >= 0:
                self.comments += (found.span() for found in _COMMENT.finditer(self.text, at, end))
        if self.text.startswith("/*", end):
            raise ParseError("a comment does not end", end)
        return end
