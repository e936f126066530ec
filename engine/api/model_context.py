"""The fleet as tools over the streamable HTTP of the Model Context Protocol, at `/mcp`: revisions up to 2025-11-25, and 2026-07-28.

Nothing is kept between two requests: no session is handed out, so that an engine that was started again goes on where it was, and nothing is
sent of the server's own accord (GET is refused, as the protocol allows). A call that waits says every 15 s that it is under way.

Owner: nobody; what a request needs ends with it, and a client that leaves ends its wait. The library `mcp` is imported with the first request.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping, MutableMapping
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from engine.api.following_task import Waiting
from engine.api.limits import Limits
from engine.api.rest import Reply, Rest, reply_to, typed_parameters
from engine.api.stream import Operators, Receive, Send
from engine.api.tool_server import MISSING, make_server
from engine.api.tools import ToolCaller
from engine.api.verb_tools import tools_of
from engine.model.errors import EngineUnavailable
from engine.model.plans import Origin

if TYPE_CHECKING:
    from mcp.server.lowlevel import Server
    from mcp.server.streamable_http_manager import StreamableHTTPSessionManager

PATH = "/mcp"
PARAMETERS = {"verbs": (str, "verbs that are tools, too")}
LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
"""By which names the port is reached: a page that a browser loaded from elsewhere has another one, whatever its name resolves to."""


class ModelContext:
    """The face as a function of a request."""

    def __init__(self, operators: Operators, rest: Rest, waiting: Waiting, limits: Limits) -> None:
        self._operators = operators
        self._rest = rest
        self._waiting = waiting
        self._limits = limits

    async def serve(self, scope: Mapping[str, Any], receive: Receive, send: Send, origin: Origin) -> None:
        """Answer one request. Raises TimeoutError if the client takes no bytes."""
        try:
            given = typed_parameters(dict(parse_qsl(scope["query_string"].decode("latin-1"))), PARAMETERS)
            tools = tools_of(str(given.get("verbs", "")))
            if scope["method"] != "POST":
                await self._rest.send(send, Reply(b"", 405, allow="POST"))
                return
            body = await self._rest.read(receive)
            # Other work goes on beside the first import.
            await asyncio.to_thread(_import)
        except Exception as error:  # noqa: BLE001  # a face's edge
            await self._rest.send(send, reply_to(error))
            return
        manager = self._manager(make_server(tools, partial(self._caller, replace(origin, via="mcp"))), is_port=scope["client"] is not None)
        async with manager.run():
            await manager.handle_request(dict(scope), _once(body, receive), partial(self._send, send, scope["state"]["connection"].transport))

    def _manager(self, server: Server[Any], *, is_port: bool) -> StreamableHTTPSessionManager:
        """Return what speaks the protocol for one request; over the port it looks at Host and Origin."""
        from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
        from mcp.server.transport_security import TransportSecuritySettings

        hosts = [host for name in LOOPBACK for host in (name, f"{name}:*")]
        security = TransportSecuritySettings(
            enable_dns_rebinding_protection=is_port, allowed_hosts=hosts, allowed_origins=[f"{scheme}://{host}" for scheme in ("http", "https") for host in hosts]
        )
        return StreamableHTTPSessionManager(server, stateless=True, security_settings=security, max_request_body_size=self._limits.message_bytes_max)

    @asynccontextmanager
    async def _caller(self, origin: Origin) -> AsyncIterator[ToolCaller]:
        yield ToolCaller(self._operators(origin), self._waiting, next(iter(origin.attempt.split("/")[1:2]), ""))

    async def _send(self, send: Send, transport: asyncio.Transport, message: MutableMapping[str, Any]) -> None:
        """Send on, and cut a client that takes no bytes: the library sees one that has left."""
        try:
            async with asyncio.timeout(self._limits.send_s):
                await send(message)
        except TimeoutError:
            transport.abort()


def _import() -> None:
    """Import the library. Raises EngineUnavailable."""
    try:
        import mcp.server.streamable_http_manager  # noqa: F401
    except ModuleNotFoundError as error:
        if error.name != "mcp":
            raise
        raise EngineUnavailable(f"{PATH} {MISSING}") from error
    # It tells of each request that it starts and ends.
    logging.getLogger("mcp").setLevel(logging.WARNING)


def _once(body: bytes, receive: Receive) -> Receive:
    """Return what gives a body that was read, then what else comes."""
    first: list[MutableMapping[str, Any]] = [{"type": "http.request", "body": body, "more_body": False}]

    async def give() -> MutableMapping[str, Any]:
        return first.pop() if first else await receive()

    return give
