"""The `:` line: views with scope, filter and context; words and verbs; what completes it; places, the trail and bookmarks."""

from __future__ import annotations

import json

import pytest
from engine.model.commands import VERBS
from engine.model.errors import UsageError
from engine.model.filters import format_terms
from engine.model.pool_commands import ScalePool
from engine.model.task_commands import CancelTask
from engine.simulation.fake_operator import make_agent, make_pool, make_task
from hypothesis import given
from hypothesis import strategies as st
from screens.commandline import (
    FILTERED,
    VIEWS,
    WORDS,
    VerbLine,
    ViewLine,
    WordLine,
    find_fault,
    format_line,
    parse_line,
    resolve_scope,
)
from screens.completion import Known, complete_filter, complete_line, explain_line
from screens.places import Bookmarks, Place, Trail, place_from_plain, place_to_plain
from screens.prompts import candidate_cells, fault_cells, remember
from screens.widgets.cells import measure
from tests.unit.test_filters import names, terms

TABLES = {
    "pools": {name: make_pool(name) for name in ("coder", "tester", "two words")},
    "agents": {f"agt_{n}": make_agent(f"agt_{n}", name=f"coder-{n}", status=status) for n, status in ((1, "idle"), (2, "busy"))},
    "tasks": {"tsk_1": make_task("tsk_1", state="failed")},
    "hosts": {},
}
KNOWN = Known(TABLES, lambda: ("prod", "staging"))

# ---- reading and writing


@pytest.mark.parametrize(
    ("line", "meant"),
    [
        ("agents", ViewLine("agents")), (":ag", ViewLine("agents")), ("  : agents  ", ViewLine("agents")), ("agents coder", ViewLine("agents", "coder")),
        ("agents /busy", ViewLine("agents", "", "busy")), ("agents coder /busy !slow @prod", ViewLine("agents", "coder", "busy !slow", "prod")),
        ("agents @prod coder /busy", ViewLine("agents", "coder", "busy", "prod")), ('tasks /"two words" x', ViewLine("tasks", "", '"two words" x')),
        ('tasks /"@me" @prod', ViewLine("tasks", "", '"@me"', "prod")), ("tasks pool=coder pri>3 /", ViewLine("tasks", "pool=coder pri>3")),
        ("tasks / age<2h", ViewLine("tasks", "", "age<2h")), ('tasks /reason="a /b"', ViewLine("tasks", "", 'reason="a /b"')),
        ("events /rename", ViewLine("events", "", "rename")), ("0", ViewLine("pulse")), ("q", WordLine("quit")), ("bookmark 3", WordLine("bookmark", ("3",))),
        ("scale coder +3", VerbLine((ScalePool("coder", "+3"),))), ("cancel a b", VerbLine((CancelTask("a"), CancelTask("b")))), ("", None), (" : ", None),
    ],
)  # fmt: skip
def test_what_a_line_means(line: str, meant: object) -> None:
    assert parse_line(line) == meant


scopes = st.lists(st.one_of(names, st.builds(lambda term: format_terms([term]), terms)), max_size=3).map(" ".join)
filters = st.lists(terms, max_size=4).map(format_terms)


def is_scope(text: str) -> bool:
    """Whether every word stays one of a scope: none is a context or begins the filter."""
    return not any(word.startswith(("/", "@")) for word in text.split())


@given(st.sampled_from(sorted(VIEWS)), scopes.filter(is_scope), filters, st.one_of(st.just(""), names))
def test_what_is_written_is_read_back(view: str, scope: str, text: str, context: str) -> None:
    meant = parse_line(format_line(ViewLine(view, scope, text, context)))
    assert isinstance(meant, ViewLine)
    assert parse_line(format_line(meant)) == meant
    assert (meant.view, meant.context) == (view, context)
    assert meant.filter_text.split() == text.split()
    assert meant.scope.split() == scope.split()


@given(st.text(max_size=30).map(lambda text: f"tasks {text}"))
def test_any_line_of_a_view_means_the_same_when_it_is_written_again(line: str) -> None:
    try:
        meant = parse_line(line)
    except UsageError:
        return
    assert isinstance(meant, ViewLine)
    assert parse_line(format_line(meant)) == meant


@given(st.sampled_from(["agents", "tasks", "events", "plans"]), st.text(alphabet="ab (&'\"/@=<!\\\t\n", max_size=20))
def test_what_is_wrong_lies_in_the_line(view: str, rest: str) -> None:
    line = f"{view} {rest}"
    fault = find_fault(line, TABLES)
    assert fault is None or 0 <= fault.start < fault.end <= len(line) + 1


@pytest.mark.parametrize(
    ("line", "wrong", "says"),
    [
        ("agnets", "agnets", "did you mean 'agents'"), ("  scael coder 3", "scael", "did you mean 'scale'"), ("agents codr", "codr", "did you mean 'coder'"),
        ("agents coder /stat=busy", "stat", "did you mean status"), ("agents /x @a @b", "@b", "one @context"), ("scale coder", "coder", "needs size"),
        ("agents '('&", "'('&", "no pool, agent or host"), ("agents  coder   codr", "coder   codr", "did you mean 'coder'"),
        ("agents pool=a/b /  busy   stat=x", "stat", "did you mean status"), ("plans coder", "coder", "have no scope"), ("tasks /a /=b", "/=b", None), ("agents /priority=1", "priority", "no field"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_line_is_found_before_it_is_done(line: str, wrong: str, says: str | None) -> None:
    fault = find_fault(line, TABLES)
    if says is None:
        assert fault is None
        return
    assert fault is not None
    assert says in str(fault)
    assert line[fault.start : fault.end] == wrong


def test_names_narrow_to_what_they_are() -> None:
    assert resolve_scope("agents", "coder", TABLES) == "pool=coder"
    assert resolve_scope("agents", "coder-2", TABLES) == "name=coder-2"
    assert resolve_scope("tasks", '"two words" pri>3', TABLES) == 'pool="two words" priority>3'.replace("priority", "pri")
    assert resolve_scope("tasks", "coder-1", TABLES) == "agent=coder-1"
    assert resolve_scope("agents", "anything", {}) == "pool=anything"
    assert resolve_scope("events", "anything", TABLES) == "anything"


def test_no_word_means_two_things() -> None:
    words = [*VIEWS, *(name for others in VIEWS.values() for name in others), *WORDS, *(name for word in WORDS.values() for name in word.others), *VERBS]
    assert sorted(words) == sorted(set(words))
    assert set(FILTERED) <= set(VIEWS)


# ---- completion


@pytest.mark.parametrize(
    ("line", "first"),
    [
        ("ag", "agents"), ("po", "pools"), ("sca", "scaler"), ("submi", "submit"), ("bookm", "bookmarks"), ("agents co", "agents coder"), ("ag tes", "ag tester"),
        ("scale co", "scale coder"), ("cancel tsk", "cancel tsk_1"), ("agents @p", "agents @prod"), ("agents /sta", "agents /status="),
        ("agents /status=b", "agents /status=busy"), ("agents coder /!status=idle,b", "agents coder /!status=idle,busy"), ("tasks x /pri", "tasks x /priority>"),
        ("submit x --tim", "submit x --timeout-s"), ("submit x --depends-on tsk", "submit x --depends-on tsk_1"), ("tasks pool=c", "tasks pool=coder"),
        ("bms", None), ("agents", None), ("agents ", None), ("agents coder", "agents coder-1"), ("", None), ("xyz ab", None), ("help agents ", None), ("tks", "tasks"),
    ],
)  # fmt: skip
def test_what_a_line_may_become(line: str, first: str | None) -> None:
    found = complete_line(line, KNOWN)
    assert (found[0] if found else None) == first


@given(st.text("agents/@=! scbp\"'", max_size=16))
def test_candidates_go_on_from_what_is_typed(line: str) -> None:
    head = line.rpartition(" ")[0]
    for found in complete_line(line, KNOWN):
        assert found.startswith(head) or '"' in line or "'" in line
        assert found != line


def test_several_candidates_come_shortest_first() -> None:
    assert complete_line("agents c", KNOWN) == ["agents coder", "agents coder-1", "agents coder-2"]
    assert complete_filter("x status=", "agents", KNOWN) == ["x status=busy", "x status=idle"]
    assert complete_filter("anything", "events", KNOWN) == []


def test_values_with_blanks_are_quoted() -> None:
    tables = {"tasks": {"a": make_task("a", title="two words")}}
    assert complete_filter("title=tw", "tasks", Known(tables)) == ['title="two words"']


def test_how_a_line_goes_on() -> None:
    assert explain_line("ag") == explain_line("agents") == "agents NAME /FILTER @CONTEXT"
    assert explain_line("scale co").startswith("scale POOL SIZE: ")
    assert explain_line("bm").startswith("bookmark 1-9: ")
    assert explain_line("nonsense") == ""


@given(st.integers(0, 200), st.integers(1, 40), st.integers(0, 120), st.integers(10, 100))
def test_a_fault_is_pointed_at_within_the_line(start: int, length: int, words: int, width: int) -> None:
    cells = fault_cells("w" * words, start, start + length, width, "…")
    line = "".join(cell.text for cell in cells)
    assert measure(line) <= width + 1
    assert line.index("^") == min(start, width - 1)


def test_the_candidate_that_stands_in_the_line_is_marked() -> None:
    cells = candidate_cells([f"word{n}" for n in range(30)], 20, "usage", 60)
    assert [cell.text for cell in cells if cell.role == "accent"] == ["word20"]
    assert measure("".join(cell.text for cell in cells)) <= 60


def test_history_holds_a_line_once_and_forgets_the_oldest() -> None:
    lines: list[str] = []
    for number in range(130):
        remember(lines, f"line {number}")
    remember(lines, "line 50")
    assert (len(lines), lines[-1], lines.count("line 50")) == (100, "line 50", 1)


# ---- places

TASKS, AGENTS, POOLS = Place("tasks"), Place("agents", "pool=coder", "busy"), Place("pools")


def walk(*places: Place) -> Trail:
    trail = Trail()
    for place in places:
        trail.go(place)
    return trail


def test_the_trail_goes_back_forward_and_to_the_other_view() -> None:
    trail = walk(POOLS, AGENTS, TASKS)
    assert [trail.step(-1), trail.step(-1), trail.step(-1)] == [AGENTS, POOLS, None]
    assert trail.step(1) == AGENTS
    assert [trail.swap(), trail.swap(), trail.swap()] == [POOLS, AGENTS, POOLS]
    trail.go(Place("audit"))
    assert trail.step(1) is None
    assert trail.step(-1) == POOLS


def test_a_view_is_left_as_it_is() -> None:
    trail = walk(POOLS, TASKS)
    left = Place("tasks", filter_text="bad", sort=("age", True), row_id="tsk_1")
    trail.leave(left)
    trail.go(AGENTS)
    trail.leave(POOLS)
    assert trail.step(-1) == left
    trail.go(Place("tasks"))
    assert trail.here == Place("tasks")
    assert trail.step(-1) == POOLS


def test_closing_what_was_drilled_into_is_a_step_back() -> None:
    trail = walk(POOLS, AGENTS)
    trail.surface(POOLS)
    assert trail.step(1) == AGENTS
    trail.surface(AGENTS)
    assert trail.here == AGENTS
    trail.surface(TASKS)
    assert trail.step(-1) == AGENTS


def test_the_trail_is_bounded() -> None:
    trail = walk(*(Place("tasks", f"pool=p{n}") for n in range(200)))
    steps = 0
    while trail.step(-1) is not None:
        steps += 1
    assert steps == 49


def test_nowhere_is_no_view() -> None:
    trail = Trail()
    trail.leave(TASKS)
    assert (trail.here, trail.step(-1), trail.swap()) == (None, None, None)


places = st.builds(Place, st.sampled_from(sorted(VIEWS)), st.text(), st.text(), st.text(), st.one_of(st.none(), st.tuples(st.text(min_size=1), st.booleans())))


@given(places)
def test_a_place_is_kept_as_it_is(place: Place) -> None:
    assert place_from_plain(json.loads(json.dumps(place_to_plain(place)))) == place


@pytest.mark.parametrize("junk", [None, 3, [], {}, {"view": "nonsense"}, {"view": ["tasks"]}, {"view": "tasks", "sort": "age"}, {"view": "tasks", "sort": [1, 2, 3]}])
def test_what_is_no_place_does_no_harm(junk: object) -> None:
    found = place_from_plain(junk)
    assert found is None or found == Place("tasks")


def test_bookmarks_are_kept_under_their_digits_without_a_row() -> None:
    bookmarks = Bookmarks()
    assert bookmarks.keep(3, Place("tasks", row_id="tsk_1")) is None
    assert bookmarks.keep(3, AGENTS) == TASKS
    bookmarks.keep(1, POOLS)
    again = Bookmarks(json.loads(json.dumps(bookmarks.to_plain())))
    assert list(again) == [(1, POOLS), (3, AGENTS)]
    again.drop(3)
    again.drop(9)
    assert again[3] is None
    assert list(Bookmarks({"0": {"view": "tasks"}, "x": 1, "2": "no"})) == []
