"""Attempts of light agents that are told to stop: waiting, running in Python, in C, on the loop, or not listening."""

from __future__ import annotations

import pytest
from engine.model.effects import Assignment
from engine.model.ids import TaskId
from engine.model.reports import HostDown, TasksEnded

from tests.integration.light import cpu_of, open_light
from tests.integration.processes import wait_until


@pytest.mark.parametrize("handler", ["loop_forever", "loop_through_errors", "block_in_c", "nap"])
async def test_running_attempt_is_stopped_and_its_worker_goes_on(handler: str) -> None:
    async with open_light(stop_grace_s=5.0) as rig:
        [agent] = await rig.start(handler=handler)
        [other] = await rig.start()
        pid = rig.pid_of(agent)
        key = rig.give(agent, payload={"seconds": 60})
        await rig.has_begun(key)
        before = rig.clock.now()
        rig.light.stop_runs([key])
        outcome = await rig.outcome(key)
        assert rig.clock.now() - before < 2
        assert (await rig.run(other, "echo", {"a": 1})).result == {"a": 1}
        assert rig.pid_of(agent) == pid
    assert (outcome.ok, outcome.error_kind) == (False, "stopped")
    assert outcome.ended_at >= outcome.started_at >= before - 5
    assert not rig.of(HostDown)


async def test_waiting_attempt_is_dropped_at_once() -> None:
    async with open_light(stop_grace_s=5.0) as rig:
        busy, waiting, last = await rig.start(3, "work")
        running = rig.give(busy, payload={"seconds": 1.0})
        await rig.has_begun(running)
        queued, after = rig.give(waiting, payload={"seconds": 0}), rig.give(last, payload={"seconds": 0})
        rig.light.stop_runs([queued])
        outcome = await rig.outcome(queued)
        assert running not in rig.outcomes, "it waited for the one that runs"
        assert (await rig.outcome(after)).ok
    assert (outcome.error_kind, outcome.started_at) == ("stopped", 0.0)
    assert queued not in rig.began


@pytest.mark.parametrize(("handler", "grace_s"), [("hold_lock", 0.3), ("refuse_to_stop", 0.3), ("nap_on", 0.3)])
async def test_attempt_that_does_not_stop_takes_its_worker_with_it(handler: str, grace_s: float) -> None:
    async with open_light(2, stop_grace_s=grace_s) as rig:
        [agent] = await rig.start(handler=handler)
        [other] = await rig.start()
        assert rig.where[agent] != rig.where[other]
        host = rig.where[agent]
        await rig.warm_up([agent])
        pid = rig.pid_of(agent)
        idle = cpu_of(pid)
        key = rig.give(agent)
        if handler == "hold_lock":  # it has no breath left to tell that it has begun
            await wait_until(lambda: cpu_of(pid) > idle + 0.1)
        else:
            await rig.has_begun(key)
        rig.light.stop_runs([key])
        await rig.until(lambda: rig.of(HostDown))
        await rig.until(lambda: agent in rig.where)
        assert (await rig.run(other, "noop")).ok
    assert [(down.host, f"{key[0]} did not stop within 0.3 s" in down.reason) for down in rig.of(HostDown)] == [(host, True)]
    assert key not in rig.outcomes
    assert key in rig.began, "the coordinator must know that it was running when its worker died"


async def test_stop_hits_only_the_attempt_that_it_names() -> None:
    """Stops are sent while tasks that end at once rush by: none but the named ones may be hit."""
    async with open_light(stop_grace_s=10.0) as rig:
        agents = await rig.start(200)
        named, hit = set(), 0
        for round_ in range(30):
            keys = [(TaskId(f"tsk_{round_}_{number}"), 1) for number in range(200)]
            rig.light.deliver([Assignment(*key, agent, "echo", {"a": 1}) for key, agent in zip(keys, agents, strict=True)])
            rig.light.stop_runs(keys[50:60])
            named |= set(keys[50:60])
            await rig.until(lambda keys=keys: all(key in rig.outcomes for key in keys))
        for key, outcome in rig.outcomes.items():
            assert outcome.ok or (outcome.error_kind == "stopped" and key in named), outcome
            hit += not outcome.ok
    assert not rig.of(HostDown)
    assert len(rig.outcomes) == 6_000


async def test_many_stops_of_running_functions_one_after_the_other() -> None:
    async with open_light(stop_grace_s=10.0) as rig:
        agents = await rig.start(40, "loop_forever")
        keys = [rig.give(agent) for agent in agents]
        for number, key in enumerate(keys):
            await rig.has_begun(key)
            rig.light.stop_runs([key, keys[max(0, number - 1)]])
        outcomes = [await rig.outcome(key) for key in keys]
    assert {one.error_kind for one in outcomes} == {"stopped"}
    assert not rig.of(HostDown)


async def test_coroutines_are_stopped_one_by_one_even_before_their_first_step() -> None:
    async with open_light(stop_grace_s=10.0) as rig:
        agents = await rig.start(50, "nap")
        keys = [rig.give(agent, payload={"seconds": 60 if number % 2 else 0.2}) for number, agent in enumerate(agents)]
        rig.light.stop_runs(keys[1::2])
        outcomes = [await rig.outcome(key) for key in keys]
    assert [one.error_kind for one in outcomes] == ["", "stopped"] * 25
    assert not rig.of(HostDown)


async def test_stop_of_an_attempt_that_is_not_here_is_not_answered() -> None:
    async with open_light() as rig:
        [agent] = await rig.start()
        key = rig.give(agent, "noop")
        await rig.outcome(key)
        rig.light.stop_runs([key, (key[0], 2), (TaskId("tsk_nobody"), 1)])
        assert (await rig.run(agent, "noop")).ok
    assert len(rig.of(TasksEnded)) == 2
