"""Reading a source: its tree, its comments, and its errors as people should see them.

Owner: nobody; a script is a value.
"""

import re
from bisect import bisect_right
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from engine.agents.code.ecmascript.parser import Parser
from engine.agents.code.ecmascript.tokens import ParseError
from engine.agents.code.ecmascript.tree import Node
from engine.editing.source import Source
from engine.model.code_errors import CodeError

_NAMES: Final = MappingProxyType({"javascript": "JavaScript", "typescript": "TypeScript", "tsx": "TSX"})
_NEWLINE: Final = re.compile("\n")


@dataclass(frozen=True, slots=True)
class Script:
    """A source that was read."""

    text: str
    root: Node
    comments: list[tuple[int, int]]  # where they begin and end, in the order of the source


class Lines:
    """The lines of a text; they end at a line feed, as editors show them."""

    def __init__(self, text: str) -> None:
        self._starts = [0, *(match.end() for match in _NEWLINE.finditer(text))]
        # A last line is one only if something stands on it.
        self.count = len(self._starts) - (self._starts[-1] == len(text))

    def place(self, offset: int) -> tuple[int, int]:
        """Give line (from 1) and column (from 0) of an offset."""
        line = bisect_right(self._starts, offset)
        return line, offset - self._starts[line - 1]

    def line(self, offset: int) -> int:
        """Give the line (from 1) of an offset."""
        return bisect_right(self._starts, offset)


def read_script(source: Source) -> Script:
    """Read a source; raise `ParseError`. Call in `run_deep`."""
    is_typed = source.language != "javascript"
    parser = Parser(source.text, has_types=is_typed, has_jsx=source.language != "typescript")
    return Script(source.text, parser.parse_program(), parser.comments)


def parse(source: Source) -> Script:
    """Read a source; raise `CodeError` (syntax_error, too_deep). Call in `run_deep`."""
    try:
        return read_script(source)
    except ParseError as error:
        raise CodeError(
            "syntax_error",
            f"{source.label} is not valid {_NAMES[source.language]}: {error.message:.300}; correct it, or see code.syntax_check.",
            *Lines(source.text).place(error.offset),
        ) from error
