"""The engine's door: `/ws` and REST on a Unix socket, and on a loopback port if asked for.

Owner: Gateway owns the listening sockets, the open connections and their sessions; bounded by `Limits`. uvicorn's
protocols do HTTP and WebSocket; its `Server` is left out, for it takes the signals, makes the socket 0666, wakes ten
times a second and needs 0.2 s to stop.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, cast

from uvicorn.config import Config
from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from uvicorn.server import ServerState

from engine.agents.tokens import AgentTokens
from engine.api import a2a, chat, model_context
from engine.api.following_task import Waiting
from engine.api.limits import Limits
from engine.api.peers import Doorkeeper, KnownOperator, Peer, load_token, peer_of, with_mode
from engine.api.rest import TEXT, Reply, Rest, crowded, forbidden, reply_to
from engine.api.sockets import listen_loopback, listen_unix, unlink_own
from engine.api.stream import Operators, Receive, Send, Session
from engine.clock import Clock, SystemClock
from engine.model.errors import CommandRefused, EngineStartError, NotFound, UsageError
from engine.model.plans import Origin

if TYPE_CHECKING:
    import h11

logger = logging.getLogger(__name__)

WEBSOCKET_PATH = "/ws"
MODE_HEADER = b"fleet-mode"
AGENT_HEADER = b"fleet-agent"
NAME_HEADER = b"fleet-as"
"""Under which name of a shared account somebody acts."""
"""`read-only` or `write`, for clients that say no hello."""
KEEP_ALIVE_S = 5
HOOK_BYTES_MAX = 2 << 20
"""Of a request at a hook's path: whoever sends it has shown nothing yet."""
Hook = Callable[[Mapping[bytes, str], bytes], Awaitable[tuple[int, str]]]
"""Takes the headers and the body of a POST, returns the status and a sentence; it raises nothing."""


@dataclass(frozen=True, slots=True)
class LoopbackPort:
    """A port on this machine, for programs that cannot open a Unix socket; its clients show a token."""

    host: str
    port: int
    """0 = any free one."""
    token_path: Path
    """File of mode 0600 that holds the token; made at the first use."""


@dataclass(frozen=True, slots=True)
class _Connection:
    """What a connection's requests need to know of it."""

    peer: Peer
    transport: asyncio.Transport


@dataclass(frozen=True, slots=True)
class Access:
    """Who may enter besides the engine's user and root."""

    operators: tuple[KnownOperator, ...] = ()
    group: str = ""
    """Unix group whose members may open the socket; empty = none."""
    agents: AgentTokens | None = None
    """Reads what the programs of agents show."""

    def with_attempt(self, origin: Origin, shown: str) -> Origin:
        """Return an origin with the attempt of the program that speaks, when it shows a token. Raises CommandRefused."""
        if not shown:
            return origin
        attempt = self.agents.read(shown) if self.agents else ""
        if not attempt:
            raise CommandRefused("the token of an agent's attempt is not one of this engine's")
        return replace(origin, attempt=attempt)


class Gateway:
    """Serves operators to whoever may have one; `async with` it, or `run` it in a TaskGroup."""

    def __init__(  # noqa: PLR0913  # what differs between an engine, one with a port, and tests
        self,
        path: Path,
        operators: Operators,
        *,
        version: str,
        limits: Limits | None = None,
        port: LoopbackPort | None = None,
        access: Access = Access(),  # noqa: B008  # a value
        clock: Clock | None = None,
        hooks: Mapping[str, Hook] | None = None,
    ) -> None:
        """`hooks` answer paths of their own, and say themselves who may enter there."""
        self._hooks = dict(hooks or {})
        self._path = path
        self._operators = operators
        self._version = version
        self._limits = limits or Limits()
        self._port = port
        self._access = access
        self._rest = Rest(operators, limits=self._limits, version=version)
        waiting = Waiting(clock or SystemClock(), lambda: self._is_stopping)
        self._a2a = a2a.Agent2Agent(operators, self._rest, waiting, version)
        self._tools = model_context.ModelContext(operators, self._rest, waiting, self._limits)
        self._chat = chat.Chat(operators, self._rest, waiting)
        self._state = ServerState()
        self._sessions: set[Session] = set()
        self._listeners: list[socket.socket] = []
        self._servers: list[asyncio.Server] = []
        self._inode = 0
        self._is_stopping = False
        self._doorkeeper = Doorkeeper(-1, {})

    @property
    def path(self) -> Path:
        """Where the Unix socket is."""
        return self._path

    @property
    def port(self) -> int:
        """The loopback port that is really open; 0 = none."""
        return int(self._listeners[1].getsockname()[1]) if len(self._listeners) > 1 else 0

    async def __aenter__(self) -> Self:
        """Listen. Raises EngineStartError."""
        await self.start()
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Stop."""
        await self.stop()

    async def run(self) -> None:
        """Serve until cancelled. Raises EngineStartError."""
        async with self:
            await asyncio.Event().wait()

    def claim(self) -> None:
        """Take the sockets, so that no second engine starts here; clients wait until `start`. Raises EngineStartError."""
        token = load_token(self._port.token_path) if self._port else ""
        self._doorkeeper = Doorkeeper.of_this_process(token, self._access.operators)
        self._listeners = [listen_unix(self._path, self._access.group)]
        self._inode = self._path.lstat().st_ino
        if self._port:
            try:
                self._listeners.append(listen_loopback(self._port.host, self._port.port))
            except EngineStartError:
                self._release()
                raise

    def _release(self) -> None:
        unlink_own(self._path, self._inode)
        for listener in self._listeners:
            listener.close()
        self._listeners.clear()

    async def start(self) -> None:
        """Serve; claims the sockets unless that has been done. Raises EngineStartError."""
        if not self._listeners:
            self.claim()
        config = self._config()
        loop = asyncio.get_running_loop()
        for listener in self._listeners:
            server = await loop.create_server(lambda: _Protocol(config, self._state, self._limits), sock=listener)
            self._servers.append(server)
        logger.info("gateway listens", extra={"path": str(self._path), "port": self.port})

    def _config(self) -> Config:
        config = Config(
            cast("Any", self._enter),
            http=_Protocol,
            ws=WebSocketsSansIOProtocol,
            # Twice the limit, so that what is only a little too large is refused in words instead of cut off.
            ws_max_size=2 * self._limits.message_bytes_max,
            ws_per_message_deflate=False,
            lifespan="off",
            interface="asgi3",
            log_config=None,
            log_level="warning",
            access_log=False,
            proxy_headers=False,
            server_header=False,
            date_header=False,
            timeout_keep_alive=KEEP_ALIVE_S,
        )
        config.load()
        return config

    async def stop(self) -> None:
        """Take no more, answer the verbs that were taken (within `drain_s`), cut what is left. Safe to call twice."""
        self._is_stopping = True
        for server in self._servers:
            server.close()
        self._release()
        for session in self._sessions:
            session.stop()
        if self._state.tasks:
            await asyncio.wait(set(self._state.tasks), timeout=self._limits.drain_s + 1)
        for connection in list(self._state.connections):
            connection.transport.abort()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(1):
                for server in self._servers:
                    await server.wait_closed()
        self._servers.clear()

    async def _enter(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """Serve one request or one WebSocket (ASGI), at a hook's path without a look at who comes."""
        hook = self._hooks.get(scope["path"]) if scope["type"] == "http" else None
        if hook is None:
            await self._serve(scope, receive, send)
        else:
            await self._serve_hook(hook, scope["method"], _headers_of(scope), (receive, send))

    async def _serve(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """Serve one request or one WebSocket (ASGI)."""
        connection: _Connection = scope["state"]["connection"]
        refusal: Reply | None = None
        origin = Origin("")
        headers = _headers_of(scope)
        try:
            origin = self._doorkeeper.admit(connection.peer, headers.get(b"authorization", ""), headers.get(NAME_HEADER, ""))
            origin = with_mode(origin, headers.get(MODE_HEADER, ""))
            origin = self._access.with_attempt(origin, headers.get(AGENT_HEADER, ""))
        except UsageError as error:
            refusal = reply_to(error)
        except CommandRefused as error:
            logger.warning("client refused", extra={"address": connection.peer.address, "uid": connection.peer.uid})
            refusal = forbidden(str(error))
        if refusal is None and len(self._state.connections) > self._limits.connections_max:
            refusal = crowded(self._limits.connections_max)
        try:
            if scope["type"] == "websocket":
                await self._serve_websocket(scope, (receive, send), origin, refusal, connection)
            elif refusal is not None:
                await self._rest.send(send, refusal)
            else:
                await self._face(scope["path"]).serve(scope, receive, send, origin)
        except TimeoutError:
            connection.transport.abort()
        except OSError:  # the client left
            pass

    def _face(self, path: str) -> Rest | chat.Chat | a2a.Agent2Agent | model_context.ModelContext:
        """Return what answers at a path."""
        if path == model_context.PATH:
            return self._tools
        return self._chat if path.startswith(chat.PREFIX) else self._a2a if path.startswith(a2a.PREFIX) else self._rest

    async def _serve_hook(self, hook: Hook, method: str, headers: Mapping[bytes, str], channel: tuple[Receive, Send]) -> None:
        """Have a hook answer; what it does not take is refused before it is read."""
        receive, send = channel
        with contextlib.suppress(OSError, TimeoutError):
            if len(self._state.connections) > self._limits.connections_max:
                await self._rest.send(send, crowded(self._limits.connections_max))
                return
            if method != "POST":
                await self._rest.send(send, Reply(b"POST only\n", 405, TEXT, allow="POST"))
                return
            length = headers.get(b"content-length", "")
            if not length.isdecimal() or int(length) > HOOK_BYTES_MAX:
                await self._rest.send(send, Reply(f"at most {HOOK_BYTES_MAX} bytes, of a length that is told\n".encode(), 413, TEXT))
                return
            try:
                status, text = await hook(headers, await self._rest.read(receive))
            except UsageError as error:
                await self._rest.send(send, reply_to(error))
                return
            await self._rest.send(send, Reply(f"{text}\n".encode(), status, TEXT))

    async def _serve_websocket(
        self,
        scope: MutableMapping[str, Any],
        channel: tuple[Receive, Send],
        origin: Origin,
        refusal: Reply | None,
        connection: _Connection,
    ) -> None:
        if refusal is None and scope["path"] != WEBSOCKET_PATH:
            refusal = reply_to(NotFound(f"the WebSocket is at {WEBSOCKET_PATH}"))
        if refusal is not None:
            await _refuse_handshake(channel[1], refusal)
            return
        session = Session(channel, self._operators, origin, limits=self._limits, version=self._version)
        self._sessions.add(session)
        if self._is_stopping:
            session.stop()
        try:
            await session.run()
        finally:
            self._sessions.discard(session)
            if session.is_stuck:
                connection.transport.abort()


def _headers_of(scope: MutableMapping[str, Any]) -> dict[bytes, str]:
    """Return the headers; the first of a name counts."""
    return {name: value.decode("latin-1") for name, value in reversed(scope["headers"])}


async def _refuse_handshake(send: Send, reply: Reply) -> None:
    headers = [(b"content-type", reply.content_type.encode())]
    await send({"type": "websocket.http.response.start", "status": reply.status, "headers": headers})
    await send({"type": "websocket.http.response.body", "body": reply.body})


class _Protocol(H11Protocol):
    """HTTP/1.1 that knows its peer, and does not wait for ever for a request."""

    def __init__(
        self, config: Config, server_state: ServerState, limits: Limits, _loop: asyncio.AbstractEventLoop | None = None
    ) -> None:
        super().__init__(config, server_state, {}, _loop)
        self._limits = limits
        self._late: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Note who connected; far too many are cut off at once."""
        super().connection_made(transport)
        if len(self.connections) > 2 * self._limits.connections_max:
            transport.abort()
            return
        # A WebSocket inherits this state with the transport.
        self.app_state = {"connection": _Connection(peer_of(transport.get_extra_info("socket")), transport)}
        self._expect_request()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the timer."""
        self._stop_expecting()
        super().connection_lost(exc)

    def handle_websocket_upgrade(self, event: h11.Request) -> None:
        """Hand over to the WebSocket, which has its own pings."""
        self._stop_expecting()
        super().handle_websocket_upgrade(event)

    def on_response_complete(self) -> None:
        """Wait for the next request on this connection."""
        self._expect_request()
        super().on_response_complete()

    def _expect_request(self) -> None:
        """Cut the client unless a request has come by then; a slow body has its own limit."""
        self._stop_expecting()
        answered = self.cycle
        self._late = self.loop.call_later(self._limits.receive_s, self._cut_if_silent, answered)

    def _stop_expecting(self) -> None:
        if self._late is not None:
            self._late.cancel()

    def _cut_if_silent(self, answered: RequestResponseCycle | None) -> None:
        if self.cycle is answered:
            self.transport.abort()
