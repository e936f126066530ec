"""Where nodes stand in the text, as offsets of characters, and offsets as lines and columns.

Owner: nobody. LibCST trees carry no positions: writing a tree out tells them. LibCST's provider does so
for all nodes and is slower than its parser (2.6 s/MB); this one does it for the nodes asked for (0.2 s/MB).
"""

import re
from bisect import bisect_right
from collections.abc import Collection
from contextlib import AbstractContextManager, nullcontext
from types import TracebackType
from typing import Final, NamedTuple

import libcst as cst

# Where LibCST's own position providers take it from; there is no public way to write a tree piecewise.
from libcst._nodes.internal import CodegenState

from engine.agents.code.lines import TextLines
from engine.model.code_errors import CodeError

_NEWLINE: Final = re.compile(r"\r\n?|\n")
_SMALL_STATEMENTS: Final = frozenset(cst.BaseSmallStatement.__subclasses__())
_NOTHING: Final = nullcontext()
_WHITESPACE: Final = frozenset(" \t\f\r\n\\")


class Span(NamedTuple):
    """Where a node stands; offsets into the text."""

    begin: int  # with the whitespace, comments and brackets that belong to the node
    line: int  # where the indentation of its first line begins; statements and definitions only
    start: int  # its own first character: the `d` of a decorated `def`
    end: int  # after its last one; of a statement with a block: after its last statement
    stop: int  # with what belongs to it, as `begin`: the newline of a statement


class Lines(TextLines):
    """The lines of a text, split where Python splits them (not at form feeds)."""

    NEWLINE = _NEWLINE


def locate(
    module: cst.Module, text: str, nodes: Collection[cst.CSTNode]
) -> dict[cst.CSTNode, Span]:
    """Find where nodes of a module stand in the text it was parsed from."""
    if not nodes:
        return {}
    writer = _Writer(module, frozenset(nodes))
    module._codegen(writer)  # noqa: SLF001 - as LibCST's providers do; see the import above
    code = "".join(writer.tokens)
    if code == text:
        return writer.spans
    aligned = _Alignment(code, text)
    return {node: Span(*map(aligned.offset, span)) for node, span in writer.spans.items()}


class _Writer(CodegenState):
    """Writes a tree out and notes where the wanted nodes come to stand."""

    def __init__(self, module: cst.Module, wanted: frozenset[cst.CSTNode]) -> None:
        super().__init__(
            default_indent=module.default_indent, default_newline=module.default_newline
        )
        self.spans: dict[cst.CSTNode, Span] = {}
        self.at = 0
        self.line = 0  # where the last indentation was written
        self.statement_end = 0
        self._wanted = wanted
        self._statement = _StatementEnd(self)

    def add_token(self, value: str) -> None:
        self.tokens.append(value)
        self.at += len(value)

    def add_indent_tokens(self) -> None:
        self.line = self.at
        for value in self.indent_tokens:
            self.add_token(value)

    def before_codegen(self, node: cst.CSTNode) -> None:
        if node in self._wanted:
            self.spans[node] = Span(self.at, self.at, self.at, self.at, self.at)

    def after_codegen(self, node: cst.CSTNode) -> None:
        if node in self._wanted:
            self.spans[node] = self.spans[node]._replace(stop=self.at)

    def record_syntactic_position(  # type: ignore[override]  # any context manager does
        self,
        node: cst.CSTNode,
        *,
        start_node: cst.CSTNode | None = None,
        end_node: cst.CSTNode | None = None,
    ) -> AbstractContextManager[None]:
        if node in self._wanted:
            return _Place(self, node)
        return self._statement if type(node) in _SMALL_STATEMENTS else _NOTHING


class _StatementEnd(AbstractContextManager[None]):
    """Notes where a simple statement ends; every definition ends with one."""

    def __init__(self, writer: _Writer) -> None:
        self._writer = writer

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._writer.statement_end = self._writer.at


class _Place(_StatementEnd):
    """Notes where one wanted node starts and ends."""

    def __init__(self, writer: _Writer, node: cst.CSTNode) -> None:
        super().__init__(writer)
        self._node = node
        self._start = writer.at
        self._line = writer.line

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        writer = self._writer
        if type(self._node) in _SMALL_STATEMENTS:
            writer.statement_end = writer.at
        is_compound = isinstance(self._node, cst.BaseCompoundStatement)
        writer.spans[self._node] = writer.spans[self._node]._replace(
            line=self._line,
            start=self._start,
            end=writer.statement_end if is_compound else writer.at,
        )


class _Alignment:
    """Maps offsets in the code that LibCST writes to the text: LibCST 1.9 drops some whitespace.

    Seen: the space in `except OSError :`, and the last newline of a file that ends in a lone `\\r`.
    """

    def __init__(self, code: str, text: str) -> None:
        self._froms: list[int] = [0]
        self._shifts: list[int] = [0]
        at = shift = 0
        while True:
            at += _common_prefix(code, at, text, at + shift)
            if at == len(code):
                break
            start = at + shift
            while (
                at + shift < len(text)
                and text[at + shift] in _WHITESPACE
                and text[at + shift] != code[at]
            ):
                shift += 1
            if at + shift == start:
                raise CodeError(
                    "unreadable",
                    "LibCST does not reproduce this file; leave it out and report it to LibCST.",
                )
            self._froms.append(at)
            self._shifts.append(shift)

    def offset(self, at: int) -> int:
        """Give the offset in the text."""
        return at + self._shifts[bisect_right(self._froms, at) - 1]


def _common_prefix(code: str, at: int, text: str, start: int) -> int:
    """Count the characters that agree from two offsets on."""
    agreed, step = 0, 4096
    while step:
        piece = code[at + agreed : at + agreed + step]
        if piece and text.startswith(piece, start + agreed):
            agreed += len(piece)
        else:
            step //= 2
    return agreed
