"""What can go wrong with a code operation, in one exception that crosses process borders.

Owner: nobody; an error is a value. It pickles, so a worker process can hand it to the engine.
"""

from typing import Final

KINDS: Final = (
    "syntax_error",  # the text is not in its language
    "not_found",  # no such file
    "unreadable",  # no permission (to read or to replace it), or bytes that are no text
    "too_large",
    "outside_workspace",
    "conflict",  # the file changed while the edit was made
    "broken_edit",  # the edited text would not parse any more
    "bad_parameter",
    "too_deep",  # nesting that the parser cannot survive, or not in bearable time
    "no_target",  # nothing in the file is what the request names
    "ambiguous",  # several places are: the request must say which
    "lost_code",  # the edit would throw away code that the request does not speak of
    "unsupported",  # this engine cannot do it, or not with this construct
    "no_module",  # no module of an operator offers the operation any more
    "module_refused",  # such a module says that it cannot tell, or that the edit would be wrong
    "module_failed",  # such a module trapped, took too long or too much, or answered what cannot be read
)


class CodeError(Exception):
    """A code operation that was refused or failed; the message says what to do next."""

    def __init__(
        self, kind: str, message: str, line: int | None = None, column: int | None = None
    ) -> None:
        assert kind in KINDS, kind
        # All fields go to `args`: that is what pickle rebuilds the error from.
        super().__init__(kind, message, line, column)
        self.kind = kind
        self.message = message
        self.line = line  # 1-based, where known
        self.column = column  # 0-based, in characters, where known

    def __str__(self) -> str:
        """Give the message, with the place where known."""
        return self.message if self.line is None else f"{self.message} (line {self.line})"


class HandedOn(Exception):
    """The booster does not answer a code operation for certain, or its instance failed: a regular agent does it."""

    def __init__(self, reason: str, *, failure: str = "", reproducer: str = "") -> None:
        super().__init__(reason)
        self.reason = reason  # for people
        self.failure = failure  # what ended the instance, in a word; empty = nothing did
        self.reproducer = reproducer  # file that the failure can be repeated with
