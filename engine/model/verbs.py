"""What a verb is: its role, its danger, how its arguments are declared, and the class that all verbs are of.

Owner: nobody; the verbs themselves are the table of `engine.model.commands`.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum
from typing import Any, ClassVar


class Role(IntEnum):
    """What an operator may do; a higher role may do all that a lower one may."""

    VIEWER = 0
    OPERATOR = 1
    ADMIN = 2


class Danger(StrEnum):
    """What a careless use costs: nothing, something that undo gives back, or work that is lost."""

    NONE = "none"
    REVERSIBLE = "reversible"
    DESTRUCTIVE = "destructive"


def arg(
    help: str,  # noqa: A002  # the word on the screen
    *,
    default: Any = dataclasses.MISSING,  # noqa: ANN401  # of the field's own type
    **limits: object,
) -> Any:  # noqa: ANN401  # a field is typed by the class that declares it
    """Declare an argument of a verb.

    Limits are ge, le, choices (beside the default), otherwise (what to do when no choice is meant), completes (a kind of
    row), unit, is_path (a file; a face makes it absolute from where it is), option (not positional).
    """
    metadata = {"help": help, **limits}
    if isinstance(default, dict):
        return field(default_factory=dict, metadata=metadata)
    return field(default=default, metadata=metadata)


@dataclass(frozen=True, slots=True)
class Command:
    """A verb with its arguments."""

    name: ClassVar[str]
    verb: ClassVar[str]
    help: ClassVar[str]
    role: ClassVar[Role] = Role.OPERATOR
    danger: ClassVar[Danger] = Danger.REVERSIBLE
    inverse: ClassVar[str] = ""
    """Name of the verb that takes it back; the plan holds its arguments. Empty = cannot be undone."""
    undo_note: ClassVar[str] = ""
    """What is not as it was after an undo; empty = nothing."""
    irreversible: ClassVar[str] = ""
    """Why it cannot be undone and what to do instead; empty = it has an inverse."""
    is_typed: ClassVar[bool] = False
    """Whoever asks for it types what it is about, whatever the guardrails say."""
