"""Gangs: agents that start together or not at all, in a queue that starves nobody."""

from __future__ import annotations

from typing import Any

import pytest
from engine.gate.gang_plans import gang_row
from engine.gate.plans import describe
from engine.gate.undo import inverse_of_value
from engine.model import reports as r
from engine.model.errors import CommandRefused, NotFound
from engine.model.fleet_commands import HaltFleet
from engine.model.gangs import Gang
from engine.model.ids import GangId
from engine.model.machines import Room, thousandths
from engine.model.pool_commands import AskGang, EndGang, ScalePool
from engine.model.reports import Sizing
from engine.scaling.autoscaler import limits_of
from tests.unit.core_fleet import Fleet

pytestmark = pytest.mark.row(93)

AGING_S = 60.0


def fleet(memory: float = 1_000, **pools: Any) -> Fleet:
    one = {"min": 0, "max": 20, "resources": {"memory": 100, "cpu": 0, "reserved": True}}
    return Fleet({"coder": one, "tester": one, **pools}, room=Room(thousandths({"memory": memory})), tasks={"aging_s": AGING_S})


def ask(fleet: Fleet, pool: str, agents: int, **more: Any) -> GangId:
    (id_,) = fleet.do(AskGang(pool, agents, **more))
    return GangId(id_)


def look(fleet: Fleet, seconds: float = 1.0) -> None:
    fleet.now += seconds
    fleet.report(r.GangsDue())
    fleet.report(r.RoomSeen())


def gang(fleet: Fleet, id_: GangId) -> Gang:
    return fleet.state.gangs[id_]


def agents(fleet: Fleet, pool: str = "coder") -> int:
    return fleet.state.pools[pool].agents


def test_a_gang_with_room_starts_at_once() -> None:
    fleet_ = fleet()
    id_ = ask(fleet_, "coder", 8)
    assert agents(fleet_) == fleet_.state.pools["coder"].size == 8
    assert not gang(fleet_, id_).is_waiting


def test_a_gang_without_room_for_all_starts_none_and_says_why() -> None:
    fleet_ = fleet()
    fleet_.do(ScalePool("tester", "5"))
    id_ = ask(fleet_, "coder", 6)
    assert agents(fleet_) == 0
    assert gang(fleet_, id_).text == "waits for memory: needs 100 MB, 0 MB not taken"
    fleet_.do(ScalePool("tester", "4"))
    look(fleet_)
    assert agents(fleet_) == 6


def test_a_gang_that_waits_too_long_expires() -> None:
    fleet_ = fleet()
    fleet_.do(ScalePool("tester", "5"))
    id_ = ask(fleet_, "coder", 6, expires_s=30.0)
    look(fleet_, 29)
    assert id_ in fleet_.state.gangs
    look(fleet_, 1)
    assert id_ not in fleet_.state.gangs
    assert fleet_.events[-1].reason.startswith("expired: waits for memory")  # type: ignore[union-attr]
    fleet_.do(ScalePool("tester", "0"))
    look(fleet_)
    assert agents(fleet_) == 0


def test_its_agents_are_kept_from_the_autoscaler_and_then_leave() -> None:
    fleet_ = fleet()
    fleet_.do(ScalePool("coder", "2"))
    ask(fleet_, "coder", 3, keep_s=60.0)
    fleet_.up()
    assert limits_of(fleet_.state.pools["coder"], fleet_.state).min == 3
    fleet_.report(r.PoolsSized((Sizing("coder", 5, 0, "no load"),)))
    assert fleet_.state.pools["coder"].size == 3
    look(fleet_, 60)
    assert (agents(fleet_), fleet_.state.gangs) == (0, {})
    assert not fleet_.state.machines["local"].taken


def test_the_first_in_line_is_not_overtaken_by_what_would_fit() -> None:
    fleet_ = fleet()
    fleet_.do(ScalePool("tester", "6"))
    large = ask(fleet_, "coder", 8)
    fleet_.now += 1
    small = ask(fleet_, "tester", 2)
    assert gang(fleet_, small).text == "waits for memory: others wait for it that go first"
    fleet_.do(ScalePool("tester", "2"))
    look(fleet_)
    assert not gang(fleet_, large).is_waiting
    assert gang(fleet_, small).is_waiting


def test_a_higher_priority_goes_first_and_age_makes_up_for_it() -> None:
    fleet_ = fleet()
    fleet_.do(ScalePool("tester", "5"))
    old = ask(fleet_, "coder", 6, priority=5, expires_s=1e5)
    fleet_.now += AGING_S * 2
    urgent = ask(fleet_, "tester", 6, priority=8, expires_s=1e5)
    assert [gang_row(fleet_.state, gang(fleet_, id_), AGING_S).place for id_ in (old, urgent)] == [2, 1]
    fleet_.do(EndGang(urgent))
    fleet_.now += AGING_S * 2
    late = ask(fleet_, "tester", 6, priority=8, expires_s=1e5)
    assert [gang_row(fleet_.state, gang(fleet_, id_), AGING_S).place for id_ in (old, late)] == [1, 2]
    fleet_.do(ScalePool("tester", "0"))
    look(fleet_)
    assert [gang(fleet_, id_).is_waiting for id_ in (old, late)] == [False, True]


def test_nobody_starves_while_small_ones_come_all_the_time() -> None:
    """Small gangs of a higher priority end and come anew for ever; the large one gets all the room once it is old enough."""
    fleet_ = fleet()
    small = [ask(fleet_, "tester", 2, priority=8, keep_s=20.0, expires_s=1e5) for _ in range(5)]
    large = ask(fleet_, "coder", 10, priority=5, expires_s=1e5)
    for _ in range(40):
        look(fleet_, 10)
        if not gang(fleet_, large).is_waiting:
            break
        ask(fleet_, "tester", 2, priority=8, keep_s=20.0, expires_s=1e5)
    assert not gang(fleet_, large).is_waiting
    assert len(small) == 5


@pytest.mark.parametrize(
    ("pool", "number", "message"),
    [
        ("coder", 21, "coder may have 20 agents, 21 at once can never start"),
        ("coder", 11, "only 10 of 11 could start if nothing else ran, by their memory"),
    ],
)
def test_what_could_never_start_is_refused_at_once(pool: str, number: int, message: str) -> None:
    with pytest.raises(CommandRefused, match=message):
        ask(fleet(), pool, number)


def test_a_pool_that_is_full_makes_a_gang_wait() -> None:
    fleet_ = fleet(3_000, small={"min": 0, "max": 5})
    fleet_.do(ScalePool("small", "3"))
    id_ = ask(fleet_, "small", 4)
    assert gang(fleet_, id_).text == "waits for its pool: 7 agents would be above its max 5"
    fleet_.do(ScalePool("small", "1"))
    look(fleet_)
    assert agents(fleet_, "small") == 5


def test_names_stay_unique_when_a_pool_and_its_gang_find_room_in_one_look() -> None:
    fleet_ = fleet()
    fleet_.do(ScalePool("tester", "9"))
    fleet_.do(ScalePool("coder", "3"))
    ask(fleet_, "coder", 2)
    fleet_.do(ScalePool("tester", "0"))
    look(fleet_)
    look(fleet_)
    names = [agent.spec.name for agent in fleet_.state.agents_in("coder")]
    assert len(names) == len(set(names)) == 5


def test_a_halt_of_scaling_keeps_gangs_waiting_but_not_for_ever() -> None:
    fleet_ = fleet()
    fleet_.do(ScalePool("tester", "5"))
    id_ = ask(fleet_, "coder", 6, expires_s=60.0)
    fleet_.do(HaltFleet("scaling"))
    fleet_.do(ScalePool("tester", "0"))
    look(fleet_)
    assert gang(fleet_, id_).is_waiting
    look(fleet_, 60)
    assert id_ not in fleet_.state.gangs


def test_plans_say_what_becomes_of_a_gang() -> None:
    fleet_ = fleet()
    (step,) = describe(fleet_.state, [AskGang("coder", 4)], fleet_.deciding)
    assert (step.before, step.after) == ("0 agents", "4 agents")
    assert step.effect == "all at once or none; waits up to 300 s if there is no room; kept 600 s, then they leave"
    id_ = ask(fleet_, "coder", 4)
    (step,) = describe(fleet_.state, [EndGang(id_)], fleet_.deciding)
    assert (step.before, step.after) == ("4 agents", "0 agents")
    assert [call.name for call in inverse_of_value(AskGang("coder", 4), id_)] == ["gang.end"]
    with pytest.raises(NotFound, match="no gang 'gng_x'"):
        fleet_.do(EndGang("gng_x"))
