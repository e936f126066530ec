"""Syntax errors as LibCST states them.

Owner: nobody.
"""

import re
from typing import Final

import libcst

from engine.editing.compiler import Problem

_PLACE: Final = re.compile(r"(?:parser error: )?error at (\d+):(\d+): ")


def parser_problem(error: libcst.ParserSyntaxError) -> Problem:
    """State LibCST's error; its parser reports the end of the token it stopped at."""
    place = _PLACE.match(error.message)
    if place is None:
        return Problem("libcst", error.message, error.raw_line, error.raw_column)
    line, column = map(int, place.groups())
    return Problem("libcst", error.message[place.end() :], line, column)
