"""Kill -9 of the engine that leads, again and again, under load that comes by a standby: nothing that was answered is lost or done twice.

The short run kills SHORT times; `KILL_SEED=7 make test-long ARGS=tests/integration/test_turns_kills.py` kills LONG times.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from engine.api.client import Caller, RemoteOperator, connect
from engine.clock import SystemClock
from engine.model.errors import EngineUnavailable, FleetError, ReadOnly
from engine.model.rows import FleetStatus
from engine.model.task_commands import SubmitTask

from tests.integration.engines import EngineProcess
from tests.integration.redis_servers import Server, one_server

SEED = int(os.environ.get("KILL_SEED", "20261122"))
SHORT, LONG = 2, 60
ENGINES = 3
WITHIN_S = 120.0
PAUSE_S = 0.02
"""Between two tasks of a writer: the engines are to be killed at work, not starved."""
CONFIG = """
[redis]
url = "{url}"
share = true
[fleet.default_pools.coder]
min = 2
max = 4
handler = "fleet_handlers:answer"
"""


class Process(EngineProcess):
    """An engine whose pool has a handler of this test."""

    @property
    def environment(self) -> dict[str, str]:
        return {**super().environment, "PYTHONPATH": str(self.directory)}


class Member:
    """One of the engines, and the way to it."""

    def __init__(self, root: Path, server: Server) -> None:
        root.mkdir()
        self.engine = Process(root, CONFIG.format(url=server.url))
        (self.engine.directory / "fleet_handlers.py").write_text("def answer(type_, payload):\n    return dict(payload)\n")
        self.name = root.name

    async def start(self) -> None:
        """Start it and wait until it answers."""
        self.engine.begin()
        assert self.engine.process is not None
        async with asyncio.timeout(WITHIN_S):
            while await self.status() is None:
                assert self.engine.process.poll() is None, "the engine ended"
                await asyncio.sleep(0.1)

    def _socket(self) -> Path:
        """Return where the engine listens. Raises EngineUnavailable before it does."""
        found = list((self.engine.root / "run").rglob("*.sock"))
        if not found:
            raise EngineUnavailable(f"{self.name} has no socket yet")
        return found[0]

    @contextlib.asynccontextmanager
    async def operator(self) -> AsyncIterator[RemoteOperator]:
        async with connect(self._socket(), clock=SystemClock(), caller=Caller()) as operator:
            yield operator

    async def status(self) -> FleetStatus | None:
        """Return what the engine says of the fleet; None while it does not answer."""
        with contextlib.suppress(FleetError):
            async with self.operator() as operator:
                status = await operator.query("status")
                assert isinstance(status, FleetStatus)
                return status
        return None


async def leader_of(members: Sequence[Member], *, after: int = 0) -> tuple[Member, int]:
    """Wait for a leader whose epoch is larger, and return it."""
    async with asyncio.timeout(WITHIN_S):
        while True:
            for member in members:
                status = await member.status()
                if status is not None and status.standing is not None and status.standing.leads and status.standing.epoch > after:
                    return member, status.standing.epoch
            await asyncio.sleep(0.05)


class Load:
    """Submits tasks by whichever engine answers, and knows what was answered."""

    def __init__(self, members: Sequence[Member]) -> None:
        self.members = members
        self.accepted: dict[str, str] = {}
        self.unknown: set[str] = set()
        self.count = 0

    async def run(self, chance: random.Random) -> None:
        while True:
            try:
                async with chance.choice(self.members).operator() as operator:
                    while True:
                        await self._submit(operator)
            except (EngineUnavailable, ReadOnly):
                await asyncio.sleep(PAUSE_S)

    async def _submit(self, operator: RemoteOperator) -> None:
        self.count += 1
        name = f"task-{self.count}"
        self.unknown.add(name)
        answer = await operator.execute([SubmitTask("answer", "coder", title=name)])
        await asyncio.sleep(PAUSE_S)
        self.unknown.discard(name)
        [self.accepted[name]] = map(str, answer.values)


async def kill_again_and_again(root: Path, times: int) -> list[float]:
    """Kill leaders under load, check what is left, and return how long the fleet had no leader, by the clock of this test."""
    chance = random.Random(SEED)  # noqa: S311
    print(f"again: KILL_SEED={SEED} pytest tests/integration/test_turns_kills.py")
    async with one_server(root, "--appendonly", "yes") as server:
        members = [Member(root / name, server) for name in "abc"[:ENGINES]]
        try:
            for member in members:
                await member.start()
            load, took = Load(members), []
            async with asyncio.TaskGroup() as group:
                writers = [group.create_task(load.run(random.Random(chance.random()))) for _ in range(3)]  # noqa: S311
                epoch = 0
                for _ in range(times):
                    leader, epoch = await leader_of(members, after=epoch)
                    before = len(load.accepted)
                    async with asyncio.timeout(WITHIN_S):
                        while len(load.accepted) < before + chance.randint(1, 30):
                            await asyncio.sleep(0.01)
                    began = time.monotonic()
                    leader.engine.kill()
                    others = [member for member in members if member is not leader]
                    await leader_of(others, after=epoch)
                    took.append(time.monotonic() - began)
                    await leader.start()
                for writer in writers:
                    writer.cancel()
            await check(members, load)
        finally:
            for member in members:
                await asyncio.to_thread(member.engine.close)
    return took


def left_to_do(status: object) -> int:
    assert isinstance(status, FleetStatus)
    return sum(count for state, count in status.tasks.by_state.items() if state != "succeeded")


async def check(members: Sequence[Member], load: Load) -> None:
    """See that all that was accepted is done once, and that all engines have the same."""
    leader, _ = await leader_of(members)
    async with leader.operator() as operator:
        async with asyncio.timeout(WITHIN_S):
            while left_to_do(await operator.query("status")):
                await asyncio.sleep(0.1)
    async with asyncio.timeout(WITHIN_S):
        while len({seen.seq if (seen := await member.status()) else None for member in members}) > 1:
            await asyncio.sleep(0.1)
    found = []
    for member in members:
        async with member.operator() as operator:
            rows: Any = await operator.query("tasks", limit=100_000)
            found.append({row["id"]: (row["title"], row["state"]) for row in rows})
    assert found[0] == found[1] == found[2]
    assert {id_: name for name, id_ in load.accepted.items()}.items() <= {id_: title for id_, (title, _) in found[0].items()}.items()
    titles = [title for title, _ in found[0].values()]
    assert len(titles) == len(set(titles)), "a task was submitted twice"
    assert set(titles) - set(load.accepted) <= load.unknown, "what was refused is there"


@pytest.fixture
def root() -> Iterator[Path]:
    """A directory with a short name, so that sockets have a place in it."""
    with TemporaryDirectory(prefix="turns-") as folder:
        yield Path(folder)


async def test_leaders_are_killed_and_nothing_that_was_answered_is_lost_or_done_twice(root: Path) -> None:
    took = await kill_again_and_again(root, SHORT)
    assert len(took) == SHORT


@pytest.mark.slow
async def test_leaders_are_killed_for_long(root: Path) -> None:
    took = sorted(await kill_again_and_again(root, LONG))
    print(f"without a leader: median {took[len(took) // 2]:.2f} s, longest {took[-1]:.2f} s")
