"""The replica of a region's journal at another region's server, on real servers."""

from __future__ import annotations

from pathlib import Path

from engine.clock import SystemClock
from engine.model.journal_entries import Leadership
from engine.redis.functions import Functions
from engine.redis.link import RedisLink
from engine.redis.region_replica import Replica

from tests.integration.redis_servers import one_server
from tests.integration.shared_journals import REGION, Side, side


class Raced(Replica):
    """A replica whose region writes in the moment between what it reads and where it looks how far the journal goes."""

    writes: Side
    by: Leadership

    async def _end(self, functions: Functions, link: RedisLink) -> tuple[int, Leadership]:
        if link is self._source:
            newest, _ = await self.writes.journal.newest()
            await self.writes.write(self.by, newest + 1)
        return await super()._end(functions, link)


async def test_a_record_that_comes_while_a_replica_looks_how_far_it_is_does_not_make_it_begin_anew(tmp_path: Path) -> None:
    for name in ("there", "here"):
        (tmp_path / name).mkdir()
    async with (
        one_server(tmp_path / "there") as there, one_server(tmp_path / "here") as here,
        side({"url": there.url}, tmp_path) as region, side({"url": here.url}, tmp_path) as peer, side({"url": there.url}, tmp_path) as way,
    ):  # fmt: skip
        replica = Raced(REGION, "peer", way.link, peer.link, SystemClock(), is_original=True)
        replica.writes, replica.by = region, await region.lead()
        await region.write(replica.by, 1, 3)
        assert not await replica.step(0.0)
        assert replica.tail == 3
        before = replica.whole_at
        assert not await replica.step(0.0), "record 4 came as it looked"
        assert (replica.restarts, replica.whole_at) == (0, before), "and what it has not it does not say that it has"
        assert not await replica.step(0.0)
        assert (replica.tail, replica.restarts) == (4, 0)
        assert replica.whole_at > before
