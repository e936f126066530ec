"""The report of a demo run: values, their JSON, and a calm text for people.

Owner: nobody; a report is a value and its text a pure function of it.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import astuple, dataclass
from typing import Any

from engine.model import wire
from engine.model.rows import FleetStatus
from engine.model.tasks import TaskState
from fleet_tui.demo.comparison import Comparison, comparison_lines
from fleet_tui.demo.discovery import CodeBase, LeftOut
from fleet_tui.demo.findings import Failure, Findings, FunctionFigure, Proposal
from fleet_tui.demo.verdicts import ACCEPTED, Verdict, verdict_lines

WIDTH = 100
WIDTH_MIN = 60
PACKAGES_SHOWN = 12
FAILURES_SHOWN = 20
PROPOSALS_SHOWN = 8
DIFF_LINES_SHOWN = 16


@dataclass(frozen=True, slots=True)
class RunCounts:
    """Tasks by how they ended, counted from their own records as they were read."""

    submitted: int
    succeeded: int
    failed: int
    dead: int
    retried: int
    cancelled: int
    unfinished: int
    """Submitted, but their end was not seen."""
    continued: int
    """Of `submitted`, those that an earlier run had submitted."""


@dataclass(frozen=True, slots=True)
class EngineCounts:
    """The same by the engine's own counters over the time of the run; others may have used the fleet too."""

    submitted: int
    succeeded: int
    failed: int
    dead: int
    retried: int
    cancelled: int
    agents: int
    """At the end."""


@dataclass(frozen=True, slots=True)
class BusyName:
    """A name with its references, counted by the agents in every file that has the word."""

    name: str
    kind: str
    place: str
    files: int
    files_planned: int
    references: int
    kinds: dict[str, int]


@dataclass(frozen=True, slots=True)
class PackageRow:
    """Sums of one top-level package."""

    name: str
    files: int
    lines: int
    functions: int
    classes: int
    complexity_max: int


@dataclass(frozen=True, slots=True)
class DemoReport:
    """What a run found and did."""

    path: str
    files: int
    """Worked through: their first wave has ended, well or badly."""
    files_found: int
    functions: int
    """Methods and nested functions included."""
    classes: int
    lines: int
    bytes: int
    seconds: float
    """From the search for files to the last result."""
    stopped: bool
    """The time was up before the work was done."""
    agents_peak: int
    """Most agents that the engine's status showed during the run."""
    tasks: RunCounts
    engine: EngineCounts
    packages: tuple[PackageRow, ...]
    largest: tuple[FunctionFigure, ...]
    """By lines."""
    complex: tuple[FunctionFigure, ...]
    """By cyclomatic complexity."""
    names: tuple[BusyName, ...]
    removals: tuple[Proposal, ...]
    removed: int
    """Statements that `removals` would remove."""
    docstrings: int
    """Docstrings proposed."""
    documented_files: int
    failures: tuple[Failure, ...]
    failures_count: int
    left_out: tuple[LeftOut, ...]
    left_out_count: int
    comparison: Comparison | None = None
    """The same work with and without the booster; None = there is none, or no time was left."""
    verdicts: tuple[Verdict, ...] = ()
    """Of the edits that reviewers voted on; `removals` has those that they accepted, and those that were not put to the vote."""

    @property
    def ok(self) -> bool:
        """Whether every task that was submitted has ended and none is a dead letter."""
        return self.tasks.unfinished == 0 and self.tasks.dead == 0

    def to_json(self) -> dict[str, Any]:
        """Return plain values: the fields, and `ok`."""
        plain: dict[str, Any] = wire.to_plain(self)
        return {"ok": self.ok, **plain, "seconds": round(self.seconds, 3)}

    def to_text(self, width: int = WIDTH) -> str:
        """Return the report for people, no line longer than `width` characters (WIDTH_MIN at least)."""
        width = max(width, WIDTH_MIN)
        lines = (line for section in _sections(self, width) for line in section)
        return "\n".join(cut(line, width) for line in lines).rstrip() + "\n"


def findings_of(findings: Findings, code_base: CodeBase, verdicts: Sequence[Verdict] = ()) -> dict[str, Any]:
    """Return those fields of a report that come from results, ranked, equal ones by name."""
    names = [
        BusyName(name, one.kind, one.place, one.files, one.files_planned, one.kinds.total(), dict(one.kinds))
        for name, one in findings.references.items()
    ]
    dropped = {(row.file, row.function) for row in verdicts if row.standing != ACCEPTED}
    removals = [row for row in findings.removals if (row.file, row.function) not in dropped]
    packages = [
        PackageRow(name, one.files, one.lines, one.functions, one.classes, one.complexity_max)
        for name, one in findings.packages.items()
    ]
    return {
        "path": code_base.root,
        "files": len(findings.files_done),
        "files_found": len(code_base.files),
        "functions": findings.functions,
        "classes": findings.classes,
        "lines": findings.lines,
        "bytes": findings.bytes,
        "packages": tuple(sorted(packages, key=lambda row: (-row.lines, row.name))),
        "largest": ranked(findings.largest),
        "complex": ranked(findings.complex),
        "names": tuple(sorted(names, key=lambda row: (-row.references, row.name))),
        "removals": tuple(sorted(removals, key=lambda row: (-row.statements, row.file, row.function))),
        "removed": sum(row.statements for row in removals),
        "docstrings": findings.docstrings,
        "documented_files": findings.documented_files,
        "failures": tuple(sorted(findings.failures, key=lambda row: (row.file, row.step))),
        "failures_count": findings.failures_count,
        "left_out": code_base.left_out,
        "left_out_count": code_base.left_out_count,
    }


def task_counts(findings: Findings, unfinished: int) -> RunCounts:
    """Return the tasks of a run by how they ended."""
    tasks = findings.tasks
    counted = {state: tasks.states[state] for state in (TaskState.SUCCEEDED, TaskState.FAILED, TaskState.DEAD)}
    return RunCounts(
        tasks.submitted,
        counted[TaskState.SUCCEEDED],
        counted[TaskState.FAILED],
        counted[TaskState.DEAD],
        tasks.retried,
        tasks.states[TaskState.CANCELLED],
        unfinished,
        tasks.continued,
    )


def sum_counts(counts: Sequence[RunCounts]) -> RunCounts:
    """Return the sums of several rounds."""
    return RunCounts(*map(sum, zip(*map(astuple, counts), strict=True)))


def engine_counts(before: FleetStatus, after: FleetStatus) -> EngineCounts:
    """Return what an engine counted between two looks."""
    old, new = before.tasks, after.tasks
    return EngineCounts(
        new.submitted - old.submitted,
        new.succeeded - old.succeeded,
        new.failed - old.failed,
        new.dead - old.dead,
        new.retried - old.retried,
        new.cancelled - old.cancelled,
        after.agents.total,
    )


def ranked(figures: Iterable[FunctionFigure]) -> tuple[FunctionFigure, ...]:
    """Return figures, the highest first, equal ones by place."""
    return tuple(sorted(figures, key=lambda row: (-row.figure, row.file, row.line)))


# ---- the text


def _sections(report: DemoReport, width: int) -> Iterator[list[str]]:
    yield _summary(report)
    yield _task_lines(report)
    if report.comparison is not None:
        yield comparison_lines(report.comparison)
    yield _table(
        "Packages",
        ("lines", "files", "functions", "classes", "most complex", "package"),
        [(p.lines, p.files, p.functions, p.classes, p.complexity_max, p.name) for p in report.packages[:PACKAGES_SHOWN]],
        len(report.packages),
    )
    for title, unit, figures in (("Largest functions", "lines", report.largest), ("Most complex functions", "complexity", report.complex)):
        yield _table(title, (unit, "function", "place"), [(f.figure, f.name, f"{f.file}:{f.line}") for f in figures])
    yield _table(
        "Busiest names",
        ("references", "calls", "imports", "files", "name", "defined at"),
        [
            (n.references, n.kinds.get("call", 0), n.kinds.get("import", 0), _of(n.files, n.files_planned), n.name, n.place)
            for n in report.names
        ],
    )
    yield _removal_lines(report)
    yield verdict_lines(report.verdicts, len(report.removals), width)
    yield _failure_lines(report, width)
    yield _left_out_lines(report)


def _summary(report: DemoReport) -> list[str]:
    after = f"stopped after {report.seconds:.1f} s" if report.stopped else f"done in {report.seconds:.1f} s"
    files = len({removal.file for removal in report.removals})
    return [
        f"Work over {report.path}",
        "",
        f"  {after}: {report.files:,} of {_count(report.files_found, 'file')}, with at most {_count(report.agents_peak, 'agent')}",
        f"  {_size(report.bytes)}, {_count(report.lines, 'line')}, {_count(report.functions, 'function')}, "
        + _count(report.classes, "class"),
        "  proposed, nothing written:",
        f"    {_count(report.removed, 'statement')} to remove in {_count(files, 'file')}",
        f"    {_count(report.docstrings, 'docstring')} to add in {_count(report.documented_files, 'file')}",
        "",
    ]


def _task_lines(report: DemoReport) -> list[str]:
    tasks, engine = report.tasks, report.engine
    words = ("submitted", "succeeded", "failed", "dead", "cancelled", "retried")
    rows = [
        [f"{getattr(tasks, word):,}" for word in words] + ["read from each task"],
        [f"{getattr(engine, word):,}" for word in words] + ["the engine's counters"],
    ]
    lines = _table("Tasks", (*words, ""), rows)[:-1]
    if tasks.continued:
        lines.append(f"  {tasks.continued:,} of them had been submitted by an earlier run, which this one continued")
    if tasks.unfinished:
        lines.append(f"  {tasks.unfinished:,} had not ended when the report was made")
    return [*lines, ""]


def _removal_lines(report: DemoReport) -> list[str]:
    if not report.removals:
        return []
    rows = [(row.statements, f"{row.function}()", row.file) for row in report.removals[:PROPOSALS_SHOWN]]
    lines = _table("Calls to remove", ("statements", "of", "file"), rows, len(report.removals))[:-1]
    shown = min((row for row in report.removals if row.diff), key=lambda row: (len(row.diff), row.file), default=None)
    if shown is not None:
        diff = shown.diff.splitlines()
        lines += ["", "  The shortest of the diffs:", *(f"    {line}" for line in diff[:DIFF_LINES_SHOWN])]
        if len(diff) > DIFF_LINES_SHOWN:
            lines.append(f"    … and {len(diff) - DIFF_LINES_SHOWN} lines more")
    return [*lines, ""]


def _failure_lines(report: DemoReport, width: int) -> list[str]:
    """Group what failed by file, with the first reason: one broken file fails several tasks."""
    if not report.failures:
        return []
    by_file: dict[str, list[Failure]] = {}
    for failure in report.failures:
        by_file.setdefault(failure.file, []).append(failure)
    lines = [f"Failed ({_count(report.failures_count, 'step')} in {_count(len(by_file), 'file')})"]
    for file, failures in list(by_file.items())[:FAILURES_SHOWN]:
        steps = ", ".join(f"{row.step.removesuffix(file).strip()} ({row.state})" for row in failures)
        reason = textwrap.wrap(failures[0].reason, width, initial_indent="    ", subsequent_indent="    ", max_lines=3)
        lines += [f"  {file}: {steps}", *reason]
    return [*lines, *_more(len(by_file), FAILURES_SHOWN), ""]


def _left_out_lines(report: DemoReport) -> list[str]:
    if not report.left_out_count:
        return []
    lines = [f"Left out ({report.left_out_count:,})"]
    lines += [f"  {one.name}: {one.reason}" for one in report.left_out[:FAILURES_SHOWN]]
    return [*lines, *_more(report.left_out_count, FAILURES_SHOWN), ""]


def _table(title: str, heads: Sequence[str], rows: Sequence[Sequence[object]], total: int = 0) -> list[str]:
    """Return a table under its title, numbers to the right; nothing for no rows."""
    if not rows:
        return []
    cells = [list(heads), *([f"{cell:,}" if isinstance(cell, int) else str(cell) for cell in row] for row in rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(heads))]
    numbers = [str(cell)[:1].isdigit() for cell in rows[0]]
    lines = [
        "  " + "  ".join(cell.rjust(w) if n else cell.ljust(w) for cell, w, n in zip(row, widths, numbers, strict=True)).rstrip()
        for row in cells
    ]
    return [title, *lines, *_more(total, len(rows)), ""]


def _more(total: int, shown: int) -> list[str]:
    return [f"  … and {total - shown:,} more"] if total > shown else []


def _count(number: int, word: str) -> str:
    ending = "" if number == 1 else "es" if word.endswith("s") else "s"
    return f"{number:,} {word}{ending}"


def _size(count: int) -> str:
    return f"{count / 1e6:.1f} MB" if count >= 1e6 else f"{count / 1e3:.1f} kB"


def _of(done: int, planned: int) -> str:
    return f"{done}" if done == planned else f"{done} of {planned}"


def cut(line: str, width: int) -> str:
    """Return a line that fits."""
    return line if len(line) <= width else line[: width - 1] + "…"
