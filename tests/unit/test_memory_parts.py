"""Parts of memory by themselves: the first cache and the counting of denials."""

from __future__ import annotations

import pytest
from engine.memory.caches import OVERHEAD_BYTES, ReadCache
from engine.memory.denials import COUNTED_MAX, WAITING_MAX, WINDOW_S, Denials
from engine.model.memory import Action, EntryId, Head, Principal
from hypothesis import given
from hypothesis import strategies as st


def kept(key: str, size: int = 100) -> tuple[Head, bytes]:
    return Head(EntryId("default", "agt_a", key)), b"x" * size


def id_of(key: str) -> EntryId:
    return EntryId("default", "agt_a", key)


@pytest.mark.row(193)
def test_the_cache_forgets_after_30_seconds() -> None:
    cache = ReadCache(10_000)
    cache.put(kept("a"), 0.0)
    assert cache.get(id_of("a"), 29.9) == kept("a")
    assert cache.get(id_of("a"), 30.0) is None
    assert (cache.figures.hits, cache.figures.misses, cache.figures.entries, cache.figures.bytes) == (1, 1, 0, 0)


@pytest.mark.row(193)
def test_what_was_read_longest_ago_makes_room() -> None:
    cache = ReadCache(3 * (OVERHEAD_BYTES + 100))
    for key in "abc":
        cache.put(kept(key), 0.0)
    assert cache.get(id_of("a"), 1.0)
    cache.put(kept("d"), 1.0)
    assert [key for key in "abcd" if cache.get(id_of(key), 1.0)] == ["a", "c", "d"]
    assert cache.figures.evicted == 1
    cache.put(kept("huge", 10_000), 1.0)
    assert cache.get(id_of("huge"), 1.0) is None
    assert cache.figures.entries == 3


@pytest.mark.row(193)
def test_a_change_drops_an_entry() -> None:
    cache = ReadCache(10_000)
    cache.put(kept("a"), 0.0)
    cache.forget([id_of("a"), id_of("b")])
    assert cache.get(id_of("a"), 0.0) is None
    assert cache.figures.invalidated == 1


@given(st.lists(st.tuples(st.sampled_from("pgfc"), st.sampled_from("abcdef"), st.integers(0, 3_000), st.floats(0, 20))))
def test_the_cache_keeps_its_bounds_and_never_shows_an_old_value(acts: list[tuple[str, str, int, float]]) -> None:
    cache, now = ReadCache(6_000), 0.0
    newest: dict[str, tuple[float, int]] = {}
    for act, key, size, passed in acts:
        now += passed
        if act == "p":
            cache.put(kept(key, size), now)
            newest[key] = (now, size)
        elif act == "f":
            cache.forget([id_of(key)])
            newest.pop(key, None)
        elif act == "c":
            cache.clear()
            newest.clear()
        elif (found := cache.get(id_of(key), now)) is not None:
            at, length = newest[key]
            assert len(found[1]) == length
            assert now < at + 30
        cache.check()


ANN = Principal("agt_ann")


def test_repeated_denials_are_one_line_with_a_count() -> None:
    denials = Denials()
    for at in (0.0, 1.0, 59.0):
        denials.note(ANN, Action.READ, id_of("a"), "it is private", at)
    denials.note(ANN, Action.DELETE, id_of("a"), "it is private", 1.0)
    assert [entry.action for entry in denials.take(59.0)] == ["memory.read", "memory.delete"]
    assert denials.take(59.5) == []
    [line] = denials.take(WINDOW_S)
    assert line.result == "denied: it is private; 2 more times within 60 s"
    denials.note(ANN, Action.READ, id_of("a"), "it is private", 61.0)
    assert len(denials.take(61.0)) == 1


def test_a_flood_of_denials_is_bounded() -> None:
    denials = Denials()
    for number in range(COUNTED_MAX * 3):
        denials.note(ANN, Action.READ, id_of(str(number)), "it is private", 0.0)
        denials.note(ANN, Action.READ, id_of(str(number)), "it is private", 0.0)
    assert len(denials.take(0.0)) <= WAITING_MAX
    assert len(denials.take(WINDOW_S)) <= COUNTED_MAX


def test_lines_that_could_not_be_written_come_again() -> None:
    denials = Denials()
    denials.note(ANN, Action.READ, id_of("a"), "it is private", 0.0)
    lines = denials.take(0.0)
    denials.give_back(lines)
    assert denials.take(0.0) == lines
