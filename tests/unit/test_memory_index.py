"""The index of memory: what is found by words and by likeness, and what never is."""

import json
import sqlite3
import stat
from contextlib import closing

import numpy as np
import pytest
from engine.memory.index import (
    _NEWEST,
    NOWHERE,
    RANKED_MAX,
    TEXT_MAX,
    Document,
    Index,
    Mark,
    fused,
    text_of,
)
from engine.model.memory import EntryId
from hypothesis import example, given, settings
from hypothesis import strategies as st


def entry(key, owner="ann"):
    return EntryId("default", owner, key)


def document(key, body, tags="", owner="ann"):
    return Document(entry(key, owner), tags, body)


@pytest.fixture
def index():
    with closing(Index(None)) as made:
        yield made


def keys(found):
    return [each.key for each in found]


def test_words_are_found_by_how_they_begin_and_the_key_counts_most(index):
    index.update([document("a", "the deployment failed"), document("deploy", "all is well"), document("c", "nothing", tags="Deploying")], [])
    assert keys(index.by_words("deploy", 9, list)) == ["deploy", "c", "a"]
    assert keys(index.by_words("deploy", 1, list)) == ["deploy"]
    assert keys(index.by_words("DEPLÓY", 9, list)) == ["deploy", "c", "a"]
    assert index.by_words("ploy", 9, list) == []


def test_all_words_count_and_any_only_when_no_entry_has_all(index):
    index.update([document("a", "red apple"), document("b", "red pear")], [])
    assert keys(index.by_words("red pear", 9, list)) == ["b"]
    assert sorted(keys(index.by_words("red plum", 9, list))) == ["a", "b"]
    assert keys(index.by_words('"red apple" ', 9, list)) == ["a"]
    assert index.by_words('"apple red"', 9, list) == []


@given(st.text(max_size=40))
@example('"0\0')
@example('"red\0apple" \0')
def test_no_text_is_an_error_or_an_operator(query):
    with closing(Index(None)) as index:
        index.update([document("a", "red AND pear OR NOT NEAR plum")], [])
        assert set(keys(index.by_words(query, 3, list))) <= {"a"}


def test_what_was_overwritten_or_is_gone_is_not_found_and_leaves_no_word(tmp_path):
    with closing(Index(tmp_path / "search.db")) as index:
        index.update([document("a", "first"), document("b", "zanzibar")], [])
        index.put_vectors([entry("b")], "own", np.ones((1, 2), np.float32))
        index.update([document("a", "second")], [entry("b"), entry("never")])
        assert index.by_words("first zanzibar", 9, list) == []
        assert keys(index.by_words("second", 9, list)) == ["a"]
        assert index.by_likeness(np.ones(2, np.float32), "own", 9, list) == []
    

def test_an_index_is_found_again_with_its_vectors_and_belongs_to_its_owner_alone(tmp_path):
    path = tmp_path / "search.db"
    with closing(Index(path)) as index:
        index.update([document("a", "apple"), document("b", "pear")], [])
        index.note(Mark(7, 1.5))
        index.put_vectors([entry("a"), entry("b")], "own", np.array([[1, 0], [0, 1]], np.float32))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with closing(Index(path)) as index:
        assert index.mark == Mark(7, 1.5)
        assert keys(index.by_words("app", 9, list)) == ["a"]
        assert keys(index.by_likeness(np.array([0.1, 1], np.float32), "own", 9, list)) == ["b", "a"]
        index.drop_vectors([entry("b")])
        assert keys(index.by_likeness(np.array([0.1, 1], np.float32), "own", 9, list)) == ["a"]
        index.clear()
        assert index.mark == NOWHERE and index.by_words("app", 9, list) == []


@pytest.mark.parametrize("spoil", ["nonsense", "version", "page"])
def test_a_spoilt_or_other_index_is_made_anew(tmp_path, spoil):
    path = tmp_path / "search.db"
    with closing(Index(path)) as index:
        index.update([document(str(number), f"apple {number}") for number in range(300)], [])
        index.note(Mark(7, 1.5))
    if spoil == "version":
        with closing(sqlite3.connect(path)) as other:
            other.execute("PRAGMA user_version = 99")
    elif spoil == "page":
        held = bytearray(path.read_bytes())
        held[4096 * 2 :] = bytes(len(held) - 4096 * 2)
        path.write_bytes(held)
    else:
        path.write_bytes(b"nonsense" * 1_000)
    with closing(Index(path)) as index:
        assert index.mark == NOWHERE and index.by_words("apple", 9, list) == []
        index.update([document("a", "apple")], [])
        assert keys(index.by_words("apple", 9, list)) == ["a"]


def test_vectors_of_other_embedders_are_not_compared(index):
    index.update([document("a", ""), document("b", "")], [])
    index.put_vectors([entry("a")], "one", np.ones((1, 2), np.float32))
    index.put_vectors([entry("b")], "two", np.ones((1, 2), np.float32))
    assert keys(index.by_likeness(np.ones(2, np.float32), "one", 9, list)) == ["a"]
    index.put_vectors([entry("a")], "two", np.ones((1, 2), np.float32))
    assert index.by_likeness(np.ones(2, np.float32), "one", 9, list) == []
    assert index.by_likeness(np.ones(3, np.float32), "two", 9, list) == []


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 30), st.sampled_from(["red", "pear", "red pear", ""])), max_size=60), st.sets(st.integers(0, 30)), st.integers(1, 4))
def test_only_admitted_entries_are_found_and_as_many_as_there_are(acts, hidden, limit):
    with closing(Index(None)) as index:
        kept = {}
        for number, body in acts:
            index.update([document(f"k{number}", body)] if body else [], [] if body else [entry(f"k{number}")])
            kept[number] = body
        found = index.by_words("red", limit, lambda ids: [each for each in ids if int(each.key[1:]) not in hidden])
        wanted = {f"k{number}" for number, body in kept.items() if "red" in body and number not in hidden}
        assert set(keys(found)) <= wanted and len(found) == len(set(found)) == min(limit, len(wanted))


def test_of_very_many_the_newest_are_ranked_and_none_is_lost_to_who_may_read_few(index, monkeypatch):
    monkeypatch.setattr("engine.memory.index._NEWEST", _NEWEST.replace(str(RANKED_MAX), "10"))
    index.update([document(f"k{number}", "red") for number in range(50)] + [document("k3", "red")], [])
    assert {int(key[1:]) for key in keys(index.by_words("red", 10, list))} == {3, *range(41, 50)}
    assert keys(index.by_words("red", 10, lambda ids: [each for each in ids if each.key in {"k0", "k20"}])) == ["k20", "k0"]


def test_rankings_are_joined_by_rank():
    a, b, c = entry("a"), entry("b"), entry("c")
    assert [each for each, _ in fused([a, b], [b, c])] == [b, a, c]
    assert fused([a])[0] == (a, pytest.approx(1 / 61))
    assert fused() == []


def test_the_words_of_a_value_are_its_texts_numbers_and_names():
    assert text_of({"title": "Plan", "steps": ["one", {"n": 2.5}], "done": True, "none": None}) == "title Plan steps one n 2.5 done none"
    assert len(text_of(["x" * 1_000] * 1_000)) <= TEXT_MAX
    deep = json.loads("[" * 900 + '"x"' + "]" * 900)
    assert text_of(deep) == ""
