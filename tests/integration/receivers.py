"""Receivers of notifications on loopback, as real as they can be had: HTTPS with a private CA, mail with STARTTLS, a proxy.

Owner: whoever opens one; each ends with its context.
"""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import Message
from pathlib import Path
from typing import Any

import trustme
import uvicorn
from aiosmtpd.controller import Controller

NAMES = ("127.0.0.1", "localhost", "events.pagerduty.com", "hooks.slack.com")


@dataclass
class Authority:
    """A private certificate authority with one certificate for all receivers."""

    ca_file: Path
    certificate: Path
    key: Path

    def server_context(self) -> ssl.SSLContext:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(self.certificate, self.key)
        return context


def authority(folder: Path) -> Authority:
    """Make one, and the files that receivers and senders need of it."""
    folder.mkdir(parents=True, exist_ok=True)
    made = trustme.CA()
    issued = made.issue_cert(*NAMES)
    files = Authority(folder / "ca.pem", folder / "certificate.pem", folder / "key.pem")
    made.cert_pem.write_to_path(files.ca_file)
    issued.private_key_pem.write_to_path(files.key)
    for pem in issued.cert_chain_pems:
        pem.write_to_path(files.certificate, append=True)
    return files


@dataclass
class Request:
    """What came."""

    path: str
    headers: dict[str, str]
    body: bytes
    at: float

    @property
    def json(self) -> Any:  # noqa: ANN401  # any JSON
        return json.loads(self.body)


@dataclass
class Receiver:
    """An HTTP server that answers as it is told and keeps what it got."""

    port: int = 0
    got: list[Request] = field(default_factory=list)
    answers: list[tuple[int, dict[str, str]]] = field(default_factory=list)
    """For the next requests, in order; afterwards 200."""
    hangs: bool = False
    arrived: asyncio.Event = field(default_factory=asyncio.Event)

    async def __call__(self, scope: Any, receive: Callable[[], Awaitable[Any]], send: Callable[[Any], Awaitable[None]]) -> None:  # noqa: ANN401  # ASGI
        body = b""
        while True:
            message = await receive()
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        self.got.append(Request(scope["path"], headers, body, asyncio.get_running_loop().time()))
        self.arrived.set()
        if self.hangs:
            while (await receive())["type"] != "http.disconnect":
                pass
            return
        status, extra = self.answers.pop(0) if self.answers else (200, {})
        await send({"type": "http.response.start", "status": status, "headers": [(name.encode(), value.encode()) for name, value in extra.items()]})
        await send({"type": "http.response.body", "body": b'{"said": "no"}' if status >= 400 else b"ok"})

    async def wait_for(self, number: int, within_s: float = 60.0) -> list[Request]:
        """Wait until so many requests came."""
        async with asyncio.timeout(within_s):
            while len(self.got) < number:
                self.arrived.clear()
                await self.arrived.wait()
        return self.got


@asynccontextmanager
async def receiver(files: Authority | None = None) -> AsyncIterator[Receiver]:
    """Serve on loopback, with TLS if there is an authority."""
    made = Receiver()
    with socket.create_server(("127.0.0.1", 0)) as listening:
        made.port = listening.getsockname()[1]
        tls = {"ssl_certfile": str(files.certificate), "ssl_keyfile": str(files.key)} if files else {}
        server = uvicorn.Server(uvicorn.Config(made, log_level="error", lifespan="off", timeout_graceful_shutdown=1, **tls))  # type: ignore[arg-type]
        server.install_signal_handlers = lambda: None  # type: ignore[attr-defined]  # of older versions
        serving = asyncio.create_task(server.serve(sockets=[listening]))
        try:
            while not server.started:
                await asyncio.sleep(0.01)
            yield made
        finally:
            server.should_exit = True
            await serving


@asynccontextmanager
async def proxy(port: int) -> AsyncIterator[str]:
    """Serve as an HTTP proxy whose every CONNECT ends at one port of this machine, and give its URL."""

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await reader.read(65_536):
                writer.write(data)
                await writer.drain()
        writer.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        there_reader, there_writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"HTTP/1.1 200 here it is\r\n\r\n")
        await asyncio.gather(pump(reader, there_writer), pump(there_reader, writer))

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


class Mailbox:
    """Keeps the mail that came, and whether it came over TLS."""

    def __init__(self) -> None:
        self.mail: list[tuple[Message, bool]] = []

    async def handle_DATA(self, _server: Any, session: Any, envelope: Any) -> str:  # noqa: ANN401, N802  # aiosmtpd's names
        self.mail.append((message_from_bytes(envelope.content), session.ssl is not None))
        return "250 kept"


@contextmanager
def mail_server(files: Authority) -> Iterator[tuple[Mailbox, int]]:
    """Serve SMTP that takes mail after STARTTLS only; gives the mailbox and the port."""
    mailbox = Mailbox()
    with socket.create_server(("127.0.0.1", 0)) as found:
        port = found.getsockname()[1]
    controller = Controller(mailbox, hostname="127.0.0.1", port=port, tls_context=files.server_context(), require_starttls=True)
    controller.start()
    try:
        yield mailbox, port
    finally:
        controller.stop()
