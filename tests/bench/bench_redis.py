"""The journal that engines share through Redis: how fast it is written with the answer waited for, read by another process, and what it weighs.

The records are those of real tasks; the server is the private one, on a Unix socket, with its append-only file as it is by default.
"""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path
from tempfile import TemporaryDirectory

from engine.clock import SystemClock
from engine.fleet import DATABASE_NAME
from engine.memory.journal import SqliteJournal
from engine.model import wire
from engine.model.events import Record
from engine.model.journal_entries import Entry, Leadership
from engine.model.redis_config import RedisSection
from engine.model.task_commands import SubmitTask
from engine.redis.journal_stream import JournalStream
from engine.redis.lease import Lease
from engine.redis.link import RedisLink
from engine.redis.region_keys import RegionKeys
from engine.supervisor import calm_collector
from fleet_tui.bench import Goal

from tests.bench.engines import POOL, light_fleet, median, percentile

GROUPS = {1: 3_000, 64: 64_000, 256: 128_000}
"""Records a group commit, and records in all."""
ROWS = {
    **{f"redis.append_per_s.{group}": "1/s" for group in GROUPS},
    **{f"redis.append_p99_ms.{group}": "ms" for group in GROUPS},
    **{f"redis.end_to_end_per_s.{group}": "1/s" for group in GROUPS},
    "redis.delivered_p99_ms.at15000": "ms",
    "redis.raw_xadd_per_s": "1/s",
    "redis.benchmark_xadd_per_s": "1/s",
    "redis.bytes_per_record": "B",
    "redis.bytes_per_task": "B",
    "redis.field_bytes_per_record": "B",
    "redis.json_bytes_per_record": "B",
}
GOALS = {"redis.end_to_end_per_s.256": Goal(60_000), "redis.delivered_p99_ms.at15000": Goal(10, is_most=True)}
RUNS = 3
TASKS = 4_000
PACE_PER_S, PACE_GROUP, PACE_RECORDS = 15_000, 60, 75_000
RAW_PIPELINE = 64
REGION = "bench"
ROOT = Path(__file__).resolve().parent.parent.parent

_READER = """
import asyncio, json, sys, time
from pathlib import Path
from engine.clock import SystemClock
from engine.model.redis_config import RedisSection
from engine.redis.journal_stream import JournalStream
from engine.redis.link import RedisLink
from engine.supervisor import calm_collector

async def main(address, after, last):
    clock = SystemClock()
    link = RedisLink(RedisSection(url=address), Path("."), clock, {})
    await link.open()
    journal, read = JournalStream(link, "bench", clock), []
    calm_collector()
    print("ready", flush=True)
    while after < last:
        for entry in await journal.read(after, wait_s=1.0):
            after = entry.last
            read.append((after, time.monotonic()))
    print(json.dumps(read), flush=True)
    await link.close()

asyncio.run(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
"""


@dataclass(slots=True)
class _Written:
    """A journal and how far it is written."""

    link: RedisLink
    journal: JournalStream
    by: Leadership
    events: Sequence[Record]
    last: int = 0

    def entries(self, group: int, count: int) -> list[Entry]:
        """Return the next entries of so many records each."""
        found = [record._replace(seq=self.last + place + 1) for place, record in enumerate(islice(cycle(self.events), count))]
        self.last += count
        return [_entry(self.by, found[start : start + group]) for start in range(0, count, group)]

    async def append(self, entries: Sequence[Entry], *, per_s: float = 0.0) -> list[tuple[float, float]]:
        """Append entries one after another, at most so many records a second; return when each began and was answered."""
        times, began = [], time.monotonic()
        for number, entry in enumerate(entries):
            if per_s:
                await asyncio.sleep(max(0.0, began + number * len(entry.records) / per_s - time.monotonic()))  # noqa: TID251  # real time is measured
            start = time.monotonic()
            await self.journal.append(entry, deadline_s=30.0)
            times.append((start, time.monotonic()))
        return times

    async def append_and_read(self, entries: Sequence[Entry], *, per_s: float = 0.0) -> tuple[list[tuple[float, float]], list[float]]:
        """Append entries while another process reads them; return when each began and was answered, and when it was read."""
        words = (sys.executable, "-c", _READER, f"unix://{self.link.target.socket}", str(entries[0].first - 1), str(entries[-1].last))
        reader = await asyncio.create_subprocess_exec(*words, stdout=asyncio.subprocess.PIPE, cwd=ROOT, limit=1 << 24)
        assert reader.stdout is not None
        if await reader.stdout.readline() != b"ready\n":
            raise RuntimeError("the reading process did not start")
        times = await self.append(entries, per_s=per_s)
        read = dict(json.loads(await reader.stdout.readline()))
        await reader.wait()
        return times, [read[entry.last] for entry in entries]


def measure(report: Callable[..., None]) -> None:
    """Measure and report."""
    asyncio.run(_measure(report))


async def _measure(report: Callable[..., None]) -> None:
    events = await _real_records()
    await _weigh(report, events)
    async with _written(events) as written:
        calm_collector()  # as the engine's own process does
        for group, count in GROUPS.items():
            await _append(report, written, group, count)
            await _end_to_end(report, written, group, count)
        await _paced(report, written)
        await _raw(report, written)
        await _benchmark(report, written)


async def _real_records() -> list[Record]:
    """Return the records of tasks that were submitted one by one and ran."""
    with TemporaryDirectory(prefix="fleet-bench-") as folder:
        async with light_fleet(50, Path(folder)) as fleet:
            operator = fleet.operator()
            first = fleet.status().seq
            for _ in range(TASKS):
                await operator.execute([SubmitTask("noop", POOL)])
            async with asyncio.timeout(120):
                while fleet.status().tasks.succeeded < TASKS:
                    await fleet.clock.sleep(0.01)
        journal = await SqliteJournal.open(Path(folder) / DATABASE_NAME)
        try:
            return list(await journal.records(after=first, limit=20 * TASKS))
        finally:
            await journal.close()


def _entry(by: Leadership, records: Sequence[Record]) -> Entry:
    return Entry(*by, tuple(records), tuple(wire.encode(record.event) for record in records))


@asynccontextmanager
async def _written(events: Sequence[Record]) -> AsyncIterator[_Written]:
    """Run a private server with an empty journal."""
    clock = SystemClock()
    with TemporaryDirectory(prefix="fleet-bench-") as folder:
        link = RedisLink(RedisSection(url="embedded"), Path(folder), clock, {})
        try:
            await link.open()
            epoch = await Lease(link, REGION, clock, lease_s=600.0).take("eng_bench")
            assert epoch is not None, "the server is new"
            yield _Written(link, JournalStream(link, REGION, clock), Leadership(epoch, "eng_bench"), events)
        finally:
            await link.close()


async def _append(report: Callable[..., None], written: _Written, group: int, count: int) -> None:
    rates, tails = [], []
    for _ in range(RUNS):
        entries = written.entries(group, count)
        times = await written.append(entries)
        rates.append(count / (times[-1][1] - times[0][0]))
        tails.append(percentile([1e3 * (end - start) for start, end in times], 0.99))
    report(f"redis.append_per_s.{group}", median(rates), RUNS, f"records, {group} a group commit, each answered before the next; {median(rates) / group:,.0f} commits/s")
    report(f"redis.append_p99_ms.{group}", median(tails), RUNS, "of one group commit")


async def _end_to_end(report: Callable[..., None], written: _Written, group: int, count: int) -> None:
    rates = []
    for _ in range(RUNS):
        times, read = await written.append_and_read(written.entries(group, count))
        rates.append(count / (max(read[-1], times[-1][1]) - times[0][0]))
    report(f"redis.end_to_end_per_s.{group}", median(rates), RUNS, "records, answered, and read and rebuilt by another process")


async def _paced(report: Callable[..., None], written: _Written) -> None:
    times, read = await written.append_and_read(written.entries(PACE_GROUP, PACE_RECORDS), per_s=PACE_PER_S)
    late = [1e3 * (there - start) for (start, _), there in zip(times, read, strict=True)]
    took = times[-1][1] - times[0][0]
    note = f"from the append of a record to its reading in another process; {PACE_RECORDS / took:,.0f} records/s for {took:.1f} s, {PACE_GROUP} a group commit"
    report("redis.delivered_p99_ms.at15000", percentile(late, 0.99), 1, note)


async def _raw(report: Callable[..., None], written: _Written) -> None:
    """Measure the plain client: an entry each record, pipelined, the same bytes."""
    texts = [text for entry in written.entries(RAW_PIPELINE, GROUPS[64]) for text in entry.texts]
    written.last -= len(texts)
    rates = []
    async with written.link.using() as client:
        for _ in range(RUNS):
            began = time.monotonic()
            for start in range(0, len(texts), RAW_PIPELINE):
                pipe = client.pipeline(transaction=False)
                for text in texts[start : start + RAW_PIPELINE]:
                    pipe.execute_command("XADD", "raw", "*", "r", text)
                await pipe.execute()
            rates.append(len(texts) / (time.monotonic() - began))
            await client.delete("raw")
    report("redis.raw_xadd_per_s", median(rates), RUNS, f"a plain client, XADD of one record's JSON, pipelines of {RAW_PIPELINE}, nothing checked")


async def _benchmark(report: Callable[..., None], written: _Written) -> None:
    """Measure the server by its own program, where there is one."""
    program = shutil.which("valkey-benchmark") or shutil.which("redis-benchmark")
    if program is None:
        return
    text = wire.encode(written.events[0].event).decode()
    words = [program, "-s", str(written.link.target.socket), "-P", str(RAW_PIPELINE), "-n", "200000", "-q", "XADD", "raw", "*", "r", text]
    done = await asyncio.to_thread(subprocess.run, words, capture_output=True, text=True, check=True)
    found = re.findall(r"([\d.]+) requests per second", done.stdout)
    if not found:
        raise RuntimeError(f"{Path(program).name} printed no figure: {done.stdout[-200:]!r}")
    report("redis.benchmark_xadd_per_s", float(found[-1]), 1, f"{Path(program).name}, 50 connections, pipelines of {RAW_PIPELINE}")


async def _weigh(report: Callable[..., None], events: Sequence[Record]) -> None:
    """Weigh a journal of the records once each, 64 a group commit."""
    async with _written(events) as written:
        entries = written.entries(64, len(events))
        await written.append(entries)
        size = await written.link.call("MEMORY", "USAGE", RegionKeys(REGION).journal, "SAMPLES", 0)
        sent = sum([len(await _field(written, entry)) for entry in entries])
    count, json_bytes = len(events), sum(len(text) for entry in entries for text in entry.texts)
    report("redis.bytes_per_record", size / count, 1, f"of the server's memory, {count} records of {TASKS} tasks, 64 a group commit")
    report("redis.bytes_per_task", size / TASKS, 1, f"{count / TASKS:.1f} records a task that was submitted alone")
    report("redis.field_bytes_per_record", sent / count, 1, "as sent, packed")
    report("redis.json_bytes_per_record", json_bytes / count, 1, "their events as JSON")


async def _field(written: _Written, entry: Entry) -> bytes:
    answer = await written.link.call("XRANGE", RegionKeys(REGION).journal, f"{entry.last}-0", f"{entry.last}-0")
    return bytes(answer[0][1][b"r"])
