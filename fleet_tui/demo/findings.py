"""What the tasks of a run have found, added up as they end.

Owner: `Findings` is changed by its planner only. Limits: TOP_MAX functions of each ranking, FAILURES_MAX failures,
DIFFS_MAX diffs of DIFF_MAX_CHARS, EDITS_MAX edits of EDIT_MAX_CHARS to vote on; what is beyond them is counted, not kept.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from engine.model import wire
from engine.model.errors import UsageError
from engine.model.tasks import TaskState
from fleet_tui.demo.discovery import SourceFile
from fleet_tui.demo.results import (
    CheckResult,
    EditResult,
    MetricsResult,
    OutlineResult,
    ReferencesResult,
)
from fleet_tui.demo.steps import CHECK, DOCUMENT, METRICS, OUTLINE, REFERENCES, REMOVE, Named, Step

TOP_MAX = 15
FAILURES_MAX = 500
DIFFS_MAX = 20
DIFF_MAX_CHARS = 4_000
EDITS_MAX = 200
EDIT_MAX_CHARS = 20_000

FIRST_WAVE = frozenset({CHECK, OUTLINE, METRICS})


@dataclass(frozen=True, slots=True)
class TaskEnd:
    """How a task ended, as the engine keeps it."""

    state: str
    result: dict[str, object]
    error: str
    """Why there is no result; empty = there is one."""
    retries: int
    continued: bool
    """Submitted by an earlier run; its idempotency key was known."""


@dataclass(frozen=True, slots=True, order=True)
class FunctionFigure:
    """A function with the figure by which it is ranked."""

    figure: int
    name: str
    file: str
    line: int


@dataclass(frozen=True, slots=True)
class Failure:
    """A file's step that gave no result, and why."""

    file: str
    step: str
    state: str
    reason: str


@dataclass(frozen=True, slots=True)
class Proposal:
    """An edit that was proposed; nothing is written."""

    file: str
    function: str
    statements: int
    diff: str
    """Unified; empty when DIFFS_MAX others are kept."""


@dataclass(frozen=True, slots=True)
class EditToVote:
    """An edit with its whole diff, for those who review it."""

    path: str
    file: str
    function: str
    statements: int
    diff: str


@dataclass(slots=True)
class References:
    """Where a name is used, by the agents' count."""

    kind: str
    place: str
    """Where it is defined."""
    files_planned: int
    files: int = 0
    """Searched so far."""
    kinds: Counter[str] = field(default_factory=Counter)


@dataclass(slots=True)
class PackageTally:
    """Sums of one top-level package."""

    files: int = 0
    lines: int = 0
    functions: int = 0
    classes: int = 0
    complexity_max: int = 0


@dataclass(slots=True)
class TaskTally:
    """How many tasks ended in which way, by their own records."""

    submitted: int = 0
    """Handed to the engine by this run, and those of an earlier run that it goes on with."""
    continued: int = 0
    states: Counter[str] = field(default_factory=Counter)
    retried: int = 0
    cut: int = 0
    """Cancelled by the planner itself because the time was up."""


class Findings:
    """Sums over the results of one run."""

    def __init__(self) -> None:
        self.tasks = TaskTally()
        self.functions = self.classes = self.lines = self.bytes = 0
        self.files_done: set[str] = set()
        """Files whose first wave has ended, well or badly."""
        self.largest: list[FunctionFigure] = []
        self.complex: list[FunctionFigure] = []
        self.defined: dict[str, bool | None] = {}
        """Public names at the top level of modules -> whether it is a class, None = defined more than once."""
        self.places: dict[str, str] = {}
        self.undocumented: dict[str, int] = {}
        """File -> public definitions without a docstring."""
        self.references: dict[str, References] = {}
        self.removals: list[Proposal] = []
        self.edits: list[EditToVote] = []
        self.removed = self.docstrings = self.documented_files = 0
        self.failures: list[Failure] = []
        self.failures_count = 0
        self.packages: dict[str, PackageTally] = {}
        self._ended: Counter[str] = Counter()

    def expect_references(self, steps: list[Step], names: list[Named]) -> None:
        """Take note of the searches that are planned."""
        planned = Counter(step.subject for step in steps)
        for named in names:
            if named.name in planned:
                kind = "class" if named.is_class else "function"
                self.references[named.name] = References(kind, self.places.get(named.name, ""), planned[named.name])

    def add(self, step: Step, end: TaskEnd) -> None:
        """Take a task that has ended; each one once."""
        self.tasks.states[end.state] += 1
        self.tasks.retried += end.retries
        self.tasks.continued += end.continued
        if end.state == TaskState.SUCCEEDED and not end.error:
            try:
                _TAKE[step.operation](self, step, end.result)
            except UsageError as error:
                self.fail(step, end.state, f"its result cannot be read: {error}")
        else:
            self.fail(step, end.state, end.error or "no reason was given")
        self._end_of_file(step)

    def add_cut(self, step: Step) -> None:
        """Take a task that the planner cancelled itself."""
        self.tasks.states[TaskState.CANCELLED] += 1
        self.tasks.cut += 1

    def add_skipped(self, step: Step, reason: str) -> None:
        """Take a step that was not submitted because something it needs did not succeed."""
        self.fail(step, "not submitted", reason)
        self._end_of_file(step)

    def fail(self, step: Step, state: str, reason: str) -> None:
        """List a failure."""
        self.failures_count += 1
        if len(self.failures) < FAILURES_MAX:
            self.failures.append(Failure(step.file.name, step.title, state, reason))

    def _end_of_file(self, step: Step) -> None:
        name = step.file.name
        if step.operation in FIRST_WAVE:
            self._ended[name] += 1
            if self._ended[name] == len(FIRST_WAVE):
                del self._ended[name]
                self.files_done.add(name)
                self.package(step.file).files += 1

    def package(self, file: SourceFile) -> PackageTally:
        """Return the sums of a file's package."""
        return self.packages.setdefault(file.package, PackageTally())


def _take_check(findings: Findings, step: Step, result: dict[str, object]) -> None:
    check = wire.convert(result, CheckResult)
    findings.bytes += step.file.size
    if not check.ok:
        problem = check.errors[-1] if check.errors else None  # the compiler's words are made for people
        place = f" (line {problem.line})" if problem and problem.line else ""
        findings.fail(step, "not Python", f"{problem.message}{place}" if problem else "no reason was given")


def _take_outline(findings: Findings, step: Step, result: dict[str, object]) -> None:
    outline = wire.convert(result, OutlineResult)
    totals, package = outline.totals, findings.package(step.file)
    findings.functions += totals.functions
    findings.classes += totals.classes
    findings.lines += totals.lines
    package.functions += totals.functions
    package.classes += totals.classes
    package.lines += totals.lines
    missing = 0
    for definition in outline.definitions:
        if not definition.is_public:
            continue
        missing += not definition.docstring
        if definition.is_top_level:
            name = definition.name
            findings.defined[name] = None if name in findings.defined else definition.kind == "class"
            findings.places.setdefault(name, f"{step.file.name}:{definition.line}")
    if missing:
        findings.undocumented[step.file.name] = missing


def _take_metrics(findings: Findings, step: Step, result: dict[str, object]) -> None:
    package, file = findings.package(step.file), step.file.name
    for row in wire.convert(result, MetricsResult).functions:
        _rank(findings.largest, FunctionFigure(row.length, row.qualname, file, row.line))
        _rank(findings.complex, FunctionFigure(row.complexity, row.qualname, file, row.line))
        package.complexity_max = max(package.complexity_max, row.complexity)


def _take_references(findings: Findings, step: Step, result: dict[str, object]) -> None:
    found = wire.convert(result, ReferencesResult)
    references = findings.references[step.subject]
    references.files += 1
    references.kinds.update(found.totals)


def _take_removal(findings: Findings, step: Step, result: dict[str, object]) -> None:
    edit = wire.convert(result, EditResult)
    if edit.changed:
        findings.removed += edit.edits
        diff = shorten(edit.diff) if len(findings.removals) < DIFFS_MAX else ""
        findings.removals.append(Proposal(step.file.name, step.subject, edit.edits, diff))
        if len(findings.edits) < EDITS_MAX and len(edit.diff) <= EDIT_MAX_CHARS:
            findings.edits.append(EditToVote(step.file.path, step.file.name, step.subject, edit.edits, edit.diff))


def _take_docstrings(findings: Findings, _step: Step, result: dict[str, object]) -> None:
    edit = wire.convert(result, EditResult)
    findings.docstrings += edit.edits
    findings.documented_files += edit.changed


_TAKE: dict[str, Callable[[Findings, Step, dict[str, object]], None]] = {
    CHECK: _take_check,
    OUTLINE: _take_outline,
    METRICS: _take_metrics,
    REFERENCES: _take_references,
    REMOVE: _take_removal,
    DOCUMENT: _take_docstrings,
}


def _rank(ranking: list[FunctionFigure], figure: FunctionFigure) -> None:
    """Keep the TOP_MAX highest; equal ones by name, so that the order of arrival does not matter."""
    if len(ranking) < TOP_MAX:
        heapq.heappush(ranking, figure)
    elif figure > ranking[0]:
        heapq.heapreplace(ranking, figure)


def shorten(diff: str) -> str:
    """Return a diff, cut at the end of a line when it is long."""
    if len(diff) <= DIFF_MAX_CHARS:
        return diff
    return diff[: diff.rfind("\n", 0, DIFF_MAX_CHARS) + 1] + "… (the rest is left out)\n"
