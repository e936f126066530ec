"""The table of code operations, their parameters, and the check of a payload against it.

Owner: nobody; the table is constant. It needs no LibCST, so menus, forms and help can read it for free.
"""

import keyword
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Final

from engine.agents.code.errors import CodeError

TEXT_MAX_CHARACTERS: Final = 1000
COMMON: Final = frozenset({"path", "source", "workspace", "apply"})


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter of an operation."""

    name: str
    kind: str  # "identifier", "dotted name", "text" or "flag"
    help: str
    required: bool = True
    default: str | bool | None = None


@dataclass(frozen=True, slots=True)
class Operation:
    """One code operation, as it is offered to people and programs."""

    name: str
    help: str
    edits: bool
    parameters: tuple[Parameter, ...] = ()


@dataclass(frozen=True, slots=True)
class Request:
    """A payload that has been checked."""

    path: str | None  # exactly one of path and source is given
    source: str | None
    workspace: str | None
    apply: bool
    texts: Mapping[str, str]
    flags: Mapping[str, bool]

    @property
    def place(self) -> str:
        """Give the path to open: a relative one is meant inside the workspace, if there is one."""
        return str(Path(self.workspace) / (self.path or "")) if self.workspace else self.path or ""


_TABLE: Final = (
    Operation(
        "code.outline",
        "List the classes, functions and methods of a file, with their lines.",
        edits=False,
    ),
    Operation(
        "code.metrics",
        "Measure the functions of a file: length, cyclomatic complexity, nesting, parameters.",
        edits=False,
    ),
    Operation(
        "code.find_references",
        "Find every place where an identifier is bound, imported, called or used.",
        edits=False,
        parameters=(Parameter("name", "identifier", "The identifier to look for."),),
    ),
    Operation(
        "code.rename",
        "Rename an identifier throughout one file, leaving every other byte as it is.",
        edits=True,
        parameters=(
            Parameter("name", "identifier", "The identifier to rename."),
            Parameter("to", "identifier", "Its new name."),
            Parameter(
                "attributes",
                "flag",
                "Also rename it after a dot and as the name of a keyword argument.",
                required=False,
                default=False,
            ),
        ),
    ),
    Operation(
        "code.remove_calls",
        "Remove the statements that only call one function, such as print or pdb.set_trace.",
        edits=True,
        parameters=(Parameter("function", "dotted name", "The function as it is called."),),
    ),
    Operation(
        "code.add_docstrings",
        "Give public classes, functions and methods without a docstring one made from their name.",
        edits=True,
        parameters=(
            Parameter(
                "template",
                "text",
                "The sentence; {words}, {name} and {kind} are filled in.",
                required=False,
                default="{words}.",
            ),
        ),
    ),
    Operation(
        "code.syntax_check",
        "Say whether LibCST and this Python accept a file, and what each of them rejects.",
        edits=False,
    ),
)
OPERATIONS: Final[Mapping[str, Operation]] = MappingProxyType({row.name: row for row in _TABLE})


def find_operation(name: str) -> Operation:
    """Give the operation of that name, or raise `CodeError` (bad_parameter)."""
    operation = OPERATIONS.get(name)
    if operation is None:
        raise CodeError(
            "bad_parameter", f"No operation {name!r}; choose one of {', '.join(OPERATIONS)}."
        )
    return operation


def read_request(operation: Operation, payload: Mapping[str, object]) -> Request:
    """Check a payload against the operation's parameters; raise `CodeError` (bad_parameter)."""
    known = COMMON | {parameter.name for parameter in operation.parameters}
    if unknown := sorted(set(payload) - known):
        raise CodeError(
            "bad_parameter",
            f"{operation.name} has no parameter {unknown[0]!r}; it takes {', '.join(sorted(known))}.",
        )
    path, source = _optional_text(payload, "path"), _optional_text(payload, "source")
    if (path is None) == (source is None):
        raise CodeError("bad_parameter", f"Give {operation.name} either `path` or `source`.")
    texts: dict[str, str] = {}
    flags: dict[str, bool] = {}
    for parameter in operation.parameters:
        value = payload.get(parameter.name, parameter.default)
        if parameter.kind == "flag":
            flags[parameter.name] = _flag(parameter.name, value)
        else:
            texts[parameter.name] = _text(parameter, value)
    return Request(
        path,
        source,
        _optional_text(payload, "workspace"),
        _flag("apply", payload.get("apply", False)),
        texts,
        flags,
    )


def _optional_text(payload: Mapping[str, object], name: str) -> str | None:
    value = payload.get(name)
    if value is not None and not isinstance(value, str):
        raise CodeError("bad_parameter", f"`{name}` must be a string, not {type(value).__name__}.")
    return value


def _flag(name: str, value: object) -> bool:
    if not isinstance(value, bool):
        raise CodeError("bad_parameter", f"`{name}` must be true or false, not {value!r:.80}.")
    return value


def _text(parameter: Parameter, value: object) -> str:
    if not isinstance(value, str) or not value or len(value) > TEXT_MAX_CHARACTERS:
        raise CodeError(
            "bad_parameter",
            f"`{parameter.name}` must be a string of 1 to {TEXT_MAX_CHARACTERS} characters: {parameter.help}",
        )
    words = {"identifier": [value], "dotted name": value.split(".")}.get(parameter.kind, [])
    if not all(word.isidentifier() and not keyword.iskeyword(word) for word in words):
        raise CodeError(
            "bad_parameter",
            f"`{parameter.name}` must be a Python {parameter.kind} and no keyword, not {value!r:.80}.",
        )
    return value
