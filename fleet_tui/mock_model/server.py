"""The model's door: three APIs on a loopback port.

Owner: `MockModel` owns its listening socket and its connections. Limits: BODY_BYTES_MAX a request; the last
REQUESTS_MAX requests are kept in memory. uvicorn's protocol does HTTP; its `Server` is left out, for it takes the signals.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from dataclasses import replace
from types import TracebackType
from typing import Any, Self, cast

import msgspec
from uvicorn.config import Config
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

from engine.clock import Clock, OrderedIds, system_rng
from engine.model.errors import UsageError
from engine.model.secrets import redact
from fleet_tui.mock_model.answers import Answer, BadRequest, Piece, Wire, encode
from fleet_tui.mock_model.chat import Chat
from fleet_tui.mock_model.conversations import Ask, Conversations
from fleet_tui.mock_model.messages import Messages
from fleet_tui.mock_model.request_log import RequestLog
from fleet_tui.mock_model.responses import Responses
from fleet_tui.mock_model.script import ECHO, Script, Turn

logger = logging.getLogger(__name__)

HOST = "127.0.0.1"
BODY_BYTES_MAX = 64 * 1024 * 1024
REQUESTS_MAX = 10_000
STOP_S = 2.0
BACKLOG = 1_024
KEEP_ALIVE_S = 60

WIRES: Mapping[str, Wire] = {"/messages": Messages(), "/chat/completions": Chat(), "/responses": Responses()}
COUNT = "/messages/count_tokens"
MODELS = "/models"
NAMES = ("mock-model",)
"""Models that are listed; any other name is as good."""

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[Mapping[str, Any]], Awaitable[None]]
JSON = "application/json"


class _Gone(Exception):
    """The client left."""


class MockModel:
    """Answers by a script; `async with` it."""

    def __init__(self, script: Script = ECHO, *, clock: Clock, port: int = 0, log: RequestLog | None = None) -> None:
        self._conversations = Conversations(script)
        self._clock = clock
        self._ids = OrderedIds(clock, system_rng())
        self._port = port
        self._log = log
        self._state = ServerState()
        self._server: asyncio.Server | None = None
        self.requests: deque[dict[str, object]] = deque(maxlen=REQUESTS_MAX)
        """What came, as the log has it."""

    @property
    def url(self) -> str:
        """Where it listens, without a path."""
        return f"http://{HOST}:{self._port}"

    async def __aenter__(self) -> Self:
        """Listen. Raises UsageError."""
        try:
            listener = socket.create_server((HOST, self._port), backlog=BACKLOG)
        except OSError as error:
            raise UsageError(f"cannot listen on port {self._port}: {error.strerror}") from error
        self._port = listener.getsockname()[1]
        config = self._config()
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: _Protocol(config, self._state), sock=listener)
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Cut whoever is still there."""
        assert self._server is not None
        self._server.close()
        for connection in list(self._state.connections):
            connection.transport.abort()
        for task in self._state.tasks:
            task.cancel()
        if self._state.tasks:
            await asyncio.wait(set(self._state.tasks), timeout=STOP_S)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(STOP_S):
                await self._server.wait_closed()

    def _config(self) -> Config:
        config = Config(
            cast("Any", self._serve), http=_Protocol, ws="none", lifespan="off", interface="asgi3", log_config=None, log_level="warning",
            access_log=False, proxy_headers=False, server_header=False, date_header=False, timeout_keep_alive=KEEP_ALIVE_S,
        )  # fmt: skip
        config.load()
        return config

    # ---- a request

    async def _serve(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """Serve one request (ASGI)."""
        transport: asyncio.Transport = scope["state"]["transport"]
        path = scope["path"].removeprefix("/v1")
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        wire = WIRES.get(path.removesuffix("/count_tokens"), WIRES["/chat/completions"])
        try:
            data = await _read_body(receive)
            if scope["method"] == "POST" and (path in WIRES or path == COUNT):
                await self._answer(wire, path, (headers, data), (send, transport))
            elif scope["method"] in ("GET", "HEAD") and path in (MODELS, "/", ""):
                await _reply(send, 200, _models() if path == MODELS else {"mock_model": self.url})
            else:
                self._note(path, headers, {"status": 404, "method": scope["method"]})
                await _reply(send, 404, wire.error(404, f"{scope['method']} {scope['path']} is none of this model's"))
        except BadRequest as error:
            self._note(path, headers, {"status": 400, "problem": str(error)})
            await _reply(send, 400, wire.error(400, str(error)))
        except (_Gone, OSError):
            transport.abort()
        if transport.is_closing():
            await _wait_gone(receive, transport)

    async def _answer(self, wire: Wire, path: str, request: tuple[Mapping[str, str], bytes], channel: tuple[Send, asyncio.Transport]) -> None:
        """Answer a request for a turn, or for a count of tokens. Raises BadRequest, _Gone."""
        headers, data = request
        body = object_of(data)
        ask = wire.read(body, headers)
        if path == COUNT:
            self._note(path, headers, {"status": 200, "model": ask.model}, body)
            await _reply(channel[0], 200, {"input_tokens": ask.input_tokens})
            return
        ask = self._continue(ask, body)
        turn, number = self._conversations.next_turn(ask)
        answer = Answer(self._ids.new("mock"), int(self._clock.now()), ask, turn)
        if ask.api == "responses":
            self._conversations.remember(f"resp_{answer.id}", ask)
        self._note(path, headers, _told(ask, turn, number), body)
        await self._say(wire, answer, channel)

    def _continue(self, ask: Ask, body: Mapping[str, Any]) -> Ask:
        """Return an ask as part of the conversation that it goes on from, if it names an answer. Raises BadRequest."""
        previous = body.get("previous_response_id")
        if previous is None:
            return ask
        known = self._conversations.recall(str(previous))
        if known is None:
            raise BadRequest(f"previous_response_id: no answer {str(previous)[:80]!r} is remembered")
        return replace(ask, first=known.first, session=known.session, answers=known.answers + 1 + ask.answers)

    async def _say(self, wire: Wire, answer: Answer, channel: tuple[Send, asyncio.Transport]) -> None:
        send, transport = channel
        turn = answer.turn
        await self._wait(turn.delay_s, transport)
        if turn.cut == "before":
            transport.abort()
        elif turn.status is not None:
            await _send_error(send, wire, turn)
        elif answer.ask.is_streamed:
            await self._stream(wire, answer, channel)
        elif turn.cut:
            whole = encode(wire.whole(answer))
            await _begin(send, 200, JSON, len(whole))
            await send({"type": "http.response.body", "body": whole[: len(whole) // 2], "more_body": True})
            transport.close()
        else:
            await _reply(send, 200, wire.whole(answer))

    async def _stream(self, wire: Wire, answer: Answer, channel: tuple[Send, asyncio.Transport]) -> None:
        send, transport = channel
        await _begin(send, 200, "text/event-stream; charset=utf-8")
        texts = 0
        for piece in wire.pieces(answer):
            texts += piece.is_text
            if piece.is_text and texts > 1:
                await self._wait(answer.turn.between_s, transport)
            await send({"type": "http.response.body", "body": piece.data, "more_body": True})
            if answer.turn.cut and _is_said(piece, answer.turn):
                transport.close()
                return
        await send({"type": "http.response.body", "body": b""})

    async def _wait(self, seconds: float, transport: asyncio.Transport) -> None:
        if seconds:
            await self._clock.sleep(seconds)
        if transport.is_closing():
            raise _Gone

    def _note(self, path: str, headers: Mapping[str, str], told: dict[str, object], body: object = None) -> None:
        """Keep what came, without what looks like a secret."""
        line = redact({"at": round(self._clock.now(), 3), "path": path, **told, "headers": headers})
        assert isinstance(line, dict)
        self.requests.append(line)
        if self._log is not None:
            self._log.add(line, body)


class _Protocol(H11Protocol):
    """HTTP/1.1 whose requests know their connection, for it is theirs to cut."""

    def __init__(self, config: Config, server_state: ServerState, _loop: asyncio.AbstractEventLoop | None = None) -> None:
        super().__init__(config, server_state, {}, _loop)

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Note the connection."""
        super().connection_made(transport)
        self.app_state = {"transport": transport}


def _told(ask: Ask, turn: Turn, number: int) -> dict[str, object]:
    return {
        "status": turn.status or 200,
        "model": ask.model,
        "session": ask.session,
        "first": ask.first,
        "last": ask.last,
        "answers": ask.answers,
        "turn": number,
        "cut": turn.cut,
        "streamed": ask.is_streamed,
        "tools": list(ask.tools),
    }


def _is_said(piece: Piece, turn: Turn) -> bool:
    """Answer whether this is the first piece of what a cut turn says."""
    return piece.is_text or not turn.text


def _models() -> dict[str, object]:
    known = [{"id": name, "type": "model", "object": "model", "display_name": name, "owned_by": "fleet-tui", "created": 0} for name in NAMES]
    return {"object": "list", "data": known, "has_more": False}


def object_of(data: bytes) -> dict[str, Any]:
    """Return a body that is an object. Raises BadRequest."""
    try:
        body = msgspec.json.decode(data)
    except RecursionError as error:
        raise BadRequest("the body is nested too deeply") from error
    except msgspec.DecodeError as error:
        raise BadRequest(f"the body is no JSON: {error}") from error
    if not isinstance(body, dict):
        raise BadRequest("the body must be an object")
    return body


async def _read_body(receive: Receive) -> bytes:
    """Return a request's body. Raises BadRequest when it is too large, _Gone when the client left."""
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise _Gone
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > BODY_BYTES_MAX:
            raise BadRequest(f"the body is larger than {BODY_BYTES_MAX:,} bytes")
        if not message.get("more_body"):
            return b"".join(parts)


async def _wait_gone(receive: Receive, transport: asyncio.Transport) -> None:
    """Wait until a cut connection is closed, which uvicorn takes for an answer; a client that reads no more is not waited for."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(STOP_S):
            while (await receive())["type"] != "http.disconnect":
                pass
    transport.abort()


async def _begin(send: Send, status: int, media: str, length: int | None = None, retry_after_s: float | None = None) -> None:
    headers = [(b"content-type", media.encode())]
    if length is not None:
        headers.append((b"content-length", str(length).encode()))
    if retry_after_s is not None:
        headers.append((b"retry-after", f"{retry_after_s:g}".encode()))
    await send({"type": "http.response.start", "status": status, "headers": headers})


async def _reply(send: Send, status: int, value: object) -> None:
    data = encode(value)
    await _begin(send, status, JSON, len(data))
    await send({"type": "http.response.body", "body": data})


async def _send_error(send: Send, wire: Wire, turn: Turn) -> None:
    assert turn.status is not None
    body = turn.body
    data = body.encode() if isinstance(body, str) else encode(body if body is not None else wire.error(turn.status, f"scripted error {turn.status}"))
    await _begin(send, turn.status, "text/plain; charset=utf-8" if isinstance(body, str) else JSON, len(data), turn.retry_after_s)
    await send({"type": "http.response.body", "body": data})
