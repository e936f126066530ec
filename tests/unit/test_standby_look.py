"""What a standby asks the engine that leads for: only while somebody looks, as often as it changes, and nothing of it stays when nobody answers."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from engine.gate.standby_look import FRESH_S, PROGRESS_S, TASKS_MAX, StandbyLook, measured
from engine.model.errors import EngineUnavailable
from engine.simulation.loop import VirtualClock, run_virtual
from engine.simulation.world import World, instant_success

CONFIG = {"fleet": {"default_pools": {"coder": {"min": 2, "max": 9}}}}


class Leader:
    """An engine that leads, elsewhere, and counts what it is asked."""

    is_here = False

    def __init__(self, agents: list[str]) -> None:
        self.asked = 0
        self.answers = True
        self.seen = {"samples": [], "agents": dict.fromkeys(agents, [0.5, 100.0]), "stalled": {agents[0]: "silent for 60 s"}, "stale": {agents[1]: 40.0}}

    async def measured(self) -> object:
        self._count()
        return self.seen

    async def task(self) -> object:
        self._count()
        return {"attempt": 1, "progress": {"text": f"step {self.asked}"}}

    def _count(self) -> None:
        self.asked += 1
        if not self.answers:
            raise EngineUnavailable("nobody leads")


def live(work: Callable[[World, StandbyLook, Leader], Awaitable[Any]]) -> None:
    async def story() -> None:
        world = World(CONFIG, 1, hosts=1, work=instant_success)
        async with world.running():
            await world.until(lambda: world.state.totals.by_status.get("idle", 0) == 2)
            leader = Leader(list(world.state.agents))
            look = StandbyLook(world.feed, leader, leader.measured, VirtualClock())
            async with asyncio.TaskGroup() as group:
                running = group.create_task(look.run())
                await work(world, look, leader)
                running.cancel()

    run_virtual(story())


def test_measurements_come_while_somebody_looks_and_go_when_nobody_answers() -> None:
    async def story(world: World, look: StandbyLook, leader: Leader) -> None:
        used = world.feed.programs.used
        await asyncio.sleep(10 * FRESH_S)
        assert (leader.asked, used) == (0, {})
        with look.looking(), look.looking():
            await asyncio.sleep(9.5 * FRESH_S)
            assert leader.asked == 10
            assert list(used.values()) == [(0.5, 100.0, 0.0), (0.5, 100.0, 40.0)]
            assert measured(world.feed) == {**leader.seen, "agents": dict.fromkeys(used, (0.5, 100.0))}
            leader.answers = False
            await asyncio.sleep(2 * FRESH_S)
            assert (used, world.feed.programs.stalled) == ({}, {})
        asked = leader.asked
        await asyncio.sleep(10 * FRESH_S)
        assert leader.asked <= asked + 1, "one may have been due"
        leader.answers = True
        await asyncio.gather(*(look.refresh() for _ in range(20)))
        assert leader.asked <= asked + 2
        assert len(used) == 2, "who asks once has it too"

    live(story)


def test_how_far_a_task_is_is_asked_four_times_a_second_at_most_and_what_was_told_stays() -> None:
    async def story(_world: World, look: StandbyLook, leader: Leader) -> None:
        told = await asyncio.gather(*(look.progress("tsk_1", 1, leader.task) for _ in range(50)))
        assert (leader.asked, told) == (1, [{"text": "step 1"}] * 50)
        await asyncio.sleep(PROGRESS_S)
        leader.answers = False
        assert await look.progress("tsk_1", 1, leader.task) == {"text": "step 1"}
        assert await look.progress("tsk_1", 2, leader.task) is None, "another attempt has not said anything"
        for number in range(2 * TASKS_MAX):
            await look.progress(f"tsk_{number + 2}", 1, leader.task)
        assert len(look._tasks) == TASKS_MAX

    live(story)
