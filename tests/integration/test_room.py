"""Agents wait for room on a real engine: real worker processes and programs, a real journal, the real machine's memory."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any, cast

import msgspec
import pytest
from engine import FleetManager
from engine.fleet import DATABASE_NAME
from engine.model.pool_commands import AskGang, EndGang, ScalePool
from engine.model.pools import Pool
from engine.model.task_commands import SubmitTask

from tests.integration.test_scaling_library import until


def config(**more: Any) -> dict[str, Any]:
    one = {"min": 0, "max": 9}
    pools = {
        "trainer": {**one, "resources": {"named": {"gpu": 1}}},
        "other": {**one, "resources": {"memory": 100, "cpu": 0, "reserved": True}},
    }
    return {"fleet": {"default_pools": pools, "health_check_interval_s": 0.05, "workers": 1}, "machine": {"named": {"gpu": 2}, "memory": 756}, **more}


async def scale(fleet: FleetManager, pool: str, size: int) -> None:
    gate = fleet.operator()
    plan = await gate.plan([ScalePool(pool, str(size))])
    await gate.execute(plan.id)


def pool(fleet: FleetManager, name: str) -> Pool:
    return fleet.coordinator.state.pools[name]


@pytest.mark.row(93)
async def test_agents_wait_for_a_resource_and_start_when_others_leave(tmp_path: Path) -> None:
    async with FleetManager(config(), state_dir=tmp_path) as fleet:
        await scale(fleet, "trainer", 3)
        await scale(fleet, "other", 5)
        await until(lambda: pool(fleet, "trainer").by_status.get("idle") == 2)
        row = fleet.feed.row("pools", "trainer")
        assert row is not None
        assert row.reason == "waits for gpu: needs 1 gpu, 0 gpu not taken"  # type: ignore[union-attr]
    stored = sqlite3.connect(tmp_path / DATABASE_NAME).execute("SELECT data FROM resources WHERE kind = 'machine'").fetchall()
    machine = msgspec.json.decode(stored[0][0])
    assert machine["taken"] == {"gpu": 2_000, "memory": 500_000}
    assert (machine["capacity"]["gpu"], machine["capacity"]["memory"]) == (2_000, 500_000), "756 MB less the 256 that are kept back"
    async with FleetManager(config(), state_dir=tmp_path) as fleet:
        await until(lambda: pool(fleet, "trainer").by_status.get("idle") == 2)
        fleet.coordinator.check()
        await scale(fleet, "trainer", 0)
        await scale(fleet, "trainer", 2)
        await until(lambda: pool(fleet, "trainer").by_status.get("idle") == 2)
        assert pool(fleet, "trainer").waits is None


@pytest.mark.row(93)
async def test_a_gang_outlives_a_restart_and_starts_as_one(tmp_path: Path) -> None:
    async with FleetManager(config(), state_dir=tmp_path) as fleet:
        await scale(fleet, "other", 2)
        gate = fleet.operator()
        plan = await gate.plan([AskGang("other", 4)])
        await gate.execute(plan.id)
        assert pool(fleet, "other").agents == 2
    async with FleetManager(config(), state_dir=tmp_path) as fleet:
        (row,) = cast("list[dict[str, Any]]", await fleet.operator().query("gangs"))
        assert (row["state"], row["place"], row["reason"]) == ("waiting", 1, "waits for memory: needs 100 MB, 0 MB not taken")
        await scale(fleet, "other", 1)
        await until(lambda: pool(fleet, "other").by_status.get("idle") == 5)
        plan = await fleet.operator().plan([EndGang(row["id"])])
        await fleet.operator().execute(plan.id)
        await until(lambda: pool(fleet, "other").agents == 1)
        assert await fleet.operator().query("gangs") == []


async def test_after_a_smaller_machine_the_surplus_waits(tmp_path: Path) -> None:
    async with FleetManager(config(), state_dir=tmp_path) as fleet:
        await scale(fleet, "other", 5)
    async with FleetManager(config(machine={"memory": 456, "named": {"gpu": 2}}), state_dir=tmp_path) as fleet:
        found = pool(fleet, "other")
        assert (found.size, found.agents) == (5, 2)
        assert found.waits is not None
        assert found.waits.text == "waits for memory: needs 100 MB, 0 MB not taken"
        fleet.coordinator.check()


async def test_programs_that_took_much_memory_are_not_started_beside_each_other(tmp_path: Path) -> None:
    """The first program shows what it takes; with all memory kept back but half as much again, not four of its agents may start."""
    hungry = {"min": 1, "max": 9, "kind": "command", "command": {"argv": ["python3", "-c", "b = bytearray(90_000_000); print(len(b))"]}}
    fleet = FleetManager({"fleet": {"default_pools": {"hungry": hungry}, "health_check_interval_s": 0.05}}, state_dir=tmp_path)
    async with fleet:
        gate = fleet.operator()
        plan = await gate.plan([SubmitTask("run", pool="hungry")])
        await gate.execute(plan.id)
        await until(lambda: "hungry" in fleet.room.use.expected(fleet.coordinator.state.pools))
        expected = fleet.room.use.expected(fleet.coordinator.state.pools)["hungry"]
        assert 85 < expected.each_mb < 300
        free = fleet.room.measure().free_mb
        assert free is not None
    keep = {"machine": {"reserve_memory": int(free + 256 - 1.5 * expected.each_mb)}}
    async with FleetManager({"fleet": {"default_pools": {"hungry": hungry}, "health_check_interval_s": 0.05}, **keep}, state_dir=tmp_path) as fleet:
        await scale(fleet, "hungry", 4)
        found = pool(fleet, "hungry")
        assert found.agents < 4, "what a former engine measured counts"
        assert found.waits is not None
        assert found.waits.text.startswith(f"waits for memory: needs {expected.each_mb:.0f} MB, ")
