"""Snapshots beside the journal that engines share, on real servers: whole or not there, and the journal trimmed only behind them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from engine.model.errors import Fenced, JournalError, JournalGap, JournalTrimmed
from engine.model.journal_entries import Leadership
from engine.redis.snapshots import CHUNK_BYTES

from tests.integration.redis_servers import cluster, one_server
from tests.integration.shared_journals import Side, side

RECORDS = 100_000
BATCH = 500
KEEP = 2_000


def database(folder: Path, data: bytes) -> Path:
    """Return a file as an engine's copy of its database."""
    file = folder / "copy.db"
    file.write_bytes(data)
    return file


def found_in(folder: Path, pattern: str) -> list[str]:
    """Return the names of files."""
    return [path.name for path in folder.glob(pattern)]


async def write_to(one: Side, by: Leadership, first: int, last: int) -> None:
    for number in range(first, last + 1, BATCH):
        await one.write(by, number, min(BATCH, last + 1 - number))


async def test_who_comes_new_has_snapshot_and_tail_and_the_journal_stays_small(tmp_path: Path) -> None:
    contents = os.urandom(3 * CHUNK_BYTES) + bytes(2 * CHUNK_BYTES)
    async with one_server(tmp_path) as server, side({"url": server.url}, tmp_path) as one, server.client() as client:
        by = await one.lead()
        assert await one.journal.get_snapshot(tmp_path / "new.db") == 0
        sizes, lengths = [], []
        for last in range(RECORDS // 5, RECORDS + 1, RECORDS // 5):
            former = last - RECORDS // 5
            await write_to(one, by, former + 1, last)
            await one.journal.trim(keep=KEEP)
            assert (await one.journal.read(former))[0].first == former + 1, "nothing is removed that no snapshot has"
            await one.journal.put_snapshot(last, database(tmp_path, contents + str(last).encode()), by=by)
            assert await one.journal.trim(keep=KEEP) > 0
            sizes.append(await client.memory_usage("fleet:{local}:journal", samples=0))
            lengths.append(await client.xlen("fleet:{local}:journal"))
        assert lengths == [KEEP // BATCH] * 5
        assert max(sizes) < 1.1 * min(sizes), sizes
        assert await one.journal.get_snapshot(tmp_path / "new.db") == RECORDS
        assert (tmp_path / "new.db").read_bytes() == contents + str(RECORDS).encode()
        assert await one.journal.read(RECORDS, by=by) == ()
        assert (await one.journal.read(RECORDS - KEEP, by=by))[0].first == RECORDS - KEEP + 1
        with pytest.raises(JournalTrimmed):
            await one.journal.read(RECORDS - KEEP - BATCH)
        assert await one.journal.trim(keep=0) == KEEP // BATCH - 1, "the newest entry stays"
        chunks = {key: await client.pttl(key) for key in await client.keys("fleet:{local}:snapshot:*")}
        of_newest = [left for key, left in chunks.items() if f":{RECORDS}." in key]
        assert of_newest == [-1] * 4
        assert all(0 < left <= 60_000 for key, left in chunks.items() if f":{RECORDS}." not in key), "the former ones end soon"


async def test_a_journal_without_entries_goes_on_from_a_snapshot(tmp_path: Path) -> None:
    async with cluster(tmp_path) as nodes, side(nodes.section(), tmp_path) as one, side(nodes.section(), tmp_path, "eng_b") as other:
        by = await one.lead()
        with pytest.raises(JournalGap):
            await one.write(by, 701)
        await one.journal.put_snapshot(700, database(tmp_path, b"history"), by=by)
        await one.journal.put_snapshot(600, database(tmp_path, b"older"), by=by)
        assert await other.journal.newest() == (700, by)
        with pytest.raises(JournalTrimmed) as caught:
            await other.journal.read(0)
        assert caught.value.first == 701
        await one.write(by, 701)
        assert await other.journal.get_snapshot(tmp_path / "new.db") == 700
        assert (tmp_path / "new.db").read_bytes() == b"history"
        assert [found.first for found in await other.journal.read(700, by=by)] == [701]


async def test_only_the_leader_makes_one_and_only_of_what_the_journal_has(tmp_path: Path) -> None:
    async with one_server(tmp_path) as server, side({"url": server.url}, tmp_path) as one:
        by = await one.lead()
        await one.write(by, 1, 5)
        file = database(tmp_path, b"x")
        with pytest.raises(Fenced):
            await one.journal.put_snapshot(5, file, by=Leadership(by.epoch, "eng_b"))
        with pytest.raises(JournalGap) as caught:
            await one.journal.put_snapshot(6, file, by=by)
        assert caught.value.last == 5
        assert await one.journal.get_snapshot(tmp_path / "new.db") == 0


async def test_a_snapshot_that_is_not_whole_is_said_and_leaves_no_file(tmp_path: Path) -> None:
    async with one_server(tmp_path) as server, side({"url": server.url}, tmp_path) as one, server.client() as client:
        by = await one.lead()
        await one.write(by, 1, 5)
        await one.journal.put_snapshot(5, database(tmp_path, os.urandom(CHUNK_BYTES)), by=by)
        second, target = f"fleet:{{local}}:snapshot:5.{by.epoch}:1", tmp_path / "new.db"
        await client.append(second, "more")
        with pytest.raises(JournalError, match="the snapshot of record 5 in redis is not what was written"):
            await one.journal.get_snapshot(target)
        await client.set(f"fleet:{{local}}:snapshot:5.{by.epoch}:0", "spam")
        with pytest.raises(JournalError, match="the snapshot of record 5 in redis cannot be unpacked"):
            await one.journal.get_snapshot(target)
        await client.delete(second, f"fleet:{{local}}:snapshot:5.{by.epoch}:0")
        with pytest.raises(JournalError, match="was replaced 3 times while it was read"):
            await one.journal.get_snapshot(target)
        await one.write(by, 6)
        await one.journal.put_snapshot(6, database(tmp_path, b"y"), by=by)
        with pytest.raises(JournalError, match="No such file or directory; make room, or correct the path"):
            await one.journal.get_snapshot(tmp_path / "nowhere" / "new.db")
        assert found_in(tmp_path, "new*") == []
