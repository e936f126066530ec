"""Clocks that never run back, ids in order of birth, chance from a seed, virtual time."""

from __future__ import annotations

import asyncio

import pytest
from engine.clock import OrderedIds, SystemClock, system_rng
from engine.simulation.loop import CountedIds, VirtualClock, run_virtual


class FixedClock:
    def __init__(self, *instants: float) -> None:
        self.instants = list(instants)

    def now(self) -> float:
        return self.instants.pop(0) if len(self.instants) > 1 else self.instants[0]

    async def sleep(self, seconds: float) -> None:
        raise AssertionError(seconds)


def test_ids_sort_by_birth_and_are_unique() -> None:
    ids = OrderedIds(FixedClock(1_700_000_000.0, 1_700_000_000.0, 1_700_000_009.0), system_rng(1))
    made = [ids.new("tsk") for _ in range(2_000)]
    assert made == sorted(set(made))
    assert all(one.startswith("tsk_") and len(one) == 17 for one in made)


def test_ids_stay_in_order_when_the_clock_steps_back() -> None:
    ids = OrderedIds(FixedClock(1_700_000_009.0, 1_700_000_000.0), system_rng(1))
    assert ids.new("a") < ids.new("a")


def test_chance_repeats_from_a_seed() -> None:
    assert [system_rng(7).random() for _ in range(2)] == [system_rng(7).random()] * 2
    assert system_rng().random() != system_rng().random()


async def test_system_clock_moves_on() -> None:
    clock = SystemClock()
    before = clock.now()
    await clock.sleep(0)
    assert before <= clock.now()


def test_virtual_hours_pass_at_once_in_order() -> None:
    async def work() -> list[str]:
        clock, said = VirtualClock(), list[str]()
        began = clock.now()

        async def say(word: str, after: float) -> None:
            await clock.sleep(after)
            said.append(f"{word} {clock.now() - began:g}")

        async with asyncio.TaskGroup() as group:
            group.create_task(say("late", 7_200))
            group.create_task(say("soon", 60))
        return said

    assert run_virtual(work()) == ["soon 60", "late 7200"]


def test_virtual_deadlock_raises() -> None:
    async def work() -> None:
        await asyncio.Event().wait()

    with pytest.raises(RuntimeError, match="deadlock"):
        run_virtual(work())


def test_counted_ids() -> None:
    ids = CountedIds()
    assert (ids.new("tsk"), ids.new("agt")) == ("tsk_000001", "agt_000002")
