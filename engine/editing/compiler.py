"""What the running Python's own compiler has against a text.

Owner: nobody; a problem is a value.
"""

import warnings
from typing import NamedTuple


class Problem(NamedTuple):
    """What one judge has against a text."""

    by: str  # "compile", "libcst", "regular"
    message: str
    line: int | None  # 1-based
    column: int | None  # 0-based


def compile_problem(code: str | bytes, name: str) -> Problem | None:
    """State what this Python's `compile` has against a module, if anything; runs nothing of it."""
    try:
        # A process-wide switch, safe because one operation runs at a time: a doubtful escape in
        # somebody's file is no business of this process, not even where warnings are errors.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            compile(code, name, "exec", dont_inherit=True)
    except SyntaxError as error:
        column = None if not error.offset or error.offset < 1 else error.offset - 1
        return Problem("compile", error.msg, error.lineno, column)
    except ValueError as error:  # null bytes, before Python 3.12
        return Problem("compile", str(error), None, None)
    except (RecursionError, MemoryError):
        return Problem("compile", "too complex for the compiler of this Python", None, None)
    return None
