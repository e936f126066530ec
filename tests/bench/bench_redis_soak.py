"""Whether memory stays as it is while tasks go by: an engine that shares its fleet, the server, and two hosts that run them.

What is over is forgotten, trimmed and removed by the engine's own limits, which are set so low that each is met many times in the run; for what the database
keeps for days, time is told to be years later. The keys for other programs are off: they end by their age. The first quarter is left out: caches fill up in it.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from contextlib import ExitStack, aclosing
from dataclasses import dataclass, field
from pathlib import Path

from engine import turns
from engine.clock import SystemClock
from engine.fleet import FleetManager
from engine.memory import pruning, shared_journal
from engine.memory.retention import Retention
from engine.model.task_commands import SubmitTask
from redis.asyncio import Redis

from tests.bench.bench_redis_hosts import hosted
from tests.bench.engines import median

ROWS = {
    "redis.soak_server_growth": "ratio",
    "redis.soak_server_keys_growth": "ratio",
    "redis.soak_engine_growth": "ratio",
    "redis.soak_engine_objects_growth": "ratio",
    "redis.soak_file_growth": "ratio",
}
ROUNDS, CALLERS, PER_CALL = 64, 16, 10
A_ROUND = 640
"""Tasks; what is kept is looked at after each round."""
AGENTS, FINISHED_MAX = 200, 500
LATER_S = 10 * 365 * 86_400.0
LIMITS = {
    (shared_journal, "SNAPSHOT_BYTES"): 1 << 20,
    (shared_journal, "KEPT_BYTES"): 1 << 18,
    (turns, "SNAPSHOT_LOOK_S"): 0.5,
    (pruning, "EVENTS_KEPT_MIN"): 500,
    (pruning, "AUDIT_KEPT_MIN"): 100,
}
PAGE_BYTES = 4_096
_PAGES = "SELECT page_count - freelist_count FROM pragma_page_count, pragma_freelist_count"


class _Later(SystemClock):
    """Years later."""

    def now(self) -> float:
        return super().now() + LATER_S


@dataclass(slots=True)
class _Seen:
    """What was looked at, a sample each time."""

    server_bytes: list[int] = field(default_factory=list)
    keys: list[int] = field(default_factory=list)
    engine_bytes: list[int] = field(default_factory=list)
    engine_objects: list[int] = field(default_factory=list)
    file_bytes: list[int] = field(default_factory=list)

    async def look(self, fleet: FleetManager, client: Redis) -> None:
        """Take a sample."""
        keys = [key async for key in client.scan_iter() if b":snapshot:" not in key or await client.ttl(key) < 0]  # those of former snapshots end in a minute
        self.keys.append(len(keys))
        self.server_bytes.append(sum([await client.memory_usage(key, samples=0) or 0 for key in keys]))
        self.engine_bytes.append(PAGE_BYTES * int(Path("/proc/self/statm").read_text("utf-8").split()[1]))  # noqa: ASYNC240  # no file on a disk
        self.engine_objects.append(sys.getallocatedblocks())
        pages = await fleet.journal.database.read(lambda connection: connection.execute(_PAGES).fetchone()[0])
        self.file_bytes.append(PAGE_BYTES * pages)


def measure(report: Callable[..., None]) -> None:
    """Measure and report."""
    with ExitStack() as stack:
        for (module, name), value in LIMITS.items():
            stack.callback(setattr, module, name, getattr(module, name))
            setattr(module, name, value)
        seen, snapshots = asyncio.run(_soak())
    note = f"second half against first of {ROUNDS * A_ROUND:,} tasks; {snapshots} snapshots, {FINISHED_MAX} finished tasks kept"
    for row, values in (
        ("server", seen.server_bytes),
        ("server_keys", seen.keys),
        ("engine", seen.engine_bytes),
        ("engine_objects", seen.engine_objects),
        ("file", seen.file_bytes),
    ):
        first, second = _halves(values)
        report(f"redis.soak_{row}_growth", second / first - 1, 1, f"{first:,.0f} to {second:,.0f}, {note}")


def _halves(values: list[int]) -> tuple[float, float]:
    """Return the medians of the two halves of a run, without its first quarter."""
    later = values[len(values) // 4 :]
    return median(later[: len(later) // 2]), median(later[len(later) // 2 :])


async def _soak() -> tuple[_Seen, int]:
    """Run the tasks, and after each round remove what is over and look; return what was seen, and how many snapshots were made."""
    seen, snapshots = _Seen(), set()
    pools: dict[str, object] = {"light": {"min": AGENTS, "max": 1_000, "hosts": "joined"}}
    async with hosted(pools, agents=AGENTS, tasks={"finished_max": FINISHED_MAX}) as (fleet, _hosts), aclosing(_client(fleet)) as client:
        retention = Retention(fleet.journal.database, fleet.config.retention, FINISHED_MAX, _Later())
        for round_ in range(1, ROUNDS + 1):
            async with asyncio.TaskGroup() as group:
                for _ in range(CALLERS):
                    group.create_task(_submit(fleet))
            while fleet.status().tasks.succeeded < round_ * A_ROUND:
                await asyncio.sleep(0.01)
            await retention.prune()
            await seen.look(fleet, client)
            snapshots.add(await client.hget("fleet:{local}:snapshot", "last"))
    return seen, len(snapshots)


def _client(fleet: FleetManager) -> Redis:
    assert fleet.config.redis is not None
    client: Redis = Redis.from_url(fleet.config.redis.url)
    return client


async def _submit(fleet: FleetManager) -> None:
    """Submit a caller's share of a round."""
    operator = fleet.operator()
    for _ in range(A_ROUND // CALLERS // PER_CALL):
        await operator.execute([SubmitTask("noop", "light")] * PER_CALL)
