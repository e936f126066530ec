"""The fleet as tools: what each is for, its arguments as JSON Schema, and what it does through the gate; nothing of the protocol.

Owner: nobody. Limits: ROWS_MAX rows of a list, WAIT_MAX_S of a wait, RESULT_MAX characters of a result.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from engine.api.following_task import Waiting, find_task, full_result
from engine.api.openapi import arguments_schema
from engine.model.errors import UsageError
from engine.model.memory_commands import RememberEntry
from engine.model.plans import Call
from engine.model.question_commands import AskOperator, TellProgress
from engine.model.rows import ROW_KINDS
from engine.model.task_commands import SubmitTask
from engine.model.tasks import FINISHED
from engine.model.wire import command_of, nearest, to_plain
from engine.operations import Operator

ROWS_DEFAULT, ROWS_MAX = 50, 500
WAIT_DEFAULT_S, WAIT_MAX_S = 30.0, 600.0
RESULT_MAX = 100_000
KINDS = ("pools", "agents", "tasks", "questions", "hosts", "engines", "swarms", "proposals", "alerts", "plans", "audit", "events")

Arguments = Mapping[str, Any]
Schema = dict[str, Any]


@dataclass(frozen=True, slots=True)
class ToolCaller:
    """Who calls a tool."""

    operator: Operator
    waiting: Waiting
    task: str = ""
    """The task that the calling program does for the fleet; empty when it is no agent's."""


@dataclass(frozen=True, slots=True)
class Tool:
    """One tool."""

    name: str
    help: str
    arguments: Schema
    call: Callable[[ToolCaller, Arguments], Awaitable[object]]
    is_read: bool = False
    """It changes nothing."""
    destroys: bool = False
    """Its work cannot be taken back."""


def checked(tool: Tool, arguments: Arguments) -> Arguments:
    """Return arguments when a tool has all of them and needs no other. Raises UsageError."""
    known = tool.arguments["properties"]
    for name in arguments:
        if name not in known:
            raise UsageError(f"{tool.name} has no argument {name!r}{nearest(name, known)}")
    missing = [name for name in tool.arguments["required"] if name not in arguments]
    if missing:
        raise UsageError(f"{tool.name} needs {', '.join(missing)}")
    return arguments


# ---- the fleet's own


def _object(required: tuple[str, ...] = (), /, **properties: Schema) -> Schema:
    return {"type": "object", "properties": properties, "required": list(required), "additionalProperties": False}


def text_schema(help_: str, **more: object) -> Schema:
    """Return the schema of a text."""
    return {"type": "string", "description": help_, **more}


def _wait(help_: str) -> Schema:
    return {"type": "number", "description": help_, "minimum": 0, "maximum": WAIT_MAX_S, "default": WAIT_DEFAULT_S}


async def _status(caller: ToolCaller, _given: Arguments) -> object:
    return to_plain(await caller.operator.query("status"))


async def _list(caller: ToolCaller, given: Arguments) -> object:
    kind, limit = str(given["kind"]), given.get("limit", ROWS_DEFAULT)
    if kind not in KINDS:
        raise UsageError(f"kind is one of {', '.join(KINDS)}, not {kind!r}")
    if not isinstance(limit, int) or not 1 <= limit <= ROWS_MAX:
        raise UsageError(f"limit is 1 to {ROWS_MAX}")
    rows = await caller.operator.query(kind, limit=limit, filter=str(given.get("filter", "")))
    assert isinstance(rows, list)
    return {"rows": to_plain([row if isinstance(row, Mapping) else dict(zip(ROW_KINDS[kind]._fields, row, strict=True)) for row in rows])}


async def _submit(caller: ToolCaller, given: Arguments) -> object:
    answer = await caller.operator.execute([command_of(Call(SubmitTask.name, dict(given)))])
    if answer.vote:
        return {"vote": answer.vote, "told": "a guardrail puts it to the vote; it is submitted once that is accepted"}
    return {"task": str(answer.values[0])}


async def _result(caller: ToolCaller, given: Arguments) -> object:
    id_ = str(given["task"])
    try:
        async with asyncio.timeout(_seconds(given)):
            plain = await caller.waiting.task(caller.operator, id_, lambda task: task["state"] in FINISHED)
    except TimeoutError:
        plain = await find_task(caller.operator, id_)
    told = {name: plain[name] for name in ("id", "state", "pool", "agent_name", "attempt", "reason", "usage", "progress") if plain.get(name)}
    if plain["state"] not in FINISHED:
        return {**told, "is_over": False, "asks": [{"question": id_, "text": one["ask"]["text"]} for id_, one in plain["questions"].items()]}
    return {**told, "is_over": True, "result": await _result_of(caller.operator, plain)}


async def _result_of(operator: Operator, task: Mapping[str, Any]) -> object:
    """Return a task's result in full, or its first RESULT_MAX characters as text."""
    result = await full_result(operator, task)
    text = json.dumps(result, ensure_ascii=False)
    if len(text) <= RESULT_MAX:
        return result
    return f"{text[:RESULT_MAX]}… [{len(text) - RESULT_MAX:,} characters left out; `fleet-tui result {task['id']}` has all]"


async def _memory_get(caller: ToolCaller, given: Arguments) -> object:
    return to_plain(await caller.operator.query("entry", **given))


async def _memory_put(caller: ToolCaller, given: Arguments) -> object:
    value = json.dumps(given["value"], ensure_ascii=False)
    more = {name: given[name] for name in _PUT_MORE if name in given}
    answer = await caller.operator.execute([command_of(Call(RememberEntry.name, {"key": given["key"], "value": value, **more}))])
    return {"key": given["key"], "done": answer.summary}


async def _memory_search(caller: ToolCaller, given: Arguments) -> object:
    return {"found": to_plain(await caller.operator.query("memory-search", **given))}


async def _ask(caller: ToolCaller, given: Arguments) -> object:
    task, id_ = str(given.get("task", "")), str(given.get("question_id", ""))
    if not id_:
        options = given.get("options", [])
        if not isinstance(options, list):
            raise UsageError("options is a list of texts")
        answer = await caller.operator.execute([AskOperator(str(given.get("question", "")), tuple(map(str, options)), task)])
        if answer.vote:
            return {"vote": answer.vote, "told": "a guardrail puts the question to the vote first"}
        id_ = str(answer.values[0])
    try:
        async with asyncio.timeout(_seconds(given)):
            found = await caller.waiting.answer(caller.operator, task or caller.task, id_)
    except TimeoutError:
        return {"is_answered": False, "question_id": id_, "told": "nobody has answered yet; call again with question_id to wait on"}
    return {"is_answered": True, **found}


async def _progress(caller: ToolCaller, given: Arguments) -> object:
    ratio = given.get("ratio", -1.0)
    if not isinstance(ratio, int | float):
        raise UsageError("ratio is a number from 0 to 1")
    answer = await caller.operator.execute([TellProgress(str(given["text"]), float(ratio), str(given.get("task", "")))])
    return {"done": answer.summary}


def _seconds(given: Arguments) -> float:
    wait = given.get("wait_s", WAIT_DEFAULT_S)
    if not isinstance(wait, int | float) or not 0 <= wait <= WAIT_MAX_S:
        raise UsageError(f"wait_s is 0 to {WAIT_MAX_S:g} seconds")
    return float(wait)


_TASK = text_schema("id of a task; left out, the task that this program does for the fleet")
_PLACE = {"namespace": text_schema("namespace"), "owner": text_schema("whose entry; left out, mine, or else one I may read")}
_PUT: Schema = arguments_schema(RememberEntry)["properties"]
_PUT_MORE = ("namespace", "level", "kind", "ttl", "tags", "version")
OWN = (
    Tool("fleet_status", "How the fleet stands: agents, tasks, alerts, cost, whether it is halted.", _object(), _status, is_read=True),
    Tool(
        "fleet_list",
        "List things of the fleet. A filter has terms such as `pool=coder state=running age>5m`.",
        _object(
            ("kind",),
            kind=text_schema("what to list", enum=list(KINDS)),
            filter=text_schema("which of them", default=""),
            limit={"type": "integer", "minimum": 1, "maximum": ROWS_MAX, "default": ROWS_DEFAULT},
        ),
        _list,
        is_read=True,
    ),
    Tool("fleet_submit", "Hand a task to the fleet; returns its id. Ask fleet_result for what becomes of it.", arguments_schema(SubmitTask), _submit),
    Tool(
        "fleet_result",
        "Wait for a task's end and return its result; before that, how far it is and what it asks.",
        _object(("task",), task=text_schema("id that fleet_submit returned"), wait_s=_wait("longest wait; 0 = look only")),
        _result,
        is_read=True,
    ),
    Tool("fleet_memory_get", "Read an entry of the fleet's memory.", _object(("key",), key=text_schema("its key"), **_PLACE), _memory_get, is_read=True),
    Tool(
        "fleet_memory_put",
        "Keep a value in the fleet's memory.",
        _object(("key", "value"), key=text_schema("its key"), value={"description": "any JSON value"}, **{name: _PUT[name] for name in _PUT_MORE}),
        _memory_put,
    ),
    Tool("fleet_memory_search", "Find entries of the fleet's memory by words and likeness.", _object(("words",), words=text_schema("what to look for")), _memory_search, is_read=True),
    Tool(
        "ask_human",
        "Ask the fleet's operators, and wait for the answer. Not answered in time, it can be waited for again by question_id.",
        _object(
            question=text_schema("what is asked"),
            options={"type": "array", "items": {"type": "string"}, "description": "answers to choose from"},
            question_id=text_schema("a question that was asked before, to wait on for its answer"),
            task=_TASK,
            wait_s=_wait("longest wait for the answer"),
        ),
        _ask,
    ),
    Tool(
        "report_progress",
        "Say how far the task is; at most once a second.",
        _object(("text",), text=text_schema("what was done last, one line"), ratio={"type": "number", "description": "share that is done", "minimum": 0, "maximum": 1}, task=_TASK),
        _progress,
    ),
)

