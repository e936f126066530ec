"""What a standby asks the engine that leads for: only while somebody looks, as often as it changes, and nothing of it stays when nobody answers."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

from engine.gate.standby_look import FRESH_S, PROGRESS_S, TASKS_MAX, StandbyLook, measured
from engine.model.channel_rows import ChannelRow
from engine.model.errors import EngineUnavailable
from engine.model.rows import Frame
from engine.model.standing import Standing
from engine.model.wire import to_plain
from engine.simulation.loop import VirtualClock, run_virtual
from engine.simulation.world import World, instant_success

CHANNEL = ChannelRow("a", "slack", "ready", "", "", 0, 0, 3, 0, 1.0, "", 0.0, 0.0)
CONFIG = {"fleet": {"default_pools": {"coder": {"min": 2, "max": 9}}}}


class Leader:
    """An engine that leads, elsewhere, and counts what it is asked."""

    is_here = False

    def __init__(self, agents: list[str]) -> None:
        self.asked = 0
        self.answers = True
        self.seen = {"samples": [], "agents": dict.fromkeys(agents, [0.5, 100.0]), "stalled": {agents[0]: "silent for 60 s"}, "stale": {agents[1]: 40.0}}

        self.lent: dict[str, object] = {}

    async def query(self, what: str, **_more: object) -> object:
        self._count()
        return self.lent if what == "lent" else self.seen

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
            look = StandbyLook(world.feed, leader, leader.query, VirtualClock())
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
        with look.looking(["agents"]), look.looking(["hosts", "agents"]):
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


def test_rows_of_the_leader_are_shown_with_their_age_and_only_what_changed_is_told_again() -> None:
    async def story(world: World, look: StandbyLook, leader: Leader) -> None:
        status = replace(world.feed._status(), standing=Standing("local"))
        first, change = (Frame(1, 0.0, full, status) for full in (True, False))
        before: dict[str, Any] = {}
        with look.looking(["channels", "rules"]):
            leader.answers = False
            await look.borrow(["channels", "rules"])
            assert look.shown(first, ["channels"], before).status.standing == Standing("local", told_at=0.0), "unknown"
            leader.answers, leader.lent = True, {"channels": [to_plain(CHANNEL), to_plain(CHANNEL._replace(id="b"))], "rules": []}
            await asyncio.sleep(1.5 * FRESH_S)
            frame = look.shown(change, ["channels"], before)
            assert ([row.id for row in frame.rows["channels"]], frame.removed) == (["a", "b"], {})
            leader.lent = {"channels": [to_plain(CHANNEL)], "rules": []}
            await asyncio.sleep(1.5 * FRESH_S)
            leader.answers, at = False, VirtualClock().now()
            await asyncio.sleep(30.0)
            frame = look.shown(change, ["channels"], before)
            assert (frame.rows, frame.removed, look.shown(change, ["channels"], before).removed) == ({}, {"channels": ["b"]}, {})
            assert look.shown(first, ["channels"], before).rows == {"channels": [CHANNEL]}
            told_at = frame.status.standing and frame.status.standing.told_at
            assert told_at is not None
            assert 0.0 < told_at <= at, "what was told last stays, with its age"
            leader.answers, leader.lent = True, {"channels": [["of", "another", "version"]]}
            await asyncio.sleep(2 * FRESH_S)
            assert look.shown(first, ["channels"], before).rows == {"channels": [CHANNEL]}

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
