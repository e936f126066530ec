"""The filter grammar: what is read is what was written, what rows it means, where it is wrong, and what it marks."""

from __future__ import annotations

from typing import Any

import pytest
from engine.model.fields import kind_of
from engine.model.filters import (
    FilterError,
    Placed,
    Term,
    format_terms,
    parse_filter,
    read_terms,
    split_words,
)
from engine.model.rows import ROW_KINDS, HostRow
from engine.simulation.fake_operator import make_agent, make_pool, make_task
from hypothesis import example, given
from hypothesis import strategies as st

NOW = 10_000.0
TASKS = {
    task.id: task
    for task in (
        make_task("t1", title="index users", state="running", priority=8, submitted_at=NOW - 30, started_at=NOW - 20, agent="coder-1"),
        make_task("t2", title="index orders", state="failed", reason="timeout: took longer than 4 s", submitted_at=NOW - 7_200, pool="database"),
        make_task("t3", title="Check api", state="dead", reason="exit: died, twice", submitted_at=NOW - 90_000, priority=2),
        make_task("t4", title="fix a=b", state="pending", waiting_on=1, submitted_at=NOW - 300),
    )
}
HOST = HostRow("hst_1", "python", 4711, 8, "healthy", "", 0.85, 164.0, NOW - 1)


def select(text: str, rows: dict[str, Any] | None = None, kind: str = "tasks") -> list[str]:
    rows = TASKS if rows is None else rows
    found = parse_filter(text, kind_of(kind))
    passed = found.select(rows, rows, NOW)
    assert passed == [id_ for id_, row in rows.items() if found.passes(row, NOW)]
    return passed


# ---- reading and writing

bare = st.text("abcXYZ019-_.:*/ü", min_size=1, max_size=8)
names = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,8}", fullmatch=True)
terms = st.one_of(
    st.builds(lambda word, no: Term("word", (word,), is_negated=no), st.text(min_size=1), st.booleans()),
    st.builds(lambda word, kind, no: Term(kind, (word,), is_negated=no), st.text(min_size=1), st.sampled_from(["regex", "fuzzy"]), st.booleans()),
    st.builds(
        lambda value, name, operator, no: Term("compare", (value,), name, operator, no),
        st.text(), names, st.sampled_from(["=", "!=", "<", ">", "<=", ">=", "~"]), st.booleans(),
    ),
    st.builds(
        lambda values, name, operator, no: Term("compare", tuple(values), name, operator, no),
        st.lists(bare, min_size=2, max_size=3), names, st.sampled_from(["=", "!=", "~"]), st.booleans(),
    ),
)  # fmt: skip


@given(st.lists(terms, max_size=5))
@example([Term("word", ('"',)), Term("word", ("!",)), Term("word", ("-r",)), Term("word", ("a=b",)), Term("word", ("@x",)), Term("word", (">3",))])
@example([Term("regex", ("@ x",)), Term("compare", ("a,b",), "x", "="), Term("compare", ("",), "x", "~"), Term("word", ("it's",))])
def test_what_is_written_is_read_back(given_terms: list[Term]) -> None:
    assert [placed.term for placed in read_terms(format_terms(given_terms))] == given_terms


def read_or_refuse(text: str) -> tuple[list[Placed], FilterError | None]:
    try:
        return read_terms(text), None
    except FilterError as error:
        return [], error


@given(st.text(max_size=40))
def test_any_text_is_read_or_refused_at_a_place_in_it(text: str) -> None:
    placed, fault = read_or_refuse(text)
    if fault is not None:
        assert 0 <= fault.start < fault.end <= len(text) + 1
    assert [again.term for again in read_terms(format_terms(entry.term for entry in placed))] == [entry.term for entry in placed]
    for entry in placed:
        assert 0 <= entry.start <= entry.value_at <= entry.end <= len(text)


@given(st.text(max_size=40))
def test_words_are_all_that_is_not_blank_between_them(text: str) -> None:
    found = list(split_words(text))
    assert all(text[start:end] == word and word.strip() for word, start, end in found)
    assert "".join(text.split()) == "".join("".join(word.split()) for word, _, _ in found)


def test_a_quote_that_is_still_open_ends_with_the_text() -> None:
    assert [entry.term for entry in read_terms('a "two wo')] == [Term("word", ("a",)), Term("word", ("two wo",))]


# ---- meaning


@pytest.mark.parametrize(
    ("text", "passed"),
    [
        ("", ["t1", "t2", "t3", "t4"]), ("index", ["t1", "t2"]), ("INDEX users", ["t1"]), ('"index users"', ["t1"]), ('"users index"', []),
        ("!index", ["t3", "t4"]), ("state=running", ["t1"]), ("status=running", ["t1"]), ("state=failed,dead", ["t2", "t3"]),
        ("state!=failed,dead", ["t1", "t4"]), ("!state=failed,dead", ["t1", "t4"]), ("priority>7", ["t1"]), ("pri>=5 pri<=5", ["t2", "t4"]),
        ("priority=2,8", ["t1", "t3"]), ("age<2m", ["t1"]), ("age>=2h", ["t2", "t3"]), ("age>1d", ["t3"]), ("run>10s", ["t1"]), ("run<1h", ["t1"]),
        ("reason~longer", ["t2"]), ('reason="exit: died, twice"', ["t3"]), ("error=timeout", ["t2"]), ("error=", None), ('error=""', ["t1", "t4"]),
        ("-r ^index.*s$", ["t1", "t2"]), ("-r users|api", ["t1", "t3"]), ("!-r users|api", ["t2", "t4"]), ("-f ixu", ["t1"]), ("-f CKI", ["t3"]),
        ("-f k", ["t3"]), ("!-f i", []), ("pool=database", ["t2"]), ("agent>coder", ["t1"]), ('"a=b"', ["t4"]), ("waiting_on>0", ["t4"]),
        ("coder !drain state=running -r users age<2h", ["t1"]),
    ],
)  # fmt: skip
def test_what_a_filter_means(text: str, passed: list[str] | None) -> None:
    if passed is None:
        with pytest.raises(FilterError):
            parse_filter(text, kind_of("tasks"))
    else:
        assert select(text) == passed


@pytest.mark.parametrize(
    ("text", "row", "kind", "passes"),
    [
        ("cpu>80", HOST, "hosts", True), ("cpu>=85%", HOST, "hosts", True), ("cpu>90", HOST, "hosts", False),
        ("cpu<80", HOST._replace(cpu=-1.0), "hosts", False), ("cpu>=0", HOST._replace(cpu=-1.0), "hosts", False),
        ("memory>100", HOST, "hosts", True), ("memory<0.2GB", HOST, "hosts", True), ("memory>1G", HOST, "hosts", False),
        ("paused=yes", make_pool(paused=True), "pools", True), ("paused=no", make_pool(paused=True), "pools", False),
        ("queue>0", make_pool(pending=2, blocked=2), "pools", False), ("blocked>1", make_pool(pending=2, blocked=2), "pools", True),
        ("use>40", make_pool(busy=1, agents=2), "pools", True), ("use<40", make_pool(busy=0, agents=0), "pools", False),
        ("done>1k", make_agent(succeeded=1_200), "agents", True), ("mean<2s", make_agent(mean_task_s=0.5), "agents", True),
        ("mean>400ms", make_agent(mean_task_s=0.5), "agents", True), ("for>5m", make_agent(updated_at=NOW - 400), "agents", True),
        ("for<5m", make_agent(updated_at=0.0), "agents", False),
    ],
)  # fmt: skip
def test_units_are_those_of_the_screen_and_the_unknown_meets_nothing(text: str, row: Any, kind: str, passes: bool) -> None:
    assert bool(select(text, {"x": row}, kind)) is passes


@pytest.mark.parametrize(
    ("text", "wrong", "says"),
    [
        ("stat=busy", "stat", "did you mean state"), ("prio>3", "prio", "did you mean priority"), ("a !stat=busy", "stat", "did you mean state"), ("xyzzy=1", "xyzzy", "there are id"),
        ("coder priority>many", "many", "a number such as"), ("age<soon", "soon", "a time such as"), ("state=", "state=", "needs a value"),
        ("priority >3", ">3", "without spaces"), ("a -r", "-r", "regular expression"), ("a -f", "-f", "letters"), ("-r a[b", "[b", "unterminated"),
        ('-r "a (b"', '(b"', "subpattern"), ("state=,", "state=,", "needs a value"), ("priority>", "priority>", "needs a value"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_and_where(text: str, wrong: str, says: str) -> None:
    with pytest.raises(FilterError, match=says) as found:
        parse_filter(text, kind_of("tasks"))
    assert text[found.value.start : found.value.end] == wrong


def test_only_filters_of_time_have_a_clock() -> None:
    clocks = {text: parse_filter(text, kind_of("tasks")).has_clock for text in ("age<2h", "run>1s", "wait>1s", "state=age", "page", "priority>1")}
    assert clocks == {"age<2h": True, "run>1s": True, "wait>1s": True, "state=age": False, "page": False, "priority>1": False}


@pytest.mark.parametrize(
    ("text", "cell", "marked"),
    [
        ("ind", "Index index", ["Ind", "ind"]), ("der nder", "under", ["nder"]), ("!ind", "index", []), ("state=running", "running", []),
        ("-r i.", "index in", ["in", "in"]), ("-r x*", "aab", []), ("reason~a.b", "a.b axb", ["a.b"]), ("-f ix", "index", ["i", "x"]), ("-f zz", "index", []),
    ],
)  # fmt: skip
def test_what_was_met_is_marked(text: str, cell: str, marked: list[str]) -> None:
    spans = parse_filter(text, kind_of("tasks")).find_marks(cell, is_name=True)
    assert [cell[start:end] for start, end in spans] == marked


def test_letters_are_marked_in_names_only() -> None:
    assert parse_filter("-f ix", kind_of("tasks")).find_marks("index", is_name=False) == []


@given(st.text("abAB\"'-r !=~<>,", max_size=14), st.text("abAB", max_size=20))
def test_marks_are_in_order_and_within_the_text(text: str, cell: str) -> None:
    try:
        spans = parse_filter(text, kind_of("tasks")).find_marks(cell, is_name=True)
    except FilterError:
        return
    ends = [end for span in spans for end in span]
    assert ends == sorted(ends)
    assert all(0 <= start < end <= len(cell) for start, end in spans)


@pytest.mark.parametrize("kind", sorted(set(ROW_KINDS)))
def test_every_kind_can_be_filtered_by_each_of_its_fields(kind: str) -> None:
    known = kind_of(kind)
    assert set(ROW_KINDS[kind]._fields) <= set(known.fields)
    for name, field in known.fields.items():
        value = {"text": "x", "number": "1", "bool": "yes"}[field.type]
        assert parse_filter(f"{name}={value}", known).tests
