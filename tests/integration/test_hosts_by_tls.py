"""Hosts that join by TLS before an engine's port: trusted by a file, and told what is wrong with a certificate otherwise."""

from __future__ import annotations

import asyncio
import contextlib
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import pytest
import trustme
from engine.model.errors import EngineUnavailable, FleetError, UsageError
from engine.model.task_commands import SubmitTask
from engine.worker import Engine, Joining, run_worker
from fleet_tui.worker import _where

from tests.integration.joined_workers import until, worker
from tests.integration.ports import free_port
from tests.integration.redis_servers import TlsFront, tls_front
from tests.integration.test_hosts import begun, do, ended, let_go
from tests.integration.test_hosts_by_engine import Address, alone


class Port(NamedTuple):
    """Something that listens at this machine."""

    port: int


async def refusal(address: str, ca_file: Path | None, folder: Path) -> str:
    with pytest.raises(FleetError) as caught:
        await run_worker(Joining(Engine(address, "", ca_file), "n", folder, folder), asyncio.Event(), lambda _said: None)
    return f"{caught.value.code}: {caught.value}"


def address(front: TlsFront) -> str:
    return f"wss://localhost:{front.port}"


async def test_a_worker_joins_by_tls_that_its_file_of_authorities_trusts(tmp_path: Path) -> None:
    port = free_port()
    async with alone(tmp_path / "engine", port) as one, tls_front(tmp_path, Port(port)) as front:
        token, ca_file = str(tmp_path / "engine" / "state" / "api.token"), str(front.ca_file)
        async with worker(one, Address(address(front)), tmp_path, "a", "--token-file", token, "--ca-file", ca_file) as first:
            (program,) = await do(one, SubmitTask("x", "program"))
            await begun(one, first, program)
            let_go(first, program)
            await until(ended(one, program))


async def test_a_certificate_that_cannot_be_trusted_is_told_with_what_to_do(tmp_path: Path) -> None:
    async with contextlib.AsyncExitStack() as stack:
        nobody = await stack.enter_async_context(await asyncio.start_server(lambda _reader, writer: writer.close(), "127.0.0.1", 0))
        behind = Port(nobody.sockets[0].getsockname()[1])
        for name in ("good", "old", "other"):
            (tmp_path / name).mkdir()
        good = await stack.enter_async_context(tls_front(tmp_path / "good", behind))
        old = await stack.enter_async_context(tls_front(tmp_path / "old", behind, issue=lambda ca: ca.issue_cert("localhost", not_after=datetime(2001, 1, 1, tzinfo=UTC))))
        other = await stack.enter_async_context(tls_front(tmp_path / "other", behind, issue=lambda ca: ca.issue_cert("fleet.example.org")))
        told = await refusal(address(good), None, tmp_path)
        assert told.startswith(f"{EngineUnavailable.code}: the certificate at {address(good)} is not of an authority that this machine trusts: give the authority's own with `worker --ca-file FILE`")
        assert f"is not of an authority in {old.ca_file}: give the file" in await refusal(address(good), old.ca_file, tmp_path)
        assert "has expired: have it renewed there" in await refusal(address(old), old.ca_file, tmp_path)
        assert "is for other names than localhost: use a name that it has" in await refusal(address(other), other.ca_file, tmp_path)
        assert "is not an engine" in await refusal(address(good), good.ca_file, tmp_path)
        assert "speaks no TLS that this program does" in await refusal(f"wss://localhost:{await plain(stack)}", None, tmp_path)


async def plain(stack: contextlib.AsyncExitStack) -> int:
    """Listen without TLS, as an engine's own port does, and return where."""

    async def answer(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await writer.drain()
        writer.close()

    listener = await stack.enter_async_context(await asyncio.start_server(answer, "127.0.0.1", 0))
    return int(listener.sockets[0].getsockname()[1])


async def test_a_proxy_without_its_engine_is_told_apart_from_what_is_none(tmp_path: Path) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as listener, tls_front(tmp_path, Port(listener.sockets[0].getsockname()[1])) as front:
        assert "a proxy answers at" in await refusal(address(front), front.ca_file, tmp_path)


def test_a_file_of_authorities_is_for_tls_and_holds_some(tmp_path: Path) -> None:
    file = tmp_path / "ca.pem"
    wanted = {"url": "rediss://localhost", "token_file": "", "region": "local", "ca_file": str(file)}
    with pytest.raises(UsageError, match="cannot be read: No such file"):
        _where(wanted)
    file.write_text("nothing")
    with pytest.raises(UsageError, match="holds no certificates in PEM"):
        _where({**wanted, "url": "wss://localhost"})
    trustme.CA().cert_pem.write_to_path(str(file))
    assert _where(wanted).tls.ca_file == file  # type: ignore[union-attr]
    assert _where({**wanted, "url": "wss://localhost"}) == Engine("wss://localhost", "", file)
    with pytest.raises(UsageError, match="--ca-file is for wss:// and rediss://, also of Sentinels"):
        _where({**wanted, "url": "redis://localhost"})
