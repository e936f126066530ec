"""Pools as models: the chat completions of OpenAI's API, so that any program that knows those can use the fleet.

`POST /openai/v1/chat/completions` with `"model": "pool:coder"` hands a task to a pool and answers with its result; `"pool:coder/TYPE"` has the type TYPE
in place of `ask`. Shapes: https://platform.openai.com/docs/api-reference/chat. What of a request has no meaning for a task (temperature, tools that may be used …) is
not looked at; what would have to be in the answer, and cannot be, is refused.

Owner: nobody; a request waits as long as its task lives, and a client that leaves has it cancelled.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import msgspec

from engine.api.following_task import Waiting, full_result
from engine.api.rest import JSON, Reply, Rest, reply_to, wait_gone
from engine.api.stream import Operators, Receive, Send
from engine.model import wire
from engine.model.errors import CommandRefused, FleetError, NotFound, UsageError, errors_in
from engine.model.plans import Origin
from engine.model.pools import BOOSTER
from engine.model.task_commands import CancelTask, SubmitTask
from engine.model.tasks import FINISHED, TaskState
from engine.operations import Operator

logger = logging.getLogger(__name__)

PREFIX = "/openai/v1/"
POOL = "pool:"
TYPE = "ask"
ALIVE_EVERY_S = 15.0
"""A stream says so often that its task is under way: proxies and clients close what is silent."""
TITLE_MAX = 80


class _Part(msgspec.Struct):
    type: str = "text"
    text: str = ""


class _Message(msgspec.Struct):
    role: str
    content: str | list[_Part] | None = None

    @property
    def text(self) -> str:
        """Return its words. Raises UsageError for a picture or a sound."""
        if not isinstance(self.content, list):
            return self.content or ""
        other = next((part.type for part in self.content if part.type != "text"), "")
        if other:
            raise UsageError(f"a pool takes text alone, not a part of type {other[:64]!r}")
        return "".join(part.text for part in self.content)


class _StreamOptions(msgspec.Struct):
    include_usage: bool = False


class _Format(msgspec.Struct):
    type: str = "text"


class _Asked(msgspec.Struct):
    model: str
    messages: list[_Message]
    stream: bool | None = False
    stream_options: _StreamOptions | None = None
    n: int | None = None
    tool_choice: Any = None
    response_format: _Format | None = None


class Chat:
    """The face as a function of a request."""

    def __init__(self, operators: Operators, rest: Rest, waiting: Waiting) -> None:
        """Say who acts, and how one waits; an engine that stops ends connections, and tasks outlive that."""
        self._operators = operators
        self._rest = rest
        self._waiting = waiting

    async def serve(self, scope: Mapping[str, Any], receive: Receive, send: Send, origin: Origin) -> None:
        """Answer one request. Raises TimeoutError if the client takes no bytes."""
        operator = self._operators(origin)
        try:
            path, method = str(scope["path"]).removeprefix(PREFIX), scope["method"]
            if (method, path) == ("GET", "models"):
                reply = Reply(wire.encode({"object": "list", "data": await _models(operator)}))
            elif (method, path) == ("POST", "chat/completions"):
                asked = decoded(await self._rest.read(receive))
                command = task_of(asked, _key_of(scope))
                if asked.stream:
                    await self._stream(operator, asked, command, receive, send)
                    return
                async with self._running(operator, command, receive) as (id_, task):
                    reply = Reply(wire.encode(completion(asked.model, id_, self._waiting.clock.now(), await task)))
            else:
                raise NotFound(f"{PREFIX} has GET models and POST chat/completions")
        except _Left:
            return
        except Exception as error:  # noqa: BLE001  # a face's edge
            reply = problem(error)
        await self._rest.send(send, reply)

    async def _stream(self, operator: Operator, asked: _Asked, command: SubmitTask, receive: Receive, send: Send) -> None:  # noqa: PLR0913  # one request
        async with self._running(operator, command, receive) as (id_, task):
            headers = [(b"content-type", b"text/event-stream"), (b"cache-control", b"no-store")]
            await send({"type": "http.response.start", "status": 200, "headers": headers})

            async def say(text: str) -> None:
                await send({"type": "http.response.body", "body": f"{text}\n\n".encode(), "more_body": True})

            await say(_data(_chunk(asked, id_, self._waiting.clock.now(), {"role": "assistant", "content": ""})))
            while not task.done():
                await asyncio.wait([task], timeout=ALIVE_EVERY_S)
                if not task.done():
                    await say(f": {id_} is under way")
            try:
                ended = task.result()
                await say(_data(_chunk(asked, id_, self._waiting.clock.now(), {"content": ended["text"]})))
                await say(_data(_chunk(asked, id_, self._waiting.clock.now(), {}, "stop")))
                if asked.stream_options is not None and asked.stream_options.include_usage and ended["usage"]:
                    await say(_data({**_chunk(asked, id_, self._waiting.clock.now(), {}), "choices": [], "usage": ended["usage"]}))
            except FleetError as error:
                await say(f"data: {problem(error).body.decode()}")
            await send({"type": "http.response.body", "body": b"data: [DONE]\n\n", "more_body": False})

    @asynccontextmanager
    async def _running(self, operator: Operator, command: SubmitTask, receive: Receive) -> AsyncIterator[tuple[str, asyncio.Task[dict[str, Any]]]]:
        """Submit a task and give its id and what awaits its end; a client that leaves before ends both. Raises FleetError, _Left."""
        answer = await operator.execute([command])
        if answer.vote:
            raise CommandRefused(f"a guardrail puts it to the vote ({answer.vote}); ask again once it is accepted")
        id_ = str(answer.values[0])
        try:
            async with asyncio.TaskGroup() as group:
                gone = group.create_task(_leave(receive))
                task = group.create_task(self._ended(operator, id_))
                yield id_, task
                gone.cancel()
        except BaseExceptionGroup as errors:
            if next(errors_in(errors, _Left), None) is not None:
                if not self._waiting.is_stopping():
                    await self._cancel(operator, id_)
                raise _Left from None
            raise next(errors_in(errors, Exception), errors) from None

    async def _cancel(self, operator: Operator, id_: str) -> None:
        try:
            await operator.execute([CancelTask(id_)], reason="the client left")
        except FleetError as error:
            logger.info("a task goes on although its client left", extra={"task": id_, "reason": str(error)})

    async def _ended(self, operator: Operator, id_: str) -> dict[str, Any]:
        """Return what a task said and used, once it has ended well. Raises TaskEnded."""
        task = await self._waiting.task(operator, id_, lambda task: task["state"] in FINISHED)
        if task["state"] != TaskState.SUCCEEDED:
            raise TaskEnded(f"{id_} {task['state']}: {task.get('reason') or 'no reason was given'}")
        return {"text": text_of(await full_result(operator, task)), "usage": usage_of(task["usage"])}


class TaskEnded(FleetError):
    """The task ended otherwise than well."""

    code = "task_ended"


class _Left(Exception):  # noqa: N818  # nothing is wrong
    """The client is gone."""


async def _leave(receive: Receive) -> None:
    await wait_gone(receive)
    raise _Left


def decoded(body: bytes) -> _Asked:
    """Return what is asked. Raises UsageError."""
    try:
        return msgspec.json.decode(body, type=_Asked)
    except (msgspec.DecodeError, RecursionError) as error:
        raise UsageError(f"the body: {'it is nested too deeply' if isinstance(error, RecursionError) else error}") from error


def task_of(asked: _Asked, key: str = "") -> SubmitTask:
    """Return the task that a request means. Raises UsageError."""
    pool, _, type_ = asked.model.removeprefix(POOL).partition("/")
    if not asked.model.startswith(POOL) or not pool:
        raise UsageError(f"model is {POOL}NAME or {POOL}NAME/TYPE of a task, not {asked.model[:64]!r}; GET {PREFIX}models lists them")
    check_promises(asked)
    prompt = prompt_of(asked.messages)
    title = " ".join(prompt.split())[:TITLE_MAX]
    return SubmitTask(type_ or TYPE, pool, prompt=prompt, title=title, idempotency_key=key)


def check_promises(asked: _Asked) -> None:
    """Check that nothing is demanded of the answer that a task's result cannot be sure to have. Raises UsageError.

    Tools that may be used or not (`tool_choice` left out, `auto` or `none`) are not: an answer without them is one that was asked for.
    """
    if asked.n not in (None, 1):
        raise UsageError("n is 1: a task has one result")
    if asked.tool_choice not in (None, "auto", "none"):
        raise UsageError("tool_choice is auto or none: the agents of a pool use tools of their own and call none of the asker's")
    if asked.response_format is not None and asked.response_format.type != "text":
        raise UsageError("response_format is text: say in the messages which form the answer should have")


def prompt_of(messages: list[_Message]) -> str:
    """Return a conversation as one prompt: a single message as it is, several each under who said it. Raises UsageError."""
    said = [(message.role, text) for message in messages if (text := message.text).strip()]
    if not said:
        raise UsageError("messages say nothing")
    return said[0][1] if len(said) == 1 else "\n\n".join(f"{role}: {text}" for role, text in said)


def text_of(result: object) -> str:
    """Return a task's result as text: what its agent said, else the result as JSON."""
    if isinstance(result, dict) and isinstance(result.get("text"), str):
        return str(result["text"])
    return result if isinstance(result, str) else wire.encode(result).decode()


def usage_of(used: Mapping[str, float]) -> dict[str, int] | None:
    """Return tokens by the names of that API; None when they were not measured."""
    if "input_tokens" not in used and "output_tokens" not in used:
        return None
    read = int(sum(used.get(name, 0) for name in ("input_tokens", "cache_read_tokens", "cache_write_tokens")))
    wrote = int(used.get("output_tokens", 0))
    return {"prompt_tokens": read, "completion_tokens": wrote, "total_tokens": read + wrote}


def completion(model: str, id_: str, now: float, ended: Mapping[str, Any]) -> dict[str, Any]:
    """Return the answer to a request that is not streamed."""
    choice = {"index": 0, "message": {"role": "assistant", "content": ended["text"]}, "finish_reason": "stop"}
    usage = {"usage": ended["usage"]} if ended["usage"] else {}
    return {"id": id_, "object": "chat.completion", "created": int(now), "model": model, "choices": [choice], **usage}


def _chunk(asked: _Asked, id_: str, now: float, delta: Mapping[str, str], end: str | None = None) -> dict[str, Any]:  # noqa: PLR0913  # its fields
    choice = {"index": 0, "delta": delta, "finish_reason": end}
    return {"id": id_, "object": "chat.completion.chunk", "created": int(now), "model": asked.model, "choices": [choice]}


def _data(value: object) -> str:
    return f"data: {json.dumps(value, ensure_ascii=False)}"


def problem(error: Exception) -> Reply:
    """Return an error in the form of that API."""
    known = Reply(b"", 502, JSON) if isinstance(error, TaskEnded) else reply_to(error)
    code = error.code if isinstance(error, FleetError) else FleetError.code
    text = str(error) if isinstance(error, TaskEnded) else msgspec.json.decode(known.body)["message"]
    kind = "invalid_request_error" if known.status < 500 else "server_error"  # noqa: PLR2004  # of HTTP
    return Reply(wire.encode({"error": {"message": text, "type": kind, "code": code, "param": None}}), known.status, JSON)


async def _models(operator: Operator) -> list[dict[str, object]]:
    pools = await operator.query("pools")
    assert isinstance(pools, list)
    names = [str(row["id"] if isinstance(row, dict) else row.id) for row in pools]
    return [{"id": f"{POOL}{name}", "object": "model", "created": 0, "owned_by": "fleet"} for name in names if name != BOOSTER]


def _key_of(scope: Mapping[str, Any]) -> str:
    return next((value.decode("latin-1") for name, value in scope["headers"] if name == b"idempotency-key"), "")
