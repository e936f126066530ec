"""The operator at a distance: an Operator over one WebSocket, for the console and the command line.

Owner: RemoteOperator owns its connection, its open requests and its feeds. Bounds: as many requests at once as the engine
takes (a further one waits), one frame outstanding for a feed. Imports little, since it is on the way to the first frame.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import dataclasses
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import msgspec

from engine.clock import Clock, SystemClock
from engine.model import wire
from engine.model.acting import CURRENT, SOCKET_VARIABLE, VARIABLE
from engine.model.commands import COMMANDS
from engine.model.errors import (
    EngineUnavailable,
    FleetError,
    Unanswered,
    UsageError,
    error_from_code,
)
from engine.model.plans import Answer, Authority, Plan
from engine.model.rows import FleetStatus, Frame
from engine.model.verbs import Command
from engine.operations import Following

if TYPE_CHECKING:
    from websockets.asyncio.client import ClientConnection

MESSAGE_BYTES_MAX = 96 << 20
"""Largest message the client takes: the engine's largest answer, and some."""

CALL_TIMEOUT_S = 150.0
"""Longest wait for an answer; longer than the engine's own limit, so that its words arrive."""

PING_S = 5.0
SILENCE_S = 15.0
"""Wait for the pong of the transport; then the engine counts as gone."""

CLOSE_S = 1.0

PATH_BYTES_MAX = 107
"""Longest path of a Unix socket that Linux takes."""

START_HINT = "start one with `fleet-tui`, or with `fleet-tui engine` in another terminal"


@dataclass(frozen=True, slots=True)
class Caller:
    """What the client says of itself."""

    via: str = "cli"
    """console, cli or api."""
    version: str = ""
    ssh_connection: str = ""
    """The environment's SSH_CONNECTION, for the audit."""
    token: str = ""
    """For ws:// and wss:// only: the content of the engine's token file."""
    name: str = ""
    """Under which name of the engine's account it acts; empty = the account's own."""
    agent: str = ""
    """The token of an agent's attempt, of which this is a program: it acts as that agent, and does nothing else."""
    mode: str = ""
    """`read-only`: the engine refuses every verb of this connection; `write`: none for `operations.read_only`."""


class Welcome(msgspec.Struct, frozen=True):
    """What the engine says of itself, and who the caller is to it."""

    engine: str
    wire: int
    pid: int
    who: str
    role: int
    address: str
    message_bytes_max: int
    requests_max: int
    read_only: str = ""


class _ErrorData(msgspec.Struct):
    code: str = FleetError.code


class _Error(msgspec.Struct):
    message: str
    data: _ErrorData = msgspec.field(default_factory=_ErrorData)


class _Incoming(msgspec.Struct):
    """An answer (id), or a message of a feed (method)."""

    id: int | None = None
    result: msgspec.Raw = msgspec.Raw(b"null")
    error: _Error | None = None
    method: str = ""
    params: msgspec.Raw = msgspec.Raw(b"{}")


class _FeedMessage(msgspec.Struct):
    follow: int
    frame: msgspec.Raw = msgspec.Raw(b"null")
    error: _Error | None = None


_incoming_decoder = msgspec.json.Decoder(_Incoming)
_feed_decoder = msgspec.json.Decoder(_FeedMessage)


class _Unheard(EngineUnavailable):
    """A request was sent, and nothing came back."""


class _Feed:
    """Frames of one feed; asking for the next acknowledges the last."""

    def __init__(self, key: int, notify: Callable[[str, dict[str, object]], Awaitable[None]]) -> None:
        self._key = key
        self._notify = notify
        # The frame outstanding, the end, and the loss of the connection: never more.
        self.arrived: asyncio.Queue[msgspec.Raw | FleetError | None] = asyncio.Queue(3)
        self._is_owed = False

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Frame:
        if self._is_owed:
            self._is_owed = False
            await self._notify("ack", {"follow": self._key})
        arrived = await self.arrived.get()
        if arrived is None:
            raise StopAsyncIteration
        if isinstance(arrived, FleetError):
            raise arrived
        self._is_owed = True
        return wire.decode_frame(bytes(arrived))


class RemoteOperator:
    """Authority over a fleet whose engine runs elsewhere; an async context manager, made by `connect`."""

    def __init__(self, address: str, *, clock: Clock, caller: Caller, timeout_s: float, ca_file: Path | None = None) -> None:
        self._address = address
        self._clock = clock
        self._caller = caller
        self._timeout_s = timeout_s
        self._ca_file = ca_file
        self._socket: ClientConnection | None = None
        self._welcome = Welcome("", wire.VERSION, 0, "", 0, "", 1 << 20, 1)
        self._group = asyncio.TaskGroup()
        self._reader: asyncio.Task[None] | None = None
        self._last_id = 0
        self._waiting: dict[int, asyncio.Future[msgspec.Raw | FleetError]] = {}
        self._feeds: dict[int, _Feed] = {}
        self._slots = asyncio.Semaphore(1)
        self._lost = "the connection is not open"

    @property
    def welcome(self) -> Welcome:
        """What the engine said at the beginning."""
        return self._welcome

    @property
    def authority(self) -> Authority:
        """Who this is to the engine."""
        return Authority(self._welcome.who, self._welcome.role, self._welcome.read_only)

    @property
    def is_connected(self) -> bool:
        """Whether calls can be made."""
        return not self._lost

    async def __aenter__(self) -> Self:
        """Connect and greet. Raises EngineUnavailable that says what to do, or CommandRefused for a stranger."""
        self._socket = await _open(self._address, self._caller, self._timeout_s, self._ca_file)
        self._lost = ""
        await self._group.__aenter__()
        self._reader = self._group.create_task(self._read(self._socket))
        try:
            await self._greet()
        except BaseException as error:
            await self.__aexit__(type(error), error, error.__traceback__)
            raise
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Close; requests that are still open fail with EngineUnavailable."""
        if self._socket is not None and self._reader is not None:
            self._lose("the connection was closed")
            self._reader.cancel()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(CLOSE_S):
                    await self._socket.close()
            # What the body raised is the body's; the group has only the reader, which raises nothing.
            await self._group.__aexit__(None, None, None)

    async def _greet(self) -> None:
        caller = self._caller
        hello: dict[str, object] = {"via": caller.via, "client": caller.version, "wire": wire.VERSION}
        hello |= {"ssh": caller.ssh_connection, "mode": caller.mode}
        answer = await self._call("hello", hello, timeout_s=self._timeout_s)
        self._welcome = wire.decode_as(bytes(answer), Welcome)
        if self._welcome.wire != wire.VERSION:
            raise EngineUnavailable(
                f"the engine at {self._address} speaks version {self._welcome.wire} of the protocol (fleet-tui"
                f" {self._welcome.engine}), this program version {wire.VERSION}: use the same fleet-tui for both"
            )
        self._slots = asyncio.Semaphore(self._welcome.requests_max)

    # Operator

    async def plan(self, commands: Sequence[Command], *, reason: str = "") -> Plan:
        """Check verbs and describe what they would do; nothing changes. Raises FleetError."""
        result = await self._ask("plan", {"commands": calls_of(commands), "reason": reason})
        return wire.decode_as(bytes(result), Plan)

    async def execute(self, commands: Sequence[Command] | str, *, reason: str = "", confirm: str = "") -> Answer:
        """Carry out verbs, or a plan by its id; returns when it is durable. Raises FleetError.

        Cancelling it, or losing the engine, leaves open whether it was carried out (Unanswered, which says so); the audit tells.
        """
        what = {"plan": commands} if isinstance(commands, str) else {"commands": calls_of(commands)}
        typed = {"confirm": confirm} if confirm else {}
        try:
            answer = await self._ask("execute", {**what, "reason": reason, **typed})
        except _Unheard as error:
            filters = f" --filter plan={commands}" if isinstance(commands, str) else ""
            raise Unanswered(f"{error}. Whether it was done is not known: `fleet-tui get audit{filters}` tells") from error
        return wire.decode_as(bytes(answer), Answer)

    async def query(self, what: str, **parameters: object) -> object:
        """Return the FleetStatus for `status`, bytes for what is bytes, plain values for the rest. Raises FleetError."""
        result = bytes(await self._ask("query", {"what": what, "parameters": parameters}))
        if what == "status":
            return wire.decode_as(result, FleetStatus)
        plain = wire.decode(result)
        if isinstance(plain, dict) and plain.keys() == {"base64"}:
            return base64.b64decode(plain["base64"])
        return plain

    def follow(self, kinds: Sequence[str]) -> Following:
        """Follow rows of some kinds; a frame is acknowledged when the next one is asked for.

        Raises EngineUnavailable, from the iterator too, when the engine is gone: connect and follow anew.
        """
        return self._following(kinds)

    @asynccontextmanager
    async def _following(self, kinds: Sequence[str]) -> AsyncIterator[AsyncIterator[Frame]]:
        key = self._next_id()
        feed = self._feeds[key] = _Feed(key, self._notify)
        try:
            await self._call("follow", {"kinds": list(kinds)}, key=key)
            yield feed
        finally:
            del self._feeds[key]
            with contextlib.suppress(EngineUnavailable):
                await self._notify("unfollow", {"follow": key})

    async def ask(self, method: str, params: dict[str, object]) -> bytes:
        """Call a method that not every operator has; return its answer's JSON. Raises FleetError."""
        return bytes(await self._ask(method, params))

    async def ping(self) -> float:
        """Return the round trip to the engine in seconds. Raises EngineUnavailable."""
        start = self._clock.now()
        await self._call("ping", {}, timeout_s=self._timeout_s)
        return self._clock.now() - start

    # Messages

    def _next_id(self) -> int:
        self._last_id += 1
        return self._last_id

    async def _ask(self, method: str, params: dict[str, object]) -> msgspec.Raw:
        """Call a method of which the engine takes only so many at once."""
        async with self._slots:
            return await self._call(method, params)

    async def _call(
        self, method: str, params: dict[str, object], *, key: int = 0, timeout_s: float = CALL_TIMEOUT_S
    ) -> msgspec.Raw:
        """Return the result of a method. Raises FleetError."""
        key = key or self._next_id()
        answer: asyncio.Future[msgspec.Raw | FleetError] = asyncio.get_running_loop().create_future()
        self._waiting[key] = answer
        try:
            async with asyncio.timeout(timeout_s):
                await self._send({"jsonrpc": "2.0", "id": key, "method": method, "params": params})
                result = await answer
        except TimeoutError as error:
            raise _Unheard(_mute_text(self._address, timeout_s)) from error
        finally:
            del self._waiting[key]
        if isinstance(result, FleetError):
            raise result
        return result

    async def _notify(self, method: str, params: dict[str, object]) -> None:
        """Send a message that has no answer. Raises EngineUnavailable."""
        try:
            async with asyncio.timeout(self._timeout_s):
                await self._send({"jsonrpc": "2.0", "method": method, "params": params})
        except TimeoutError as error:
            raise EngineUnavailable(_mute_text(self._address, self._timeout_s)) from error

    async def _send(self, message: dict[str, object]) -> None:
        from websockets.exceptions import ConnectionClosed

        if self._lost or self._socket is None:
            raise EngineUnavailable(self._lost)
        data = wire.encode(message)
        most = self._welcome.message_bytes_max
        if len(data) > most:
            raise UsageError(f"the request is {len(data)} bytes, the engine takes {most}: split it")
        try:
            await self._socket.send(data, text=True)
        except ConnectionClosed as error:
            raise EngineUnavailable(_lost_text(self._address, error.rcvd.reason if error.rcvd else "")) from error

    async def _read(self, socket: ClientConnection) -> None:
        """Hand out what arrives until the connection ends."""
        from websockets.exceptions import ConnectionClosed

        reason = ""
        try:
            while True:
                self._deliver(await socket.recv(decode=False))
        except ConnectionClosed as error:
            reason = error.rcvd.reason if error.rcvd else ""
        except (msgspec.DecodeError, asyncio.QueueFull):
            reason = "it sent what this program does not understand"
        finally:
            self._lose(_lost_text(self._address, reason))

    def _deliver(self, data: bytes) -> None:
        """Give an answer to who waits for it, a frame to its feed; what nobody waits for any more is dropped."""
        incoming = _incoming_decoder.decode(data)
        if incoming.method:
            message = _feed_decoder.decode(incoming.params)
            if (feed := self._feeds.get(message.follow)) is not None:
                end = message.error
                ended = error_from_code(end.data.code, end.message) if end else None
                feed.arrived.put_nowait(message.frame if incoming.method == "frame" else ended)
        elif incoming.id is not None and (answer := self._waiting.get(incoming.id)) is not None and not answer.done():
            error = incoming.error
            answer.set_result(error_from_code(error.data.code, error.message) if error else incoming.result)

    def _lose(self, reason: str) -> None:
        """Tell everybody who waits that the connection is gone."""
        if self._lost:
            return
        self._lost = reason
        for answer in self._waiting.values():
            if not answer.done():
                # As a value: an exception that nobody came to fetch would be reported by asyncio.
                answer.set_result(_Unheard(reason))
        for feed in self._feeds.values():
            with contextlib.suppress(asyncio.QueueFull):
                feed.arrived.put_nowait(EngineUnavailable(reason))


def connect(address: str | Path, *, clock: Clock, caller: Caller | None = None, timeout_s: float = 5.0, ca_file: Path | None = None) -> RemoteOperator:
    """Return an operator to enter with `async with`; address is a socket path, unix:/path, ws:// or wss://, trusted by `ca_file` or the system's authorities."""
    return RemoteOperator(str(address), clock=clock, caller=caller or Caller(), timeout_s=timeout_s, ca_file=ca_file)


def connect_agent() -> RemoteOperator:
    """Return the engine whose agent's task this code does, with that agent's rights; for handlers and programs of agents.

    Raises EngineUnavailable for code that does no task.
    """
    socket, token = os.environ.get(SOCKET_VARIABLE, ""), CURRENT.get() or os.environ.get(VARIABLE, "")
    if not socket or not token:
        raise EngineUnavailable(f"this code does no agent's task: {SOCKET_VARIABLE} and {VARIABLE} are not set")
    return connect(socket, clock=SystemClock(), caller=Caller(agent=token))


@cache
def _defaults_of(verb: str) -> tuple[tuple[str, object], ...]:
    return tuple(
        (spec.name, spec.default_factory() if spec.default_factory is not dataclasses.MISSING else spec.default)
        for spec in dataclasses.fields(COMMANDS[verb])
    )


def calls_of(commands: Sequence[Command]) -> list[dict[str, object]]:
    """Return commands as `wire.call_of` does, ready for JSON; five times as fast, for bulk."""
    return [
        {
            "name": command.name,
            "args": {
                name: value
                for name, default in _defaults_of(command.name)
                if (value := getattr(command, name)) != default
            },
        }
        for command in commands
    ]


async def _open(address: str, caller: Caller, timeout_s: float, ca_file: Path | None) -> ClientConnection:
    """Return an open WebSocket. Raises EngineUnavailable that says what to do, or what the engine's door said."""
    from ssl import SSLError

    from websockets.asyncio import client
    from websockets.exceptions import InvalidHandshake, InvalidStatus, InvalidURI

    from engine.api.trust import context_of, refusal_of

    settings: dict[str, Any] = {
        "compression": None,
        "open_timeout": timeout_s,
        "close_timeout": CLOSE_S,
        "max_size": MESSAGE_BYTES_MAX,
        "ping_interval": PING_S,
        "ping_timeout": SILENCE_S,
        "user_agent_header": None,
        "proxy": None,
    }
    # Who acts is settled at the door, for every face alike.
    headers = {name: value for name, value in (("Fleet-As", caller.name), ("Fleet-Agent", caller.agent)) if value}
    try:
        if address.startswith(("ws://", "wss://")):
            headers |= {"Authorization": f"Bearer {caller.token}"}
            if address.startswith("wss://"):
                settings["ssl"] = context_of(ca_file)
            return await client.connect(address.rstrip("/") + "/ws", additional_headers=headers, **settings)
        return await client.unix_connect(_socket_path(address), "ws://engine/ws", additional_headers=headers, **settings)
    except InvalidStatus as error:
        raise _door_error(bytes(error.response.body or b""), address, error.response.status_code) from error
    except SSLError as error:  # before ValueError, which one of a certificate is too
        raise refusal_of(error, address, ca_file) from error
    except (InvalidURI, ValueError) as error:
        raise UsageError(f"{address} is no address of an engine: give a socket path, ws://HOST:PORT or wss://…") from error
    except TimeoutError as error:
        raise EngineUnavailable(_mute_text(address, timeout_s)) from error
    except (OSError, EOFError, InvalidHandshake) as error:
        raise EngineUnavailable(_refused_text(address, error)) from error


def _socket_path(address: str) -> str:
    path = address.removeprefix("unix:")
    path = path.removeprefix("//") if path.startswith("///") else path
    size = len(os.fsencode(path))
    if size > PATH_BYTES_MAX:
        raise EngineUnavailable(f"the socket path {path} is {size} bytes long, the system takes {PATH_BYTES_MAX}")
    return path


def _door_error(body: bytes, address: str, status: int = 0) -> FleetError:
    """Return what the gateway said when it refused the handshake."""
    try:
        problem = msgspec.json.decode(body, type=dict[str, str | int])
        return error_from_code(str(problem["code"]), str(problem["message"]))
    except (msgspec.DecodeError, KeyError):
        if status in (502, 503, 504):  # a proxy's words for what is behind it
            return EngineUnavailable(f"a proxy answers at {address} (HTTP {status}), and no engine behind it: start the engine, with `access.port` in its configuration, or correct where the proxy looks")
        return EngineUnavailable(f"what answers at {address} is not an engine")


def _refused_text(address: str, error: Exception) -> str:
    if isinstance(error, FileNotFoundError):
        return f"no engine runs here (no socket {address}): {START_HINT}"
    if isinstance(error, ConnectionRefusedError) and address.startswith(("ws://", "wss://")):
        return f"nothing listens at {address}: start the engine there, with `access.port` in its configuration"
    if isinstance(error, ConnectionRefusedError):
        return f"the engine at {address} is gone and left its socket behind: {START_HINT}; it replaces the socket"
    if isinstance(error, PermissionError):
        return f"the socket {address} belongs to another user: become that user, or start your own engine"
    if isinstance(error, OSError):
        return f"cannot reach an engine at {address} ({error.strerror or error}): {START_HINT}"
    return f"what answers at {address} is not an engine: {error}"


def _mute_text(address: str, seconds: float) -> str:
    return (
        f"the engine at {address} did not answer within {seconds:g} s: it is stopped or overloaded;"
        " see `fleet-tui doctor`, or end its process and start it again"
    )


def _lost_text(address: str, reason: str) -> str:
    return f"the connection to the engine at {address} was lost ({reason or 'it ended without a word'}): {START_HINT}"
