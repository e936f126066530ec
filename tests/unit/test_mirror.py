"""The mirror while the server is away: the engine asks it nothing, keeps a bounded amount, and counts what it did not tell."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from types import SimpleNamespace
from typing import Any, cast

from engine.config import FleetManagerConfig
from engine.coordinator.tools import Publisher
from engine.gate.mirror import RECORDS_MAX, WAITING_MAX, Mirror
from engine.gate.mirroring import Told
from engine.model.events import Record
from engine.model.ids import TaskId
from engine.model.redis_config import RedisSection
from engine.model.task_events import TasksCancelled
from engine.monitoring.topics import Topics
from engine.simulation.loop import CountedIds
from engine.state import FleetState, Touched

ROUNDS = 5


class Away:
    """A link to a server that is away."""

    is_up = False
    section = RedisSection()
    calls = 0

    def using(self) -> AbstractAsyncContextManager[Any]:
        self.calls += 1
        raise AssertionError("it is away")


class Rounds:
    """A clock that lets some rounds pass at once, and then says so."""

    def __init__(self) -> None:
        self.left, self.over = ROUNDS * 20, asyncio.Event()

    def now(self) -> float:
        return 1_000.0 - self.left

    async def sleep(self, _seconds: float) -> None:
        self.left -= 1
        if self.left <= 0:
            self.over.set()
            await asyncio.Event().wait()
        await asyncio.sleep(0)


async def test_a_server_that_is_away_is_asked_nothing_and_what_waits_for_it_is_bounded() -> None:
    link, clock = Away(), Rounds()
    publishers: list[Publisher] = []

    def add(publisher: Publisher) -> Callable[[], None]:
        publishers.append(publisher)
        return lambda: publishers.remove(publisher)

    coordinator = SimpleNamespace(state=FleetState(), add_publisher=add)
    told = Told(cast("Any", coordinator), cast("Any", None), Topics("fleet", CountedIds(), every_s=1.0), cast("Any", None), cast("Any", None), FleetManagerConfig(), "eng_1", cast("Any", None))
    mirror = Mirror(cast("Any", link), told, cast("Any", clock))
    records = [Record(seq, 1.0, "", TasksCancelled((TaskId(f"tsk_{seq}"),), "")) for seq in range(1, RECORDS_MAX + 501)]
    running = asyncio.create_task(mirror.run())
    await asyncio.sleep(0)
    [publish] = publishers
    for record in records:
        publish([record], Touched(tasks={TaskId(f"tsk_{record.seq}"): None}))
    assert mirror.lost == 500, "the oldest, before they were made messages"
    assert mirror.waiting <= WAITING_MAX
    async with asyncio.timeout(30):
        await clock.over.wait()
    assert (link.calls, mirror.waiting) == (0, 0), "what there is then is written whole when it is back"
    assert mirror.lost > 500
    running.cancel()
    await asyncio.wait([running])
    assert publishers == []
