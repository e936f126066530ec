"""The book on the booster: sums over workers that come and go, rates between beats, and rows made of it."""

from __future__ import annotations

import msgspec
import pytest
from engine.booster.book import BoosterBook, say_reasons
from engine.booster.figures import REASONS_MAX, Figures, InstanceFigures
from engine.gate.booster_rows import (
    booster_pools,
    booster_row,
    instance_ids,
    instance_row,
    say_breakers,
)
from engine.model.ids import HostId
from engine.simulation.loop import run_virtual
from engine.simulation.world import World, instant_success

ONE, TWO = HostId("hst_1"), HostId("hst_2")


def told(*instances: InstanceFigures, **figures: object) -> dict[str, object]:
    plain = msgspec.to_builtins(Figures(instances=list(instances), **figures))  # type: ignore[arg-type]
    assert isinstance(plain, dict)
    return plain


@pytest.mark.row(204)
def test_rates_are_those_between_two_beats_and_end_when_nothing_is_done() -> None:
    book = BoosterBook()
    assert book.note(ONE, told(InstanceFigures("agt_1", calls=2, busy_s=1)), 10.0) == ["agt_1"]
    assert book.note(ONE, told(InstanceFigures("agt_1", calls=12, busy_s=2)), 12.0) == ["agt_1"]
    found = book.instance("agt_1")  # type: ignore[arg-type]
    assert found is not None
    assert (found[1].ops_per_s, found[1].load) == (5.0, 0.5)
    assert book.ops_per_s() == 5.0
    assert book.note(ONE, None, 13.0) == ["agt_1"], "it fell to nothing"
    assert book.note(ONE, None, 14.0) == [], "and reads the same from then on"
    assert book.ops_per_s() == 0.0
    assert book.utilization() == 0.5, "2 s of the 4 s that there was an instance"


@pytest.mark.row(168)
def test_sums_outlive_the_worker_and_a_beat_of_nonsense_is_refused() -> None:
    book = BoosterBook()
    book.note(ONE, told(InstanceFigures("agt_1", calls=3, failures=1, last_error="trap", last_error_at=4.0), answered=2, failures=1, handed_on={"trap": 1}, reproducer="/a.json"), 5.0)  # fmt: skip
    book.note(TWO, told(InstanceFigures("agt_2", calls=4), answered=4, cache_hits=1, breakers={"code.rename python": 30.0}), 5.0)
    assert book.lost(ONE) == ["agt_1"]
    assert book.lost(ONE) == []
    sums = book.sums()
    assert (sums.calls, sums.answered, sums.failures, sums.handed_on) == (7, 6, 1, {"trap": 1})
    assert (book.last_error, book.reproducer) == ((4.0, "trap"), "/a.json")
    assert book.breakers(29.0) == {"code.rename python": 30.0}
    assert book.breakers(30.0) == {}
    with pytest.raises(msgspec.ValidationError):
        book.note(TWO, {"instances": 3}, 6.0)
    assert book.sums() == sums


def test_reasons_are_bounded() -> None:
    book = BoosterBook()
    for number in range(3 * REASONS_MAX):
        worker = HostId(f"hst_{number}")
        book.note(worker, told(handed_on={f"reason {number}": 1}), 1.0)
        book.lost(worker)
    sums = book.sums()
    assert len(sums.handed_on) <= REASONS_MAX + 1
    assert sums.handed_on.total() == 3 * REASONS_MAX


def test_reasons_and_breakers_in_words() -> None:
    assert say_reasons({"a": 1, "b": 3}.items()) == "3 b; 1 a"
    assert say_breakers({"code.rename python": 42.0}, 30.0) == "code.rename python for 12 s"


def test_there_are_no_rows_of_what_is_no_booster() -> None:
    async def story() -> None:
        world = World({"fleet": {"default_pools": {"coder": {"min": 1, "max": 2}}}}, 1, hosts=1, work=instant_success)
        async with world.running():
            book = BoosterBook()
            assert booster_pools(world.state) == instance_ids(world.state) == []
            assert booster_row(world.state, book, "coder", "", 0.0) is None
            assert all(instance_row(world.state, book, agent) is None for agent in [*world.state.agents, "agt_none"])

    run_virtual(story())
