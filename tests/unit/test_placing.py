"""Placing by what agents take: no machine over its capacity, what is released is what was taken, the same answer in any order."""

from __future__ import annotations

import random

import pytest
from engine.model.agents import Resources
from engine.model.machines import Machine, say_amount, taken_by, thousandths
from engine.scheduling.placing import Placing, Request, place
from hypothesis import given
from hypothesis import strategies as st

NAMES = ("cpu", "memory", "gpu")
AMOUNTS = st.dictionaries(st.sampled_from(NAMES), st.integers(1, 6_000), min_size=1)
REQUESTS = st.lists(AMOUNTS, max_size=12).map(lambda found: [Request(f"r{number}", amounts) for number, amounts in enumerate(found)])


@st.composite
def machines(draw: st.DrawFn) -> dict[str, Machine]:
    found = {}
    for number in range(draw(st.integers(1, 4))):
        capacity = draw(st.fixed_dictionaries(dict.fromkeys(NAMES, st.integers(0, 9_000))))
        taken = {name: draw(st.integers(0, amount)) for name, amount in capacity.items()}
        found[f"m{number}"] = Machine(f"m{number}", capacity, {name: amount for name, amount in taken.items() if amount})
    return found


def take(placing: Placing, requests: list[Request], where: dict[str, Machine]) -> None:
    for request in requests:
        if request.id in placing.machines:
            where[placing.machines[request.id]].take(request.amounts)


@pytest.mark.row(93)
@given(REQUESTS, machines())
def test_no_machine_is_given_more_than_it_has(requests: list[Request], where: dict[str, Machine]) -> None:
    placing = place(requests, where)
    take(placing, requests, where)
    assert all(machine.free(name) >= 0 for machine in where.values() for name in machine.capacity)
    assert placing.machines.keys() | placing.unplaced.keys() == {request.id for request in requests}
    assert not placing.machines.keys() & placing.unplaced.keys()


@given(REQUESTS, machines())
def test_what_is_released_is_what_was_taken(requests: list[Request], where: dict[str, Machine]) -> None:
    before = {id_: dict(machine.taken) for id_, machine in where.items()}
    placing = place(requests, where)
    take(placing, requests, where)
    for request in random.Random(0).sample(requests, len(requests)):
        if request.id in placing.machines:
            where[placing.machines[request.id]].release(request.amounts)
    assert {id_: machine.taken for id_, machine in where.items()} == before


@given(REQUESTS, machines(), st.randoms(use_true_random=False))
def test_the_order_in_which_they_are_asked_for_does_not_matter(requests: list[Request], where: dict[str, Machine], chance: random.Random) -> None:
    shuffled = chance.sample(requests, len(requests))
    turned = dict(chance.sample(sorted(where.items()), len(where)))
    first, second = place(requests, where), place(shuffled, turned)
    assert (first.machines, first.unplaced) == (second.machines, second.unplaced)


@given(REQUESTS, machines())
def test_who_is_left_out_fits_on_no_machine_any_more(requests: list[Request], where: dict[str, Machine]) -> None:
    """Free room only shrinks while placing, so a request that found none still finds none at the end."""
    placing = place(requests, where)
    take(placing, requests, where)
    by_id = {request.id: request.amounts for request in requests}
    for id_, why in placing.unplaced.items():
        assert all(any(machine.free(name) < amount for name, amount in by_id[id_].items()) for machine in where.values())
        assert why.never == all(machine.capacity.get(why.lacks, 0) < by_id[id_][why.lacks] for machine in where.values())


def test_the_largest_choose_first_and_leave_the_least() -> None:
    where = {"small": Machine("small", {"memory": 4}), "large": Machine("large", {"memory": 10})}
    placing = place([Request("a", {"memory": 4}), Request("b", {"memory": 10})], where)
    assert placing.machines == {"a": "small", "b": "large"}


def test_it_says_what_is_lacking() -> None:
    where = {"one": Machine("one", thousandths({"gpu": 2, "memory": 500}), thousandths({"gpu": 2}))}
    placing = place([Request("a", thousandths({"gpu": 1})), Request("b", thousandths({"memory": 900}))], where)
    assert placing.unplaced["a"] == ("gpu", "needs 1 gpu, 0 gpu not taken", False)
    assert placing.unplaced["b"] == ("memory", "needs 900 MB, no machine has more than 500 MB", True)


def test_agents_take_what_is_reserved_and_what_is_named() -> None:
    assert taken_by(Resources(512, 0.5)) == {}
    assert taken_by(Resources(512, 0.5, reserved=True, named={"gpu": 0.1})) == {"cpu": 500, "memory": 512_000, "gpu": 100}
    assert say_amount("cpu", 1_000) == "1 core"
    assert say_amount("cpu", 1_500) == "1.5 cores"
