"""The link to real servers: found as configured, looked after, and told in plain words when something is wrong."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import ssl
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import psutil
import pytest
from engine.clock import SystemClock
from engine.memory.second_cache import PREFIX
from engine.model.errors import ConfigError, EngineStartError, RedisAway, RedisRefused
from engine.model.redis_config import RedisSection
from engine.redis.embedded import EmbeddedServer, find_server
from engine.redis.link import RedisLink

from tests.integration.engines import EngineProcess, engine
from tests.integration.engines import until as wait_until
from tests.integration.processes import command_line
from tests.integration.redis_servers import (
    cluster,
    free_ports,
    one_server,
    sentinels,
    tls_front,
    told_older,
)

SOON_S = 20.0


@contextlib.asynccontextmanager
async def linked(section: Mapping[str, object] | str, root: Path, environment: Mapping[str, str] | None = None) -> AsyncIterator[RedisLink]:
    """Open a link and look after it, as the engine does."""
    link = RedisLink(RedisSection.model_validate(section), root, SystemClock(), environment or {})
    try:
        await link.open()
        async with asyncio.TaskGroup() as group:
            care = group.create_task(link.run())
            yield link
            care.cancel()
    finally:
        await link.close()


async def until_up(link: RedisLink, *, up: bool = True) -> None:
    async with asyncio.timeout(SOON_S):
        while link.is_up is not up:
            await asyncio.sleep(0.01)


@pytest.mark.row(96)
async def test_an_embedded_server_is_private_keeps_what_was_written_and_ends_with_its_link(tmp_path: Path) -> None:
    for number in (1, 2):
        async with linked("embedded", tmp_path) as link:
            assert link.is_up
            assert link.health.version.startswith(("Valkey", "Redis"))
            assert await link.command("INCR", "starts") == number
            assert link.server is not None
            pid, folder = link.server.pid, link.server.directory
            assert pid is not None
            assert folder.stat().st_mode & 0o777 == 0o700
            assert link.server.socket.stat().st_mode & 0o077 == 0
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


async def test_an_embedded_server_that_is_killed_comes_back_with_what_it_had(tmp_path: Path) -> None:
    async with linked("embedded", tmp_path) as link:
        assert link.server is not None
        await link.command("SET", "kept", "value")
        await link.command("CONFIG", "SET", "appendfsync", "always")
        await link.command("SET", "kept", "later")
        pid = link.server.pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        async with asyncio.timeout(SOON_S):
            while link.server.pid in (pid, None):
                await asyncio.sleep(0.01)
        await until_up(link)
        assert await link.repeatable("GET", "kept") == b"later"


async def test_nobody_outlives_an_engine_that_is_killed(tmp_path: Path) -> None:
    program = (
        "import asyncio, pathlib, sys\n"
        "from engine.clock import SystemClock\n"
        "from engine.redis.embedded import EmbeddedServer\n"
        "async def main():\n"
        "    server = EmbeddedServer(pathlib.Path(sys.argv[1]), SystemClock())\n"
        "    await server.start()\n"
        "    print(server.pid, flush=True)\n"
        "    await asyncio.Event().wait()\n"
        "asyncio.run(main())\n"
    )
    engine = subprocess.Popen(  # noqa: ASYNC220  # it only forks
        [sys.executable, "-c", program, str(tmp_path)], stdout=subprocess.PIPE
    )
    assert engine.stdout is not None
    pid = int(await asyncio.to_thread(engine.stdout.readline))
    engine.kill()
    engine.communicate()
    async with asyncio.timeout(SOON_S):
        while _is_alive(pid):
            await asyncio.sleep(0.01)
    async with linked("embedded", tmp_path) as link:
        assert link.server is not None
        left = link.server.socket.parent
    assert left == link.server.directory or not left.exists(), "what the killed one left was used again"


def _is_alive(pid: int) -> bool:
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False


def test_an_engine_of_its_own_has_a_private_server_and_takes_it_along_when_it_is_killed(tmp_path: Path) -> None:
    with engine(tmp_path, "[fleet]\ndefault_pools = false\n[redis]\nurl = 'embedded'\n") as process:
        for _ in range(2):
            assert process.get("status")["redis"]["is_up"]
            [server] = [child for child in psutil.Process(process.pid).children() if "redis.sock" in command_line(child)]
            process.kill()
            wait_until(lambda server=server: not _is_alive(server.pid))
            process.start()


def test_an_engine_that_redis_refuses_says_so_and_ends(tmp_path: Path) -> None:
    process = EngineProcess(tmp_path, f"[fleet]\ndefault_pools = false\n[redis]\nurl = 'redis://127.0.0.1:{free_ports(1)[0]}'\nlazy_connect = false\n")
    done = process.run("engine")
    assert done.returncode == 1
    assert "cannot be reached" in done.stderr
    assert 'url = "embedded"' in done.stderr


async def test_a_server_that_outlived_its_engine_makes_way_for_the_next(tmp_path: Path) -> None:
    former = EmbeddedServer(tmp_path, SystemClock())
    await former.start()
    pid = former.pid
    async with linked("embedded", tmp_path) as link:
        assert link.server is not None
        assert link.server.pid != pid
        assert former.pid is None or not _is_alive(former.pid)


async def test_a_state_directory_with_a_long_name_has_its_socket_elsewhere(tmp_path: Path) -> None:
    deep = tmp_path / ("long-" * 30)
    async with linked("embedded", deep) as link:
        assert link.server is not None
        assert link.server.socket.parent != link.server.directory
        assert link.server.socket.parent.stat().st_mode & 0o777 == 0o700
        elsewhere = link.server.socket.parent
    assert not elsewhere.exists()
    elsewhere.symlink_to(tmp_path)
    with pytest.raises(EngineStartError, match="somebody else's"):
        async with linked("embedded", deep):
            pass
    elsewhere.unlink()


async def test_a_server_program_that_cannot_be_one_is_named(tmp_path: Path) -> None:
    with pytest.raises(EngineStartError, match="no program"):
        find_server(tmp_path / "missing")
    with pytest.raises(EngineStartError, match="ended at once"):
        async with linked({"url": "embedded", "server": sys.executable}, tmp_path):
            pass


@pytest.mark.row(97)
async def test_the_seeds_variables_fill_what_the_section_leaves_out(tmp_path: Path) -> None:
    async with one_server(tmp_path, "--requirepass", "opensesame") as server:
        environment = {"REDIS_HOST": "127.0.0.1", "REDIS_PORT": str(server.port), "REDIS_DB": "3", "REDIS_PASSWORD": "opensesame"}
        async with linked({}, tmp_path, environment) as link:
            await link.command("SET", "here", "1")
            assert link.health.where == f"127.0.0.1:{server.port}, database 3"
        async with server.client(password="opensesame", db=3) as client:
            assert await client.get("here") == "1"


async def test_a_wrong_password_is_refused_at_start_even_by_who_would_wait(tmp_path: Path) -> None:
    async with one_server(tmp_path, "--requirepass", "opensesame") as server:
        for given in ("wrong", ""):
            with pytest.raises(RedisRefused, match="user or the password is wrong.*set REDIS_PASSWORD") as caught:
                async with linked({"url": server.url, "password": given, "lazy_connect": True}, tmp_path):
                    pass
            assert "opensesame" not in str(caught.value)


def named_on_page(words: str) -> list[str]:
    """Return the permissions that the page names after some words."""
    page = " ".join((Path(__file__).parents[2] / "docs" / "redis.md").read_text().split())
    return page.partition(f"{words} `")[2].partition("`")[0].split()


async def test_an_acl_user_needs_what_the_page_says_and_is_told_of_what_it_may_not(tmp_path: Path) -> None:
    async with one_server(tmp_path) as server:
        async with server.client() as client:
            await client.execute_command("ACL", "SETUSER", "fleet", "on", ">secret", *named_on_page("user for the engine needs"))
        async with linked({"url": f"redis://fleet:secret@127.0.0.1:{server.port}"}, tmp_path) as link:
            assert link.is_up
            await link.command("SET", PREFIX + "x", "1", "EX", 300)
            assert await link.command("GET", PREFIX + "x") == b"1"
            await link.command("UNLINK", PREFIX + "x")
            for words in (("SET", "other", "1"), ("KEYS", "*")):
                with pytest.raises(RedisRefused, match="may not do this"):
                    await link.command(*words)


@pytest.mark.row(98)
async def test_no_server_is_said_with_what_to_do_and_awaited_or_refused(tmp_path: Path) -> None:
    port = free_ports(1)[0]
    section = {"url": f"redis://127.0.0.1:{port}"}
    with pytest.raises(RedisAway, match=r'cannot be reached at 127\.0\.0\.1:\d+ \(connection refused\); start it, or write url = "embedded"'):
        async with linked({**section, "lazyConnect": False}, tmp_path):
            pass
    with pytest.raises(RedisAway, match="cannot be reached at nowhere.invalid:6379 .*name"):
        async with linked({"host": "nowhere.invalid", "lazy_connect": False}, tmp_path):
            pass
    async with linked(section, tmp_path) as link:
        assert not link.is_up
        assert "cannot be reached" in link.health.reason
        with pytest.raises(RedisAway):
            await link.command("PING")


async def test_a_server_that_dies_and_returns_is_found_again(tmp_path: Path) -> None:
    async with one_server(tmp_path) as server, linked({"url": server.url}, tmp_path) as link:
        server.kill()
        await until_up(link, up=False)
        with pytest.raises(RedisAway):
            await link.command("PING")
        await server.start()
        await until_up(link)
        assert await link.command("PING") in (b"PONG", True)


async def test_a_server_that_hangs_holds_nobody_longer_than_the_deadline(tmp_path: Path) -> None:
    async with one_server(tmp_path) as server, linked({"url": server.url, "command_timeout_s": 0.2}, tmp_path) as link:
        server.freeze()
        with pytest.raises(RedisAway, match="in time"):
            await link.command("GET", "x", deadline_s=0.05)
        await until_up(link, up=False)
        server.resume()
        await until_up(link)


async def test_only_what_may_run_twice_is_asked_again(tmp_path: Path) -> None:
    """A client that repeats by itself turned one INCR into two where the answer was late."""
    async with one_server(tmp_path) as server, linked({"url": server.url, "command_timeout_s": 0.3, "max_retries_per_request": 20}, tmp_path) as link:
        await link.command("SET", "count", "0")
        server.freeze()
        with pytest.raises(RedisAway):
            await link.command("INCR", "count")
        async with asyncio.TaskGroup() as group:
            asked = group.create_task(link.repeatable("GET", "count"))
            await until_up(link, up=False)
            server.resume()
        assert asked.result() == b"1"
        await until_up(link)
        assert await link.command("GET", "count") == b"1"


@pytest.mark.row(100)
async def test_sentinels_lead_to_the_master_and_after_its_death_to_the_next(tmp_path: Path) -> None:
    async with sentinels(tmp_path) as group, linked(group.section(retry_delay_on_failover_s=0.1, command_timeout_s=0.5), tmp_path) as link:
        await link.command("SET", "before", "1")
        group.master.kill()
        await until_up(link, up=False)
        await until_up(link)
        assert await group.master_now() != group.master.port
        assert await link.repeatable("SET", "after", "1") in (b"OK", True)


@pytest.mark.row(99)
async def test_a_cluster_is_used_through_any_of_its_nodes(tmp_path: Path) -> None:
    async with cluster(tmp_path) as nodes, linked(nodes.section(), tmp_path) as link:
        for number in range(30):
            await link.command("SET", f"key:{number}", str(number))
        assert [await link.command("GET", f"key:{number}") for number in range(30)] == [b"%d" % number for number in range(30)]
        held = []
        for server in nodes.servers:
            async with server.client() as client:
                held.append(await client.dbsize())
        assert sum(held) == 30
        assert min(held) > 0
        rights = [*named_on_page("user for the engine needs"), *named_on_page("in a cluster also")]
        for server in nodes.servers:
            async with server.client() as client:
                await client.execute_command("ACL", "SETUSER", "fleet", "on", ">secret", *rights)
        async with linked(nodes.section(username="fleet", password="secret"), tmp_path) as limited:
            assert limited.is_up, limited.health.reason
            for number in range(30):
                await limited.command("SET", f"{PREFIX}{number}", "1", "EX", 300)


async def test_a_server_that_is_no_cluster_is_told_so(tmp_path: Path) -> None:
    async with one_server(tmp_path) as server:
        with pytest.raises(RedisRefused, match=r"no cluster; leave out redis\.cluster"):
            async with linked({"url": server.url, "cluster": True}, tmp_path):
                pass
    with pytest.raises(ConfigError, match="REDIS_DB is 2, and a Redis Cluster has only database 0"):
        RedisLink(RedisSection.model_validate({"cluster": True}), tmp_path, SystemClock(), {"REDIS_DB": "2"})


@pytest.mark.row(46)
async def test_a_server_older_than_7_0_is_refused(tmp_path: Path) -> None:
    async with one_server(tmp_path) as server:
        async with linked({"url": server.url}, tmp_path) as link:
            assert link.is_up
        async with told_older(server, "6.2.9") as url:
            with pytest.raises(RedisRefused, match=r"has version 6\.2\.9; 7\.0 or newer is needed, or Valkey"):
                async with linked({"url": url}, tmp_path):
                    pass


async def test_tls_is_1_3_and_checks_who_the_server_is(tmp_path: Path) -> None:
    async with one_server(tmp_path) as server:
        async with tls_front(tmp_path, server, asks_clients=True) as front:
            own = {"cert_file": str(front.cert_file), "key_file": str(front.key_file)}
            async with linked(front.section(**own), tmp_path) as link:
                assert await link.command("ECHO", "sealed") == b"sealed"
            async with linked(front.section(), tmp_path) as link:
                assert not link.is_up, "a client without a certificate was let in"
            with pytest.raises(RedisRefused, match=r"no trusted certificate.*redis\.tls\.ca_file"):
                async with linked({"url": f"rediss://localhost:{front.port}"}, tmp_path):
                    pass
        async with tls_front(tmp_path, server, most=ssl.TLSVersion.TLSv1_2) as front:
            with pytest.raises((RedisRefused, RedisAway)):
                async with linked({**front.section(), "lazy_connect": False}, tmp_path):
                    pass


async def test_the_doctor_says_which_server_answers_and_what_is_wrong(tmp_path: Path) -> None:
    def examined(config: str) -> tuple[int, str]:
        (tmp_path / "fleet.toml").write_text(config)
        environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "XDG_RUNTIME_DIR": str(tmp_path / "run"), "XDG_STATE_HOME": str(tmp_path / "state")}
        words = [sys.executable, "-m", "fleet_tui", "-C", str(tmp_path), "doctor"]
        done = subprocess.run(words, env=environment, capture_output=True, text=True, timeout=60, check=False)
        return done.returncode, next((line for line in done.stdout.splitlines() if "redis" in line), "")

    async with one_server(tmp_path) as server:
        code, line = await asyncio.to_thread(examined, f"[redis]\nurl = '{server.url}'")
        assert code == 0
        assert f"Valkey {find_server_version(line)} answers at 127.0.0.1:{server.port}" in line
    code, line = await asyncio.to_thread(examined, f"[redis]\nurl = '{server.url}'")
    assert code == 1
    assert 'url = "embedded"' in line
    code, line = await asyncio.to_thread(examined, "[redis]\nurl = 'embedded'")
    assert code == 0
    assert str(find_server()) in line
    assert await asyncio.to_thread(examined, "") == (0, "")


def find_server_version(line: str) -> str:
    return line.partition("Valkey ")[2].partition(" ")[0]
