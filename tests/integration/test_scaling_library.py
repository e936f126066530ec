"""The seeds' AutoScalingManager on a real engine: real worker processes, a real journal."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from engine import AutoScalingManager, FleetManager
from engine.model.errors import CommandRefused, NotFound, UsageError
from engine.model.task_commands import SubmitTask

SEED_POLICY = {
    "id": "cpu-scaling",
    "name": "CPU-based Auto-Scaling",
    "enabled": True,
    "scaleUpTrigger": {"metric": "cpu", "threshold": 0.8, "sustainedPeriod": 300_000},
    "scaleDownTrigger": {"metric": "cpu", "threshold": 0.3, "sustainedPeriod": 600_000},
}


async def until(condition: Callable[[], bool], within_s: float = 60.0) -> None:
    async with asyncio.timeout(within_s):
        while not condition():
            await asyncio.sleep(0.02)  # noqa: TID251  # a real engine in real time


@pytest.mark.row(36, 65, 66, 67, 68)
async def test_the_seeds_calls_work_as_written() -> None:
    async with AutoScalingManager({"enabled": True, "policies": [SEED_POLICY], "limits": {"maxScaleUpStep": 50}}) as scaling:
        assert [policy.id for policy in await scaling.list_policies()] == ["cpu-scaling", "booster"], "the booster has one of its own"
        made = await scaling.create_policy({"id": "by-queue", "scaleUpTrigger": {"metric": "queueLength", "threshold": 100}})
        await scaling.update_policy(made, {"enabled": False})
        assert [(policy.id, policy.enabled) for policy in await scaling.list_policies()] == [("cpu-scaling", True), ("booster", True), ("by-queue", False)]
        await scaling.delete_policy(made)
        with pytest.raises(NotFound):
            await scaling.delete_policy(made)
        before = len(scaling.fleet.coordinator.state.agents)
        sizes = await scaling.manual_scale_up(6, "release day")
        assert sum(sizes.values()) >= 6
        assert len(scaling.fleet.coordinator.state.agents) == before + 6
        await scaling.manual_scale_down(6, "over")
        await until(lambda: len(scaling.fleet.coordinator.state.agents) == before)
        await until(lambda: len(scaling.fleet.scaler.decisions) == 17)
        status = await scaling.get_scaling_status()
        assert (status.enabled, status.policies, status.agents, len(status.pools)) == (True, 2, before, 17)
        assert status.next_at > 0


async def test_more_than_there_is_room_for_is_refused() -> None:
    async with AutoScalingManager() as scaling:
        with pytest.raises(CommandRefused, match="there is room for"):
            await scaling.manual_scale_up(10_000)
        with pytest.raises(CommandRefused, match="may leave"):
            await scaling.manual_scale_down(1)


def test_a_fleet_and_a_configuration_contradict_each_other() -> None:
    with pytest.raises(UsageError, match="not both"):
        AutoScalingManager({"enabled": True}, fleet=FleetManager())


@pytest.mark.row(94, 102, 270, 281)
async def test_a_burst_on_real_agents_grows_the_pool_and_quiet_shrinks_it() -> None:
    policy = {"pool": "coder", "target": 0.85, "scale_down": {"stabilization_s": 1.0}}
    config = {"auto_scaling": {"interval_s": 0.2, "policies": {"coder-demand": policy}}}
    async with FleetManager(config) as fleet:
        state = fleet.coordinator.state
        await until(lambda: state.pools["coder"].by_status.get("idle") == 5)
        await fleet.operator().execute([SubmitTask("sleep", "coder", payload={"seconds": 0.5}) for _ in range(120)])
        await until(lambda: state.pools["coder"].agents >= 100)
        await until(lambda: state.totals.succeeded == 120)
        await until(lambda: state.pools["coder"].agents == 5)
        assert state.totals.retried == 0
