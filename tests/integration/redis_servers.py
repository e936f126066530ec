"""Real servers for tests: those of the chaos run (fleet_tui/chaos/servers.py), and TLS before one: the binary has none.

    async with tls_front(tmp_path, server) as front: ...  # TLS 1.3; front.section()

Servers die with the process that started them (PDEATHSIG by the engine's launcher), so a killed test leaves none behind.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Protocol

import trustme
from fleet_tui.chaos.servers import Sentinels, Server, cluster, free_ports, one_server, sentinels
from fleet_tui.chaos.servers import wait_until as until

__all__ = ["Sentinels", "Server", "cluster", "free_ports", "one_server", "sentinels", "tls_front", "told_older", "until"]


class TlsFront:
    """TLS 1.3 before a server, with an authority of its own."""

    def __init__(self, port: int, ca_file: Path, cert_file: Path, key_file: Path) -> None:
        self.port, self.ca_file = port, ca_file
        self.cert_file, self.key_file = cert_file, key_file
        """Of a client that the front accepts."""

    def section(self, **tls: object) -> dict[str, object]:
        """Return the section `redis` for it."""
        return {"url": f"rediss://localhost:{self.port}", "tls": {"ca_file": str(self.ca_file), **tls}}


class Behind(Protocol):
    """What TLS is put before."""

    @property
    def port(self) -> int:
        """Where it listens."""
        ...


Issue = Callable[[trustme.CA], trustme.LeafCert]


@contextlib.asynccontextmanager
async def tls_front(
    folder: Path, server: Behind, *, asks_clients: bool = False, most: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3, issue: Issue = lambda authority: authority.issue_cert("localhost")
) -> AsyncIterator[TlsFront]:
    """Accept TLS and pass on to a server what comes; a client's certificate is asked for if wanted."""
    authority, paths = trustme.CA(), (folder / "ca.pem", folder / "client.pem", folder / "client.key")
    authority.cert_pem.write_to_path(str(paths[0]))
    client = authority.issue_cert("fleet@example.org")
    client.cert_chain_pems[0].write_to_path(str(paths[1]))
    client.private_key_pem.write_to_path(str(paths[2]))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version, context.maximum_version = ssl.TLSVersion.TLSv1_2, most
    issue(authority).configure_cert(context)
    if asks_clients:
        context.verify_mode = ssl.CERT_REQUIRED
        authority.configure_trust(context)

    async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        theirs, ours = await asyncio.open_connection("127.0.0.1", server.port)
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(_pump(reader, ours))
                group.create_task(_pump(theirs, writer))
        finally:
            ours.close()
            writer.close()

    listener = await asyncio.start_server(pass_on, "127.0.0.1", 0, ssl=context)
    try:
        yield TlsFront(listener.sockets[0].getsockname()[1], *paths)
    finally:
        listener.close()


@contextlib.asynccontextmanager
async def told_older(server: Server, version: str) -> AsyncIterator[str]:
    """Stand before a server and give it an older version, as long as its own; yield the URL."""
    own = (await server.ask("INFO", "server"))["redis_version"]
    assert len(own) == len(version)

    async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        theirs, ours = await asyncio.open_connection("127.0.0.1", server.port)
        async with asyncio.TaskGroup() as group:
            group.create_task(_pump(reader, ours))
            group.create_task(_pump(theirs, writer, own.encode(), version.encode()))

    listener = await asyncio.start_server(pass_on, "127.0.0.1", 0)
    try:
        yield f"redis://127.0.0.1:{listener.sockets[0].getsockname()[1]}"
    finally:
        listener.close()


async def _pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter, old: bytes = b"", new: bytes = b"") -> None:
    with contextlib.suppress(OSError):
        while data := await source.read(65_536):
            sink.write(data.replace(old, new) if old else data)
            await sink.drain()
    sink.close()
