"""The gateway's door: who gets in, what the socket looks like, how it starts and stops, what it does when crowded."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from engine.api.client import connect
from engine.api.gateway import Gateway, LoopbackPort
from engine.api.limits import Limits
from engine.api.sockets import listen_unix
from engine.clock import SystemClock
from engine.model.errors import EngineStartError, EngineUnavailable
from engine.simulation.fake_operator import FakeOperator, make_pool

from tests.integration.test_api_rest import ask, parse

CLOCK = SystemClock()


def gateway_at(path: Path, limits: Limits | None = None, port: LoopbackPort | None = None) -> Gateway:
    return Gateway(path, FakeOperator([make_pool()]).for_origin, version="1", limits=limits or Limits(drain_s=0.5), port=port)


async def test_only_its_user_can_open_the_socket(tmp_path: Path) -> None:
    previous = os.umask(0)
    try:
        async with gateway_at(tmp_path / "run" / "fleet" / "s") as gateway:
            assert stat.S_IMODE(gateway.path.stat().st_mode) == 0o600
            assert stat.S_IMODE(gateway.path.parent.stat().st_mode) == 0o700
    finally:
        os.umask(previous)


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become another user")
@pytest.mark.row(21)
async def test_another_user_is_refused(tmp_path: Path) -> None:
    async with gateway_at(tmp_path / "s") as gateway:
        # Open every door but the kernel's word on who connects.
        for directory in (gateway.path.parent, *gateway.path.parent.parents):
            if stat.S_IMODE(directory.stat().st_mode) & 0o001 == 0:
                directory.chmod(directory.stat().st_mode | 0o055)
        gateway.path.chmod(0o666)
        code = (
            "import os, socket, sys; os.setgid(65534); os.setuid(65534); s = socket.socket(socket.AF_UNIX);"
            "s.connect(sys.argv[1]); s.sendall(sys.argv[2].encode()); data = b'';\n"
            "while chunk := s.recv(65536): data += chunk\n"
            "sys.stdout.buffer.write(data)"
        )
        head = "GET {} HTTP/1.1\r\nHost: e\r\nConnection: {}\r\n{}\r\n"
        upgrade = "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
        for request in (head.format("/v1/status", "close", ""), head.format("/ws", "Upgrade", upgrade)):
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-c", code, str(gateway.path), request, stdout=subprocess.PIPE
            )
            async with asyncio.timeout(20):
                out, _ = await process.communicate()
            reply = parse(out)
            assert reply.status == 403
            assert reply.json["code"] == "refused"
            assert "uid 65534 may not" in reply.json["message"]


async def test_second_engine_is_refused_and_the_first_lives_on(tmp_path: Path) -> None:
    async with gateway_at(tmp_path / "s") as gateway:
        with pytest.raises(EngineStartError, match=rf"pid {os.getpid()}\) already serves .*fleet-tui stop"):
            await gateway_at(tmp_path / "s").start()
        async with connect(gateway.path, clock=CLOCK) as operator:
            assert await operator.query("status")


async def test_stale_socket_is_replaced(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(tmp_path / "s"))
    async with gateway_at(tmp_path / "s") as gateway, connect(gateway.path, clock=CLOCK) as operator:
        assert await operator.query("status")


async def test_an_engine_too_busy_to_accept_counts_as_alive(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as busy, contextlib.ExitStack() as clients:
        busy.bind(str(tmp_path / "s"))
        busy.listen(0)
        for _ in range(2):
            waiting = clients.enter_context(socket.socket(socket.AF_UNIX))
            waiting.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                waiting.connect(str(tmp_path / "s"))
        with pytest.raises(EngineStartError, match="too busy to answer"):
            listen_unix(tmp_path / "s")


async def test_what_is_no_socket_stays(tmp_path: Path) -> None:
    (tmp_path / "s").write_text("mine")
    with pytest.raises(EngineStartError, match="not a socket"):
        await gateway_at(tmp_path / "s").start()
    assert (tmp_path / "s").read_text() == "mine"


async def test_path_too_long(tmp_path: Path) -> None:
    with pytest.raises(EngineStartError, match=r"bytes long, the system takes 107.*XDG_RUNTIME_DIR"):
        await gateway_at(tmp_path / ("x" * 110)).start()
    longest = "x" * (107 - len(os.fsencode(tmp_path)) - 1)
    async with gateway_at(tmp_path / longest) as gateway, connect(gateway.path, clock=CLOCK) as operator:
        assert await operator.query("status")


async def test_directory_that_others_can_write_to_is_refused(tmp_path: Path) -> None:
    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(0o777)
    with pytest.raises(EngineStartError, match="others can write"):
        await gateway_at(tmp_path / "open" / "s").start()


async def test_directory_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(EngineStartError, match="cannot use the socket directory"):
        await gateway_at(tmp_path / "file" / "s").start()


async def test_two_that_start_at_once(tmp_path: Path) -> None:
    import fcntl

    with (tmp_path / "s.lock").open("w") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(EngineStartError, match="is starting at"):
            await gateway_at(tmp_path / "s").start()
    async with gateway_at(tmp_path / "s"):
        pass


async def test_stop_removes_its_own_socket_only(tmp_path: Path) -> None:
    first = gateway_at(tmp_path / "s")
    await first.start()
    (tmp_path / "s").unlink()
    async with gateway_at(tmp_path / "s") as second:
        await first.stop()
        async with connect(second.path, clock=CLOCK) as operator:
            assert await operator.query("status")
    assert not (tmp_path / "s").exists()
    await second.stop()


async def test_clients_wait_for_an_engine_that_starts(tmp_path: Path) -> None:
    gateway = gateway_at(tmp_path / "s")
    gateway.claim()
    with pytest.raises(EngineStartError, match="already serves"):
        gateway_at(tmp_path / "s").claim()
    async with asyncio.TaskGroup() as group:

        async def ask_early() -> object:
            async with connect(gateway.path, clock=CLOCK) as operator:
                return await operator.query("status")

        early = group.create_task(ask_early())
        await asyncio.wait([early], timeout=0.05)
        assert not early.done()
        async with gateway:
            await early
    assert not gateway.path.exists()


async def test_claim_given_up(tmp_path: Path) -> None:
    gateway = gateway_at(tmp_path / "s")
    gateway.claim()
    await gateway.stop()
    assert not gateway.path.exists()
    async with gateway_at(tmp_path / "s"):
        pass


async def test_run_serves_until_cancelled(tmp_path: Path) -> None:
    gateway = gateway_at(tmp_path / "s")
    async with asyncio.TaskGroup() as group:
        task = group.create_task(gateway.run())
        while not gateway.path.exists():
            await CLOCK.sleep(0)
        async with connect(gateway.path, clock=CLOCK) as operator:
            assert await operator.query("status")
            task.cancel()
            async with asyncio.timeout(60):
                await asyncio.wait([task])
            with pytest.raises(EngineUnavailable):
                await operator.query("status")
    assert not gateway.path.exists()


async def test_crowd(tmp_path: Path) -> None:
    limits = Limits(connections_max=3, drain_s=0.5)
    async with gateway_at(tmp_path / "s", limits) as gateway, contextlib.AsyncExitStack() as stack:
        for _ in range(3):
            operator = await stack.enter_async_context(connect(gateway.path, clock=CLOCK))
        with pytest.raises(EngineUnavailable, match="3 connections are open"):
            async with connect(gateway.path, clock=CLOCK):
                pass
        reply = await ask(gateway.path, "GET", "/v1/status")
        assert (reply.status, reply.json["code"]) == (503, "no_engine")
        assert await operator.query("status")
    async with gateway_at(tmp_path / "s", limits) as gateway:
        # Far too many that say nothing are cut off at once.
        silent = [await asyncio.open_unix_connection(gateway.path) for _ in range(10)]
        async with asyncio.timeout(60):
            for reader, _ in silent[6:]:
                with contextlib.suppress(ConnectionResetError):
                    assert await reader.read() == b""
        for _, writer in silent:
            writer.close()


async def test_silent_clients_are_cut(tmp_path: Path) -> None:
    async with gateway_at(tmp_path / "s", Limits(receive_s=0.1, drain_s=0.5)) as gateway:
        for said in (b"", b"GET /v1/status HT"):
            reader, writer = await asyncio.open_unix_connection(gateway.path)
            writer.write(said)
            async with asyncio.timeout(60):
                with contextlib.suppress(ConnectionResetError):
                    assert await reader.read() == b""
            writer.close()
        async with connect(gateway.path, clock=CLOCK) as operator:
            # A WebSocket may be silent for longer.
            await asyncio.wait([asyncio.current_task()], timeout=0.2)
            assert await operator.query("status")


async def test_not_http(tmp_path: Path) -> None:
    async with gateway_at(tmp_path / "s") as gateway:
        reader, writer = await asyncio.open_unix_connection(gateway.path)
        writer.write(b"\x00\x01\x02 hello\r\n\r\n")
        async with asyncio.timeout(60):
            assert b"400" in await reader.read()
        writer.close()


async def test_websocket_elsewhere(tmp_path: Path) -> None:
    from websockets.asyncio.client import unix_connect
    from websockets.exceptions import InvalidStatus

    async with gateway_at(tmp_path / "s") as gateway:
        with pytest.raises(InvalidStatus) as caught:
            await unix_connect(str(gateway.path), "ws://e/other")
        assert caught.value.response.status_code == 404
        assert (await ask(gateway.path, "GET", "/ws")).status == 404


async def test_reader_that_takes_no_bytes_is_cut(tmp_path: Path) -> None:
    fake = FakeOperator()
    fake.artifacts["big"] = bytes(8 << 20)
    limits = Limits(send_s=0.2, drain_s=0.5)
    async with Gateway(tmp_path / "s", fake.for_origin, version="1", limits=limits) as gateway:
        reader, writer = await asyncio.open_unix_connection(gateway.path, limit=1024)
        writer.write(b"GET /v1/artifacts/big HTTP/1.1\r\nHost: e\r\nConnection: close\r\n\r\n")
        await asyncio.wait([asyncio.current_task()], timeout=0.5)
        got = 0
        async with asyncio.timeout(60):
            with contextlib.suppress(ConnectionResetError):
                while chunk := await reader.read(1 << 16):
                    got += len(chunk)
        assert got < 8 << 20
        writer.close()


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.1", "example.org"])
async def test_port_is_on_loopback_only(tmp_path: Path, host: str) -> None:
    with pytest.raises(EngineStartError):
        await gateway_at(tmp_path / "s", port=LoopbackPort(host, 0, tmp_path / "token")).start()
    assert not (tmp_path / "s").exists()


async def test_port_in_use(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = LoopbackPort("localhost", taken.getsockname()[1], tmp_path / "token")
        with pytest.raises(EngineStartError, match="cannot listen"):
            await gateway_at(tmp_path / "s", port=port).start()
