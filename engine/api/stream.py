"""One WebSocket of one operator: JSON-RPC 2.0 with plan, execute, query and feeds of frames.

Owner: each Session owns its open requests and feeds; bounded by `Limits`. A feed has one frame outstanding: the next is
taken from the engine when the client has acknowledged the last, so a slow reader gets fewer, fuller frames.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

import msgspec

from engine.agents.joined.door import Door, HasDoor, Piece
from engine.api.calls import WireCall, commands_of
from engine.api.limits import Limits
from engine.api.peers import FACES, address_with_ssh, check_mode
from engine.model import wire
from engine.model.errors import CommandRefused, FleetError, UsageError
from engine.model.plans import Origin
from engine.model.replication import START, Batch, Mark, Replica
from engine.model.rows import ROW_KINDS
from engine.model.verbs import Command
from engine.operations import Operator

logger = logging.getLogger(__name__)

Operators = Callable[[Origin], Operator]
"""Gives the authority of whoever acts."""

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

NOT_JSON = -32700
NOT_A_REQUEST = -32600
NO_METHOD = -32601
WRONG_PARAMS = -32602
BROKE_INSIDE = -32603
REFUSED = -32000
"""Any FleetError but UsageError; `data.code` says which."""

GOING_AWAY = 1001
NULL = b"null"
ID_BYTES_MAX = 128
ERROR_CHARS_MAX = 2000
METHODS = dict.fromkeys(("hello", "plan", "execute", "query", "changes", "offer", "tell", "hear", "follow", "unfollow", "ack", "ping"))

_P = TypeVar("_P")


class _Gone(ConnectionError):
    """The client is gone, or takes no more bytes."""


class _Request(msgspec.Struct):
    method: str
    id: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    params: msgspec.Raw = msgspec.Raw(b"{}")
    jsonrpc: str = "2.0"


class _Identified(msgspec.Struct):
    id: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


class _Hello(msgspec.Struct):
    via: str = "api"
    client: str = ""
    wire: int = wire.VERSION
    ssh: str = ""
    """The client's SSH_CONNECTION, for the audit."""
    mode: str = ""
    """read-only or write; empty = as the engine is configured."""


class _Plan(msgspec.Struct, forbid_unknown_fields=True):
    commands: list[WireCall]
    reason: str = ""


class _Execute(msgspec.Struct, forbid_unknown_fields=True):
    commands: list[WireCall] | msgspec.UnsetType = msgspec.UNSET
    plan: str = ""
    reason: str = ""
    confirm: str = ""


class _Query(msgspec.Struct, forbid_unknown_fields=True):
    what: str
    parameters: dict[str, Any] = {}


class _Changes(msgspec.Struct, forbid_unknown_fields=True):
    mark: Mark = START


class _Offer(msgspec.Struct, forbid_unknown_fields=True):
    batch: Batch


class _Tell(msgspec.Struct, forbid_unknown_fields=True):
    run: str
    piece: Piece


class _Hear(msgspec.Struct, forbid_unknown_fields=True):
    run: str
    epoch: int
    after: int


class _Follow(msgspec.Struct, forbid_unknown_fields=True):
    kinds: list[str]


class _Followed(msgspec.Struct, forbid_unknown_fields=True):
    follow: msgspec.Raw


def what_to_execute(commands: list[WireCall] | msgspec.UnsetType, plan: str) -> list[Command] | str:
    """Return commands or the id of a plan. Raises UsageError."""
    if (commands is msgspec.UNSET) == (not plan):
        raise UsageError("execute takes either `commands` or the id of a `plan`")
    return plan if commands is msgspec.UNSET else commands_of(commands)


def check_kinds(kinds: list[str]) -> None:
    """Check names of kinds of rows. Raises UsageError with the nearest known one."""
    for kind in kinds:
        if kind not in ROW_KINDS:
            raise UsageError(f"no rows of kind {kind!r}{wire.nearest(kind, ROW_KINDS)}")


def result_of(value: object) -> bytes:
    """Return a result's JSON; bytes travel as {"base64": …}."""
    return wire.encode({"base64": value} if isinstance(value, bytes) else value)


@dataclass(slots=True)
class _Feed:
    """A feed that a client follows; its name is the id of the request that asked for it."""

    key: bytes
    credit: asyncio.Event = field(default_factory=asyncio.Event)
    """Set while the client may get a frame."""
    task: asyncio.Task[None] | None = None
    is_answered: bool = False


class Session:
    """A WebSocket from its handshake to its end."""

    def __init__(
        self, channel: tuple[Receive, Send], operators: Operators, origin: Origin, *, limits: Limits, version: str
    ) -> None:
        self._receive, self._send_event = channel
        self._operators = operators
        self._origin = origin
        self._limits = limits
        self._version = version
        self._operator: Operator | None = None
        self._over = asyncio.Event()
        self._group = asyncio.TaskGroup()
        self._reads: set[asyncio.Task[None]] = set()
        self._verbs: set[asyncio.Task[None]] = set()
        self._feeds: dict[bytes, _Feed] = {}
        self._asks: dict[str, tuple[set[asyncio.Task[None]], Callable[[Any], Awaitable[object]], type]] = {
            "execute": (self._verbs, self._execute, _Execute),
            "plan": (self._reads, self._plan, _Plan),
            "query": (self._reads, self._query, _Query),
            "changes": (self._reads, self._changes, _Changes),
            "offer": (self._verbs, self._offer, _Offer),
            "tell": (self._reads, self._tell, _Tell),
            "hear": (self._reads, self._hear, _Hear),
        }
        """What takes its time: among whose tasks, who answers, and the parameters."""
        self.is_stuck = False
        """The client took no bytes for too long: its connection must be cut, for a close would wait behind them."""

    def stop(self) -> None:
        """End the session as soon as its verbs are answered."""
        self._over.set()

    async def run(self) -> None:
        """Serve until the client leaves or `stop`; verbs that were taken are carried out, within `drain_s`."""
        await self._receive()
        try:
            await self._send_within({"type": "websocket.accept"})
            async with self._group as group:
                reader = group.create_task(self._read())
                await self._over.wait()
                reader.cancel()
                for task in (*self._reads, *(feed.task for feed in self._feeds.values() if feed.task)):
                    task.cancel()
                if self._verbs:
                    await asyncio.wait(self._verbs, timeout=self._limits.drain_s)
                for task in self._verbs:
                    task.cancel()
            if not self.is_stuck:
                await self._send_within({"type": "websocket.close", "code": GOING_AWAY, "reason": "the engine stops"})
        except _Gone:
            pass

    async def _read(self) -> None:
        """Take requests until the client leaves."""
        try:
            while (message := await self._receive())["type"] != "websocket.disconnect":
                await self._take(message.get("text"))
        except _Gone:
            pass
        finally:
            self._over.set()

    async def _take(self, text: str | None) -> None:
        """Read one message and do what it asks, or refuse it."""
        if text is None:
            await self._refuse(NULL, NOT_A_REQUEST, UsageError("send text, not binary: JSON-RPC 2.0 is JSON"))
            return
        size = len(text) if text.isascii() else len(text.encode())
        if size > self._limits.message_bytes_max:
            most = self._limits.message_bytes_max
            too_large = UsageError(f"the message is {size} bytes, the most is {most}: split it")
            await self._refuse(NULL, NOT_A_REQUEST, too_large)
            return
        try:
            request = msgspec.json.decode(text, type=_Request)
        except msgspec.ValidationError as error:
            await self._refuse(_id_in(text), NOT_A_REQUEST, UsageError(f"not a JSON-RPC request: {error}"))
            return
        except (msgspec.DecodeError, RecursionError) as error:
            await self._refuse(NULL, NOT_JSON, UsageError(f"not valid JSON: {error}"))
            return
        key = _key_of(request.id)
        if key is None or request.jsonrpc != "2.0":
            form = UsageError('`jsonrpc` is "2.0"; `id` is a short string, a number or null')
            await self._refuse(key or NULL, NOT_A_REQUEST, form)
            return
        try:
            await self._dispatch(request, key)
        except FleetError as error:
            await self._refuse(key, _rpc_code(error), error)

    async def _dispatch(self, request: _Request, key: bytes) -> None:
        """Answer at once, or start a task that does; an empty key asks for no answer. Raises FleetError."""
        asked = self._asks.get(request.method)
        if asked is not None:
            tasks, serve, kind = asked
            self._start(tasks, serve, _params(request, kind), key)
            return
        match request.method:
            case "follow":
                self._start_feed(_params(request, _Follow).kinds, key)
            case "ack":
                self._credit(_params(request, _Followed))
                await self._answer(key, NULL)
            case "unfollow":
                self._unfollow(_params(request, _Followed))
                await self._answer(key, NULL)
            case "ping":
                await self._answer(key, b'"pong"')
            case "hello":
                await self._answer(key, wire.encode(self._greet(_params(request, _Hello))))
            case unknown:
                word = unknown[:64]
                await self._refuse(key, NO_METHOD, UsageError(f"no method {word!r}{wire.nearest(word, METHODS)}"))

    def _greet(self, hello: _Hello) -> dict[str, object]:
        """Note through which face and from where the client comes, and say who it is here."""
        if self._operator is not None:
            raise UsageError("hello comes first, and once")
        if hello.via not in FACES:
            raise UsageError(f"via is one of {', '.join(FACES)}, not {hello.via[:64]!r}")
        check_mode(hello.mode)
        address = address_with_ssh(self._origin.address, hello.ssh)
        self._origin = replace(self._origin, via=hello.via, address=address, mode=hello.mode or self._origin.mode)
        authority = self._act().authority
        logger.debug("client greeted", extra={"via": hello.via, "address": address, "client": hello.client[:64]})
        return {
            "engine": self._version,
            "wire": wire.VERSION,
            "pid": os.getpid(),
            "who": authority.who,
            "role": int(authority.role),
            "read_only": authority.read_only,
            "address": address,
            "message_bytes_max": self._limits.message_bytes_max,
            "requests_max": self._limits.requests_max,
        }

    def _act(self) -> Operator:
        """Return the authority of this connection; without hello it is that of face `api`."""
        if self._operator is None:
            self._operator = self._operators(self._origin)
        return self._operator

    # Requests

    def _start(
        self, tasks: set[asyncio.Task[None]], serve: Callable[[_P], Awaitable[object]], params: _P, key: bytes
    ) -> None:
        most = self._limits.requests_max
        if len(self._verbs) + len(self._reads) >= most:
            raise CommandRefused(f"{most} requests of this connection are open: wait for their answers")
        tasks.add(self._group.create_task(self._serve(tasks, serve, params, key)))

    async def _serve(
        self, tasks: set[asyncio.Task[None]], serve: Callable[[_P], Awaitable[object]], params: _P, key: bytes
    ) -> None:
        """Carry out one request and answer it."""
        try:
            try:
                async with asyncio.timeout(self._limits.request_s):
                    answer = result_of(await serve(params))
                most = self._limits.answer_bytes_max
                if len(answer) > most:
                    raise UsageError(f"the answer is {len(answer)} bytes, the most is {most}: ask for less")
            except Exception as error:  # noqa: BLE001  # a face's edge: one request never ends the others
                await self._refuse(key, *self._reason_of(error))
            else:
                await self._answer(key, answer)
        except _Gone:
            self._over.set()
        finally:
            tasks.discard(_this_task())

    def _reason_of(self, error: Exception) -> tuple[int, FleetError]:
        """Return what the client is told of an error; what is not the fleet's own word is logged here."""
        if isinstance(error, FleetError):
            return _rpc_code(error), error
        if isinstance(error, TimeoutError):
            text = f"not done within {self._limits.request_s:g} s: the audit tells what became of it"
            return REFUSED, FleetError(text)
        logger.error("a request failed inside", exc_info=error)
        return BROKE_INSIDE, FleetError("the engine failed inside: its log says why")

    async def _execute(self, params: _Execute) -> object:
        what = what_to_execute(params.commands, params.plan)
        return await self._act().execute(what, reason=params.reason, confirm=params.confirm)

    async def _plan(self, params: _Plan) -> object:
        return await self._act().plan(commands_of(params.commands), reason=params.reason)

    async def _query(self, params: _Query) -> object:
        if "what" in params.parameters or "self" in params.parameters:
            raise UsageError("`what` and `self` are no parameters of a query")
        return await self._act().query(params.what, **params.parameters)

    async def _changes(self, params: _Changes) -> object:
        return await self._replica().changes_since(params.mark)

    async def _offer(self, params: _Offer) -> object:
        return await self._replica().offer(params.batch)

    def _replica(self) -> Replica:
        operator = self._act()
        if not isinstance(operator, Replica):
            raise CommandRefused("this engine exchanges no entries of memory")
        return operator

    async def _tell(self, params: _Tell) -> object:
        return self._door().tell(params.run, params.piece)

    async def _hear(self, params: _Hear) -> object:
        return await self._door().hear(params.run, params.epoch, params.after)

    def _door(self) -> Door:
        operator = self._act()
        if not isinstance(operator, HasDoor):
            raise CommandRefused("this engine takes no hosts in")
        return operator.door()

    # Feeds

    def _start_feed(self, kinds: list[str], key: bytes) -> None:
        check_kinds(kinds)
        if key in self._feeds or key in (b"", NULL):
            raise UsageError("follow needs an id of its own: it names the feed")
        if len(self._feeds) >= self._limits.follows_max:
            raise CommandRefused(f"{self._limits.follows_max} feeds are open on this connection: unfollow one")
        feed = self._feeds[key] = _Feed(key)
        feed.task = self._group.create_task(self._feed(feed, kinds))

    async def _feed(self, feed: _Feed, kinds: list[str]) -> None:
        """Send frames until the client or the engine ends it; then say why."""
        try:
            try:
                await self._send_frames(feed, kinds)
                end = NULL
            except _Gone:
                raise
            except Exception as error:  # noqa: BLE001  # a face's edge
                code, reason = self._reason_of(error)
                if not feed.is_answered:
                    await self._refuse(feed.key, code, reason)
                    return
                end = _error(code, reason)
            await self._send(b'{"jsonrpc":"2.0","method":"end","params":{"follow":%b,"error":%b}}' % (feed.key, end))
        except _Gone:
            self._over.set()
        finally:
            if self._feeds.get(feed.key) is feed:
                del self._feeds[feed.key]

    async def _send_frames(self, feed: _Feed, kinds: list[str]) -> None:
        """Send each frame after the one before was acknowledged. Raises FleetError, _Gone."""
        async with self._act().follow(kinds) as frames:
            feed.is_answered = True
            await self._answer(feed.key, b'{"follow":%b}' % feed.key)
            async for frame in frames:
                body = (feed.key, wire.encode(frame))
                await self._send(b'{"jsonrpc":"2.0","method":"frame","params":{"follow":%b,"frame":%b}}' % body)
                try:
                    async with asyncio.timeout(self._limits.ack_s):
                        await feed.credit.wait()
                except TimeoutError as error:
                    text = f"no frame was acknowledged for {self._limits.ack_s:g} s: follow again"
                    raise CommandRefused(text) from error
                feed.credit.clear()

    def _credit(self, followed: _Followed) -> None:
        """Allow the next frame. A feed that has just ended is no error: the two messages may cross."""
        if (feed := self._feeds.get(_key_of(followed.follow) or NULL)) is not None:
            feed.credit.set()

    def _unfollow(self, followed: _Followed) -> None:
        feed = self._feeds.pop(_key_of(followed.follow) or NULL, None)
        if feed is not None and feed.task is not None:
            feed.task.cancel()

    # Sending

    async def _answer(self, key: bytes, result: bytes) -> None:
        if key:
            await self._send(b'{"jsonrpc":"2.0","id":%b,"result":%b}' % (key, result))

    async def _refuse(self, key: bytes, code: int, error: FleetError) -> None:
        if key:
            await self._send(b'{"jsonrpc":"2.0","id":%b,"error":%b}' % (key, _error(code, error)))

    async def _send(self, message: bytes) -> None:
        await self._send_within({"type": "websocket.send", "text": message.decode()})

    async def _send_within(self, event: MutableMapping[str, Any]) -> None:
        """Send, or raise _Gone if the client is gone or takes nothing for `send_s`."""
        try:
            async with asyncio.timeout(self._limits.send_s):
                await self._send_event(event)
        except TimeoutError as error:
            self.is_stuck = True
            raise _Gone from error
        except (OSError, RuntimeError) as error:  # uvicorn: the client left, or the close has been sent
            raise _Gone from error


def _this_task() -> asyncio.Task[None]:
    task: asyncio.Task[None] | None = asyncio.current_task()
    assert task is not None
    return task


def _params(request: _Request, kind: type[_P]) -> _P:
    """Return a method's parameters. Raises UsageError that names the place."""
    try:
        return msgspec.json.decode(request.params, type=kind)
    except (msgspec.DecodeError, RecursionError) as error:
        raise UsageError(f"{request.method}: {error}") from error


def _key_of(raw: msgspec.Raw | msgspec.UnsetType) -> bytes | None:
    """Return an id as it was written; empty if there is none, None if it is no id."""
    if isinstance(raw, msgspec.UnsetType):
        return b""
    key = bytes(raw)
    is_id = key == NULL or key[:1] in b'"-0123456789'
    return key if is_id and len(key) <= ID_BYTES_MAX else None


def _id_in(text: str) -> bytes:
    """Return the id of a malformed request if it has one, else null."""
    try:
        key = _key_of(msgspec.json.decode(text, type=_Identified).id)
    except (msgspec.DecodeError, RecursionError):
        return NULL
    return key or NULL


def _rpc_code(error: FleetError) -> int:
    return WRONG_PARAMS if isinstance(error, UsageError) else REFUSED


def _error(code: int, error: FleetError) -> bytes:
    text = str(error).encode(errors="replace").decode()[:ERROR_CHARS_MAX]
    return wire.encode({"code": code, "message": text, "data": {"code": error.code}})
