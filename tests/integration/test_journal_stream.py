"""The journal that engines share, on real servers: written once, by who leads, whole or not at all, and read on from anywhere."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import pytest
from engine.clock import SystemClock
from engine.model.errors import (
    Fenced,
    JournalDiverged,
    JournalError,
    JournalGap,
    JournalTrimmed,
    JournalUncertain,
    OutcomeUnknown,
)
from engine.model.journal_entries import NOBODY, Entry, Leadership
from engine.redis.command_stream import CommandStream

from tests.integration.redis_servers import Sentinels, cluster, one_server, sentinels, until
from tests.integration.shared_journals import Side, entry, proxy, side


def numbers(found: object) -> list[tuple[int, int]]:
    assert isinstance(found, list | tuple)
    return [(one.first, one.last) for one in found]


async def refused_as_new(one: Side, by: Leadership, first: int) -> JournalError:
    """Return the error of an append of one record."""
    with pytest.raises(JournalError) as caught:
        await one.write(by, first)
    return caught.value


async def test_who_wrote_on_alone_finds_that_a_later_leader_wrote_less(tmp_path: Path) -> None:
    """Until the journal is as long as what it has, nothing else would tell; and it could lead, and write its own after that leader's."""
    async with one_server(tmp_path) as server, side({"url": server.url}, tmp_path) as one, side({"url": server.url}, tmp_path, "eng_b") as other:
        former = await one.lead()
        await one.write(former, 1, 3)
        await one.lease.release()
        by = await other.lead()
        assert await one.journal.read(5, by=former) == (), "the server lost the end: it is pushed again"
        await other.write(by, 4, 2)
        for alone in (5, 9):
            with pytest.raises(JournalDiverged, match="ends with record 5 by eng_b in epoch 2"):
                await one.journal.read(alone, by=former)
        assert await other.journal.read(5, by=by) == ()
        assert await other.journal.read(9, by=Leadership(3, "eng_c")) == (), "a leader whose records are all lost"
        assert await one.journal.read(9, by=NOBODY) == ()
        assert await one.journal.read(9) == ()


async def test_entries_are_read_as_they_were_written_and_waited_for(tmp_path: Path) -> None:
    async with one_server(tmp_path) as server, side({"url": server.url}, tmp_path) as one, side({"url": server.url}, tmp_path, "eng_b") as other:
        assert await one.journal.newest() == (0, NOBODY)
        assert await one.journal.read(0) == ()
        by = await one.lead()
        small = await one.write(by, 1, 3)
        large = entry(by, 4, 200, size=300, artifact=b"\x00payload" * 100, answers={"cmd_1": b'{"ok":1}', "cmd_2": b"[]"})
        await one.journal.append(large, deadline_s=5.0)
        found = await other.journal.read(0, by=NOBODY)
        assert [(got.records, got.texts, got.artifacts, dict(got.answers), got.by) for got in found] == [
            (sent.records, sent.texts, sent.artifacts, dict(sent.answers), by) for sent in (small, large)
        ]
        assert [got.previous for got in found] == [NOBODY, by]
        assert await other.journal.newest() == (203, by)
        assert numbers(await other.journal.read(3, by=by)) == [(4, 203)]
        async with asyncio.TaskGroup() as group:
            waiting = group.create_task(other.journal.read(203, by=by, wait_s=30.0))
            await one.write(by, 204)
        assert numbers(waiting.result()) == [(204, 204)]
        assert await other.journal.read(204, by=by, wait_s=0.05) == ()
        async with server.client() as client:
            assert await client.get("fleet:{local}:done:cmd_1") == '{"ok":1}'
            assert 0 < await client.pttl("fleet:{local}:done:cmd_2") <= 600_000


async def test_an_append_whose_answer_was_lost_counts_once(tmp_path: Path) -> None:
    async with one_server(tmp_path) as server, proxy(server.port) as way, side({"url": f"redis://127.0.0.1:{way.port}"}, tmp_path) as one:
        by = await one.lead()
        await one.write(by, 1)
        way.cuts = 2
        await one.write(by, 2, 5)
        assert (way.cuts, way.lost) == (0, 2)
        assert numbers(await one.journal.read(0, by=NOBODY)) == [(1, 1), (2, 6)]
        way.cuts = 1_000_000
        with pytest.raises(JournalUncertain, match="records 7 to 7 may be in the journal, or not"):
            await one.journal.append(entry(by, 7), deadline_s=0.3)
        way.cuts = 0
        assert numbers(await one.journal.read(6, by=by)) == [(7, 7)], "reading on tells that it is there"


async def test_only_who_leads_writes_and_only_what_goes_on(tmp_path: Path) -> None:
    async with one_server(tmp_path) as server, side({"url": server.url}, tmp_path) as one, side({"url": server.url}, tmp_path, "eng_b") as other:
        nobody = await refused_as_new(one, Leadership(1, "eng_a"), 1)
        assert isinstance(nobody, Fenced)
        first = await one.lead()
        written = await one.write(first, 1, 10)
        gap = await refused_as_new(one, first, 12)
        assert isinstance(gap, JournalGap)
        assert gap.last == 10
        assert isinstance(await refused_as_new(one, first, 10), JournalDiverged)
        assert await other.lease.take("eng_b") is None
        await one.lease.release()
        second = await other.lead()
        assert second.epoch == first.epoch + 1
        fenced = await refused_as_new(one, first, 11)
        assert isinstance(fenced, Fenced)
        assert (fenced.epoch, fenced.engine) == second
        await one.journal.append(written, deadline_s=1.0)  # it is there: whoever asks again hears that
        await other.write(second, 11, 2)
        assert numbers(await one.journal.read(0, by=NOBODY)) == [(1, 10), (11, 12)]
        assert (await one.journal.read(10, by=first))[0].previous == first
        with pytest.raises(JournalDiverged, match="after record 10 from what eng_a wrote, this engine has it from eng_x"):
            await one.journal.read(10, by=Leadership(1, "eng_x"))


async def test_records_that_were_lost_and_written_again_are_told_from_others(tmp_path: Path) -> None:
    """After a loss the journal is shorter than what a reader has; what comes then overlaps it."""
    async with one_server(tmp_path) as server, side({"url": server.url}, tmp_path) as one:
        by = await one.lead()
        await one.write(by, 1, 5)
        await one.write(by, 6, 4)
        assert numbers(await one.journal.read(7, by=by)) == [(8, 9)], "the same engine has written again what it had"
        with pytest.raises(JournalDiverged):
            await one.journal.read(7, by=Leadership(9, "eng_x"))


async def test_a_leader_writes_again_what_another_wrote_first(tmp_path: Path) -> None:
    async with one_server(tmp_path) as server, side({"url": server.url}, tmp_path) as one:
        by, former = await one.lead(), Leadership(0, "eng_gone")
        lost = entry(former, 1, 5)
        with pytest.raises(Fenced):
            await one.journal.append(lost, deadline_s=5.0)
        for _ in range(2):
            await one.journal.append(lost, deadline_s=5.0, fence=by)
        await one.write(by, 6)
        assert numbers(await one.journal.read(3, by=former)) == [(4, 5), (6, 6)], "who had some of it from the one that is gone goes on"


async def test_the_lease_goes_to_one_and_ends_by_itself(tmp_path: Path) -> None:
    async with one_server(tmp_path) as server, side({"url": server.url}, tmp_path) as one, side({"url": server.url}, tmp_path, "eng_b") as other:
        assert await one.lease.leader() is None
        assert one.lease.left_s() <= 0
        first = await one.lead()
        assert await one.lease.take("eng_a") == first.epoch, "asked again by its holder: the answer was lost"
        assert 0 < one.lease.left_s() <= 60.0
        assert await other.lease.leader() == ("eng_a", first.epoch)
        async with server.client() as client:
            await client.delete("fleet:{local}:lease")  # as when it runs out
        assert await other.lease.leader() is None
        await one.lease.renew()
        assert await other.lease.take("eng_b") is None, "nobody had taken it, so it goes on under its epoch"
        async with server.client() as client:
            await client.delete("fleet:{local}:lease")
        assert await other.lease.take("eng_b", above=40) == 41
        with pytest.raises(Fenced, match="eng_b leads, since epoch 41"):
            await one.lease.renew()
        assert one.lease.left_s() <= 0
        assert one.lease.held is None
        await other.lease.release()
        assert await other.lease.leader() is None
        assert isinstance(await refused_as_new(other, Leadership(41, "eng_b"), 1), Fenced)


async def test_functions_that_went_are_loaded_again(tmp_path: Path) -> None:
    async with one_server(tmp_path) as server, side({"url": server.url}, tmp_path) as one, server.client() as client:
        by = await one.lead()
        for number in range(1, 4):
            await client.execute_command("FUNCTION", "FLUSH")
            await one.write(by, number)
            await client.execute_command("SCRIPT", "FLUSH")
        assert await one.journal.tail() == 3


async def test_a_full_memory_is_said_and_leaves_nothing_half_written(tmp_path: Path) -> None:
    async with one_server(tmp_path, "--maxmemory-policy", "noeviction") as server, side({"url": server.url}, tmp_path) as one, server.client() as client:
        by = await one.lead()
        await one.write(by, 1)
        await client.config_set("maxmemory", 1)
        with pytest.raises(JournalError, match=re.escape("memory is full, and nothing was written; raise its maxmemory")) as caught:
            await one.journal.append(entry(by, 2, answers={"cmd_1": b"x"}), deadline_s=5.0)
        assert type(caught.value) is JournalError
        await one.lease.renew()  # who leads keeps it
        assert numbers(await one.journal.read(0)) == [(1, 1)]
        assert await client.exists("fleet:{local}:done:cmd_1") == 0
        await client.config_set("maxmemory", 0)
        await one.write(by, 2)
        assert await one.journal.tail() == 2


async def test_a_server_that_hangs_is_waited_for_and_then_doubted(tmp_path: Path) -> None:
    async with one_server(tmp_path) as server, side({"url": server.url, "command_timeout_s": 0.2}, tmp_path) as one:
        by = await one.lead()
        await one.write(by, 1)
        server.freeze()
        try:
            with pytest.raises(JournalUncertain, match="does not answer in time"):
                await one.journal.append(entry(by, 2), deadline_s=0.5)
            with pytest.raises(JournalError, match="does not answer in time"):
                await one.lease.renew()
        finally:
            server.resume()
        await one.write(by, 2)
        assert numbers(await one.journal.read(0, by=NOBODY)) == [(1, 1), (2, 2)]


async def test_what_was_removed_is_told_apart_from_what_is_not_there_yet(tmp_path: Path) -> None:
    async with one_server(tmp_path) as server, side({"url": server.url}, tmp_path) as one, server.client() as client:
        by = await one.lead()
        for first in (1, 3, 5):
            await one.write(by, first, 2)
        await client.xtrim("fleet:{local}:journal", minid="5-0", approximate=False)
        with pytest.raises(JournalTrimmed) as caught:
            await one.journal.read(2)
        assert caught.value.first == 5
        assert numbers(await one.journal.read(4)) == [(5, 6)]
        await client.hdel("fleet:{local}:leader", "last", "last_epoch", "last_engine")
        assert await one.journal.newest() == (6, by), "the journal itself tells, too"
        await client.xadd("fleet:{local}:journal", {"spam": "1"}, id="9-0")
        with pytest.raises(JournalError, match="the entry 9 of the journal in redis cannot be read"):
            await one.journal.read(6)


async def reads(one: Side, number: int) -> bool:
    """Answer whether the journal can be read and goes so far."""
    try:
        return await one.journal.tail() >= number
    except JournalError:
        return False


async def moved(group: Sentinels, old: int) -> bool:
    """Answer whether the master is another than the old one."""
    return await group.master_now() != old


async def write_on(one: Side, by: Leadership, first: int, *, stop: asyncio.Event) -> list[Entry]:
    """Write entries until told to stop, and return those that were acknowledged."""
    kept: list[Entry] = []
    while not stop.is_set():
        kept.append(await one.write(by, first, 3))
        first += 3
    return kept


async def test_with_replicated_nothing_acknowledged_is_lost_when_the_master_dies(tmp_path: Path) -> None:
    async with sentinels(tmp_path, replicas=2) as group, side(group.section(), tmp_path, durability="replicated") as one:
        by = await one.lead()
        stop = asyncio.Event()
        async with asyncio.TaskGroup() as tasks:
            writing = tasks.create_task(write_on(one, by, 1, stop=stop))
            await until(lambda: reads(one, 60), "it writes")
            group.master.kill()
            old = group.master.port
            await until(lambda: moved(group, old), "the Sentinels chose another master")
            await until(lambda: reads(one, 0), "it answers")
            reached = await one.journal.tail()
            await until(lambda: reads(one, reached + 9), "it is written there")
            stop.set()
        acknowledged = writing.result()
        found: list[Entry] = []
        while more := await one.journal.read(found[-1].last if found else 0, by=found[-1].by if found else NOBODY):
            found.extend(more)
        assert [(kept.first, kept.texts) for kept in found] == [(kept.first, kept.texts) for kept in acknowledged]


async def test_with_replicated_what_no_replica_has_is_not_acknowledged_also_when_asked_again(tmp_path: Path) -> None:
    async with sentinels(tmp_path, down_after_ms=60_000) as group, side(group.section(command_timeout_s=0.4), tmp_path, durability="replicated") as one:
        by = await one.lead()
        await one.write(by, 1)
        group.servers[1].freeze()
        try:
            with pytest.raises(JournalUncertain, match="the records 2 to 2 may be in the journal, or not"):
                await one.journal.append(entry(by, 2), deadline_s=2.0)  # asked several times, by whatever connection
        finally:
            group.servers[1].resume()
        await one.write(by, 2)
        assert await one.journal.tail() == 2


@pytest.mark.parametrize("durability", ["async", "replicated"])
async def test_in_a_cluster_it_goes_on_when_its_node_dies(tmp_path: Path, durability: str) -> None:
    async with cluster(tmp_path, replicas=1) as nodes, side(nodes.section(), tmp_path, durability=durability) as one:  # type: ignore[arg-type]
        by = await one.lead()
        await one.write(by, 1, 3)
        found = []
        for server in nodes.servers[:3]:
            async with server.client() as client:
                slot = await client.execute_command("CLUSTER", "KEYSLOT", "fleet:{local}:journal")
                found.append(await client.execute_command("CLUSTER", "COUNTKEYSINSLOT", slot))
        assert sorted(map(bool, found)) == [False, False, True], "all keys of a region live together"
        dead = nodes.servers[next(place for place, count in enumerate(found) if count)]
        dead.kill()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(one.write(by, 4, 3))
            await until(lambda: reads(one, 3), "another node serves its slots")
            await dead.start()  # as the replica that `replicated` waits for
        assert numbers(await one.journal.read(0, by=NOBODY)) == [(1, 3), (4, 6)]
        await one.lease.renew()


async def test_what_a_former_leader_answers_is_dropped_and_the_next_one_carries_the_call_out(tmp_path: Path) -> None:
    async with one_server(tmp_path) as server, side({"url": server.url}, tmp_path) as one, asyncio.TaskGroup() as group:
        former, then, asker = (CommandStream(one.link, "local", name, SystemClock()) for name in ("eng_former", "eng_then", "eng_asker"))
        taken, go_on = asyncio.Event(), asyncio.Event()
        asked: list[tuple[str, bytes, bool]] = []

        async def refuse(id_: str, call: bytes, *, is_again: bool) -> bytes:  # noqa: ARG001
            taken.set()
            await go_on.wait()
            return b"refused by the former"

        async def do(id_: str, call: bytes, *, is_again: bool) -> bytes:
            asked.append((id_, call, is_again))
            return b"done by the next"

        lease = one.lease
        assert await lease.take("eng_former") == 1
        parts = [group.create_task(asker.run()), group.create_task(former.serve(refuse, Leadership(1, "eng_former")))]
        answer = group.create_task(asker.ask("pln_1", b"scale", deadline_s=60))
        await taken.wait()
        await lease.release()
        assert await lease.take("eng_then") == 2
        go_on.set()
        parts.append(group.create_task(then.serve(do, Leadership(2, "eng_then"))))
        assert await answer == b"done by the next"
        assert asked == [("pln_1", b"scale", True)]
        for part in parts:
            part.cancel()


async def test_a_call_whose_outcome_is_not_known_is_looked_after_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.redis.command_stream.IDLE_S", 0.05)
    async with one_server(tmp_path) as server, side({"url": server.url}, tmp_path) as one, asyncio.TaskGroup() as group:
        stream = CommandStream(one.link, "local", "eng_a", SystemClock())
        tries: list[bool] = []

        async def do(id_: str, call: bytes, *, is_again: bool) -> bytes:  # noqa: ARG001
            tries.append(is_again)
            if not is_again:
                raise OutcomeUnknown("nobody answered the leader")
            return b"done"

        parts = [group.create_task(stream.run()), group.create_task(stream.serve(do, await one.lead()))]
        assert await stream.ask("pln_1", b"scale", deadline_s=60) == b"done"
        assert tries == [False, True]
        for part in parts:
            part.cancel()


async def test_a_call_is_withdrawn_unless_somebody_took_it(tmp_path: Path) -> None:
    async with one_server(tmp_path) as server, side({"url": server.url}, tmp_path) as one, server.client() as client:
        stream, commands = CommandStream(one.link, "local", "eng_a", SystemClock()), "fleet:{local}:commands"
        assert await stream._withdraw(await client.xadd(commands, {"i": "pln_1"})), "nobody ever led"
        assert await client.xlen(commands) == 0
        await client.xgroup_create(commands, "leader", id="0")
        taken, waits = await client.xadd(commands, {"i": "pln_2"}), await client.xadd(commands, {"i": "pln_3"})
        await client.xreadgroup("leader", "eng_b", {commands: ">"}, count=1)
        assert not await stream._withdraw(taken)
        assert await stream._withdraw(waits)
        assert [id_ for id_, _ in await client.xrange(commands)] == [taken]
        assert not await stream._withdraw(waits), "it is not there, so somebody ended it"


async def test_answers_that_were_read_do_not_stay_at_the_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.redis.command_stream.TRIM_BYTES", 1_000)
    async with one_server(tmp_path) as server, side({"url": server.url}, tmp_path) as one, server.client() as client, asyncio.TaskGroup() as group:
        stream = CommandStream(one.link, "local", "eng_a", SystemClock())

        async def answer(id_: str, call: bytes, *, is_again: bool) -> bytes:  # noqa: ARG001
            return call * 600

        parts = [group.create_task(stream.run()), group.create_task(stream.serve(answer, await one.lead()))]
        for number in range(8):
            assert len(await stream.ask(f"pln_{number}", b"x", deadline_s=60)) == 600

        async def is_short() -> bool:
            return bool(await client.xlen("fleet:{local}:answers:eng_a") <= 2)

        await until(is_short, "what was read is removed")
        for part in parts:
            part.cancel()
