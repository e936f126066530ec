"""What a worker of the booster keeps: answers, how calls went, and files that failures can be repeated with."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from engine.booster import reproducers
from engine.booster.breaker import FAILURES_MAX, OPEN_S, Breaker
from engine.booster.cache import AnswerCache, key_of
from engine.booster.records import Answer, File, Language, Status, Tier
from engine.booster.reproducers import Reproducers

PYTHON = File(Language.PYTHON, b"a = 1")


def answer(size: int) -> Answer:
    return Answer(Status.DONE, Tier.LEXICAL, b"x" * size)


def test_answers_are_kept_by_all_that_they_depend_on() -> None:
    base = key_of("code.rename", PYTHON, {"name": "a", "to": "b"})
    assert base == key_of("code.rename", PYTHON, {"to": "b", "name": "a"})
    others = [
        key_of("code.outline", PYTHON, {"name": "a", "to": "b"}),
        key_of("code.rename", File(Language.TSX, b"a = 1"), {"name": "a", "to": "b"}),
        key_of("code.rename", File(Language.PYTHON, b"a = 2"), {"name": "a", "to": "b"}),
        key_of("code.rename", PYTHON, {"name": "a", "to": "c"}),
        key_of("code.rename", PYTHON, {"name": "\ud800", "to": "b"}),
    ]
    assert len({base, *others}) == 6


def test_the_cache_is_bounded_counts_and_forgets_what_was_used_longest_ago() -> None:
    cache = AnswerCache(10_000)
    for number in range(4):
        cache.keep(bytes([number]), answer(2_000))
    assert cache.find(b"\0") is not None
    cache.keep(b"\4", answer(2_000))
    assert cache.bytes <= 10_000
    assert cache.find(b"\1") is None, "the one used longest ago"
    assert cache.find(b"\0") is not None
    cache.keep(b"\5", answer(5_000))
    assert cache.find(b"\5") is None, "larger than a quarter of all"
    assert (cache.hits, cache.misses) == (2, 2)
    cache.clear()
    assert (cache.bytes, cache.find(b"\0")) == (0, None)


def test_a_breaker_opens_after_failures_tries_one_call_and_closes_after_a_good_one() -> None:
    now = 0.0
    breaker = Breaker(lambda: now)
    for number in range(FAILURES_MAX):
        assert breaker.lets("rename"), number
        breaker.note("rename", failed=True)
        breaker.note("rename", failed=False)
    assert not breaker.lets("rename")
    assert breaker.lets("outline")
    assert breaker.opened() == {"rename": OPEN_S}
    now = OPEN_S
    assert breaker.opened() == {}
    assert breaker.lets("rename")
    assert not breaker.lets("rename"), "one at a time"
    breaker.forget("rename")
    assert breaker.lets("rename"), "the call was stopped, which tells nothing"
    breaker.note("rename", failed=True)
    assert not breaker.lets("rename"), "as long again"
    now = 2 * OPEN_S
    assert breaker.lets("rename")
    breaker.note("rename", failed=False)
    for _ in range(FAILURES_MAX - 1):
        breaker.note("rename", failed=True)
    assert breaker.lets("rename"), "it begins anew"


def test_few_failures_among_many_calls_open_nothing() -> None:
    breaker = Breaker(lambda: 0.0)
    for number in range(1_000):
        breaker.note("rename", failed=number % 5 == 0)
    assert breaker.lets("rename")


def test_files_of_failures_are_bounded_and_private(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = Reproducers(tmp_path / "failures")
    paths = [Path(kept.write({"failure": "trap", "request": {"source": "\ud800" * number}})) for number in range(25)]
    there = [path for path in paths if path.exists()]
    assert len(there) == reproducers.FILES_MAX
    assert paths[-1].exists()
    assert all(path.stat().st_mode & 0o777 == 0o600 for path in there)
    assert (tmp_path / "failures").stat().st_mode & 0o777 == 0o700
    assert json.loads(paths[-1].read_text("utf-8"))["failure"] == "trap"
    monkeypatch.setattr(reproducers, "MAX_BYTES", 1_000)
    last = Path(kept.write({"failure": "trap", "source": "x" * 5_000}))
    assert list((tmp_path / "failures").iterdir()) == [last], "the newest stays however large it is"


def test_a_folder_that_cannot_be_made_costs_the_file_only(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert Reproducers(tmp_path / "file" / "failures").write({"failure": "trap"}) == ""
