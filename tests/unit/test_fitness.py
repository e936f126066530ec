"""Which swarm takes an objective that any may take, and how swarms are: by figures, in order, with reasons."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
from engine.swarm.fitness import (
    Candidate,
    Condition,
    Vitals,
    condition_of,
    condition_of_fleet,
    ranked,
    reason,
)
from hypothesis import given
from hypothesis import strategies as st

BEST = Candidate("swm_1", "one", 1.0, 4, 3, 0, 8, 8, 0.9)


@st.composite
def candidates(draw: st.DrawFn) -> list[Candidate]:
    found = []
    for number in range(draw(st.integers(1, 8))):
        members, ended = draw(st.integers(0, 9)), draw(st.integers(0, 20))
        free, won = draw(st.integers(0, members)), draw(st.integers(0, ended))
        match = draw(st.sampled_from([0.0, 0.5, 1.0]))
        found.append(Candidate(f"swm_{number}", f"s{number}", match, members, free, draw(st.integers(0, 16)), won, ended, draw(st.floats(0.1, 1.0))))
    return found


def test_fitness_is_the_product_of_match_free_capacity_and_success_and_says_so() -> None:
    assert BEST.fitness == pytest.approx(1.0 * 3 / 4 * (8 + 0.9 * 4) / (8 + 4))
    assert reason(ranked([BEST, replace(BEST, id="swm_2", name="two", free=1)])) == "match 1.00 × free 0.75 × success 0.97 = 0.72; next two with 0.24"
    assert reason([BEST]).endswith("no other suits")


def test_without_room_it_waits_where_fewest_are_before_it() -> None:
    full = replace(BEST, free=0, waiting=2)
    order = ranked([full, replace(full, id="swm_2", name="two", waiting=1)])
    assert order[0].name == "two"
    assert reason(order) == "no swarm has room; it waits for the best: match 1.00, success 0.97, 1 before it"


@given(candidates(), st.randoms(use_true_random=False))
def test_the_order_is_total_and_whoever_has_room_is_before_those_who_have_none(found: list[Candidate], chance: random.Random) -> None:
    order = ranked(found)
    shuffled = list(found)
    chance.shuffle(shuffled)
    assert ranked(shuffled) == order
    assert {one.id for one in order} == {one.id for one in found if one.match and one.members}
    assert all(0.0 <= value <= 1.0 for one in found for value in (one.fitness, one.promise, one.capacity, one.success))
    has_room = [one.free > 0 for one in order]
    assert has_room == sorted(has_room, reverse=True)


@given(candidates())
def test_more_of_anything_good_never_makes_it_less_fit(found: list[Candidate]) -> None:
    for one in found:
        assert replace(one, match=1.0).fitness >= one.fitness
        assert replace(one, free=one.members).fitness >= one.fitness
        assert replace(one, won=one.ended).fitness >= one.fitness
        assert replace(one, waiting=one.waiting + 1).fitness <= one.fitness


@pytest.mark.row(61)
@pytest.mark.parametrize(
    ("vitals", "condition", "evidence"),
    [
        (Vitals("", 4, 4, 3, 3), "healthy", ()),
        (Vitals("", 4, 4, 0, 2), "healthy", ()),
        (Vitals("", 4, 3), "degraded", ("3 of 4 members can work",)),
        (Vitals("", 4, 4, 2, 4), "degraded", ("2 of 4 objectives succeeded",)),
        (Vitals("", 4, 1, 0, 3), "unhealthy", ("1 of 4 members can work", "0 of 3 objectives succeeded")),
        (Vitals("none of its members is left"), "unhealthy", ("none of its members is left",)),
    ],
)
def test_a_swarm_is_as_its_worst_share_and_names_it(vitals: Vitals, condition: str, evidence: tuple[str, ...]) -> None:
    assert condition_of(vitals) == (Condition(condition), evidence)


@pytest.mark.row(61)
def test_a_fleet_is_unhealthy_when_all_of_it_is_and_degraded_when_some_is() -> None:
    well, poor, ill = Condition
    assert [condition_of_fleet(found) for found in ([well, well], [well, poor], [well, ill], [poor, ill], [ill, ill])] == [well, poor, poor, poor, ill]
