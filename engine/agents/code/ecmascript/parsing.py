"""Reading a source: its tree, its comments, and its errors as people should see them.

Owner: nobody; a script is a value.
"""

import re
from dataclasses import dataclass

from engine.agents.code.ecmascript.parser import Parser
from engine.agents.code.ecmascript.tokens import ParseError
from engine.agents.code.ecmascript.tree import Node
from engine.agents.code.lines import TextLines
from engine.editing.source import Source
from engine.model.code_errors import CodeError
from engine.model.code_requests import LANGUAGE_NAMES


@dataclass(frozen=True, slots=True)
class Script:
    """A source that was read."""

    text: str
    root: Node
    comments: list[tuple[int, int]]  # where they begin and end, in the order of the source


class Lines(TextLines):
    """The lines of a text; they end at a line feed, as editors show them."""

    NEWLINE = re.compile("\n")


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
            f"{source.label} is not valid {LANGUAGE_NAMES[source.language]}: {error.message:.300}; correct it, or see code.syntax_check.",
            *Lines(source.text).place(error.offset),
        ) from error
