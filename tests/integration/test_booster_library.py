"""The seeds' AgentBooster on real engines: its calls, and the three ways that programs use it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest
from engine import AgentBooster, BoosterTaskRequest, BoosterTaskResult, FleetManager
from engine.agents import code
from engine.model.errors import CommandRefused, UsageError

SOURCE = "def area(r):\n    print(r)\n    return 3 * r * r\n\n\nprint(area(2))\n"
RENAME = {"source": SOURCE, "name": "area", "to": "surface"}
POOLS = {"fleet": {"default_pools": {"coder": {"min": 1, "max": 4}}}, "booster": {"poolSize": 2}}


async def until(condition: Callable[[], bool], within_s: float = 60.0) -> None:
    async with asyncio.timeout(within_s):
        while not condition():
            await asyncio.sleep(0.02)  # noqa: TID251  # a real engine in real time


def same(result: dict[str, object], operation: str, payload: dict[str, object]) -> bool:
    """Tell whether a result is the regular agent's, but for who gave it."""
    regular = code.run(operation, payload)
    return {k: v for k, v in result.items() if k != "provenance"} == {k: v for k, v in regular.items() if k != "provenance"}


@pytest.mark.row(38, 163, 164, 165)
async def test_the_seeds_calls_work_as_written() -> None:
    async with AgentBooster({"poolSize": 2, "performanceTracking": True}) as booster:
        before = await booster.get_performance_report()
        assert (before.tasks, before.speed_up, before.cache_hit_rate) == (0, None, None), "nothing is claimed before it was measured"
        done = await booster.execute_task(BoosterTaskRequest("rename", RENAME))
        assert isinstance(done, BoosterTaskResult)
        assert (done.success, done.boosted, done.error, done.handed_on) == (True, True, "", "")
        assert same(done.result, "code.rename", RENAME)
        assert done.seconds > 0
        again = [await booster.execute_task({"operation": "code.outline", "payload": {"source": SOURCE}, "timeoutS": 5}) for _ in range(3)]
        assert all(one.success and one.boosted and one.result == again[0].result for one in again)
        book = booster.fleet.feed.book
        await until(lambda: book.sums().answered == 4)
        report = await booster.get_performance_report()
        assert (report.tasks, report.answered, report.handed_on, report.failures) == (4, 4, 0, 0)
        assert report.cache_hit_rate is not None
        assert report.cache_hit_rate > 0
        assert report.mean_execution_s is not None
        assert 0 < report.mean_execution_s < 5
        assert (report.speed_up, report.samples) == (None, 0)
        status = await booster.get_booster_status()
        assert status.enabled
        assert status.reason == ""
        assert status.booster is not None
        assert status.booster.cache_bytes > 0
        assert sum(row.calls for row in status.instances) == status.booster.calls > 0
        await booster.clear_cache()
        await until(lambda: sum(figures.cache_bytes for figures in book.living()) == 0)


@pytest.mark.row(164, 176)
async def test_what_the_booster_does_not_do_ends_as_well_and_says_who_did_it() -> None:
    async with AgentBooster({"poolSize": 1}) as booster:
        checked = await booster.execute_task({"operation": "syntax_check", "payload": {"source": "x = 1;", "language": "javascript"}})
        assert (checked.success, checked.boosted) == (True, False)
        assert "judged by a reader of the regular agent" in checked.routed
        wrong = await booster.execute_task({"operation": "rename", "payload": {**RENAME, "to": "two words"}})
        assert not wrong.success
        assert wrong.error
        unreadable = await booster.execute_task({"operation": "outline", "payload": {"path": "there is no such file.py"}})
        assert not unreadable.success
        assert "there is no such file.py" in unreadable.error


async def test_without_a_booster_regular_agents_do_it_and_the_status_says_why() -> None:
    async with AgentBooster({"enabled": False}) as booster:
        done = await booster.execute_task({"operation": "rename", "payload": RENAME})
        assert (done.success, done.boosted) == (True, False)
        status = await booster.get_booster_status()
        assert (status.enabled, status.booster, status.instances) == (False, None, ())
        assert status.reason
        assert (await booster.get_performance_report()).tasks == 0


async def test_what_cannot_work_is_refused_before_it_begins() -> None:
    with pytest.raises(UsageError, match="not both"):
        AgentBooster({"poolSize": 2}, fleet=FleetManager(POOLS))
    booster = AgentBooster()
    with pytest.raises(UsageError, match="initialize"):
        await booster.execute_task({"operation": "rename"})
    async with booster:
        with pytest.raises(UsageError, match="no field 'operatio'"):
            await booster.execute_task({"operatio": "rename"})
        with pytest.raises((CommandRefused, UsageError)):
            await booster.execute_task({"operation": "rename", "payload": RENAME, "priority": 99})


# ---- the three ways of the seeds (B10.2)


class SwarmCoordinator:
    """A program's own coordinator, given a fleet."""

    def __init__(self, fleet_manager: FleetManager) -> None:
        self.fleet = fleet_manager
        self.booster = AgentBooster(fleet=fleet_manager)

    async def outline_all(self, sources: list[str]) -> list[BoosterTaskResult]:
        async with self.booster:
            return await asyncio.gather(*(self.booster.execute_task({"operation": "outline", "payload": {"source": one}}) for one in sources))


class CustomOrchestrator:
    """A program with a fleet for its tasks and a booster of its own."""

    def __init__(self, directory: Path) -> None:
        self.fleet = FleetManager({"fleet": {"default_pools": {"tester": {"min": 1, "max": 2}}}, "booster": {"enabled": False}}, state_dir=directory)
        self.booster = AgentBooster({"poolSize": 1})

    async def initialize(self) -> None:
        await self.fleet.initialize()
        await self.booster.initialize()

    async def shutdown(self) -> None:
        await self.booster.shutdown()
        await self.fleet.shutdown()


@pytest.mark.row(295)
async def test_standalone() -> None:
    booster = AgentBooster()
    await booster.initialize()
    try:
        assert (await booster.execute_task({"operation": "metrics", "payload": {"source": SOURCE}})).boosted
    finally:
        await booster.shutdown()


@pytest.mark.row(295)
async def test_with_a_coordinator_that_is_given_the_fleet() -> None:
    async with FleetManager(POOLS) as fleet:
        results = await SwarmCoordinator(fleet).outline_all([f"{SOURCE}\nvalue_{number} = {number}\n" for number in range(20)])
        assert all(one.success and one.boosted for one in results)
        assert len({one.task_id for one in results}) == 20
        assert fleet.status().tasks.by_state["succeeded"] == 20, "leaving the booster left the fleet running"
        stats = fleet.get_routing_stats()
        assert (stats.total_tasks, stats.successful_tasks, stats.failed_tasks, stats.rerouted_tasks) == (20, 20, 0, 0)
        assert stats.wasm_utilization is not None


@pytest.mark.row(295)
async def test_with_an_orchestrator_that_has_both(tmp_path: Path) -> None:
    program = CustomOrchestrator(tmp_path)
    await program.initialize()
    try:
        done, other = await asyncio.gather(
            program.booster.execute_task({"operation": "rename", "payload": RENAME}),
            program.fleet.operator().query("pools"),
        )
        assert done.success
        assert isinstance(other, list)
        assert len(other) == 1, "the fleet's own pool only"
        assert program.fleet is not program.booster.fleet
    finally:
        await program.shutdown()
