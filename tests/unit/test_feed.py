"""Frames: a full one first, then what changed; conflated, paced, and right after the state was rebuilt."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from engine.agents.runtime import HostSample
from engine.gate import feed as feeding
from engine.model.agent_commands import UnregisterAgent
from engine.model.errors import UsageError
from engine.model.ids import HostId, TaskId
from engine.model.pool_commands import PausePool, ScalePool
from engine.model.rows import ROW_KINDS, Frame, PoolRow
from engine.model.task_commands import CancelTask, SubmitTask
from engine.simulation.checkers import FOLLOWED, Mirror
from engine.simulation.loop import run_virtual
from engine.simulation.world import World, instant_success

CONFIG = {"fleet": {"default_pools": {"coder": {"min": 2, "max": 9}}}}


def live(work: Callable[[World], Awaitable[Any]]) -> None:
    async def story() -> None:
        world = World(CONFIG, 1, hosts=1, work=instant_success)
        async with world.running():
            await world.until(lambda: world.state.totals.by_status.get("idle", 0) == 2)
            await work(world)

    run_virtual(story())


async def next_with(frames: Any, kind: str, has: Callable[[Frame], bool] = lambda _frame: True) -> Frame:
    """Take frames until one has rows of a kind."""
    while True:
        frame: Frame = await anext(frames)
        if frame.rows.get(kind) and has(frame):
            return frame


def test_first_frame_is_full_and_the_next_holds_only_what_changed() -> None:
    async def story(world: World) -> None:
        async with world.feed.follow(list(ROW_KINDS)) as frames:
            first = await anext(frames)
            assert first.full
            assert [row[0] for row in first.rows["pools"]] == ["coder"]
            assert len(first.rows["agents"]) == 2
            await world.gate().execute([PausePool("coder")])
            second = await next_with(frames, "pools")
            assert not second.full
            assert "agents" not in second.rows
            assert [row.paused for row in second.rows["pools"]] == [True]  # type: ignore[union-attr]
            assert second.rows["audit"][0][5] == "pool.pause"
            assert "pool.paused" in [event.type for event in second.events]

    live(story)


def test_a_pool_tells_how_long_tasks_wait_for_agents_not_for_each_other() -> None:
    async def story(world: World) -> None:
        gate = world.gate()
        await gate.execute([PausePool("coder")])
        first = str((await gate.execute([SubmitTask("noop", "coder")])).values[0])
        await world.clock.sleep(5.0)
        await gate.execute([SubmitTask("noop", "coder", depends_on=(first,))])
        row = world.feed.row("pools", "coder")
        assert isinstance(row, PoolRow)
        assert (row.pending, row.blocked, row.oldest_pending_at) == (2, 1, world.state.tasks[TaskId(first)].spec.submitted_at)
        await gate.execute([CancelTask(first)])
        row = world.feed.row("pools", "coder")
        assert isinstance(row, PoolRow)
        assert row.blocked == 0

    live(story)


def test_unknown_kind_is_refused() -> None:
    async def story(world: World) -> None:
        with pytest.raises(UsageError, match="no kind pool; there are pools, agents"):
            async with world.feed.follow(["pool"]):
                pass

    live(story)


def test_frames_are_paced_and_a_quiet_fleet_still_says_that_it_is_current() -> None:
    async def story(world: World) -> None:
        async with world.feed.follow(["pools"]) as frames:
            instants = [(await anext(frames)).at for _ in range(3)]
            assert instants[2] - instants[1] == pytest.approx(1.0)
            for _ in range(30):
                world.feed.publish([], feeding.Touched())
            before = (await anext(frames)).at
            world.feed.publish([], feeding.Touched())
            assert (await anext(frames)).at - before >= 0.1 - 1e-6

    live(story)


def test_slow_follower_gets_one_row_for_many_changes() -> None:
    async def story(world: World) -> None:
        async with world.feed.follow(["pools"]) as frames:
            await anext(frames)
            for size in ("3", "4", "5"):
                await world.gate().execute([ScalePool("coder", size)])
                await world.clock.sleep(1)
            frame = await anext(frames)
            assert [row.size for row in frame.rows["pools"]] == [5]  # type: ignore[union-attr]

    live(story)


def test_rebuilt_state_starts_the_follower_over() -> None:
    async def story(world: World) -> None:
        async with world.feed.follow(["pools"]) as frames:
            await anext(frames)
            world.feed.publish([], feeding.Touched())
            assert (await anext(frames)).full

    live(story)


def test_follower_that_lags_behind_what_is_kept_starts_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feeding, "CHANGES_KEPT", 5)

    async def story(world: World) -> None:
        mirror = Mirror()
        async with world.feed.follow(FOLLOWED) as frames:
            mirror.take(await anext(frames))
            await world.gate().execute([SubmitTask("noop", "coder") for _ in range(20)])
            await world.until(lambda: world.state.totals.succeeded == 20)
            frame = await anext(frames)
            assert frame.full
            mirror.take(frame)
            await world.clock.sleep(1)
            mirror.take(await anext(frames))
            mirror.check(world)
            assert len(world.feed._changed["tasks"]) <= 5

    live(story)


def test_end_of_a_back_off_and_of_a_pause_reach_the_rows() -> None:
    async def story(world: World) -> None:
        await world.gate().execute([PausePool("coder")])
        [task] = (await world.gate().execute([SubmitTask("noop", "coder")])).values
        world.state.tasks[task].not_before = world.clock.now() + 1.5  # type: ignore[index]
        world.feed._note_back_offs([task])  # type: ignore[list-item]
        async with world.feed.follow(["tasks"]) as frames:
            first = await anext(frames)
            assert first.rows["tasks"][0].reason == "backs off: "  # type: ignore[union-attr]
            frame = await next_with(frames, "tasks")
            assert frame.rows["tasks"][0].reason == "pool paused"  # type: ignore[union-attr]

    live(story)


def test_measurements_change_host_rows() -> None:
    async def story(world: World) -> None:
        host = HostId(next(iter(world.state.hosts)))
        async with world.feed.follow(["hosts"]) as frames:
            first = await anext(frames)
            assert (first.rows["hosts"][0].cpu, first.rows["hosts"][0].rss_mb) == (-1.0, -1.0)  # type: ignore[union-attr]
            world.feed.measured([HostSample(host, "python", 1, 2, 5.0, 0.25, 12.34)])
            frame = await next_with(frames, "hosts")
            assert (frame.rows["hosts"][0].cpu, frame.rows["hosts"][0].rss_mb) == (0.25, 12.3)  # type: ignore[union-attr]

    live(story)


def test_what_is_gone_is_named() -> None:
    async def story(world: World) -> None:
        agent = next(iter(world.state.agents))
        async with world.feed.follow(["agents"]) as frames:
            await anext(frames)
            await world.gate().execute([UnregisterAgent(agent)])
            while not (frame := await anext(frames)).removed:
                pass
            assert frame.removed == {"agents": [agent]}

    live(story)
