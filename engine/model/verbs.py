"""What a verb is: its role, its danger, how its arguments are declared, and the class that all verbs are of.

Owner: nobody; the verbs themselves are the table of `engine.model.commands`.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum
from typing import Any, ClassVar, TypeVar, dataclass_transform

_T = TypeVar("_T")


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
    row), unit, is_path (a file; a face makes it absolute from where it is), takes_file (on the command line `@FILE` stands
    for what the file holds), option (not positional).
    """
    metadata = {"help": help, **limits}
    if isinstance(default, dict):
        return field(default_factory=dict, metadata=metadata)
    return field(default=default, metadata=metadata)


@dataclass_transform(frozen_default=True, field_specifiers=(arg,))
def verb(kind: type[_T]) -> type[_T]:
    """Make a verb of a class: a frozen dataclass that is compared, hashed and shown as Command says.

    Every command line and every first frame makes all of them: writing these methods anew for each took 40 % of the time.
    """
    return dataclass(frozen=True, slots=True, eq=False, repr=False)(kind)


@verb
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
    is_audited: ClassVar[bool] = True
    """That it was done is kept in the journal. Not of measured values: one a second would fill it."""
    is_typed: ClassVar[bool] = False
    """Whoever asks for it types what it is about, whatever the guardrails say."""
    for_agents: ClassVar[bool] = False
    """The program of an agent may ask for it, by its token, as the agent; of all others none."""

    def __eq__(self, other: object) -> bool:
        """Answer whether it is the same verb with the same arguments."""
        return type(self) is type(other) and self._arguments() == other._arguments()

    def __hash__(self) -> int:
        """Return a number that is the same for what is equal."""
        return hash((type(self), self._arguments()))

    def __repr__(self) -> str:
        """Return it as one would write it."""
        words = ", ".join(f"{spec.name}={getattr(self, spec.name)!r}" for spec in dataclasses.fields(self))
        return f"{type(self).__qualname__}({words})"

    def _arguments(self) -> tuple[object, ...]:
        return tuple([getattr(self, spec.name) for spec in dataclasses.fields(self)])
