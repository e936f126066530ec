"""Parsing with LibCST, and the trees kept for the next operation.

Owner: of the trees kept in this process (at most 8, of at most 4 MB of source together; the one used
longest ago goes first, and a source over 4 MB is not kept). An answer never depends on them.
"""

import hashlib
from collections import OrderedDict
from typing import Final

import libcst

from engine.agents.code.python.guards import check_nesting
from engine.agents.code.python.problems import parser_problem
from engine.editing.compiler import compile_problem
from engine.editing.source import Source
from engine.model.code_errors import CodeError

TREES_MAX: Final = 8
TREES_MAX_BYTES: Final = 4 * 1024 * 1024


class Trees:
    """Parsed modules by the hash of their source."""

    def __init__(self) -> None:
        self._rows: OrderedDict[bytes, tuple[libcst.Module, int]] = OrderedDict()
        self._bytes = 0

    def __len__(self) -> int:
        """Count the trees kept."""
        return len(self._rows)

    def find(self, key: bytes) -> libcst.Module | None:
        """Give a tree that is kept, or None."""
        row = self._rows.get(key)
        if row is None:
            return None
        self._rows.move_to_end(key)
        return row[0]

    def keep(self, key: bytes, tree: libcst.Module, source_bytes: int) -> None:
        """Keep a tree, and forget others where there is no room."""
        if source_bytes > TREES_MAX_BYTES:
            return
        assert key not in self._rows, "find it first"
        self._rows[key] = (tree, source_bytes)
        self._bytes += source_bytes
        while len(self._rows) > TREES_MAX or self._bytes > TREES_MAX_BYTES:
            _, (_, forgotten_bytes) = self._rows.popitem(last=False)
            self._bytes -= forgotten_bytes


# State of the module, because `run` is a function of a process: see `Owner` above.
_TREES: Final = Trees()


def parse(source: Source) -> libcst.Module:
    """Give the tree of a source; raise `CodeError` (syntax_error, too_deep). Call in `run_deep`."""
    try:
        return parse_tree(source.text)
    except libcst.ParserSyntaxError as error:
        raise _syntax_error(source, error) from error


def parse_tree(text: str) -> libcst.Module:
    """Parse a text or find its tree; raise LibCST's own error, or `CodeError` (too_deep)."""
    data = text.encode()
    key = hashlib.sha256(data).digest()
    tree = _TREES.find(key)
    if tree is None:
        check_nesting(text)
        try:
            tree = libcst.parse_module(text)
        except AttributeError as error:  # a defect of LibCST 1.9: it looks at whitespace that is none
            raise CodeError(
                "unreadable",
                "LibCST cannot read this file; look for an `async for` that is broken over two lines, and join them.",
            ) from error
        _TREES.keep(key, tree, len(data))
    return tree


def _syntax_error(source: Source, error: libcst.ParserSyntaxError) -> CodeError:
    """Prefer the words and the place of Python's compiler: they are made for people."""
    by_parser = parser_problem(error)
    problem = compile_problem(source.text, source.label) or by_parser
    return CodeError(
        "syntax_error",
        f"{source.label} is not valid Python: {problem.message:.300}; correct it, or see code.syntax_check.",
        problem.line,
        problem.column,
    )
