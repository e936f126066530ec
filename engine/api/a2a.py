"""Each pool as an agent of the Agent2Agent protocol 1.0: its card, and JSON-RPC at `/a2a/POOL`.

A message is a task; what its agent asks is input that is required, and a message to that task answers it. `messageId` makes sending twice one task.
Not there, and refused as the protocol says: push notifications, the extended card, versions before 1.0.

Owner: nobody; a call waits as long as its task runs, and a client that leaves leaves the task alone.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any

import msgspec

from engine.api.a2a_shapes import (
    STATES,
    STILL,
    TYPE,
    VERSION,
    artifacts_of,
    card,
    context_of,
    status_of,
    task_in_full,
    words_of,
)
from engine.api.following_task import Waiting, find_task, full_result
from engine.api.rest import Reply, Rest, reply_to, wait_gone
from engine.api.stream import Operators, Receive, Send
from engine.model import wire
from engine.model.errors import CommandRefused, FleetError, NotFound, UsageError
from engine.model.plans import Origin
from engine.model.question_commands import AnswerTask
from engine.model.task_commands import CancelTask, SubmitTask
from engine.model.tasks import FINISHED
from engine.operations import Operator

PREFIX = "/a2a/"
CARD = ".well-known/agent-card.json"
PAGE, PAGE_MAX = 50, 100
ALIVE_EVERY_S = 15.0
"""A stream says so often that its task is under way: clients of some languages give up after five minutes without a byte."""
PARSE, INVALID_REQUEST, NO_METHOD, INVALID, INTERNAL = -32700, -32600, -32601, -32602, -32603
NO_TASK, NOT_CANCELABLE, NO_PUSH, UNSUPPORTED, NO_VERSION = -32001, -32002, -32003, -32004, -32009

Params = Mapping[str, Any]


class _Refusal(FleetError):
    """An error of the protocol."""

    def __init__(self, number: int, message: str) -> None:
        super().__init__(message)
        self.number = number


class Agent2Agent:
    """The face as a function of a request."""

    def __init__(self, operators: Operators, rest: Rest, waiting: Waiting, version: str) -> None:
        self._operators = operators
        self._rest = rest
        self._waiting = waiting
        self._version = version

    async def serve(self, scope: Mapping[str, Any], receive: Receive, send: Send, origin: Origin) -> None:
        """Answer one request. Raises TimeoutError if the client takes no bytes."""
        operator = self._operators(origin)
        pool, _, rest = str(scope["path"]).removeprefix(PREFIX).partition("/")
        headers = {name: value.decode("latin-1") for name, value in scope["headers"]}
        try:
            kind = await _kind_of(operator, pool)
            if (scope["method"], rest) == ("GET", CARD):
                url = f"http://{headers.get(b'host', 'engine')}{PREFIX}{pool}"
                reply = Reply(wire.encode(card(pool, kind, url, self._version)))
            elif (scope["method"], rest) == ("POST", ""):
                await self._call(_Desk(operator, pool, self._waiting), headers, receive, send)
                return
            else:
                raise NotFound(f"{PREFIX}POOL takes POST, and GET {CARD}")
        except Exception as error:  # noqa: BLE001  # a face's edge
            reply = reply_to(error)
        await self._rest.send(send, reply)

    async def _call(self, desk: _Desk, headers: Mapping[bytes, str], receive: Receive, send: Send) -> None:
        """Answer a call of JSON-RPC."""
        id_: object = None
        try:
            call = _decoded(await self._rest.read(receive))
            id_ = call.get("id")
            method, params = _checked(call, headers.get(b"a2a-version", "0.3"))
            if method in desk.streams:
                await self._stream(await desk.streams[method](params), id_, receive, send)
                return
            if method not in desk.calls:
                raise _Refusal(*_UNKNOWN.get(method, (NO_METHOD, f"no method {method[:64]!r}")))
            answer: dict[str, object] = {"result": await desk.calls[method](params)}
        except Exception as error:  # noqa: BLE001  # a face's edge
            answer = {"error": _error_of(error)}
        await self._rest.send(send, Reply(wire.encode({"jsonrpc": "2.0", "id": id_, **answer})))

    async def _stream(self, events: AsyncIterator[dict[str, Any]], id_: object, receive: Receive, send: Send) -> None:
        """Send events as they come, until there are no more or the client is gone."""
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/event-stream"), (b"cache-control", b"no-store")]})

        async def give() -> None:
            try:
                async for event in events:
                    await say({"result": event})
            except FleetError as error:
                await say({"error": _error_of(error)})

        async def say(answer: Mapping[str, object]) -> None:
            text = json.dumps({"jsonrpc": "2.0", "id": id_, **answer}, ensure_ascii=False)
            await send({"type": "http.response.body", "body": f"data: {text}\n\n".encode(), "more_body": True})

        async def say_alive() -> None:
            while True:
                await self._waiting.clock.sleep(ALIVE_EVERY_S)
                await send({"type": "http.response.body", "body": b": under way\n\n", "more_body": True})

        async with asyncio.TaskGroup() as group:
            giving = group.create_task(give())
            others = [group.create_task(wait_gone(receive)), group.create_task(say_alive())]
            await asyncio.wait([giving, *others], return_when=asyncio.FIRST_COMPLETED)
            for task in (giving, *others):
                task.cancel()
        await send({"type": "http.response.body", "body": b"", "more_body": False})


class _Desk:
    """The methods, for one operator and one pool."""

    def __init__(self, operator: Operator, pool: str, waiting: Waiting) -> None:
        self._operator = operator
        self._pool = pool
        self._waiting = waiting
        self.calls: Mapping[str, Callable[[Params], Awaitable[object]]] = {
            "SendMessage": self._send,
            "GetTask": self._get,
            "ListTasks": self._list,
            "CancelTask": self._cancel,
        }
        self.streams: Mapping[str, Callable[[Params], Awaitable[AsyncIterator[dict[str, Any]]]]] = {
            "SendStreamingMessage": self._send_streaming,
            "SubscribeToTask": self._subscribe,
        }

    async def _send(self, params: Params) -> object:
        id_ = await self._hand_over(params)
        configuration = params.get("configuration") or {}
        wait = not (isinstance(configuration, dict) and configuration.get("returnImmediately"))
        return {"task": await self._in_full(await (self._settled(id_) if wait else self._found(id_)))}

    async def _send_streaming(self, params: Params) -> AsyncIterator[dict[str, Any]]:
        return self._events(await self._hand_over(params))

    async def _subscribe(self, params: Params) -> AsyncIterator[dict[str, Any]]:
        task = await self._found(_id_of(params))
        if task["state"] in FINISHED:
            raise _Refusal(UNSUPPORTED, f"{task['id']} has ended; GetTask has what it made")
        return self._events(str(task["id"]))

    async def _get(self, params: Params) -> object:
        return await self._in_full(await self._found(_id_of(params)))

    async def _list(self, params: Params) -> object:
        size = params.get("pageSize", PAGE)
        if not isinstance(size, int) or not 1 <= size <= PAGE_MAX:
            raise UsageError(f"pageSize is 1 to {PAGE_MAX}")
        wanted = str(params.get("status") or "")
        if wanted and wanted not in STATES.values():
            raise UsageError(f"status is one of {', '.join(dict.fromkeys(STATES.values()))}")
        states = ",".join(state for state, word in STATES.items() if word == wanted)
        rows = await self._operator.query("tasks", limit=size, filter=f"pool={self._pool}{f' state={states}' if wanted else ''}", after=str(params.get("pageToken") or ""))
        assert isinstance(rows, list)
        ids = [str(row["id"]) if isinstance(row, dict) else str(row[0]) for row in rows]
        tasks = [await self._in_full(await self._found(id_)) for id_ in ids]
        return {"tasks": tasks, "nextPageToken": ids[-1] if len(ids) == size else "", "pageSize": size, "totalSize": len(tasks)}

    async def _cancel(self, params: Params) -> object:
        task = await self._found(_id_of(params))
        if task["state"] in FINISHED:
            raise _Refusal(NOT_CANCELABLE, f"{task['id']} has ended: {task['state']}")
        await self._operator.execute([CancelTask(task["id"])], reason="asked by A2A")
        return await self._in_full(await self._found(task["id"]))

    async def _hand_over(self, params: Params) -> str:
        """Submit what a message says, or answer the task that it is for; return that task's id. Raises FleetError."""
        message = params.get("message")
        if not isinstance(message, dict) or not message.get("messageId"):
            raise UsageError("params.message is a message with a messageId")
        text, of = words_of(message), str(message.get("taskId") or "")
        if of:
            task = await self._found(of)
            if not task["questions"]:
                raise _Refusal(UNSUPPORTED, f"{of} asks nothing: it is {task['state']}; send what is new without a taskId")
            await self._operator.execute([AnswerTask(of, text, question=next(iter(task["questions"])))], reason="answered by A2A")
            return of
        context = str(message.get("contextId") or "")
        title = " ".join(text.split())[:80]
        command = SubmitTask(TYPE, self._pool, prompt=text, title=title, idempotency_key=f"a2a:{message['messageId']}", fairness_key=context)
        answer = await self._operator.execute([command])
        if answer.vote:
            raise CommandRefused(f"a guardrail puts it to the vote ({answer.vote}); send it again once that is accepted")
        return str(answer.values[0])

    async def _events(self, id_: str) -> AsyncIterator[dict[str, Any]]:
        """Give the task, then what changes, until nothing more happens by itself."""
        task = await self._found(id_)
        yield {"task": await self._in_full(task)}
        shown = _shown(task)
        while STATES[task["state"]] not in STILL:
            task = await self._waiting.task(self._operator, id_, lambda task, told=shown: _shown(task) != told)  # type: ignore[misc]
            shown, context = _shown(task), context_of(task)
            for artifact in artifacts_of(task, await full_result(self._operator, task)):
                yield {"artifactUpdate": {"taskId": id_, "contextId": context, "artifact": artifact, "lastChunk": True}}
            yield {"statusUpdate": {"taskId": id_, "contextId": context, "status": status_of(task, self._waiting.clock.now())}}

    async def _settled(self, id_: str) -> dict[str, Any]:
        return await self._waiting.task(self._operator, id_, lambda task: STATES[task["state"]] in STILL)

    async def _found(self, id_: str) -> dict[str, Any]:
        """Return a task of the pool as plain values. Raises _Refusal."""
        try:
            task = await find_task(self._operator, id_)
        except NotFound as error:
            raise _Refusal(NO_TASK, str(error)) from error
        if task["spec"]["pool"] != self._pool:
            raise _Refusal(NO_TASK, f"{id_} is not of the pool {self._pool}")
        return task

    async def _in_full(self, task: dict[str, Any]) -> dict[str, Any]:
        return task_in_full(task, await full_result(self._operator, task), self._waiting.clock.now())


_PUSH = (NO_PUSH, "this agent sends no push notifications; SubscribeToTask follows a task")
_UNKNOWN: Mapping[str, tuple[int, str]] = {
    **{f"{verb}TaskPushNotificationConfig": _PUSH for verb in ("Create", "Get", "Delete")},
    "ListTaskPushNotificationConfigs": _PUSH,
    "GetExtendedAgentCard": (UNSUPPORTED, "the card is whole"),
}


def _shown(task: Mapping[str, Any]) -> tuple[object, ...]:
    """Return what a follower is told of when it changes."""
    return task["state"], tuple(task["questions"]), (task.get("progress") or {}).get("text")


def _decoded(body: bytes) -> dict[str, Any]:
    try:
        call = msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError) as error:
        raise _Refusal(PARSE, f"the body is no JSON: {'it is nested too deeply' if isinstance(error, RecursionError) else error}") from error
    if not isinstance(call, dict):
        raise _Refusal(INVALID_REQUEST, "a call is an object")
    return call


def _checked(call: Mapping[str, Any], version: str) -> tuple[str, Params]:
    """Return method and parameters of a call. Raises _Refusal."""
    method, params = call.get("method"), call.get("params", {})
    if call.get("jsonrpc") != "2.0" or not isinstance(method, str) or not isinstance(params, dict):
        raise _Refusal(INVALID_REQUEST, 'a call has jsonrpc "2.0", a method and params')
    if version.split(".")[0] != VERSION.split(".")[0]:
        raise _Refusal(NO_VERSION, f"this agent speaks version {VERSION}: send the header A2A-Version (left out it means 0.3)")
    return method, params


def _id_of(params: Params) -> str:
    id_ = params.get("id")
    if not isinstance(id_, str) or not id_:
        raise UsageError("params.id is the id of a task")
    return id_


def _error_of(error: Exception) -> dict[str, object]:
    if isinstance(error, _Refusal):
        return {"code": error.number, "message": str(error)}
    number = INVALID if isinstance(error, UsageError) else UNSUPPORTED if isinstance(error, CommandRefused) else INTERNAL
    return {"code": number, "message": msgspec.json.decode(reply_to(error).body)["message"]}


async def _kind_of(operator: Operator, pool: str) -> str:
    """Return the kind of a pool. Raises NotFound."""
    found = wire.to_plain(await operator.query("pool", id=pool))
    assert isinstance(found, dict)
    return str(found.get("kind") or found["spec"]["kind"])
