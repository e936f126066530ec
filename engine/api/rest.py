"""REST over the same verbs: plain ASGI, for its few routes come from the tables of verbs and rows.

Owner: nobody but the cached OpenAPI document. No web framework: FastAPI costs the engine half a second at its first
request and would check nothing, since `wire.command_of` words every refusal.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import parse_qsl, unquote

import msgspec

from engine.api import openapi
from engine.api.calls import WireCall, commands_of
from engine.api.limits import Limits
from engine.api.stream import Operators, Receive, Send, what_to_execute
from engine.model import wire
from engine.model.commands import COMMANDS
from engine.model.errors import (
    Ambiguous,
    CommandRefused,
    Conflict,
    Denied,
    EngineUnavailable,
    FleetError,
    NotFound,
    ReadOnly,
    TooLarge,
    UsageError,
)
from engine.model.explanations import EXPLAINED
from engine.model.plans import Answer, Origin
from engine.model.rows import ROW_KINDS

logger = logging.getLogger(__name__)

PIECE_BYTES = 1 << 18
DRAINED_MAX = 16
"""Times the largest request that is read, and thrown away, of one that is too large."""

JSON = "application/json"
PROBLEM = "application/problem+json"
BYTES = "application/octet-stream"
TEXT = "text/plain; charset=utf-8"
SCRAPED = "text/plain; version=0.0.4; charset=utf-8"
"""The text format of Prometheus."""
_MEDIA = re.compile(r"[\w.+-]{1,64}/[\w.+-]{1,64}(; ?charset=[\w-]{1,20})?", re.ASCII)

STATUSES: tuple[tuple[type[FleetError], int], ...] = (
    (UsageError, 400),
    (NotFound, 404),
    (Conflict, 409),
    (Ambiguous, 409),
    (TooLarge, 413),
    (ReadOnly, 503),
    (Denied, 403),
    (CommandRefused, 409),
    (EngineUnavailable, 503),
)
"""HTTP status by class of error, the narrower class first; any other is 500."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What goes back."""

    body: bytes
    status: int = 200
    content_type: str = JSON
    allow: str = ""
    location: str = ""


class _Lists(msgspec.Struct, forbid_unknown_fields=True):
    commands: list[WireCall] | msgspec.UnsetType = msgspec.UNSET
    plan: str = ""
    reason: str = ""
    confirm: str = ""


class _NoSuchMethod(FleetError):
    """The path is known, the method is not."""

    code = "usage"


class _TooLarge(UsageError):
    """The body is larger than the engine takes."""


class Rest:
    """The REST face as a function of a request."""

    def __init__(self, operators: Operators, *, limits: Limits, version: str) -> None:
        self._operators = operators
        self._limits = limits
        self._version = version
        self._document = b""

    async def serve(self, scope: Mapping[str, Any], receive: Receive, send: Send, origin: Origin) -> None:
        """Answer one request. Raises TimeoutError if the client takes no bytes."""
        try:
            path = [unquote(part) for part in scope["raw_path"].decode("ascii").strip("/").split("/")]
            parameters = dict(parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True))
            check_path(path, scope["method"])
            body = await self.read(receive)
            async with asyncio.timeout(self._limits.request_s):
                if scope["method"] == "GET":
                    reply = await self._get(path, parameters, origin)
                else:
                    reply = await self._post(path[1], parameters, body, origin)
            if len(reply.body) > self._limits.answer_bytes_max:
                most = self._limits.answer_bytes_max
                raise UsageError(f"the answer is {len(reply.body)} bytes, the most is {most}: ask for less")
        except Exception as error:  # noqa: BLE001  # a face's edge
            reply = reply_to(error)
        await self.send(send, reply)

    async def send(self, send: Send, reply: Reply) -> None:
        """Send a reply. Raises TimeoutError if the client takes no bytes."""
        headers = [(b"content-type", reply.content_type.encode()), (b"content-length", b"%d" % len(reply.body))]
        if reply.allow:
            headers.append((b"allow", reply.allow.encode()))
        if reply.location:
            headers.append((b"location", reply.location.encode()))
        async with asyncio.timeout(self._limits.send_s):
            await send({"type": "http.response.start", "status": reply.status, "headers": headers})
        # In pieces, so that the limit is on a reader that takes nothing, not on one that is slow.
        for start in range(0, len(reply.body) or 1, PIECE_BYTES):
            piece = reply.body[start : start + PIECE_BYTES]
            is_last = start + PIECE_BYTES >= len(reply.body)
            async with asyncio.timeout(self._limits.send_s):
                await send({"type": "http.response.body", "body": piece, "more_body": not is_last})

    async def read(self, receive: Receive) -> bytes:
        """Return the body. Raises UsageError if it is too large, too slow or torn.

        What is too large is read on and thrown away, up to DRAINED_MAX times the limit: who still sends would not see the answer.
        """
        body, size, most = bytearray(), 0, self._limits.message_bytes_max
        try:
            async with asyncio.timeout(self._limits.receive_s):
                while True:
                    message = await receive()
                    if message["type"] != "http.request":
                        raise UsageError("the request ended before its body did")
                    size += len(message["body"])
                    if size <= most:
                        body += message["body"]
                    else:
                        body.clear()
                    if message.get("more_body") and size <= DRAINED_MAX * most:
                        continue
                    if size > most:
                        raise _TooLarge(f"the body is larger than {most} bytes: split it")
                    return bytes(body)
        except TimeoutError as error:
            raise UsageError(f"the body did not arrive within {self._limits.receive_s:g} s") from error

    async def _get(self, path: list[str], parameters: dict[str, str], origin: Origin) -> Reply:
        if path == ["openapi.json"]:
            self._document = self._document or wire.encode(openapi.describe(self._version))
            return Reply(self._document)
        operator = self._operators(origin)
        if path == ["metrics"]:
            return replace(_reply_of(await operator.query("prometheus")), content_type=SCRAPED)
        match path[1:]:
            case [kind] if kind in ROW_KINDS:
                return _reply_of(await operator.query(kind, **typed_parameters(parameters, openapi.LIST_PARAMETERS)))
            case ["tasks", task, "log"]:
                return _reply_of(await operator.query("log", id=task, **typed_parameters(parameters, openapi.LOG_PARAMETERS)))
            case ["artifacts", artifact]:
                return _content_of(await operator.query("artifact", id=artifact))
            case [kind, name, "why"]:
                return _reply_of(await operator.query("explain", kind=kind, id=name))
            case [kind, name]:
                return _reply_of(await operator.query(openapi.SINGULAR[kind], id=name))
            case [what]:
                return _reply_of(await operator.query(what, **typed_parameters(parameters, openapi.QUERY_PARAMETERS.get(what, {}))))
        raise AssertionError("check_path knows every path")

    async def _post(self, what: str, parameters: dict[str, str], body: bytes, origin: Origin) -> Reply:
        operator = self._operators(origin)
        if what in ("plan", "execute"):
            lists = _decode(body, _Lists)
            what_it_is = what_to_execute(lists.commands, lists.plan)
            if what == "execute":
                return _reply_of_answer(await operator.execute(what_it_is, reason=lists.reason, confirm=lists.confirm))
            if isinstance(what_it_is, str):
                raise UsageError("plan takes `commands`")
            return _reply_of(await operator.plan(what_it_is, reason=lists.reason))
        is_dry_run = _is_dry_run(parameters)
        arguments = _decode(body or b"{}", dict[str, msgspec.Raw])
        reason, confirm = (_decode(bytes(arguments.pop(name, b'""')), str) for name in ("reason", "confirm"))
        commands = commands_of([WireCall(what, msgspec.Raw(wire.encode(arguments)))])
        if is_dry_run:
            return _reply_of(await operator.plan(commands, reason=reason))
        return _reply_of_answer(await operator.execute(commands, reason=reason, confirm=confirm))


async def wait_gone(receive: Receive) -> None:
    """Return when the client of a request, whose body was read, is gone."""
    while (await receive())["type"] != "http.disconnect":
        pass


def check_path(path: list[str], method: str) -> None:
    """Check that a path takes a method. Raises NotFound with the nearest path, or UsageError."""
    allowed = ""
    match path:
        case ["openapi.json"] | ["metrics"]:
            allowed = "GET"
        case ["v1", name] if name in COMMANDS or name in ("plan", "execute"):
            allowed = "POST"
        case ["v1", name] if name in ROW_KINDS or name in openapi.PLAIN_QUERIES:
            allowed = "GET"
        case ["v1", kind, _] if kind in openapi.SINGULAR:
            allowed = "GET"
        case ["v1", "tasks", _, "log"]:
            allowed = "GET"
        case ["v1", kind, _, "why"] if kind in EXPLAINED:
            allowed = "GET"
        case ["v1", word, *_]:
            known = (*COMMANDS, "plan", "execute", *ROW_KINDS, *openapi.SINGULAR, *openapi.PLAIN_QUERIES)
            raise NotFound(f"no path /v1/{word[:64]}{wire.nearest(word[:64], dict.fromkeys(known))}; /openapi.json lists all")
        case _:
            raise NotFound("no such path; /openapi.json lists all")
    if method != allowed:
        raise _NoSuchMethod(allowed)


def typed_parameters(parameters: Mapping[str, str], known: Mapping[str, tuple[type, str]]) -> dict[str, object]:
    """Return the parameters of a path by their types. Raises UsageError."""
    typed: dict[str, object] = {}
    for name, value in parameters.items():
        if name not in known:
            word = name[:64]
            raise UsageError(f"no parameter {word!r}{wire.nearest(word, dict.fromkeys(known))}")
        kind, _ = known[name]
        try:
            typed[name] = kind(value)
        except ValueError as error:
            raise UsageError(f"{name} is a {'whole ' * (kind is int)}number, not {value[:64]!r}") from error
    return typed


def reply_to(error: Exception) -> Reply:
    """Return what a client is told of an error; what is not the fleet's own word is logged."""
    if isinstance(error, _NoSuchMethod):
        return _problem(405, "usage", f"this path takes {error}", allow=str(error))
    if isinstance(error, _TooLarge):
        return _problem(413, error.code, str(error))
    if isinstance(error, FleetError):
        status = next((status for kind, status in STATUSES if isinstance(error, kind)), 500)
        return _problem(status, error.code, str(error))
    if isinstance(error, TimeoutError):
        return _problem(504, FleetError.code, "not done in time: the audit tells what became of it")
    logger.error("a request failed inside", exc_info=error)
    return _problem(500, FleetError.code, "the engine failed inside: its log says why")


def forbidden(message: str) -> Reply:
    """Return the reply to somebody who may not enter."""
    return _problem(403, CommandRefused.code, message)


def crowded(most: int) -> Reply:
    """Return the reply to one connection too many."""
    return _problem(503, EngineUnavailable.code, f"{most} connections are open, which is the most: close a console")


def _problem(status: int, code: str, message: str, *, allow: str = "") -> Reply:
    text = message.encode(errors="replace").decode()[:2000]
    return Reply(wire.encode({"code": code, "message": text, "status": status}), status, PROBLEM, allow)


def _is_dry_run(parameters: Mapping[str, str]) -> bool:
    word = parameters.get("dry_run", "false")
    if word not in ("true", "false"):
        raise UsageError(f"dry_run is true or false, not {word[:64]!r}")
    for name in parameters:
        if name != "dry_run":
            raise UsageError(f"a verb takes no parameter {name[:64]!r} but dry_run; arguments go into the body")
    return word == "true"


def _decode(body: bytes, kind: Any) -> Any:  # noqa: ANN401  # any type that msgspec knows
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.DecodeError, RecursionError) as error:
        raise UsageError(f"the body: {'it is nested too deeply' if isinstance(error, RecursionError) else error}") from error


def _reply_of(value: object) -> Reply:
    if isinstance(value, bytes):
        return Reply(value, content_type=BYTES)
    if isinstance(value, str):
        return Reply(value.encode(errors="replace"), content_type=TEXT)
    return Reply(wire.encode(value))


def _reply_of_answer(answer: Answer) -> Reply:
    """Return what was done, or where the vote is that decides whether it is."""
    return replace(_reply_of(answer), status=202, location=f"/v1/proposals/{answer.vote}") if answer.vote else _reply_of(answer)


def _content_of(stored: object) -> Reply:
    """Return an artifact's own content with its own media type, not the record that carries it."""
    if not isinstance(stored, dict) or "data" not in stored:
        return _reply_of(stored)
    data, media = stored["data"], str(stored.get("media", ""))
    if media == JSON:
        return Reply(wire.encode(data))
    reply = _reply_of(data)
    return replace(reply, content_type=media) if _MEDIA.fullmatch(media) else reply
