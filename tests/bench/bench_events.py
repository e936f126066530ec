"""Events through the embedded bus to one subscriber, one by one, and how long an engine's event takes to a listener."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from engine.bus.embedded import EmbeddedBus
from engine.model.events import Record
from engine.model.pool_commands import ScalePool
from engine.model.pool_events import PoolScaled

from tests.bench.engines import POOL, light_fleet, median, percentile

ROWS = {"events.embedded_per_s": "1/s", "events.listener_p99_ms": "ms"}
EVENTS = 200_000
BATCH = 64
RUNS = 5
VERBS = 500


def measure(report: Callable[..., None]) -> None:
    """Measure and report."""
    delays = asyncio.run(_delays())
    note = "a verb decided to its event heard by a listener of the engine, the journal written in between"
    report("events.listener_p99_ms", 1e3 * percentile(delays, 0.99), len(delays), note)
    rates = [asyncio.run(_one_run()) for _ in range(RUNS)]
    report("events.embedded_per_s", median(rates), RUNS, f"{EVENTS} events published {BATCH} at a time, each counted by the subscriber")


async def _delays() -> list[float]:
    delays: list[float] = []
    async with light_fleet(4) as fleet:
        fleet.on("pool.scaled", lambda record: delays.append(fleet.clock.now() - record.at))
        operator = fleet.operator()
        for number in range(VERBS):
            await operator.execute([ScalePool(POOL, str(5 - number % 2))])
        async with asyncio.timeout(10):
            while len(delays) < VERBS:
                await asyncio.sleep(0.005)
    return delays


async def _one_run() -> float:
    bus = EmbeddedBus()
    batch = [Record(n, 0.0, "bench", PoolScaled("coder", n)) for n in range(BATCH)]
    wanted = EVENTS // BATCH * BATCH
    seen = 0
    async with bus.subscribe() as subscription:

        async def publish() -> None:
            for number in range(EVENTS // BATCH):
                bus.publish(batch)
                if number % 16 == 0:
                    await asyncio.sleep(0)

        began = time.perf_counter()
        async with asyncio.TaskGroup() as group:
            group.create_task(publish())
            async for records in subscription:
                for record in records:
                    seen += record.event.type == "pool.scaled"
                if seen >= wanted:
                    break
        assert subscription.dropped == 0
        return seen / (time.perf_counter() - began)
