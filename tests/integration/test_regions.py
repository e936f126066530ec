"""Regions that know one another, each with a real server: how far each is, and how each is."""

from __future__ import annotations

from pathlib import Path

import pytest
from engine import FleetManager
from engine.model.region_rows import trips_of

from tests.integration.region_world import SEEDS, regions, until


def health(fleet: FleetManager) -> dict[str, str]:
    assert fleet.federation is not None
    return {name: row.health for name, row in fleet.federation.rows().items()}


@pytest.mark.row(255, 256, 257, 258, 259)
async def test_the_seeds_four_regions_know_one_another_and_measure_how_far_each_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.federation.ASK_S", 0.1)
    async with regions(tmp_path, SEEDS, federation={"replicas": False, "down_after_s": 10}, regions={"eu-west-1": {"residency": ["eu"], "cost": 1.2}}) as world:
        world.wires["us-east-1", "ap-southeast-1"].delay_s = 0.05
        for fleet in world.engines.values():
            await until(lambda fleet=fleet: set(health(fleet).values()) == {"healthy"})  # type: ignore[misc]
        here = world.engines["us-east-1"]
        assert here.federation is not None
        await until(lambda: (here.federation.rows()["ap-southeast-1"].rtt_s or 0) >= 0.1)
        rows = {row["id"]: row for row in await here.operator().query("regions")}  # type: ignore[attr-defined]
        assert set(rows) == set(SEEDS)
        assert [name for name, row in rows.items() if row["is_own"]] == ["us-east-1"]
        assert (rows["eu-west-1"]["residency"], rows["eu-west-1"]["cost"]) == ("eu", 1.2)
        assert rows["eu-west-1"]["engine"] == world.engines["eu-west-1"].engine_id
        there = world.engines["eu-west-1"]
        assert there.federation is not None

        def far() -> float:
            return trips_of(there.federation.rows()["us-east-1"]).get("ap-southeast-1", (0.0, 0.0))[0]

        await until(lambda: far() >= 0.1)  # what one measured, all others see
        world.servers["us-west-1"].kill()
        await world.stop("eu-west-1")
        world.wires["us-east-1", "ap-southeast-1"].cut()
        await until(lambda: health(here) == {"us-east-1": "healthy", "us-west-1": "down", "eu-west-1": "silent", "ap-southeast-1": "cut off"})
