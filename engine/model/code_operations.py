"""The catalogue of code operations: what there is, in which languages, what it is asked and what it answers.

Owner: nobody; the table is constant. It is here, below the rooms, because two of them do these operations and must agree:
the regular agent (`engine.agents.code`) and the booster. Task types `code.*` are these names.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Literal, TypeAlias

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from engine.model import code_requests as requests
from engine.model import code_results as results
from engine.model.code_errors import CodeError
from engine.model.code_requests import CodeRequest, Language
from engine.model.code_results import CodeResult

By: TypeAlias = Literal["booster", "both"]


@dataclass(frozen=True, slots=True)
class Operation:
    """One code operation, as it is offered to people and programs."""

    help: str
    request: type[CodeRequest]
    result: type[CodeResult]
    by: By = "both"  # who has it at all

    @property
    def name(self) -> str:
        """Its task type."""
        return self.request.operation

    @property
    def languages(self) -> tuple[Language, ...]:
        """Those it knows."""
        return self.request.languages

    @property
    def edits(self) -> bool:
        """Whether it proposes a change."""
        return issubclass(self.result, results.EditResult)


_TABLE: Final = (
    Operation(
        "List the classes, functions, methods and types of a file, with their lines.",
        requests.OutlineRequest,
        results.OutlineResult,
    ),
    Operation(
        "Measure the functions of a file: length, cyclomatic complexity, nesting, parameters.",
        requests.MetricsRequest,
        results.MetricsResult,
    ),
    Operation(
        "Find every place where an identifier is bound, imported, called or used.",
        requests.ReferencesRequest,
        results.ReferencesResult,
    ),
    Operation(
        "Rename an identifier throughout one file, leaving every other byte as it is.",
        requests.RenameRequest,
        results.RenameResult,
    ),
    Operation(
        "Remove the statements that only call one function, such as print or console.log.",
        requests.RemovalRequest,
        results.KeptResult,
    ),
    Operation(
        "Turn `var` and `let` into `const` or `let` where nothing else changes by it.",
        requests.ConstRequest,
        results.ConstResult,
    ),
    Operation(
        "Give public classes, functions and methods without documentation a sentence made from their name.",
        requests.DocstringsRequest,
        results.EditResult,
    ),
    Operation(
        "Add a return annotation to a function that has none.",
        requests.ReturnTypeRequest,
        results.KeptResult,
    ),
    Operation(
        "Wrap the body of a function in `try`, with one handler.",
        requests.TryRequest,
        results.EditResult,
    ),
    Operation(
        "Sort imports into sections and by module; refuse what cannot be moved safely.",
        requests.SortRequest,
        results.EditResult,
    ),
    Operation(
        "Put a snippet's definitions where they belong and merge its imports; refuse what is not clear.",
        requests.ApplyRequest,
        results.ApplyResult,
    ),
    Operation(
        "Say whether a file parses, and what its judges have against it.",
        requests.SyntaxRequest,
        results.SyntaxResult,
    ),
    Operation(
        "Find what a tree-sitter query matches.",
        requests.SearchRequest,
        results.SearchResult,
        by="booster",
    ),
    Operation(
        "Replace what a tree-sitter query captures as @target by a template.",
        requests.ReplaceRequest,
        results.EditResult,
        by="booster",
    ),
    Operation(
        "Give the syntax tree of a file, node by node.",
        requests.DumpRequest,
        results.DumpResult,
        by="booster",
    ),
)
# What the regular agent has for no language, since it has no grammar of tree-sitter, is the booster's alone.
OPERATIONS: Final[Mapping[str, Operation]] = MappingProxyType({row.name: row for row in _TABLE})


def find_operation(name: str) -> Operation:
    """Give the operation of that name, or raise `CodeError` (bad_parameter)."""
    operation = OPERATIONS.get(name)
    if operation is None:
        raise CodeError(
            "bad_parameter", f"No operation {name!r}; choose one of {', '.join(OPERATIONS)}."
        )
    return operation


def read_request(name: str, payload: Mapping[str, object]) -> CodeRequest:
    """Check a payload against its operation; raise `CodeError` (bad_parameter)."""
    return check_payload(find_operation(name).request, payload)


def check_payload(request: type[CodeRequest], payload: Mapping[str, object]) -> CodeRequest:
    """Check a payload against what an operation takes; raise `CodeError` (bad_parameter)."""
    try:
        return request.model_validate(payload)
    except ValidationError as error:
        raise CodeError("bad_parameter", _explain(request, error.errors()[0])) from None


def _explain(request: type[CodeRequest], error: ErrorDetails) -> str:
    if not error["loc"]:  # said by a check of ours
        return str(error["ctx"]["error"]) if "ctx" in error else error["msg"]
    field = str(error["loc"][0])
    if error["type"] == "extra_forbidden":
        return f"{request.operation} has no parameter {field!r}; it takes {', '.join(sorted(request.model_fields))}."
    wanted = _WANTED.get(error["type"], error["msg"]).format(**error.get("ctx", {}))
    given = "" if error["type"] == "missing" else f", not {error['input']!r:.80}"
    return f"`{field}` must be {wanted}{given}: {request.model_fields[field].description}."


_WANTED: Final = MappingProxyType(
    {
        "missing": "given",
        "string_type": "a string",
        "bool_type": "true or false",
        "int_type": "a whole number",
        "string_too_short": "a string of at least {min_length} character",
        "string_too_long": "a string of at most {max_length} characters",
        "greater_than_equal": "at least {ge}",
        "less_than_equal": "at most {le}",
        "literal_error": "one of {expected}",
    }
)
