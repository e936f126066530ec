"""Events through the embedded bus to one subscriber, delivered one by one to its loop."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from engine.bus.embedded import EmbeddedBus
from engine.model.events import PoolScaled, Record

from tests.bench.engines import median

ROWS = {"events.embedded_per_s": "1/s"}
EVENTS = 200_000
BATCH = 64
RUNS = 5


def measure(report: Callable[..., None]) -> None:
    """Measure and report."""
    rates = [asyncio.run(_one_run()) for _ in range(RUNS)]
    report("events.embedded_per_s", median(rates), RUNS, f"{EVENTS} events published {BATCH} at a time, each counted by the subscriber")


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
