"""Batches are written one at a time, and what follows from one begins when it is durable, once, though a copy of it is still to be written."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest
from engine.memory.contract import JournalBatch
from engine.model import effects as fx
from engine.model.ids import TaskId
from engine.model.task_commands import SubmitTask
from engine.simulation.fakes import MemoryJournal
from engine.simulation.loop import run_virtual
from engine.simulation.world import World, instant_success

TASKS = 30


class SharedFirst(MemoryJournal):
    """Makes a batch durable at once, and then writes a copy, as the journal does that engines share."""

    def __init__(self, write_s: float = 0.0) -> None:
        super().__init__(write_s)
        self.is_copying = False

    async def append(self, batch: JournalBatch) -> None:
        self.is_copying = True
        batch.when_durable()
        await super().append(batch)
        self.is_copying = False


def test_tasks_are_handed_out_once_and_before_the_copy_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.simulation.world.MemoryJournal", SharedFirst)

    async def live() -> tuple[list[TaskId], list[bool]]:
        world = World({"fleet": {"default_pools": {"coder": {"min": 3, "max": 3}}}}, 1, hosts=1, work=instant_success)
        handed: list[TaskId] = []
        early: list[bool] = []

        def carry_out(effects: Sequence[fx.Effect]) -> None:
            leases = [lease for effect in effects if isinstance(effect, fx.Deliver) for lease in effect.leases]
            handed.extend(lease.task for lease in leases)
            early.extend(world.journal.is_copying for _ in leases)  # type: ignore[attr-defined]  # it is the one from above
            world.runtime.carry_out(effects)

        world.coordinator.connect(carry_out)
        async with world.running():
            await world.gate().execute([SubmitTask("noop", "coder")] * TASKS)
            await world.until(lambda: world.state.totals.succeeded == TASKS)
        return handed, early

    handed, early = run_virtual(live())
    assert len(handed) == len(set(handed)) == TASKS
    assert early == [True] * TASKS


class OneAtATime(MemoryJournal):
    """Takes a while to write, and refuses a batch that comes meanwhile, as one that goes on from what is not there yet."""

    def __init__(self, write_s: float = 0.0) -> None:
        super().__init__(write_s)
        self.written: list[int] = []
        self.begun = asyncio.Event()
        self.go_on = asyncio.Event()
        self.go_on.set()

    async def append(self, batch: JournalBatch) -> None:
        assert self.written[-1:] in ([], [batch.records[0].seq - 1]), "it goes on from the one before"
        self.begun.set()
        await self.go_on.wait()
        await super().append(batch)
        self.written.append(batch.records[-1].seq)


def test_what_gathered_is_flushed_behind_the_batch_that_is_being_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.simulation.world.MemoryJournal", OneAtATime)

    async def live() -> None:
        world = World({"fleet": {"default_pools": {"coder": {"min": 3, "max": 3}}}}, 1, hosts=1, work=instant_success)
        journal: OneAtATime = world.journal  # type: ignore[assignment]  # it is the one from above
        async with world.running(), asyncio.TaskGroup() as group:
            await world.until(lambda: world.state.totals.by_status.get("idle", 0) == 3)
            journal.begun.clear()
            journal.go_on.clear()
            first = group.create_task(world.gate().execute([SubmitTask("noop", "coder")]))
            await journal.begun.wait()
            second = group.create_task(world.gate().execute([SubmitTask("noop", "coder")]))
            await world.until(lambda: len(world.state.tasks) == 2)
            flushing = group.create_task(world.coordinator.flush())
            await world.clock.sleep(1)
            assert not flushing.done()
            journal.go_on.set()
            await flushing
            assert {(await one).values[0] for one in (first, second)} <= world.state.tasks.keys()

    run_virtual(live())
