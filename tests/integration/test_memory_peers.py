"""Engines that keep their memories in step: over real sockets, through kills, with peers that are away."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from engine import FleetManager, SwarmMemory
from engine.memory.envelopes import PREFIX
from engine.model.errors import (
    Conflict,
    Denied,
    EncryptionError,
    EngineUnavailable,
    NotFound,
    Tampered,
    UsageError,
)
from engine.model.fleet_commands import RedoPlan, UndoPlan
from engine.model.memory_commands import (
    EraseOwner,
    ResolveConflict,
    RestoreEntry,
    SynchronizeMemory,
)
from engine.model.plans import Origin
from engine.model.replication import START
from fleet_tui.settings import find_paths

from tests.integration.engines import EngineProcess, engine, until


@asynccontextmanager
async def pair(tmp_path: Path, *sections: dict[str, Any]) -> AsyncIterator[list[SwarmMemory]]:
    """Run engines of which the first names the others as its peers."""
    sockets = [tmp_path / f"{place}" / "engine.sock" for place in range(len(sections))]
    async with AsyncExitStack() as stack:
        memories = []
        for place in reversed(range(len(sections))):
            sockets[place].parent.mkdir(mode=0o700)
            (tmp_path / f"state{place}").mkdir()
            peers = {"peers": list(map(str, sockets[1:])), "sync_interval_s": 3_600} if place == 0 else {}
            config = {"fleet": {"default_pools": False}, "memory": {**peers, **sections[place]}}
            fleet = FleetManager(config, directory=tmp_path, state_dir=tmp_path / f"state{place}", socket=sockets[place])
            await stack.enter_async_context(fleet)
            memories.append(SwarmMemory(fleet=fleet))
        while any(not state.tried_at for state in memories[-1].fleet.remembering.exchanging.states()):  # the first exchange, at the start
            await asyncio.sleep(0.01)
        yield memories[::-1]


async def told(memory: SwarmMemory) -> str:
    return (await memory.fleet.operator().execute([SynchronizeMemory()])).summary


async def rows(memory: SwarmMemory, what: str = "conflicts", **asked: object) -> Any:
    return await memory.fleet.operator().query(what, **asked)


@pytest.mark.row(195, 198)
async def test_two_engines_update_each_other_at_once_by_verb(tmp_path: Path) -> None:
    async with pair(tmp_path, {}, {}) as (one, two):
        await one.store("plan", {"a": 1}, {"level": "team"})
        await one.store("large", "x" * 50_000)
        await two.store("notes", [1, 2])
        assert await told(one) == f"{tmp_path}/1/engine.sock: 1 entries came, 2 went"
        for memory in (one, two):
            assert [head.id.key for head in await memory.list()] == ["large", "notes", "plan"]
            assert await memory.retrieve("large") == "x" * 50_000
        await two.delete("plan")
        await told(one)
        with pytest.raises(NotFound):
            await one.retrieve("plan")
        assert await told(one) == f"{tmp_path}/1/engine.sock: 0 entries came, 0 went"
        [peer] = await rows(one, "peers")
        assert (peer["taken"], peer["given"], peer["problem"]) == (2, 2, "")
        assert abs(peer["skew_s"]) < 5


@pytest.mark.row(198)
async def test_conflicts_are_listed_shown_and_settled(tmp_path: Path) -> None:
    async with pair(tmp_path, {}, {}) as (one, two):
        await one.store("plan", "ours", {"level": "swarm"})
        await two.store("plan", "theirs", {"level": "swarm"})
        await told(one)
        for memory in (one, two):
            assert memory.fleet.status().conflicts == 1
            assert await memory.retrieve("plan") == "theirs"
            [row] = await rows(memory)
            assert (row["key"], row["won_version"], row["lost_version"], row["may_resolve"]) == ("plan", 1, 1, True)
        sheet = await rows(one, "conflict", id=row["id"])
        assert [json.loads(side["value"]["text"]) for side in sheet["sides"]] == ["theirs", "ours"]
        plan = await one.fleet.operator().plan([ResolveConflict("plan", take="1")])
        assert "what lost is taken; 1 conflict settled here and at all peers" in plan.steps[0].effect
        await one.fleet.operator().execute(plan.id)
        assert await one.retrieve("plan") == "ours"
        await told(one)
        assert await two.retrieve("plan") == "ours"
        assert await rows(one) == await rows(two) == []
        assert one.fleet.status().conflicts == two.fleet.status().conflicts == 0


async def test_undo_of_settling_opens_the_conflict_again_at_all_peers(tmp_path: Path) -> None:
    async with pair(tmp_path, {}, {}) as (one, two):
        await one.store("plan", "ours", {"level": "swarm"})
        await two.store("plan", "theirs", {"level": "swarm"})
        await told(one)
        [row] = await rows(one)
        done = await one.fleet.operator().execute([ResolveConflict("plan", take="1")])
        await told(one)
        for _ in range(2):
            plan = await one.fleet.operator().plan([UndoPlan(done.plan)])
            assert "1 conflict open again, here and at all peers" in plan.steps[0].effect
            await one.fleet.operator().execute(plan.id)
            await told(one)
            for memory in (one, two):
                assert await memory.retrieve("plan") == "theirs"
                assert memory.fleet.status().conflicts == 1
                sheet = await rows(memory, "conflict", id=row["id"])
                assert [json.loads(side["value"]["text"]) for side in sheet["sides"]] == ["theirs", "ours"]
            await one.fleet.operator().execute([RedoPlan(done.plan)])
            await told(one)
            for memory in (one, two):
                assert await memory.retrieve("plan") == "ours"
                assert await rows(memory) == []
        await one.fleet.operator().execute([UndoPlan(done.plan)])
        await told(one)
        await two.resolve("plan", value="both")
        await told(one)
        assert await one.retrieve("plan") == "both"
        assert await rows(one) == await rows(two) == []


async def test_a_conflict_is_opened_once_and_only_as_somebody_settled_it(tmp_path: Path) -> None:
    async with pair(tmp_path, {}, {}) as (one, two):
        await one.store("plan", "ours")
        await two.store("plan", "x" * 40_000)
        await told(one)
        done = await one.fleet.operator().execute([ResolveConflict("plan", value="both")])
        [answer] = done.values
        again = RestoreEntry("plan", answer.previous, conflicts=answer.conflicts)
        with pytest.raises(NotFound, match=f"record {answer.record} settled no conflict of .*/plan"):
            await one.fleet.operator().execute([RestoreEntry("plan", answer.previous, conflicts=answer.record)])
        await one.fleet.operator().execute([again])
        assert await one.retrieve("plan") == "x" * 40_000
        with pytest.raises(Conflict, match="are open again already; settle these first"):
            await one.fleet.operator().execute([again])
        me = one.fleet.operator().origin.who
        await one.fleet.operator().execute([EraseOwner(me)], confirm=me)
        with pytest.raises(NotFound, match=f"record {answer.conflicts} settled no conflict|not kept any more"):
            await one.fleet.operator().execute([RestoreEntry("plan", 0, conflicts=answer.conflicts)])



async def test_programs_exchange_look_at_conflicts_and_settle_them(tmp_path: Path) -> None:
    async with pair(tmp_path, {}, {}) as (one, two):
        await one.store("plan", "ours")
        await two.store("plan", "theirs")
        assert "1 entries came" in await one.synchronize()
        [found] = await one.conflicts()
        assert (found["key"], found["lost_version"]) == ("plan", 1)
        with pytest.raises(UsageError, match="no version '9' lost"):
            await one.resolve("plan", take="9")
        await one.resolve("plan", value={"both": True})
        await one.synchronize()
        assert await two.retrieve("plan") == {"both": True}
        assert await two.conflicts() == []
        with pytest.raises(NotFound, match="no conflict"):
            await one.resolve("plan")


async def test_only_administrators_may_exchange(tmp_path: Path) -> None:
    async with pair(tmp_path, {}) as (one,):
        for role in (0, 1):
            gate = one.fleet.operator(Origin("ann", "api", "", role))
            with pytest.raises(Denied):
                await gate.changes_since(START)
            with pytest.raises(Denied):
                await gate.offer(await one.fleet.operator().changes_since(START))
        with pytest.raises(NotFound, match="there are no peers: name them in"):
            await told(one)


async def test_a_batch_with_another_secret_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLEET_SYNC_SECRET", "ours")
    async with pair(tmp_path, {}, {}) as (one, two):
        await two.store("plan", "theirs")
        one.fleet.remembering.exchanging.replica._secret = b"another"  # noqa: SLF001
        with pytest.raises(Tampered, match="FLEET_SYNC_SECRET"):
            await told(one)
        assert await one.list() == []


async def test_sealed_values_travel_sealed_between_engines_of_one_wrapping_key(tmp_path: Path) -> None:
    sealed = {"encryption": {"key_file": str(tmp_path / "keys.json")}}
    async with pair(tmp_path, sealed, sealed) as (one, two):
        await one.store("plan", "secret of ours")
        await one.store("large", "s" * 30_000)
        await two.store("plan", "secret of theirs")
        batch = await one.fleet.operator().changes_since(START)
        assert all(bytes(carried.value).startswith(PREFIX) for versions in batch.entries for carried in versions)
        assert b"secret" not in b"".join(bytes(carried.value) for versions in batch.entries for carried in versions)
        await told(one)
        for memory in (one, two):
            assert await memory.retrieve("plan") == "secret of theirs"
            assert await memory.retrieve("large") == "s" * 30_000
            [row] = await rows(memory)
            sheet = await rows(memory, "conflict", id=row["id"])
            assert json.loads(sheet["sides"][1]["value"]["text"]) == "secret of ours"


async def test_what_one_keeps_plain_the_other_seals(tmp_path: Path) -> None:
    async with pair(tmp_path, {}, {"encryption": True}) as (one, two):
        await one.store("plan", "plain here")
        await told(one)
        assert await two.retrieve("plan") == "plain here"
        [(kept,)] = two.fleet.journal.database.on_loop.execute("SELECT value FROM memory WHERE key = 'plan'").fetchall()
        assert kept.encode().startswith(PREFIX)


@pytest.mark.parametrize("section", [{}, {"encryption": True}], ids=["no keys", "another wrapping key"])
async def test_sealed_values_are_refused_where_the_key_is_not(tmp_path: Path, section: dict[str, Any]) -> None:
    async with pair(tmp_path, section, {"encryption": True}) as (one, two):
        await two.store("plan", "secret of theirs")
        with pytest.raises(EncryptionError, match="wrapping key|key file"):
            await told(one)
        assert await one.list() == []
        [peer] = await rows(one, "peers")
        assert peer["problem"]


async def test_an_engine_that_is_away_holds_up_nobody_and_is_tried_again(tmp_path: Path) -> None:
    socket = tmp_path / "away" / "engine.sock"
    socket.parent.mkdir(mode=0o700)
    config = {"fleet": {"default_pools": False}, "memory": {"peers": [str(socket)], "sync_interval_s": 1}}
    (tmp_path / "state").mkdir()
    async with FleetManager(config, directory=tmp_path, state_dir=tmp_path / "state") as fleet:
        memory = SwarmMemory(fleet=fleet)
        await memory.store("plan", "ours")
        while not (state := fleet.remembering.exchanging.states()[0]).problem:
            await asyncio.sleep(0.01)
        assert "no engine runs here" in state.problem
        assert fleet.status().peers_away == (f"{socket}: {state.problem}",)
        with pytest.raises(EngineUnavailable):
            await told(memory)
        (tmp_path / "other").mkdir()
        async with FleetManager({"fleet": {"default_pools": False}}, directory=tmp_path, state_dir=tmp_path / "other", socket=socket) as other:
            async with asyncio.timeout(30):
                while not await SwarmMemory(fleet=other).list():
                    await asyncio.sleep(0.05)
        assert fleet.remembering.exchanging.states()[0].problem == ""


def test_three_engines_come_to_the_same_end_through_kills(tmp_path: Path) -> None:
    with contextlib.ExitStack() as stack:
        engines: list[EngineProcess] = []
        for place in range(3):
            root = tmp_path / str(place)
            root.mkdir()
            peers = [str(find_paths(other.directory, environment=other.environment).socket) for other in engines]
            config = f"[fleet]\ndefault_pools = false\n[memory]\nsync_interval_s = 1\npeers = {json.dumps(peers)}\n"
            engines.append(stack.enter_context(engine(root, config)))
        for turn in range(4):
            for place, one in enumerate(engines):
                done = one.run("remember", "plan", f"turn {turn} at {place}", "--level", "public", "--yes")
                assert done.returncode == 0, done.stderr
                done = one.run("remember", f"own {turn} {place}", "x" * 2_000, "--level", "public", "--yes")
                assert done.returncode == 0, done.stderr
            victim = engines[turn % 3]
            victim.kill()
            victim.start()
        until(lambda: len({all_of(one) for one in engines}) == 1 and all_of(engines[0]).count("own ") == 12, 60)
        assert len({one.run("memory", "plan").stdout for one in engines}) == 1


def all_of(subject: EngineProcess) -> str:
    rows = json.loads(subject.run("memory", "-o", "json").stdout)
    return json.dumps([(row["key"], row["version"], row["writer"], row["updated_at"]) for row in rows])


def test_conflicts_and_peers_by_command_line(tmp_path: Path) -> None:
    with contextlib.ExitStack() as stack:
        (tmp_path / "two").mkdir()
        two = stack.enter_context(engine(tmp_path / "two", "[fleet]\ndefault_pools = false\n"))
        peer = str(find_paths(two.directory, environment=two.environment).socket)
        (tmp_path / "one").mkdir()
        one = stack.enter_context(engine(tmp_path / "one", f"[fleet]\ndefault_pools = false\n[memory]\nsyncInterval = 3600000\npeers = [{json.dumps(peer)}]\n"))

        def out(subject: EngineProcess, *words: str) -> str:
            done = subject.run(*words)
            assert done.returncode == 0, done.stderr
            return str(done.stdout)

        assert out(two, "memory", "peers") == "no peers: name them in [memory] peers of the configuration\n"
        assert out(one, "memory", "conflicts") == "no entry is in conflict\n"
        out(one, "remember", "plan", "ours", "--yes")
        out(two, "remember", "plan", "theirs", "--yes")
        out(one, "memory", "synchronize", "--yes")
        heading, line = out(one, "memory", "conflicts").splitlines()
        assert heading.split() == ["KEY", "OWNER", "NAMESPACE", "LEVEL", "WON", "WON", "BY", "CHANGED", "LOST", "LOST", "BY", "CHANGED", "TAKE"]
        assert line.split()[0] == "plan"
        [sheet] = json.loads(out(two, "memory", "conflicts", "-o", "json"))
        assert [side["value"]["text"] for side in sheet["sides"]] == ['"theirs"', '"ours"']
        heading, line = out(one, "memory", "peers").splitlines()
        assert line.startswith(f"{peer}  in step ")
        assert two.run("resolve", "plan", "--take", "7", "--yes").returncode == 2
        out(two, "memory", "resolve", "plan", "--value", '{"both": 1}', "--yes")
        out(one, "synchronize", "--yes")
        assert json.loads(out(one, "memory", "plan")) == {"both": 1}
        assert out(one, "memory", "conflicts") == "no entry is in conflict\n"
        assert [line.split()[1] for line in out(two, "memory", "plan", "--history").splitlines()[1:]][0] == "3"
        assert one.run("synchronize", "/nowhere", "--yes").returncode != 0
