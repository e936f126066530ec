"""The bus on Streams between two processes: messages told, handed out, rebuilt and acknowledged; how late they come, and what they weigh."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from engine.bus.redis_streams import RedisStreams
from engine.bus.streams import BusMessage
from engine.clock import SystemClock
from engine.model.errors import RedisAway, RedisRefused
from engine.model.redis_config import BusSection, RedisSection
from engine.redis.link import RedisLink
from engine.supervisor import calm_collector
from fleet_tui.bench import Goal
from fleet_tui.chaos.servers import KEPT, Server, free_ports

from tests.bench.engines import median

ROWS = {
    "redis.events_per_s": "1/s",
    "redis.event_p50_ms.at15000": "ms",
    "redis.event_p99_ms.at15000": "ms",
    "redis.bytes_per_event": "B",
    "redis.soak_growth_bytes": "B",
    "redis.consumer_resumes_s": "s",
}
GOALS = {
    "redis.events_per_s": Goal(60_000),
    "redis.event_p99_ms.at15000": Goal(10, is_most=True),
    "redis.consumer_resumes_s": Goal(2, is_most=True),
}
RUNS = 3
BURST, BATCH = 102_400, 1_024
PACE_PER_S, PACE_BATCH, PACE_EVENTS = 15_000, 60, 225_000
KEYS = 1_000
DATA = json.dumps({"leases": [{"task": "tsk_1m817ms0f0ef7", "agent": "agt_1m817ms0f0ef5", "token": 1, "score": 0.8125, "why": "least loaded of 12 that can"}], "pool": "coder", "x": "." * 120}).encode()
ROOT = Path(__file__).resolve().parent.parent.parent

_READER = """
import asyncio, json, sys, time
from pathlib import Path
from engine.bus.redis_streams import RedisStreams
from engine.clock import SystemClock
from engine.model.errors import RedisAway, RedisRefused
from engine.model.redis_config import BusSection, RedisSection
from engine.redis.link import RedisLink
from engine.supervisor import calm_collector

async def main(address, count):
    clock = SystemClock()
    link = RedisLink(RedisSection(url=address, command_timeout_s=10), Path("."), clock, {})
    await link.open()
    bus, late, last, seen = RedisStreams(link, "local", BusSection(), clock), [], {}, 0
    async with bus.consumer("bench", "one") as consumer:
        await consumer.take()
        calm_collector()
        print("ready", flush=True)
        while seen < count:
            try:
                batch = await consumer.take(count=4096, wait_s=1.0)
                now = time.monotonic()
                for delivery in batch:
                    message = delivery.message
                    assert message.number > last.get(message.key, 0), "out of order, or twice"
                    last[message.key] = message.number
                    late.append(now - message.at)
                await consumer.acknowledge(batch)
                seen += len(batch)
            except (RedisAway, RedisRefused):
                await clock.sleep(0.05)
    ended = time.monotonic()
    late.sort()
    print(json.dumps([ended, late[len(late) // 2], late[int(0.99 * len(late))]]), flush=True)
    await link.close()

asyncio.run(main(sys.argv[1], int(sys.argv[2])))
"""


class _Bus:
    """A server, a bus on it, and how far it is told."""

    def __init__(self, server: Server, link: RedisLink) -> None:
        self.server, self.link, self.number = server, link, 0
        self.bus = RedisStreams(link, "local", BusSection(entries_max=10_000_000), SystemClock())

    async def tell(self, count: int) -> None:
        """Tell so many messages at once."""
        at, first = time.monotonic(), self.number + 1
        messages = [BusMessage("bench", number, f"tsk_{number % KEYS}", "task.leased", at, DATA) for number in range(first, first + count)]
        if await self.bus.publish(messages, after=self.number) != messages[-1].number:
            raise RuntimeError("the bus is full")
        self.number += count

    async def memory(self) -> int:
        """Return the bytes that the server's data take."""
        found: Any = await self.server.ask("MEMORY", "STATS")
        stats = found if isinstance(found, dict) else dict(zip(found[::2], found[1::2], strict=True))
        return int(stats["dataset.bytes"])

    @asynccontextmanager
    async def reader(self, count: int) -> AsyncIterator[Callable[[], Any]]:
        """Have another process read so many; give what returns when it was done, and how late they came."""
        process = await asyncio.create_subprocess_exec(sys.executable, "-c", _READER, self.server.url, str(count), stdout=asyncio.subprocess.PIPE, cwd=ROOT)
        assert process.stdout is not None
        lines = process.stdout
        if await lines.readline() != b"ready\n":
            raise RuntimeError("the reading process did not start")

        async def result() -> Sequence[float]:
            found: Sequence[float] = json.loads(await lines.readline())
            await process.wait()
            return found

        try:
            yield result
        finally:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()


def measure(report: Callable[..., None]) -> None:
    """Measure and report."""
    asyncio.run(_measure(report))


async def _measure(report: Callable[..., None]) -> None:
    with TemporaryDirectory(prefix="fleet-bench-") as folder:
        server = Server(Path(folder) / "redis", free_ports(1)[0], *KEPT)
        link = RedisLink(RedisSection(url=server.url, command_timeout_s=10), Path(folder), SystemClock(), {})
        try:
            await server.start()
            await link.open()
            bus = _Bus(server, link)
            calm_collector()
            await _weigh(report, bus)
            await _burst(report, bus)
            await _paced(report, bus)
            await _resume(report, bus)
        finally:
            await link.close()
            server.kill()


async def _weigh(report: Callable[..., None], bus: _Bus) -> None:
    before = await bus.memory()
    for _ in range(40):
        await bus.tell(BATCH)
    report("redis.bytes_per_event", (await bus.memory() - before) / (40 * BATCH), 1, f"of the server's memory, {len(DATA)} bytes of JSON each, 8 partitions")
    await bus.server.ask("FLUSHALL")
    bus.number = 0


async def _burst(report: Callable[..., None], bus: _Bus) -> None:
    rates = []
    for _ in range(RUNS):
        async with bus.reader(BURST) as result:
            began = time.monotonic()
            for _ in range(BURST // BATCH):
                await bus.tell(BATCH)
            rates.append(BURST / ((await result())[0] - began))
        await bus.bus.tidy()
    report("redis.events_per_s", median(rates), RUNS, f"told {BATCH} at a time, handed out, rebuilt and acknowledged by another process; order and numbers checked")


async def _paced(report: Callable[..., None], bus: _Bus) -> None:
    """Tell at a pace, what has gathered while a call was under way at once, as an engine does; remove each second what was acknowledged."""
    sizes: list[int] = []
    async with bus.reader(PACE_EVENTS) as result:
        began = tidied = time.monotonic()
        told = 0
        while told < PACE_EVENTS:
            await asyncio.sleep(max(0.0, began + (told + PACE_BATCH) / PACE_PER_S - time.monotonic()))  # noqa: TID251  # real time is measured
            due = int((time.monotonic() - began) * PACE_PER_S) - told
            count = min(max(due, PACE_BATCH), BATCH, PACE_EVENTS - told)
            await bus.tell(count)
            told += count
            if time.monotonic() - tidied >= 1.0:
                await bus.bus.tidy()
                sizes.append(await bus.memory())
                tidied = time.monotonic()
        took = time.monotonic() - began
        _, p50, p99 = await result()
    note = f"from telling to the other process; {PACE_EVENTS / took:,.0f} a second for {took:.1f} s, {PACE_BATCH} or more at a time"
    report("redis.event_p50_ms.at15000", 1e3 * p50, 1, note)
    report("redis.event_p99_ms.at15000", 1e3 * p99, 1, note)
    half = len(sizes) // 2
    report("redis.soak_growth_bytes", median(sizes[half:]) - median(sizes[:half]), 1, f"of the data in the server's memory, second half against first, {PACE_EVENTS:,} events that were removed as they were acknowledged")


async def _resume(report: Callable[..., None], bus: _Bus) -> None:
    """Kill the server, start it again, and wait until another process has the next message."""
    times = []
    for _ in range(RUNS):
        async with bus.reader(1) as result:
            bus.server.kill()
            await asyncio.sleep(1.0)  # noqa: TID251  # real time is measured
            await bus.server.start()
            back = time.monotonic()
            told = bus.number
            while bus.number == told:
                with suppress(RedisAway, RedisRefused):
                    await bus.tell(1)
            times.append((await result())[0] - back)
    report("redis.consumer_resumes_s", median(times), RUNS, "from the server's return after kill -9 to the next message acknowledged")
