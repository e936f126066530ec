"""Engines that share a fleet: one leads, the others follow, and one of them leads when it is gone."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from engine import FleetManager
from engine.model.data_commands import BackUpFleet
from engine.model.errors import CommandRefused, JournalError, ReadOnly
from engine.model.fleet_commands import StopEngine, UndoPlan
from engine.model.pool_commands import ScalePool
from engine.model.task_commands import SubmitTask
from engine.model.tasks import TaskState
from engine.redis.command_stream import CommandStream
from engine.redis.journal_stream import JournalStream

from tests.integration.engines import EngineProcess
from tests.integration.engines import until as wait_for
from tests.integration.redis_servers import Server, one_server

LEASE_S = 4
"""A busy machine may stand still for two seconds, which is the usual lease."""
POOLS = {"coder": {"min": 2, "max": 8, "handler": "tests.integration.light_handlers:describe"}}


@contextlib.asynccontextmanager
async def member(server: Server, root: Path, *, more: Mapping[str, Any] | None = None, **redis: object) -> AsyncIterator[FleetManager]:
    """Run one of several engines of a fleet; `more` are other sections of its configuration."""
    config: dict[str, Any] = {"fleet": {"default_pools": POOLS}, "redis": {"url": server.url, "share": True, "lease_s": LEASE_S, **redis}, **(more or {})}
    (root / "state").mkdir(parents=True, exist_ok=True)
    async with FleetManager(config, directory=root, state_dir=root / "state", socket=root / "s") as made:
        yield made


async def until(condition: Callable[[], object], *, within_s: float = 60.0) -> None:
    async with asyncio.timeout(within_s):
        while not condition():  # noqa: ASYNC110  # of an engine that knows no test
            await asyncio.sleep(0.02)


def turns(one: FleetManager) -> Any:  # noqa: ANN401
    assert one.turns is not None
    return one.turns


async def test_one_leads_and_the_other_has_all_that_it_decides(tmp_path: Path) -> None:
    async with one_server(tmp_path) as server, member(server, tmp_path / "a") as first, member(server, tmp_path / "b") as second:
        assert turns(first).standing.leads
        assert not turns(second).standing.leads
        assert (turns(second).standing.leader, turns(second).standing.epoch) == (turns(first).standing.leader, 1)
        answer = await first.operator().execute([SubmitTask("echo", "coder", payload={"n": n}) for n in range(20)])
        await until(lambda: first.coordinator.state.totals.succeeded >= 20)
        await until(lambda: second.coordinator.state.seq >= first.coordinator.state.seq)
        assert second.coordinator.state.totals == first.coordinator.state.totals
        assert {id_: second.coordinator.state.tasks[id_].state for id_ in answer.values} == dict.fromkeys(answer.values, TaskState.SUCCEEDED)
        second.coordinator.check()


async def test_every_engine_of_a_fleet_is_listed_by_each_and_one_that_was_killed_is_silent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.redis.members.TELL_S", 0.05)
    monkeypatch.setattr("engine.redis.members.SILENT_S", 0.5)
    async with one_server(tmp_path) as server, member(server, tmp_path / "a") as first:
        (tmp_path / "c").mkdir()
        killed = EngineProcess(tmp_path / "c", f'[redis]\nurl = "{server.url}"\nshare = true\n')
        try:
            await asyncio.to_thread(killed.start)
            async with member(server, tmp_path / "b") as second:
                for one in (first, second):
                    await until(lambda one=one: len(one.roll.rows()) == 3)  # type: ignore[misc]
                    roles = {row.id: (row.role, row.epoch, row.is_asked) for row in one.roll.rows().values()}
                    assert roles[first.engine_id] == ("leads", 1, one is first)
                    assert roles[second.engine_id] == ("stands by", 0, one is second)
                killed.kill()
                await until(lambda: [row.pid for row in first.roll.rows().values() if row.role == "silent" and row.heard_at] == [killed.pid])
                listed = {row["id"] for row in await second.operator().query("engines")}
                assert listed == set(first.roll.rows())
            await until(lambda: second.engine_id not in first.roll.rows())
        finally:
            killed.close()


async def test_a_standby_leads_when_the_leader_stops_and_goes_on_with_its_work(tmp_path: Path) -> None:
    async with one_server(tmp_path) as server, contextlib.AsyncExitStack() as stack:
        first = await stack.enter_async_context(member(server, tmp_path / "a"))
        async with member(server, tmp_path / "b") as second:
            await first.operator().execute([ScalePool("coder", "3")])
            before = first.coordinator.state.seq
            await stack.aclose()
            await until(lambda: turns(second).standing.leads)
            assert second.coordinator.state.seq > before
            assert second.coordinator.state.pools["coder"].size == 3
            answer = await second.operator().execute([SubmitTask("echo", "coder")])
            await until(lambda: second.coordinator.state.tasks[answer.values[0]].state is TaskState.SUCCEEDED)
            assert turns(second).epoch >= 2, "more where a busy machine let the lease run out"
        async with member(server, tmp_path / "a") as first:
            assert turns(first).epoch == 3
            assert first.coordinator.state.tasks[answer.values[0]].state is TaskState.SUCCEEDED


async def test_a_standby_acts_through_the_leader_and_shows_what_came_of_it(tmp_path: Path) -> None:
    async with one_server(tmp_path) as server, member(server, tmp_path / "a") as first, member(server, tmp_path / "b") as second:
        operator = second.operator()
        plan = await operator.plan([ScalePool("coder", "4")], reason="more to do")
        answer = await operator.execute(plan.id)
        assert second.coordinator.state.pools["coder"].size == 4  # it has it when it says so
        assert first.coordinator.state.pools["coder"].size == 4
        await operator.execute([UndoPlan(answer.plan)])
        assert second.coordinator.state.pools["coder"].size == 2
        with pytest.raises(CommandRefused, match="99 is outside"):
            await operator.execute([ScalePool("coder", "99")])
        assert {row["name"] for row in await operator.query("metrics")} > {"queue_depth"}  # type: ignore[attr-defined]
        assert first.coordinator.state.seq == second.coordinator.state.seq


JOURNAL, LEADER, PAST = "fleet:{local}:journal", "fleet:{local}:leader", "fleet:{local}:past"


async def remember(server: Server) -> dict[str, str]:
    """Have a copy of the journal, and return what tells its end."""
    async with server.client() as client:
        await client.copy(JOURNAL, PAST)
        names = ("last", "last_epoch", "last_engine")
        return dict(zip(names, await client.hmget(LEADER, names), strict=True))  # type: ignore[arg-type]


async def lose_since(server: Server, past: dict[str, str]) -> None:
    """Have the journal end where it was remembered, as after a fail-over to a replica that was behind."""
    async with server.client() as client:
        await client.copy(PAST, JOURNAL, replace=True)
        await client.hset(LEADER, mapping=past)  # type: ignore[arg-type]


async def answers_kept(server: Server, *, forget: bool = False) -> dict[str, bytes]:
    """Return the answers to calls of other engines that the server has, by the call's id; it has them no more then, if wanted."""
    async with server.client() as client:
        found = {key: (await client.get(key)).encode() for key in await client.keys("fleet:{local}:done:*")}
        if forget:
            await client.unlink(*found)
        return {key.rpartition(":")[2]: answer for key, answer in found.items()}


async def test_what_the_shared_journal_lost_is_written_again_by_who_leads_and_followed_by_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[CommandStream, str, bytes]] = []
    ask = CommandStream.ask

    async def noting(stream: CommandStream, id_: str, call: bytes, *, deadline_s: float) -> bytes:
        asked.append((stream, id_, call))
        return await ask(stream, id_, call, deadline_s=deadline_s)

    monkeypatch.setattr(CommandStream, "ask", noting)
    async with one_server(tmp_path) as server, contextlib.AsyncExitStack() as stack:
        first = await stack.enter_async_context(member(server, tmp_path / "a"))
        async with member(server, tmp_path / "b") as second, member(server, tmp_path / "c") as third:
            await first.operator().execute([ScalePool("coder", "3")])
            past = await remember(server)
            await first.operator().execute([ScalePool("coder", "4")])
            await stack.aclose()
            await until(lambda: turns(second).standing.leads or turns(third).standing.leads)
            leader, other = (second, third) if turns(second).standing.leads else (third, second)
            await other.operator().execute([ScalePool("coder", "+1")])  # carried out by the leader
            await until(lambda: other.coordinator.state.seq >= leader.coordinator.state.seq)
            await lose_since(server, past)
            answers = await answers_kept(server, forget=True)
            [(stream, id_, call)] = asked
            assert await ask(stream, id_, call, deadline_s=60.0) == answers[id_], "it is one call, whatever the server has lost"
            assert other.journal.answer_to(id_) == answers[id_], "who leads next knows it, too"  # type: ignore[attr-defined]  # they share it
            await leader.operator().execute([ScalePool("coder", "+1")])
            assert await answers_kept(server) == answers
            async with member(server, tmp_path / "a") as again:  # it has what the first leadership wrote to its end
                for one in (other, again):
                    await until(lambda one=one: one.coordinator.state.seq >= leader.coordinator.state.seq)  # type: ignore[misc]
                    assert one.coordinator.state.pools["coder"].size == 6
                    one.coordinator.check()


async def test_a_standby_is_stopped_and_backed_up_itself(tmp_path: Path) -> None:
    async with one_server(tmp_path) as server, member(server, tmp_path / "a") as first, member(server, tmp_path / "b") as second:
        operator = second.operator()
        backup = await operator.execute([BackUpFleet("copy")])
        assert Path(str(backup.values[0])).is_relative_to(tmp_path / "b")
        plan = await operator.plan([StopEngine()])
        await operator.execute(plan.id)
        async with asyncio.timeout(60):
            await second.wait_stopped()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0):
                await first.wait_stopped()


async def test_without_its_server_an_engine_does_not_start_and_says_why(tmp_path: Path) -> None:
    async with one_server(tmp_path) as server:
        server.kill()
        with pytest.raises(JournalError, match="redis cannot be reached .* start it, or write url = .embedded."):
            async with member(server, tmp_path / "a"):
                pass


async def first_kept(server: Server) -> int:
    """Return the last record of the oldest entry that the shared journal has."""
    async with server.client() as client:
        first_id = await client.eval("return redis.call('XRANGE', KEYS[1], '-', '+', 'COUNT', 1)[1][1]", 1, JOURNAL)  # type: ignore[misc]
    return int(first_id.partition("-")[0])


async def work_until_kept(fleet: FleetManager, server: Server, above: int) -> None:
    """Have a leader work until its journal begins after a record."""
    async with asyncio.timeout(60):
        while await first_kept(server) <= above:
            await fleet.operator().execute([SubmitTask("echo", "coder") for _ in range(20)])
    await until(lambda: all(task.state is TaskState.SUCCEEDED for task in fleet.coordinator.state.tasks.values()))


@pytest.fixture
def short_journal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.memory.shared_journal.SNAPSHOT_RECORDS", 50)
    monkeypatch.setattr("engine.memory.shared_journal.KEPT_RECORDS", 40)
    monkeypatch.setattr("engine.turns.SNAPSHOT_LOOK_S", 0.05)


@pytest.mark.usefixtures("short_journal")
async def test_the_leader_makes_snapshots_and_who_comes_new_begins_there(tmp_path: Path) -> None:
    async with one_server(tmp_path) as server, member(server, tmp_path / "a") as first:
        await work_until_kept(first, server, 50)
        async with member(server, tmp_path / "b") as second:
            await until(lambda: second.coordinator.state.seq == first.coordinator.state.seq)
            assert second.coordinator.state.totals == first.coordinator.state.totals
            second.coordinator.check()


@pytest.mark.usefixtures("short_journal")
async def test_a_snapshot_that_is_replaced_just_after_it_was_read_is_read_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[int] = []

    async def get_and_dawdle(stream: JournalStream, target: Path) -> int:
        read.append(await get(stream, target))
        if len(read) == 1:
            await work_until_kept(first, server, read[0] + 300)  # an entry has many records
        return read[-1]

    get = JournalStream.get_snapshot
    async with one_server(tmp_path) as server, member(server, tmp_path / "a") as first:
        await work_until_kept(first, server, 50)
        monkeypatch.setattr(JournalStream, "get_snapshot", get_and_dawdle)
        async with member(server, tmp_path / "b") as second:
            assert read[0] < read[1]
            await until(lambda: second.coordinator.state.seq == first.coordinator.state.seq)
            assert second.coordinator.state.totals == first.coordinator.state.totals


@pytest.mark.usefixtures("short_journal")
async def test_a_standby_that_was_away_for_too_long_begins_anew_and_follows(tmp_path: Path) -> None:
    async with one_server(tmp_path) as server, member(server, tmp_path / "a") as first:
        (tmp_path / "b").mkdir()
        standby = EngineProcess(tmp_path / "b", f'[redis]\nurl = "{server.url}"\nshare = true\n')
        try:
            await asyncio.to_thread(standby.start)
            assert standby.process is not None
            before = first.coordinator.state.seq
            standby.process.send_signal(signal.SIGSTOP)
            await work_until_kept(first, server, before + 300)
            standby.process.send_signal(signal.SIGCONT)
            last = first.coordinator.state.seq

            def has_all() -> bool:
                found = standby.run("get", "status", "-o", "json")
                return found.returncode == 0 and json.loads(found.stdout)["seq"] >= last

            await asyncio.to_thread(wait_for, has_all)
            logs = [file.read_text("utf-8") for file in (tmp_path / "b" / "state").rglob("*.log")]
            assert any("begins anew" in log for log in logs)
        finally:
            standby.close()


async def test_while_the_server_is_away_nobody_writes_and_then_all_go_on(tmp_path: Path) -> None:
    async with one_server(tmp_path, "--appendonly", "yes") as server, member(server, tmp_path / "a") as first, member(server, tmp_path / "b") as second:
        epoch = turns(first).epoch
        server.kill()
        with pytest.raises(ReadOnly, match="not done|not known"):
            await first.operator().execute([ScalePool("coder", "3")])
        await until(lambda: turns(second).standing.fault)
        assert "no engine leads" in second.status().read_only
        await server.start()
        await until(lambda: not first.coordinator.read_only)
        await first.operator().execute([ScalePool("coder", "4")])
        await until(lambda: second.coordinator.state.pools["coder"].size == 4)
        assert turns(first).epoch == turns(second).standing.epoch == epoch, "it went on, and nothing was run again"


async def test_a_leader_that_was_replaced_stands_by_and_can_lead_again(tmp_path: Path) -> None:
    lease: dict[str, object] = {"lease_s": 6}  # it is noticed in a third of that, before anybody else takes it
    async with one_server(tmp_path) as server, member(server, tmp_path / "a", **lease) as first, member(server, tmp_path / "b", **lease) as second:
        async with server.client() as client:
            first_id = await client.get("fleet:{local}:lease")
            # As if it had been frozen for longer than its lease: another one has it.
            await client.hset("fleet:{local}:leader", "engine", "eng_other")
            await until(lambda: not turns(first).standing.leads)
            await client.delete("fleet:{local}:lease")
        await until(lambda: turns(first).standing.leads or turns(second).standing.leads)
        leads, follows = (first, second) if turns(first).standing.leads else (second, first)
        assert turns(leads).epoch >= 2, first_id
        answer = await follows.operator().execute([SubmitTask("echo", "coder")])
        await until(lambda: follows.coordinator.state.tasks[answer.values[0]].state is TaskState.SUCCEEDED)


async def test_a_file_that_belongs_to_another_fleet_is_set_aside(tmp_path: Path) -> None:
    async with FleetManager({"fleet": {"default_pools": {"tester": {"min": 1, "max": 1}}}}, state_dir=_made(tmp_path / "b" / "state")) as alone:
        await alone.operator().execute([ScalePool("tester", "1")])
    async with one_server(tmp_path) as server, member(server, tmp_path / "a") as first:
        await first.operator().execute([SubmitTask("echo", "coder") for _ in range(50)])
        async with member(server, tmp_path / "b") as second:
            await until(lambda: second.coordinator.state.seq == first.coordinator.state.seq)
            assert set(second.coordinator.state.pools) == set(first.coordinator.state.pools)
        assert [path.suffix for path in (tmp_path / "b" / "state").glob("fleet.db.aside-*") if "-wal" not in path.name]


async def test_a_fleet_that_was_alone_is_shared_from_what_it_has(tmp_path: Path) -> None:
    async with FleetManager({"fleet": {"default_pools": POOLS}}, state_dir=_made(tmp_path / "a" / "state")) as alone:
        answer = await alone.operator().execute([SubmitTask("echo", "coder")])
    async with one_server(tmp_path) as server, member(server, tmp_path / "a") as first, member(server, tmp_path / "b") as second:
        assert answer.values[0] in first.coordinator.state.tasks
        await until(lambda: second.coordinator.state.seq == first.coordinator.state.seq)
        assert answer.values[0] in second.coordinator.state.tasks


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True)
    return folder
