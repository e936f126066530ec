"""What the code operations answer, as typed values; checked here, because it comes from another process.

Owner: nobody; values only. Fields that the demo has no use for are left out.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SyntaxProblem:
    """What one judge has against a file."""

    by: str
    message: str
    line: int | None = None


@dataclass(frozen=True, slots=True)
class CheckResult:
    """Answer of code.syntax_check."""

    ok: bool
    errors: list[SyntaxProblem]


@dataclass(frozen=True, slots=True)
class Definition:
    """A class or function of an outline."""

    kind: str
    name: str
    qualname: str
    line: int
    docstring: bool

    @property
    def is_public(self) -> bool:
        """Whether another module may use it: no part begins with `_`, and it is not inside a function."""
        parts = self.qualname.split(".")
        return "<locals>" not in parts and not any(part.startswith("_") for part in parts)

    @property
    def is_top_level(self) -> bool:
        """Whether it stands directly in its module."""
        return "." not in self.qualname


@dataclass(frozen=True, slots=True)
class OutlineTotals:
    """Counts of one file; methods are functions."""

    functions: int
    classes: int
    lines: int


@dataclass(frozen=True, slots=True)
class OutlineResult:
    """Answer of code.outline."""

    definitions: list[Definition]
    totals: OutlineTotals


@dataclass(frozen=True, slots=True)
class MeasuredFunction:
    """One function's figures; length in lines."""

    qualname: str
    line: int
    length: int
    complexity: int


@dataclass(frozen=True, slots=True)
class MetricsResult:
    """Answer of code.metrics."""

    functions: list[MeasuredFunction]


@dataclass(frozen=True, slots=True)
class ReferencesResult:
    """Answer of code.find_references: how many of each kind."""

    totals: dict[str, int]


@dataclass(frozen=True, slots=True)
class EditResult:
    """Answer of an operation that proposes an edit."""

    changed: bool
    diff: str
    edits: int
