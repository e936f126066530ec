"""Agents start while what they reserve and the memory that they will use is there; the others wait, and start by themselves."""

from __future__ import annotations

from typing import Any

import pytest
from engine.agents.registry import decide_surplus
from engine.coordinator.sizing import decide_machine
from engine.gate.why_pools import explain_pool
from engine.model import reports as r
from engine.model.agent_commands import RegisterAgent, UnregisterAgent
from engine.model.errors import CommandRefused, ConfigError
from engine.model.machines import THIS_MACHINE, Expected, Room, thousandths
from engine.model.pool_commands import EditPool, ScalePool
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from tests.examples import examples
from tests.unit.core_fleet import Fleet

pytestmark = pytest.mark.row(93)


def pools(**more: Any) -> dict[str, Any]:
    one = {"min": 0, "max": 20, "priority": 5}
    return {
        "big": {**one, "resources": {"memory": 400, "cpu": 1, "reserved": True}},
        "small": {**one, "priority": 4, "resources": {"memory": 100, "cpu": 0.5, "reserved": True}},
        "free": dict(one),
        **more,
    }


def room(cpu: float = 4, memory: float = 1_000, *, free_mb: float | None = None, expected: dict[str, Expected] | None = None, **named: float) -> Room:
    return Room(thousandths({"cpu": cpu, "memory": memory, **named}), free_mb, expected or {})


def scale(fleet: Fleet, pool: str, size: int) -> None:
    fleet.do(ScalePool(pool, str(size)))


def waits(fleet: Fleet, pool: str) -> str:
    found = fleet.state.pools[pool].waits
    return f"{found.agents} {found.text}" if found else ""


def test_as_many_start_as_there_is_room_for_and_the_others_wait() -> None:
    fleet = Fleet(pools(), room=room())
    scale(fleet, "big", 4)
    assert fleet.state.pools["big"].agents == 2
    assert waits(fleet, "big") == "2 waits for memory: needs 400 MB, 200 MB not taken"
    assert fleet.state.machines[THIS_MACHINE].taken == {"cpu": 2_000, "memory": 800_000}


def test_they_start_by_themselves_when_there_is_room() -> None:
    fleet = Fleet(pools(), room=room())
    scale(fleet, "small", 6)
    scale(fleet, "big", 2)
    assert fleet.state.pools["big"].agents == 1
    scale(fleet, "small", 0)
    fleet.report(r.RoomSeen())
    assert fleet.state.pools["big"].agents == 2
    assert waits(fleet, "big") == ""


def test_a_pool_that_gets_smaller_waits_no_more() -> None:
    fleet = Fleet(pools(), room=room())
    scale(fleet, "big", 4)
    scale(fleet, "big", 1)
    assert waits(fleet, "big") == ""
    assert fleet.state.machines[THIS_MACHINE].taken == {"cpu": 1_000, "memory": 400_000}


def test_what_the_first_one_lacks_is_kept_from_those_behind_it() -> None:
    fleet = Fleet(pools(), room=room())
    scale(fleet, "big", 3)  # 800 MB, and waits for 400 more
    scale(fleet, "small", 1)
    assert waits(fleet, "small") == "1 waits for memory: others wait for it that go first"
    scale(fleet, "free", 3)
    assert fleet.state.pools["free"].agents == 3, "who takes nothing of it need not wait"


def test_who_waits_long_enough_goes_before_a_higher_priority() -> None:
    fleet = Fleet(pools(), room=room(memory=400), tasks={"aging_s": 60})
    scale(fleet, "big", 1)
    scale(fleet, "small", 1)
    fleet.now += 30
    scale(fleet, "big", 2)
    fleet.now += 600
    fleet.do(EditPool("small", {"priority": 5}))
    scale(fleet, "big", 0)
    fleet.state.check()
    scale(fleet, "big", 1)
    assert (fleet.state.pools["big"].agents, fleet.state.pools["small"].agents) == (0, 0)
    fleet.report(r.RoomSeen())
    assert fleet.state.pools["small"].agents == 1
    assert waits(fleet, "big").startswith("1 waits for memory: needs 400 MB, 300 MB not taken")


def test_memory_that_is_measured_is_not_given_twice() -> None:
    """Of 1000 MB free, two programs of 300 MB each that have not begun yet are still to come."""
    command = {"min": 0, "max": 20, "kind": "command", "command": {"argv": ["true"]}}
    fleet = Fleet(pools(worker=command), room=room(free_mb=1_000, expected={"worker": Expected(300, "worker", None)}))
    scale(fleet, "worker", 2)
    scale(fleet, "worker", 5)
    assert fleet.state.pools["worker"].agents == 3
    assert waits(fleet, "worker") == "2 waits for memory: needs 300 MB, 100 MB free"
    fleet.room = room(free_mb=2_000, expected={"worker": Expected(300, "worker", None)})
    fleet.report(r.RoomSeen())
    assert fleet.state.pools["worker"].agents == 5


def test_light_agents_take_memory_as_long_as_workers_start() -> None:
    fleet = Fleet(pools(), room=room(free_mb=130, expected={"free": Expected(60, "python", 2)}))
    scale(fleet, "free", 20)
    assert fleet.state.pools["free"].agents == 20
    fleet = Fleet(pools(), room=room(free_mb=100, expected={"free": Expected(60, "python", 2)}))
    scale(fleet, "free", 20)
    assert waits(fleet, "free") == "19 waits for memory: needs 60 MB, 40 MB free"


def test_nothing_starts_into_memory_that_is_kept_back() -> None:
    fleet = Fleet(pools(), room=room(free_mb=-10))
    scale(fleet, "free", 2)
    assert waits(fleet, "free") == "2 waits for memory: needs some, 0 MB free"


def test_why_says_what_it_waits_for_and_what_is_taken() -> None:
    fleet = Fleet(pools(), room=room())
    scale(fleet, "big", 4)
    told = explain_pool(fleet.state, fleet.state.pools["big"], fleet.now, None)
    assert told.headline == "2 of its 4 agents wait: for memory: needs 400 MB, 200 MB not taken"
    assert "of memory 800 MB of 1000 MB are taken on local" in [line.text for line in told.evidence]


def test_an_operator_who_registers_agents_is_told_that_there_is_no_room() -> None:
    fleet = Fleet(pools(), room=room())
    with pytest.raises(CommandRefused, match="no room for 3 more in big: memory: needs 400 MB, 200 MB not taken"):
        fleet.do(RegisterAgent("big", count=3))
    assert not fleet.state.agents


def test_agents_cannot_be_made_larger_than_the_machine() -> None:
    fleet = Fleet(pools(), room=room())
    scale(fleet, "big", 2)
    with pytest.raises(CommandRefused, match="memory beyond the machine: 1200 MB of 1000 MB"):
        fleet.do(EditPool("big", {"memory": 600}))
    fleet.do(EditPool("big", {"memory": 500}))
    assert fleet.state.machines[THIS_MACHINE].taken["memory"] == 1_000_000


def test_a_smaller_machine_keeps_the_more_important_agents() -> None:
    fleet = Fleet(pools(), room=room())
    scale(fleet, "small", 2)
    scale(fleet, "big", 2)
    fleet.room = room(memory=850)
    fleet.apply(decide_machine(fleet.state, fleet.deciding))
    fleet.apply(decide_surplus(fleet.state, fleet.deciding))
    assert {name: fleet.state.pools[name].agents for name in ("small", "big")} == {"small": 0, "big": 2}
    fleet.report(r.RoomSeen())
    assert waits(fleet, "small") == "2 waits for memory: needs 100 MB, 50 MB not taken"


@pytest.mark.parametrize(
    ("resources", "message"),
    [({"named": {"GPU": 1}}, "'GPU' is no name for a resource"), ({"named": {"cpu": 1}}, "'cpu' is no name"), ({"named": {"gpu": 0}}, "gpu is 0; it must be above 0")],
)
def test_wrong_resources_are_refused(resources: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Fleet({"coder": {"resources": resources}})


def test_a_resource_that_the_machine_does_not_have_is_told() -> None:
    fleet = Fleet({"coder": {"resources": {"named": {"gpu": 1}}}}, room=room())
    assert any("the machine has no 'gpu'" in notice for notice in fleet.config.notices())
    assert waits(fleet, "coder") == "1 waits for gpu: needs 1 gpu, no machine has more than 0 gpu"


class Lives(RuleBasedStateMachine):
    """Pools of a machine that shrinks and grows, whatever operators do; Fleet checks what is counted after each step."""

    def __init__(self) -> None:
        super().__init__()
        self.fleet = Fleet(pools(gpu={"min": 0, "max": 9, "resources": {"named": {"gpu": 0.1}}}), room=room(gpu=0.5))

    @rule(pool=st.sampled_from(["big", "small", "gpu", "free"]), size=st.integers(0, 9))
    def scale(self, pool: str, size: int) -> None:
        scale(self.fleet, pool, size)

    @rule(seconds=st.integers(1, 500))
    def time_passes(self, seconds: int) -> None:
        self.fleet.now += seconds
        self.fleet.up()
        self.fleet.report(r.RoomSeen())

    @rule(memory=st.integers(50, 600))
    def edit(self, memory: int) -> None:
        try:
            self.fleet.do(EditPool("small", {"memory": memory}))
        except CommandRefused as error:
            assert "beyond the machine" in str(error)  # noqa: PT017  # a refusal is one of two right answers

    @rule()
    def all_leave(self) -> None:
        for agent in list(self.fleet.state.agents.values())[:3]:
            self.fleet.do(UnregisterAgent(agent.spec.name))

    @invariant()
    def no_machine_is_over_its_capacity(self) -> None:
        machine = self.fleet.state.machines[THIS_MACHINE]
        assert all(machine.free(name) >= 0 for name in machine.capacity)

    @invariant()
    def who_is_short_waits(self) -> None:
        for pool in self.fleet.state.pools.values():
            assert pool.size - pool.agents == (pool.waits.agents if pool.waits else 0)


Lives.TestCase.settings = settings(max_examples=examples(60), stateful_step_count=25, deadline=None)
TestLives = Lives.TestCase
