"""The edit corpus: ours is right where it edits and refuses where it should; the judge and the reader of cases are no rubber stamp."""

from __future__ import annotations

import dataclasses
from collections import Counter

import pytest

from tests.integration import edit_corpus
from tests.integration.edit_corpus import (
    CLASSES,
    BadCase,
    Case,
    change,
    edit_by_peer,
    edit_here,
    judge,
    load_cases,
    read_cases,
    score,
)
from tests.tools.programs import Missing

CORRECT_MIN_PERCENT = 95


def test_there_are_cases_of_all_classes_and_no_two_are_the_same() -> None:
    cases = load_cases()
    by_language = Counter(case.language for case in cases)
    assert by_language["python"] >= 100
    assert by_language["javascript"] + by_language["typescript"] + by_language["tsx"] >= 100
    assert set(CLASSES) == {case.kind for case in cases}
    told = Counter((case.language, case.before, case.edit, case.target, case.where) for case in cases)
    assert [row for row, count in told.items() if count > 1] == []
    assert all(case.expected is None or case.expected.strip() for case in cases)


def test_ours_is_correct_and_never_silently_wrong() -> None:
    cases = load_cases()
    found = score(cases, [edit_here(case) for case in cases])
    assert [case.place for case, outcome in found.outcomes if outcome == "wrong"] == [], str(found)
    assert found.correct_percent >= CORRECT_MIN_PERCENT, str(found)


def test_an_edit_that_was_applied_changes_nothing_the_second_time() -> None:
    """What names a place to put something under another name cannot know that it was there."""
    for case in load_cases():
        if case.expected is None or case.where == "replace":
            continue
        once = edit_here(case)
        assert once is not None, case.place
        again = dataclasses.replace(case, before=once)
        assert edit_here(again) == once, case.place


def test_the_peer_is_scored_by_the_same_judge() -> None:
    cases = load_cases()
    try:
        found = score(cases, edit_by_peer(cases))
    except Missing as missing:
        pytest.skip(f"the peer is absent: {missing}")
    assert sum(found.counts.values()) == len(cases)
    assert len(set(found.counts)) > 1, "it is neither always right nor always wrong"


CASE = Case("here:1", "python", "plain", "title", "a\n\nb\n", "x", "", "auto", "a\nc\n")


@pytest.mark.parametrize(
    ("expected", "outcome", "said"),
    [
        ("a\nc\n", "a\n\nc   \n", "correct"),
        ("a\nc\n", "a\nb\n", "wrong"),
        ("a\nc\n", "a\n c\n", "wrong"),
        ("a\nc\n", None, "refused"),
        (None, None, "correct"),
        (None, "a\nb\n", "wrong"),
        (None, "", "wrong"),
    ],
)
def test_outcomes_are_told_apart(expected: str | None, outcome: str | None, said: str) -> None:
    assert judge(dataclasses.replace(CASE, expected=expected), outcome) == said


def test_a_score_counts_by_class() -> None:
    made = score([CASE, dataclasses.replace(CASE, kind="lost", expected=None)], ["a\nc\n", "a\n"])
    assert made.correct_percent == 50
    assert "2 cases: 1 correct (50.0 %), 0 refused, 1 silently wrong" in str(made)
    assert any(row.split() == ["lost", "0", "correct", "0", "refused", "1", "wrong"] for row in str(made).splitlines())


def test_a_change_fits_one_place() -> None:
    assert change("a\nb\na\nc\n", " b\n-a\n+x\n", "here") == "a\nb\nx\nc\n"
    assert change("a\nb\nc\n", "-a\n@@\n c\n+d\n", "here") == "b\nc\nd\n"
    for hunk in ("-a\n", "-z\n", "+z\n", "*a\n"):
        with pytest.raises(BadCase):
            change("a\nb\na\n", hunk, "here")


@pytest.mark.parametrize(
    "text",
    [
        "%% before\na\n%% case plain: no edit\n%% refused\n",
        "%% before\na\n%% case plain: no result\n%% edit\nb\n",
        "%% before\na\n%% case plain: two results\n%% edit\nb\n%% refused\n%% unchanged\n",
        "%% before\na\n%% case other: no such class\n%% edit\nb\n%% refused\n",
        "%% before\na\n%% case plain: a word too many\n%% edit\nb\n%% wanted\n%% refused\n",
        "%% before\na\n%% edit\nb\n",
        "%% case plain: twice\n%% edit\nb\n%% edit\nb\n%% refused\n",
    ],
)
def test_cases_that_are_not_cases_are_told(text: str) -> None:
    with pytest.raises(BadCase):
        list(read_cases("python-x.txt", text))


def test_a_file_of_cases_is_read() -> None:
    text = "%% before\na\n\nb\n%% case lost: title: more\n%% target A.b\n%% place after\n%% edit\nx\n%% change\n-a\n%% case plain: other\n%% edit\ny\n%% expected\nz\n"
    first, second = read_cases("ts-x.txt", text)
    assert (first.place, first.language, first.kind, first.title) == ("ts-x.txt:5", "typescript", "lost", "title: more")
    assert (first.before, first.edit, first.target, first.where, first.expected) == ("a\n\nb\n", "x\n", "A.b", "after", "\nb\n")
    assert (second.before, second.edit, second.where, second.expected) == ("a\n\nb\n", "y\n", "auto", "z\n")
    assert edit_corpus.LANGUAGES["tsx"] == "tsx"
