"""What the code operations answer: one frozen model for each.

Owner: nobody; an answer is a value. Agents answer plain JSON-able data of this shape; whoever gets it from elsewhere
checks it here. Lines count from 1, columns from 0 in characters (code points), a byte order mark not counted.
"""

from collections.abc import Mapping
from typing import Annotated, Literal, TypeAlias, cast

import msgspec
from pydantic import BaseModel, ConfigDict, Field

from engine.model.code_requests import Language

Count: TypeAlias = Annotated[int, Field(ge=0)]
Line: TypeAlias = Annotated[int, Field(ge=1)]
DefinitionKind: TypeAlias = Literal[
    "class", "function", "async function", "method", "async method", "interface", "type", "enum", "namespace"
]
ReferenceKind: TypeAlias = Literal["definition", "import", "call", "attribute", "use"]


class CodeResult(BaseModel):
    """What every answer has in common: nothing but that it is exact."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class SyntaxProblem(CodeResult):
    """What one judge has against a file."""

    by: str  # "compile" and "libcst" for Python, "regular" for the rest
    message: str
    line: Line | None
    column: Count | None


class SyntaxResult(CodeResult):
    """Answer of code.syntax_check."""

    ok: bool
    errors: tuple[SyntaxProblem, ...]


# depth, kind, field of the parent or "", line, column, end line, end column
DumpedNode: TypeAlias = tuple[Count, str, str, Line, Count, Line, Count]


class DumpResult(CodeResult):
    """Answer of code.ast_dump."""

    nodes: tuple[DumpedNode, ...]  # parents before their children
    count: Count  # of all that there are
    truncated: bool
    errors: Count  # nodes that stand for what does not parse


class DefinitionRow(CodeResult):
    """One definition of an outline."""

    kind: DefinitionKind
    name: str
    qualname: str
    line: Line
    end_line: Line
    parameters: Count | None  # None for what is no function
    decorators: tuple[str, ...]
    docstring: bool


class OutlineTotals(CodeResult):
    """Counts of a file; methods are functions, types are in none."""

    functions: Count
    classes: Count
    lines: Count


class OutlineResult(CodeResult):
    """Answer of code.outline."""

    definitions: tuple[DefinitionRow, ...]
    totals: OutlineTotals


class FunctionRow(CodeResult):
    """The figures of one function."""

    qualname: str
    line: Line
    end_line: Line
    length: Line
    complexity: Annotated[int, Field(ge=1)]
    nesting: Count
    parameters: Count


class MetricsTotals(CodeResult):
    """Sums and greatest figures of a file."""

    functions: Count
    lines: Count
    complexity: Count
    length_max: Count
    complexity_max: Count
    nesting_max: Count
    parameters_max: Count


class MetricsResult(CodeResult):
    """Answer of code.metrics."""

    functions: tuple[FunctionRow, ...]
    totals: MetricsTotals


class ReferenceRow(CodeResult):
    """One place of an identifier."""

    line: Line
    column: Count
    kind: ReferenceKind


class ReferencesResult(CodeResult):
    """Answer of code.find_references."""

    references: tuple[ReferenceRow, ...]
    totals: dict[ReferenceKind, Count]


class Capture(CodeResult):
    """What one capture of a query found."""

    name: str
    line: Line
    column: Count
    end_line: Line
    end_column: Count
    text: str  # its first 200 characters


class Match(CodeResult):
    """One match of a query."""

    pattern: Count  # which pattern of the query, from 0
    captures: tuple[Capture, ...]


class SearchResult(CodeResult):
    """Answer of code.search."""

    matches: tuple[Match, ...]
    truncated: bool


class Provenance(CodeResult):
    """Where an edit comes from: enough to tell later who made it, of what, and whether it still fits."""

    operation: str
    engine: str  # the program that made it, with its version
    language: Language
    before_sha256: str  # of the file's bytes
    after_sha256: str


class EditResult(CodeResult):
    """Answer of an edit."""

    path: str | None
    changed: bool
    diff: str  # unified, of the file as it is written
    edits: Count  # of what was asked for: identifiers, calls, docstrings ...
    applied: bool
    provenance: Provenance


class RenameResult(EditResult):
    """Answer of code.rename."""

    clashes: Count  # identifiers that were called so before: nobody can tell the two apart any more


class KeptResult(EditResult):
    """Answer of an edit that leaves some places as they are."""

    kept: Count


class ConstResult(KeptResult):
    """Answer of code.use_const."""

    to_const: Count
    to_let: Count


class ApplyResult(EditResult):
    """Answer of code.apply_edit."""

    replaced: tuple[str, ...]  # qualified names
    added: tuple[str, ...]


def without_engine(result: Mapping[str, object]) -> dict[str, object]:
    """Return an answer as plain data, without the name of who gave it: so answers of two engines are compared."""
    plain = cast("dict[str, object]", msgspec.to_builtins(result))
    provenance = plain.get("provenance")
    if isinstance(provenance, dict):
        plain = {**plain, "provenance": {key: value for key, value in provenance.items() if key != "engine"}}
    return plain
