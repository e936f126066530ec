"""Parts that crash come back, those that keep crashing stop the engine; listeners harm nobody."""

from __future__ import annotations

import pytest
from engine.simulation.loop import VirtualClock, run_virtual
from engine.supervisor import RESTARTS_MAX, call_listener, keep_running


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
