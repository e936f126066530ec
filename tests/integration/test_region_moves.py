"""A region lives on at another one's server: by hand, when all of it is gone, and when it is parted from the others. Real servers and wires."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
from pathlib import Path

import pytest
from engine import FleetManager
from engine.model.errors import CommandRefused, FleetError, PlanChanged
from engine.model.region_commands import FailBack, FailOver
from engine.model.task_commands import SubmitTask
from engine.model.tasks import TaskState

from tests.integration.region_world import Regions, regions, until

US, EU, VOTE = "us-east-1", "eu-west-1", "us-west-1"
DOWN_S = 5
"""A busy machine may stand still for two seconds."""


def leads(fleet: FleetManager | None) -> bool:
    return fleet is not None and fleet.turns is not None and fleet.turns.standing.leads


async def settled(world: Regions) -> None:
    """Wait until each region leads itself, and Europe has a replica and a guest of America."""
    await until(lambda: leads(world.engines.get(US)) and leads(world.engines.get(EU)))
    keeper = keeper_of(world, EU)
    await until(lambda: keeper.has_replica(US) and keeper.guests.get(US) is not None)


def keeper_of(world: Regions, site: str):  # type: ignore[no-untyped-def]  # noqa: ANN201
    federation = world.engines[site].federation
    assert federation is not None
    assert federation.keeper is not None
    return federation.keeper


async def work(fleet: FleetManager, number: int) -> list[str]:
    """Have tasks done, and return their ids."""
    answer = await fleet.operator().execute([SubmitTask("echo", "coder", payload={"n": n}) for n in range(number)])
    ids = [str(value) for value in answer.values]
    await until(lambda: all(fleet.coordinator.state.tasks[id_].state is TaskState.SUCCEEDED for id_ in ids))  # type: ignore[index]
    return ids


def has_done(fleet: FleetManager, ids: list[str]) -> bool:
    tasks = fleet.coordinator.state.tasks
    return all(id_ in tasks and tasks[id_].state is TaskState.SUCCEEDED for id_ in ids)  # type: ignore[index]


@pytest.mark.row(37)
async def test_a_region_is_moved_by_hand_and_handed_back_with_all_that_it_had(tmp_path: Path) -> None:
    async with regions(tmp_path, (EU, US), federation={"down_after_s": DOWN_S}) as world:
        await settled(world)
        here = world.engines[EU].operator()
        done = await work(world.engines[US], 20)
        with pytest.raises(CommandRefused, match="own region"):
            await here.plan([FailOver(EU)])
        with pytest.raises(CommandRefused, match="lives at us-east-1 already"):
            await here.plan([FailBack(US)])
        with pytest.raises(FleetError, match="did you mean 'us-east-1'"):
            await here.plan([FailOver("us-east-2")])
        async with asyncio.timeout(60):
            while True:
                plan = await here.plan([FailOver(US)])
                with contextlib.suppress(PlanChanged):  # a region that was late with its answer for a moment
                    answer = await here.execute(plan.id, confirm=US)
                    break
        assert (plan.steps[0].before, plan.steps[0].after.partition(";")[0], plan.confirm) == ("lives at us-east-1, epoch 1", "lives at eu-west-1", US)
        assert answer.summary == "region us-east-1 lives at eu-west-1 in its epoch 2"
        guest = world.guest(EU, US)
        await until(lambda: leads(guest))
        assert not leads(world.engines[US])
        assert has_done(guest, done)
        done += await work(guest, 5)
        await until(lambda: has_done(world.engines[US], done))
        assert "lives at eu-west-1 since its epoch 2" in world.engines[US].status().read_only
        rows = {row["id"]: (row["home"], row["epoch"]) for row in await here.query("regions")}  # type: ignore[attr-defined]
        assert rows == {EU: (EU, 1), US: (EU, 2)}
        why = await here.query("explain", kind="regions", id=US)
        assert "lives at eu-west-1" in why["headline"]  # type: ignore[index]
        await here.execute([FailBack(US)], confirm=US)
        await until(lambda: leads(world.engines[US]))
        assert has_done(world.engines[US], done)
        done += await work(world.engines[US], 5)
        audit = [row["action"] for row in await here.query("audit")]  # type: ignore[attr-defined]
        assert {"region.fail-over", "region.fail-back"} <= set(audit)


@pytest.mark.row(261)
async def test_a_region_of_which_all_is_gone_lives_on_at_another_by_itself(tmp_path: Path) -> None:
    async with regions(tmp_path, (EU, US, VOTE), witness=VOTE, federation={"down_after_s": DOWN_S}) as world:
        await settled(world)
        done = await work(world.engines[US], 20)
        guest = world.guest(EU, US)
        await until(lambda: has_done(guest, done))
        world.servers[US].kill()
        await world.stop(US)
        await until(lambda: leads(world.guest(EU, US)))
        assert has_done(world.guest(EU, US), done)
        done += await work(world.guest(EU, US), 5)
        await world.servers[US].start()  # with nothing in it
        await world.start(US)
        await until(lambda: US in world.engines and has_done(world.engines[US], done))
        assert not leads(world.engines[US])
        assert "until `region.fail-back us-east-1` there" in world.engines[US].status().read_only
        await until(lambda: world.engines[EU].federation.rows()[US].health == "healthy")  # type: ignore[union-attr]
        await world.engines[EU].operator().execute([FailBack(US)], confirm=US)
        await until(lambda: leads(world.engines.get(US)))
        await work(world.engines[US], 5)
        assert has_done(world.engines[US], done)


async def test_a_region_that_is_parted_stops_before_another_one_decides_and_then_follows(tmp_path: Path) -> None:
    async with regions(tmp_path, (EU, US, VOTE), witness=VOTE, federation={"down_after_s": DOWN_S}) as world:
        await settled(world)
        done = await work(world.engines[US], 5)
        await until(lambda: has_done(world.guest(EU, US), done))
        both: list[float] = []

        async def watch() -> None:
            while True:
                if leads(world.engines.get(US)) and leads(keeper_of(world, EU).guests.get(US)):
                    both.append(world.engines[EU].clock.now())
                await asyncio.sleep(0.005)

        async with asyncio.TaskGroup() as group:
            watching = group.create_task(watch())
            world.cut(US)
            await until(lambda: leads(world.guest(EU, US)))
            assert "most of the votes" in world.engines[US].status().read_only
            done += await work(world.guest(EU, US), 5)
            world.cut(US, whole=True)
            await until(lambda: US in world.engines and has_done(world.engines[US], done))
            watching.cancel()
        assert both == [], "at no time did both decide"
        assert not leads(world.engines[US])


async def test_a_region_that_lost_everything_gets_it_back_from_its_replica(tmp_path: Path) -> None:
    async with regions(tmp_path, (EU, US), federation={"down_after_s": 2}) as world:
        await settled(world)
        done = await work(world.engines[US], 20)
        await until(lambda: has_done(world.guest(EU, US), done))
        await world.stop(US)
        world.servers[US].kill()
        shutil.rmtree(tmp_path / US / "state")
        await world.servers[US].start()  # with nothing in it
        await world.start(US)
        await until(lambda: leads(world.engines.get(US)))
        assert not has_done(world.engines[US], done)
        assert has_done(world.guest(EU, US), done), "an empty journal does not empty the replica"
        here = world.engines[EU].operator()
        await here.execute([FailOver(US)], confirm=US)
        await until(lambda: US in world.engines and has_done(world.engines[US], done))
        await here.execute([FailBack(US)], confirm=US)
        await until(lambda: leads(world.engines.get(US)))
        assert has_done(world.engines[US], done)
