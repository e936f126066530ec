"""The machinery of the acceptance rows: the list is whole, and the report says what the tests say."""

from __future__ import annotations

import pytest

from tests.acceptance.plugin import (
    PROPERTY,
    Row,
    RowReport,
    join_ranges,
    judge_rows,
    pytest_itemcollected,
    read_rows,
)

DOCUMENTS = {17, 18, *range(291, 295), 303, 304, 305}
DERIVED = set(range(296, 303))


def test_list_holds_every_row_once() -> None:
    rows = read_rows()
    assert list(rows) == list(range(1, 321))
    assert {row.number for row in rows.values() if row.kind == "document"} == DOCUMENTS
    assert {row.number for row in rows.values() if row.kind == "derived"} == DERIVED
    assert len({(row.area, row.item) for row in rows.values()}) == 320


def test_derived_rows_name_rows_that_need_a_test() -> None:
    rows = read_rows()
    for number in DERIVED:
        assert rows[number].needs
        assert all(rows[need].kind == "work" for need in rows[number].needs)


def test_judgement() -> None:
    rows = {
        1: Row(1, "a", "one", "work", ()),
        2: Row(2, "a", "two", "work", ()),
        3: Row(3, "a", "three", "work", ()),
        4: Row(4, "a", "four", "derived", (1,)),
        5: Row(5, "a", "five", "derived", (1, 2)),
        6: Row(6, "a", "six", "document", ()),
        7: Row(7, "a", "seven", "work", ()),
    }
    outcomes = {1: {"passed", "skipped"}, 2: {"passed", "failed"}, 3: {"skipped"}}
    assert judge_rows(rows, outcomes) == {
        1: "passed", 2: "failed", 3: "skipped", 4: "passed", 5: "waiting", 6: "document", 7: "missing",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("numbers", "text"), [([], ""), ([4], "4"), ([1, 2, 3, 7, 10, 9], "1-3 7 9-10")]
)
def test_ranges(numbers: list[int], text: str) -> None:
    assert join_ranges(numbers) == text


def make_report(when: str, outcome: str) -> pytest.TestReport:
    return pytest.TestReport(
        "t.py::test_x", ("t.py", 1, "test_x"), {}, outcome, None, when, user_properties=[(PROPERTY, [47])]
    )


@pytest.mark.parametrize(
    ("reports", "outcomes"),
    [
        ([("setup", "passed"), ("call", "passed"), ("teardown", "passed")], {"passed"}),
        ([("setup", "passed"), ("call", "passed"), ("teardown", "failed")], {"passed", "failed"}),
        ([("setup", "skipped"), ("teardown", "passed")], {"skipped"}),
    ],
)
def test_outcomes_of_a_test(reports: list[tuple[str, str]], outcomes: set[str]) -> None:
    collected = RowReport()
    for when, outcome in reports:
        collected.pytest_runtest_logreport(make_report(when, outcome))
    assert dict(collected.outcomes) == {47: outcomes}


class MarkedItem:
    """As much of a collected test as the plug-in looks at."""

    nodeid = "t.py::test_x"

    def __init__(self, *numbers: int) -> None:
        self.numbers = numbers
        self.user_properties: list[tuple[str, object]] = []

    def iter_markers(self, name: str) -> list[pytest.Mark]:
        assert name == "row"
        return [pytest.mark.row(*self.numbers).mark] if self.numbers else []


@pytest.mark.parametrize(
    ("numbers", "properties"), [((48, 47), [(PROPERTY, [47, 48])]), ((), [])]
)
def test_collected_test_carries_its_rows(numbers: tuple[int, ...], properties: list[object]) -> None:
    item = MarkedItem(*numbers)
    pytest_itemcollected(item)
    assert item.user_properties == properties


def test_unknown_row_is_refused() -> None:
    with pytest.raises(pytest.UsageError, match=r"t\.py::test_x names .* \[321\]"):
        pytest_itemcollected(MarkedItem(1, 321))
