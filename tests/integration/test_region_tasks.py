"""Where tasks go: to the region that they name, where they may be kept, or where there is room. Real servers, an engine each."""

from __future__ import annotations

from pathlib import Path

import pytest
from engine import FleetManager
from engine.model.errors import CommandRefused, NotFound, UsageError
from engine.model.fleet_commands import HaltFleet
from engine.model.task_commands import SubmitTask
from engine.model.tasks import TaskState

from tests.integration.region_world import regions, until

US, EU = "us-east-1", "eu-west-1"


def has(fleet: FleetManager, id_: object) -> bool:
    task = fleet.coordinator.state.tasks.get(id_)  # type: ignore[call-overload]
    return task is not None and task.state is TaskState.SUCCEEDED


@pytest.mark.row(92, 260, 262)
@pytest.mark.row(41)  # of it, where data may be
async def test_a_task_goes_where_it_is_meant_to_be_and_may_be_kept(tmp_path: Path) -> None:
    places = {EU: {"residency": ["eu", "gdpr"], "location": "Ireland"}}
    async with regions(tmp_path, (US, EU), regions=places, federation={"down_after_s": 6}) as world:
        here, there = world.engines[US], world.engines[EU]
        federation = here.federation
        assert federation is not None
        await until(lambda: {row.health for row in federation.rows().values()} == {"healthy"})
        operator = here.operator()
        [at_home] = (await operator.execute([SubmitTask("echo", "coder")])).values
        [named] = (await operator.execute([SubmitTask("echo", "coder", region=EU)])).values
        plan = await operator.plan([SubmitTask("echo", "coder", residency=("eu",))])
        answer = await operator.execute(plan.id)
        assert (answer.summary, answer.undo_until) == ("submit echo in eu-west-1", 0)
        [bound] = answer.values
        await until(lambda: has(here, at_home) and has(there, named) and has(there, bound))
        assert named not in here.coordinator.state.tasks
        assert there.coordinator.state.tasks[bound].spec.residency == ("eu",)  # type: ignore[index]
        with pytest.raises(CommandRefused, match=r"residency: eu may not be kept in us-east-1 \(\[regions.us-east-1\] residency\); it may in eu-west-1"):
            await operator.execute([SubmitTask("echo", "coder", region=US, residency=("eu",))])
        with pytest.raises(CommandRefused, match="it may in no region"):
            await operator.execute([SubmitTask("echo", "coder", residency=("mars",))])
        with pytest.raises(NotFound, match="did you mean 'eu-west-1'"):
            await operator.execute([SubmitTask("echo", "coder", region="eu-west-2")])
        with pytest.raises(UsageError, match="eu-west-1 and us-east-1"):
            await operator.execute([SubmitTask("echo", "coder", region=EU), SubmitTask("echo", "coder")])
        audit = [(row["action"], row["result"]) for row in await operator.query("audit")]  # type: ignore[attr-defined]
        assert sum(action == "task.submit" and "residency:" in result for action, result in audit) == 2
        keeper = federation.keeper
        assert keeper is not None
        assert EU not in keeper.guests, "what is bound to Europe has no replica here"
        with pytest.raises(CommandRefused, match="residency: what region eu-west-1 has may not be kept in us-east-1"):
            federation.check_move(EU, US)


async def test_with_overflow_a_task_goes_to_the_nearest_and_cheapest_region_with_room(tmp_path: Path) -> None:
    async with regions(tmp_path, (US, EU), federation={"down_after_s": 6, "overflow": True, "replicas": False}) as world:
        here, there = world.engines[US], world.engines[EU]
        federation = here.federation
        assert federation is not None
        await until(lambda: {row.health for row in federation.rows().values()} == {"healthy"})
        await until(lambda: federation.rows()[EU].free > 0 and federation.rows()[US].free > 0)
        operator = here.operator()
        await operator.execute([HaltFleet("placing")], confirm="placing")
        await operator.execute([SubmitTask("echo", "coder")])
        await until(lambda: federation.rows()[US].waiting > 0)
        [sent] = (await operator.execute([SubmitTask("echo", "coder")])).values
        assert sent not in here.coordinator.state.tasks
        await until(lambda: has(there, sent))
        [kept] = (await operator.execute([SubmitTask("echo", "coder", workspace=str(tmp_path))])).values
        assert kept in here.coordinator.state.tasks, "its files are here"


@pytest.mark.row(13)
async def test_more_than_a_thousand_agents_work_at_once_in_two_regions(tmp_path: Path) -> None:
    """Above the seeds' thousand; how fast so many are registered and given tasks are rows of `fleet-tui bench`."""
    many = {"fleet": {"max_agents": 600, "default_pools": {"coder": {"min": 510, "max": 510}}}}
    async with regions(tmp_path, (US, EU), federation={"down_after_s": 30, "replicas": False}, **many) as world:
        here, there = world.engines[US], world.engines[EU]
        federation = here.federation
        assert federation is not None
        await until(lambda: {row.health for row in federation.rows().values()} == {"healthy"})
        await until(lambda: sum(row.free for row in federation.rows().values()) == 1_020 and federation.rows()[EU].home == EU)
        operator = here.operator()
        for region in (US, EU):
            await operator.execute([SubmitTask("sleep", "coder", payload={"seconds": 600}, region=region) for _ in range(510)])
        await until(lambda: [fleet.status().agents.by_status.get("busy", 0) for fleet in (here, there)] == [510, 510])
        await until(lambda: sum(row.free for row in federation.rows().values()) == 0)
