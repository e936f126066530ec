"""The acceptance rows in pytest: tests carry `@pytest.mark.row(47, 48)`, `--rows` reports what they show.

Owner: the list of rows is `rows.tsv` beside this file; the state of a row lives for one run.
"""

from __future__ import annotations

import functools
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

ROWS = Path(__file__).with_name("rows.tsv")
PROPERTY = "acceptance_rows"
# The order in which the report tells of them.
STATES = ("passed", "failed", "skipped", "waiting", "missing", "document")
MEANINGS = {
    "passed": "shown by a passing test",
    "failed": "a test of theirs fails",
    "skipped": "their tests were skipped",
    "waiting": "hold when the rows that they name hold",
    "missing": "without a test",
    "document": "only describe a document",
}


@dataclass(frozen=True, slots=True)
class Row:
    """One line of rows.tsv."""

    number: int
    area: str
    item: str
    # work: needs a test; derived: holds when `needs` hold; document: needs none.
    kind: str
    needs: tuple[int, ...]


@functools.cache
def read_rows(path: Path = ROWS) -> dict[int, Row]:
    """Return the rows by number, in the order of the file."""
    rows = {}
    for line in path.read_text(encoding="utf-8").splitlines()[1:]:
        number, area, item, kind, *needs = line.split("\t")
        named = tuple(int(word) for word in " ".join(needs).split())
        rows[int(number)] = Row(int(number), area, item, kind, named)
    return rows


def judge_rows(rows: Mapping[int, Row], outcomes: Mapping[int, Collection[str]]) -> dict[int, str]:
    """Return the state of every row, given the outcomes of the tests that name it."""
    states = {number: judge_tests(outcomes.get(number, ())) for number in rows}
    judged = dict(states)
    for number, row in rows.items():
        if states[number] != "missing":
            continue
        if row.kind == "document":
            judged[number] = "document"
        elif row.kind == "derived":
            needed = {states[need] for need in row.needs}
            judged[number] = "passed" if needed == {"passed"} else "waiting"
    return judged


def judge_tests(outcomes: Collection[str]) -> str:
    """Return the state of a row from its tests alone: one failure spoils it, a skip does not."""
    for state in ("failed", "passed", "skipped"):
        if state in outcomes:
            return state
    return "missing"


def join_ranges(numbers: Iterable[int]) -> str:
    """Return sorted numbers in short: `1-3 7 9-10`."""
    spans: list[list[int]] = []
    for number in sorted(numbers):
        if spans and number == spans[-1][1] + 1:
            spans[-1][1] = number
        else:
            spans.append([number, number])
    return " ".join(str(low) if low == high else f"{low}-{high}" for low, high in spans)


class RowReport:
    """Collects the outcomes of one run, also those of xdist's workers, and prints the rows."""

    def __init__(self) -> None:
        self.rows = read_rows()
        self.outcomes: defaultdict[int, set[str]] = defaultdict(set)
        self.failures: defaultdict[int, set[str]] = defaultdict(set)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        # Set-up and teardown count when they fail or skip; passing is said by the call alone.
        if report.passed and report.when != "call":
            return
        for number in dict(report.user_properties).get(PROPERTY, ()):
            self.outcomes[number].add(report.outcome)
            if report.failed:
                self.failures[number].add(report.nodeid)

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        write = terminalreporter.write_line
        judged = judge_rows(self.rows, self.outcomes)
        counts = Counter(judged.values())
        terminalreporter.section("acceptance rows")
        for state in STATES:
            if state not in counts:
                continue
            write(f"{counts[state]:4} {state:<9}{MEANINGS[state]}")
            numbers = [number for number, judgement in judged.items() if judgement == state]
            if state != "failed" and terminalreporter.verbosity < 1:
                write(f"     {join_ranges(numbers)}")
                continue
            for number in numbers:
                row = self.rows[number]
                write(f"     {number:4} {row.area}: {row.item}")
                for nodeid in sorted(self.failures[number]):
                    write(f"            {nodeid}")
        write(f"{len(judged):4} rows")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--rows", action="store_true", help="report the acceptance rows that the run's tests show")


def pytest_configure(config: pytest.Config) -> None:
    is_worker = hasattr(config, "workerinput")
    if config.getoption("--rows") and not is_worker:
        config.pluginmanager.register(RowReport(), "acceptance-rows")


def pytest_itemcollected(item: pytest.Item) -> None:
    """Put the rows of a test where its report, also from a worker, carries them. Refuse an unknown row."""
    numbers = sorted({number for mark in item.iter_markers("row") for number in mark.args})
    if unknown := [number for number in numbers if number not in read_rows()]:
        raise pytest.UsageError(f"{item.nodeid} names acceptance rows that do not exist: {unknown}")
    if numbers:
        item.user_properties.append((PROPERTY, numbers))
