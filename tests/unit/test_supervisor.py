"""Parts that crash come back, those that keep crashing stop the engine; listeners harm nobody."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from engine.model.errors import JournalError
from engine.simulation.loop import VirtualClock, run_virtual
from engine.supervisor import RESTARTS_MAX, call_listener, keep_running
from engine.turns import Turns


def test_part_comes_back_after_growing_waits_until_it_crashed_too_often(caplog: pytest.LogCaptureFixture) -> None:
    starts: list[float] = []

    async def work() -> None:
        clock = VirtualClock(0.0)

        async def part() -> None:
            starts.append(clock.now())
            raise ValueError("broken")

        await keep_running("part", part, clock)

    with pytest.raises(ValueError, match="broken"):
        run_virtual(work())
    assert len(starts) == RESTARTS_MAX
    assert [round(after - before, 3) for before, after in zip(starts, starts[1:], strict=False)] == [0.2, 0.4, 0.8, 1.6]
    assert [record.message for record in caplog.records] == ["part crashed"] * RESTARTS_MAX


def test_crashes_far_apart_are_forgiven() -> None:
    async def work() -> int:
        clock, runs = VirtualClock(), list[int]()

        async def part() -> None:
            runs.append(1)
            await clock.sleep(30)
            if len(runs) < 20:
                raise ValueError("now and then")

        await keep_running("part", part, clock)
        return len(runs)

    assert run_virtual(work()) == 20


async def test_listener_that_raises_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    called: list[str] = []

    async def later() -> None:
        called.append("later")

    def fail() -> None:
        raise ValueError("theirs")

    await call_listener("task.succeeded", fail)
    await call_listener("task.succeeded", later)
    await call_listener("task.succeeded", lambda: called.append("now"))
    assert called == ["later", "now"]
    assert [record.message for record in caplog.records] == ["listener failed"]


async def fails_as_it_is_cancelled(begun: asyncio.Event) -> None:
    """Run a group whose part fails while the group is cancelled: Python 3.11 raises the failure alone."""

    async def part() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            raise JournalError("the server went away just then")

    async with asyncio.TaskGroup() as group:
        group.create_task(part())
        begun.set()
        await asyncio.Event().wait()


async def test_a_part_that_fails_as_it_is_cancelled_does_not_come_back() -> None:
    begun = asyncio.Event()
    task = asyncio.create_task(keep_running("part", lambda: fails_as_it_is_cancelled(begun), VirtualClock(0.0)))
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_an_engine_that_is_stopped_as_its_server_goes_away_does_not_stand_by(monkeypatch: pytest.MonkeyPatch) -> None:
    begun, stood_by = asyncio.Event(), list[str]()

    async def nothing(*_: Any) -> None:
        await asyncio.sleep(0)

    async def step_back(_turns: Turns, why: str) -> None:
        stood_by.append(why)
        await asyncio.Event().wait()

    monkeypatch.setattr(Turns, "_stand_by", nothing)
    monkeypatch.setattr(Turns, "_hold", lambda *_: fails_as_it_is_cancelled(begun))
    monkeypatch.setattr(Turns, "_step_back", step_back)
    turns: Any = Turns("eng_1", SimpleNamespace(), SimpleNamespace(region="local"), SimpleNamespace(run=nothing), VirtualClock(0.0))  # type: ignore[arg-type]
    task = asyncio.create_task(turns.run(SimpleNamespace(), nothing, nothing))
    await begun.wait()
    task.cancel()
    done, _ = await asyncio.wait([task], timeout=60)
    assert done
    assert task.cancelled()
    assert stood_by == []
