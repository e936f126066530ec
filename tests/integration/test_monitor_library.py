"""FleetMonitor on a real fleet: six groups, pools, agents, histories; and what the pulse takes from before it looked."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from engine import FleetManager, FleetMonitor
from engine.model.errors import NotFound, UsageError
from engine.model.metrics import AGENT_METRICS, CATALOGUE, Group, Label, Span
from engine.model.pool_commands import CreatePolicy
from engine.model.task_commands import SubmitTask

CONFIG = {"fleet": {"default_pools": {"coder": {"min": 2, "max": 4}}}}


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not condition():
            await asyncio.sleep(0.05)


@pytest.mark.row(221)
async def test_pools_and_agents_are_told_as_heat_maps(tmp_path: Path) -> None:
    async with FleetManager(CONFIG, state_dir=tmp_path) as fleet:
        await until(lambda: fleet.status().agents.by_status.get("idle", 0) == 2)
        sampled = fleet.history.recorder.sampled_at
        await until(lambda: fleet.history.recorder.sampled_at > sampled + 1)
        heat: Any = await fleet.operator().query("pools-heat", metric="agents", last_s=60, points=6)
        assert heat["pools"]["coder"][-1] == 2 and heat["pools"]["coder"][0] is None and len(heat["pools"]["coder"]) == 6
        grid: Any = await fleet.operator().query("agents-heat", metric="agent_idle")
        assert len(grid["ids"]) == len(grid["values"]) == grid["agents"] == 2 and all(grid["values"])


@pytest.mark.row(199, 200)
async def test_a_fleet_is_seen_in_six_groups_by_pool_and_by_agent(tmp_path: Path) -> None:
    async with FleetManager(CONFIG, state_dir=tmp_path) as fleet:
        monitor = FleetMonitor(fleet=fleet)
        await until(lambda: fleet.status().agents.by_status.get("idle", 0) == 2)
        # A rate is known from the second sample on: what ended before is in none.
        await until(lambda: fleet.history.agent_now("coder-1")["agent_failed"] is not None)
        await fleet.operator().execute([SubmitTask("noop", "coder")] * 5)
        await until(lambda: fleet.status().tasks.succeeded == 5)
        sampled = fleet.history.recorder.sampled_at
        await until(lambda: fleet.history.recorder.sampled_at > sampled + 1)
        now = await monitor.get_real_time_metrics()
        assert set(now["metrics"]) == set(Group)
        assert now["status"] == "running" and now["timestamp"] > 0
        assert now["metrics"]["agents"]["agents"]["value"] == now["metrics"]["agents"]["agents"]["pools"]["coder"] == 2
        assert now["metrics"]["resources"]["tokens"]["value"] is None
        whole = await monitor.get_metrics()
        assert whole.keys() == {name for name, metric in CATALOGUE.items() if metric.label is not Label.AGENT}
        assert (await monitor.get_metrics("queueDepth")) == {"queue_depth": 0}
        assert set(await monitor.get_metrics("tasks")) == {name for name, metric in CATALOGUE.items() if metric.group is Group.TASKS}
        pool = await monitor.get_pool_metrics("coder")
        assert pool["agents_idle"] == 2 and pool["response_ms"]
        agent = await monitor.get_agent_metrics("coder-1")
        assert agent.keys() == {metric.name for metric in AGENT_METRICS}
        assert (agent["agent_idle"], agent["agent_busy"], agent["agent_failed"]) == (1.0, 0.0, 0.0)
        trend = await monitor.get_history("succeeded", "coder", Span(last_s=60, points=60))
        assert sum(value for value in trend.values if value is not None) == pytest.approx(5, rel=0.3)
        for wrong in (monitor.get_pool_metrics("codr"), monitor.get_agent_metrics("nobody")):
            with pytest.raises(NotFound):
                await wrong
        with pytest.raises(UsageError):
            await monitor.get_metrics("agentz")
        kept = await fleet.operator().query("loads")
        assert isinstance(kept, dict) and kept["step_s"] == 2 and len(kept["pools"]["coder"]) == 30
        assert kept["pools"]["coder"][0] is None, "a gap: no engine ran a minute ago"
        assert any(value is not None for value in kept["pools"]["coder"])


async def test_what_a_policy_foresees_is_told_ahead_and_measured_when_its_time_has_come(tmp_path: Path) -> None:
    async with FleetManager(CONFIG, state_dir=tmp_path) as fleet:
        operator = fleet.operator()
        sampled = fleet.history.recorder.sampled_at
        await until(lambda: fleet.history.recorder.sampled_at > sampled)
        none = await operator.query("foreseen", id="coder")
        assert isinstance(none, dict) and (none["error_max"], none["ahead"], none["is_measured"]) == ({}, [], False), "no policy predicts"
        with pytest.raises(NotFound):
            await operator.query("foreseen", id="codr")
        await operator.execute([CreatePolicy("trend", {"pool": "coder", "target": 0.8, "prediction": {"sample_s": 1.0, "horizon_s": 2.0}})])
        await until(lambda: ("foreseen", "coder") in fleet.history.recorder.store.keys)
        found = await operator.query("foreseen", id="coder")
        assert isinstance(found, dict) and found["is_measured"] and found["error_max"] == {"trend": 0.3}
        assert found["ahead"][-1]["at"] > found["asked_at"] and found["ahead"][-1]["policy"] == "trend"
        for name in ("foreseen", "foreseen_low", "foreseen_high"):
            trend = await fleet.history.trend(name, "coder", Span(last_s=10, points=10))
            assert {value for value in trend.values if value is not None} == {0.0}, "an idle pool has no demand"


async def test_a_monitor_of_its_own_and_one_that_is_switched_off() -> None:
    with pytest.raises(UsageError, match="not both"):
        FleetMonitor({"enabled": True}, fleet=FleetManager(CONFIG))
    async with FleetMonitor({"enabled": False}) as monitor:
        with pytest.raises(UsageError, match=r"monitoring\.enabled"):
            await monitor.get_metrics()
