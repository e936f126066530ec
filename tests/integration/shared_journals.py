"""Links, entries and a proxy for tests of what engines share through Redis."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

from engine.clock import SystemClock
from engine.model import wire
from engine.model.artifacts import StoredArtifact
from engine.model.events import Record
from engine.model.journal_entries import Entry, Leadership
from engine.model.pool_events import PoolScaled
from engine.model.redis_config import RedisSection
from engine.redis.journal_stream import Durability, JournalStream
from engine.redis.lease import Lease
from engine.redis.link import RedisLink

REGION = "local"


class Side:
    """One engine's parts: its link, and the journal and the lease by it."""

    def __init__(self, link: RedisLink, engine: str, *, durability: Durability = "async", lease_s: float = 60.0) -> None:
        clock = SystemClock()
        self.link, self.engine = link, engine
        self.journal = JournalStream(link, REGION, clock, durability=durability)
        self.lease = Lease(link, REGION, clock, lease_s=lease_s)

    async def lead(self) -> Leadership:
        """Take the lease, which must be free."""
        epoch = await self.lease.take(self.engine)
        assert epoch is not None, await self.lease.leader()
        return Leadership(epoch, self.engine)

    async def write(self, by: Leadership, first: int, count: int = 1, *, size: int = 10) -> Entry:
        """Append records by somebody and return the entry."""
        made = entry(by, first, count, size=size)
        await self.journal.append(made, deadline_s=20.0)
        return made


@contextlib.asynccontextmanager
async def side(section: Mapping[str, object] | str, root: Path, engine: str = "eng_a", durability: Durability = "async") -> AsyncIterator[Side]:
    """Open the parts of an engine."""
    link = RedisLink(RedisSection.model_validate(section), root, SystemClock(), {})
    try:
        await link.open()
        yield Side(link, engine, durability=durability)
    finally:
        await link.close()


def entry(by: Leadership, first: int, count: int = 1, *, size: int = 10, artifact: bytes = b"", answers: Mapping[str, bytes] | None = None) -> Entry:
    """Return an entry of records from a number on."""
    events = [PoolScaled("work", number, "x" * size) for number in range(first, first + count)]
    records = tuple(Record(event.size, 1_000.0 + event.size, "ada", event) for event in events)
    artifacts = (StoredArtifact("art_1", "text/plain", artifact, "tsk_1"),) if artifact else ()
    return Entry(by.epoch, by.engine, records, tuple(map(wire.encode, events)), artifacts, answers or {})


class Proxy:
    """A way to a server that can lose answers: what is sent arrives, and the connection is gone before the answer."""

    def __init__(self, port: int, target: int) -> None:
        self.port, self._target = port, target
        self.cuts = 0
        """Calls whose answers are lost from now on."""
        self.lost = 0

    async def pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection."""
        theirs, ours = await asyncio.open_connection("127.0.0.1", self._target)
        try:
            while data := await reader.read(1 << 20):
                ours.write(data)
                await ours.drain()
                answer = await theirs.read(1 << 20)
                if self.cuts and b"journal_append" in data:
                    self.cuts, self.lost = self.cuts - 1, self.lost + 1
                    return
                writer.write(answer)
                await writer.drain()
        except OSError:
            return
        finally:
            ours.close()
            writer.close()


@contextlib.asynccontextmanager
async def proxy(target: int) -> AsyncIterator[Proxy]:
    """Run a proxy before the server at a port."""
    made = Proxy(0, target)
    listener = await asyncio.start_server(made.pass_on, "127.0.0.1", 0)
    made.port = listener.sockets[0].getsockname()[1]
    try:
        yield made
    finally:
        listener.close()
