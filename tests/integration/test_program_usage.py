"""The autoscaler follows the CPU and memory of real programs, those of their children included."""

from __future__ import annotations

import sys
from typing import Any

import pytest
from engine import FleetManager
from engine.model.pool_commands import ScalePool
from engine.model.task_commands import SubmitTask

from tests.integration.test_scaling_library import until

BURN = "while True: pass"
HOLD = "import time; held = bytearray(80_000_000); time.sleep(3600)"
REST = "import time; time.sleep(3600)"


def config(script: str, policy: dict[str, Any]) -> dict[str, Any]:
    argv = ["/bin/sh", "-c", f"'{sys.executable}' -S -c '{script}' & wait"]
    pool = {"kind": "command", "command": {"argv": argv}, "min": 1, "max": 2, "resources": {"cpu": 1, "memory": 100}}
    return {
        "fleet": {"default_pools": {"tool": pool}},
        "auto_scaling": {"interval_s": 0.1, "policies": {"use": {"pool": "tool", **policy}}},
    }


@pytest.mark.row(36, 66)
@pytest.mark.parametrize(("script", "metric", "threshold"), [(BURN, "cpu", 0.1), (HOLD, "memory", 0.5)])
async def test_a_pool_grows_when_a_child_of_its_program_uses_much(script: str, metric: str, threshold: float) -> None:
    policy = {"up": {"metric": metric, "threshold": threshold, "sustained_s": 0, "step": 1}}
    async with FleetManager(config(script, policy)) as fleet:
        pool = fleet.coordinator.state.pools["tool"]
        await fleet.operator().execute([SubmitTask("run", "tool")])
        await until(lambda: pool.size == 2)
        used = fleet.usage.used.pools["tool"]
        assert (used.cores if metric == "cpu" else (used.rss_mb or 0) / 100) > threshold


@pytest.mark.row(36)
async def test_a_pool_whose_programs_rest_shrinks_by_its_cpu() -> None:
    policy = {"down": {"metric": "cpu", "threshold": 0.1, "sustained_s": 0, "step": 1}}
    async with FleetManager(config(REST, policy)) as fleet:
        pool = fleet.coordinator.state.pools["tool"]
        await fleet.operator().execute([SubmitTask("run", "tool")])
        await until(lambda: pool.by_state.get("running", 0) == 1 and fleet.usage.used.pools["tool"].cores is not None)
        await fleet.operator().execute([ScalePool("tool", "2")])
        await until(lambda: pool.size == 1)
        await until(lambda: pool.agents == 1)
        assert pool.by_state.get("running", 0) == 1, "the idle agent left, not the one at work"
