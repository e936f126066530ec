"""What the section [booster] of the configuration does, and what is measured of each instance."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Any

import pytest
from engine.model.agent_commands import DrainAgent
from engine.model.pool_commands import PausePool, ScalePool, UnpausePool
from engine.model.tasks import TaskState

from tests.integration.boosted import NOTHING_KEPT, SOURCE, Boosted, bad_module, boosted


async def list_instances(engine: Boosted) -> list[dict[str, Any]]:
    found: Any = await engine.operator.query("instances")
    return list(found)


async def do_at_once(engine: Boosted, count: int) -> None:
    """Have tasks wait until all are there, so that every instance gets some."""
    await engine.operator.execute([PausePool("booster")])
    tasks = [await engine.submit("code.outline", {"source": f"{SOURCE}# {number}\n"}) for number in range(count)]
    await engine.operator.execute([UnpausePool("booster")])
    await engine.ended(*tasks)


@pytest.mark.row(167, 174)
async def test_each_agent_is_an_instance_and_they_are_shared_out(tmp_path: Path) -> None:
    async with boosted(tmp_path, None, {"poolSize": 12, **NOTHING_KEPT}, auto_scaling={"enabled": False}) as engine:
        await engine.operator.execute([ScalePool("booster", "12")])
        state = engine.fleet.coordinator.state
        await engine.until(lambda: state.pools["booster"].by_status.get("idle", 0) == 12)
        await do_at_once(engine, 120)
        await engine.until(lambda: engine.fleet.feed.book.sums().calls == 120)
        rows = await list_instances(engine)
        assert len({row["id"] for row in rows}) == 12
        assert {row["id"] for row in rows} == set(state.agents_of["booster"])
        assert min(row["calls"] for row in rows) > 0, "none is idle while tasks wait"
        assert all(row["memory_bytes"] >= row["used_bytes"] > 0 for row in rows)
        assert sum(row["restarts"] for row in rows) == 0


async def test_instances_of_agents_that_left_are_closed_and_their_counts_stay(tmp_path: Path) -> None:
    async with boosted(tmp_path, None, {"poolSize": 4, **NOTHING_KEPT}, auto_scaling={"enabled": False}) as engine:
        state, book = engine.fleet.coordinator.state, engine.fleet.feed.book
        for _ in range(3):
            await engine.operator.execute([ScalePool("booster", "4")])
            await engine.until(lambda: state.pools["booster"].by_status.get("idle", 0) == 4)
            await do_at_once(engine, 40)
            await engine.until(lambda: sum(len(figures.instances) for figures in book.living()) == 4)
            await engine.operator.execute([ScalePool("booster", "1")])
            await engine.until(lambda: sum(len(figures.instances) for figures in book.living()) <= 1)
        await engine.until(lambda: book.sums().calls == 120)
        assert [row["id"] for row in await list_instances(engine)] == list(state.agents_of["booster"])


async def test_a_drained_instance_gets_no_more_work(tmp_path: Path) -> None:
    async with boosted(tmp_path, None, {"poolSize": 2, **NOTHING_KEPT}, auto_scaling={"enabled": False}) as engine:
        await engine.operator.execute([ScalePool("booster", "2")])
        state = engine.fleet.coordinator.state
        await engine.until(lambda: state.pools["booster"].by_status.get("idle", 0) == 2)
        await engine.operator.execute([DrainAgent("booster-1")])
        tasks = [await engine.submit("code.outline", {"source": f"{SOURCE}# {number}\n"}) for number in range(10)]
        assert {task.agent_name for task in await engine.ended(*tasks)} == {"booster-2"}


async def test_a_tasks_own_shorter_limit_counts(tmp_path: Path) -> None:
    async with boosted(tmp_path, bad_module(), {"poolSize": 1}) as engine:
        task = await engine.do("code.metrics", {"source": SOURCE}, timeout_s=0.2, backoff_s=0)  # endless
        told = " ".join(detail for _, _, detail in task.history)
        assert "0.2 s" in told, "of the sandbox or of the engine, whichever looked first"
        assert "30 s" not in told


async def test_without_recovery_a_failed_instance_is_not_replaced(tmp_path: Path) -> None:
    async with boosted(tmp_path, bad_module(), {"poolSize": 1, "recoveryEnabled": False}) as engine:
        first = await engine.do("code.outline", {"source": SOURCE})
        second = await engine.do("code.remove_calls", {"source": SOURCE, "function": "print"})
        assert {first.state, second.state} == {TaskState.SUCCEEDED}
        assert "trap" in " ".join(detail for _, _, detail in first.history)
        assert "booster.recoveryEnabled is false" in " ".join(detail for _, _, detail in second.history)
        await engine.until(lambda: engine.fleet.feed.book.sums().handed_on.total() == 2)
        [row] = await list_instances(engine)
        assert (row["failures"], row["restarts"], row["memory_bytes"]) == (1, 0, 0)


async def test_without_tracking_nothing_is_told(tmp_path: Path) -> None:
    async with boosted(tmp_path, None, {"poolSize": 1, "performanceTracking": False}) as engine:
        task = await engine.do("code.outline", {"source": SOURCE})
        assert task.spec.pool == "booster"
        host = next(iter(engine.fleet.coordinator.state.hosts))
        beats = engine.fleet.feed.book
        await engine.until(lambda: host in engine.fleet.coordinator.state.hosts and beats.living())
        row = await engine.row()
        assert (row["calls"], row["module"], row["utilization"], row["efficiency"]) == (0, "", -1.0, -1.0)


async def test_tasks_of_other_types_that_name_the_booster_are_handed_on(tmp_path: Path) -> None:
    async with boosted(tmp_path) as engine:
        task = await engine.do("echo", {"a": 1}, pool="booster")
        assert (task.state, task.spec.pool, task.result) == (TaskState.SUCCEEDED, "coder", {"a": 1})
        unknown = await engine.do("code.generate", {"prompt": "a parser"})
        assert unknown.error is not None
        assert (unknown.spec.pool, unknown.error.kind) == ("coder", "unknown_type")
        assert "needs a model" in unknown.spec.routed


async def test_an_edit_is_applied_once_below_the_workspace(tmp_path: Path) -> None:
    project = tmp_path / "project"
    project.mkdir()
    path = project / "file.py"
    path.write_text(SOURCE)
    path.chmod(0o640)
    async with boosted(tmp_path) as engine:
        task = await engine.do("code.rename", {"path": "file.py", "name": "a", "to": "other"}, workspace=str(project), apply=True)
        assert (task.state, task.spec.pool, task.result["applied"]) == (TaskState.SUCCEEDED, "booster", True)
        assert path.read_text() == SOURCE.replace("a)", "other)").replace("return a", "return other")
        assert stat.S_IMODE(path.stat().st_mode) == 0o640
        outside = await engine.do("code.rename", {"path": str(tmp_path / "x.py"), "name": "a", "to": "b"}, workspace=str(project), apply=True)
        assert outside.error is not None
        assert outside.error.kind in ("outside_workspace", "not_found")


async def test_no_more_workers_live_than_instances(tmp_path: Path) -> None:
    async with boosted(tmp_path, None, {"poolSize": 3}, auto_scaling={"enabled": False}) as engine:

        async def count() -> int:
            return sum(row["kind"] == "booster" for row in await engine.operator.query("hosts"))

        await engine.do("code.outline", {"source": SOURCE})
        assert await count() == 1, "each has tens of megabytes"
        await engine.operator.execute([ScalePool("booster", "3")])
        await engine.until(lambda: engine.fleet.coordinator.state.pools["booster"].by_status.get("idle") == 3)
        assert await count() == min(3, os.cpu_count() or 1)
