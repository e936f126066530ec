"""Tasks and pools in the words of the Agent2Agent protocol 1.0; pure.

Owner: nobody; functions only. Shapes: https://a2a-protocol.org/latest/specification/
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from engine.model.errors import UsageError
from engine.model.tasks import TaskState

VERSION = "1.0"
TYPE = "ask"
STATES: Mapping[str, str] = {
    TaskState.PENDING: "TASK_STATE_SUBMITTED",
    TaskState.LEASED: "TASK_STATE_SUBMITTED",
    TaskState.RUNNING: "TASK_STATE_WORKING",
    TaskState.NEEDS_INPUT: "TASK_STATE_INPUT_REQUIRED",
    TaskState.SUCCEEDED: "TASK_STATE_COMPLETED",
    TaskState.FAILED: "TASK_STATE_FAILED",
    TaskState.DEAD: "TASK_STATE_FAILED",
    TaskState.CANCELLED: "TASK_STATE_CANCELED",
}
STILL = frozenset({"TASK_STATE_INPUT_REQUIRED", "TASK_STATE_COMPLETED", "TASK_STATE_FAILED", "TASK_STATE_CANCELED"})
"""States in which nothing more happens by itself: whoever waits for a task is answered."""
_TEXT = "text/plain"


def card(pool: str, kind: str, url: str, version: str) -> dict[str, Any]:
    """Return the agent card of a pool."""
    return {
        "name": pool,
        "description": f"The pool {pool} of a fleet of agents (kind {kind}); what it asks is input that is required.",
        "version": version,
        "supportedInterfaces": [{"url": url, "protocolBinding": "JSONRPC", "protocolVersion": VERSION}],
        "capabilities": {"streaming": True, "pushNotifications": False, "extendedAgentCard": False},
        "securitySchemes": {"token": {"httpAuthSecurityScheme": {"scheme": "bearer", "description": "the engine's token"}}},
        "securityRequirements": [{"schemes": {"token": {"list": []}}}],
        "defaultInputModes": [_TEXT],
        "defaultOutputModes": [_TEXT, "application/json"],
        "skills": [{"id": TYPE, "name": "task", "description": f"Does what the message says, as a task of the pool {pool}.", "tags": ["task", kind]}],
    }


def words_of(message: Mapping[str, Any]) -> str:
    """Return the text of a message. Raises UsageError for one that has none, or something else."""
    parts = message.get("parts")
    if not isinstance(parts, list) or not all(isinstance(part, dict) for part in parts):
        raise UsageError("message.parts is a list of parts")
    other = next((name for part in parts for name in ("raw", "url", "data") if name in part), "")
    if other:
        raise UsageError(f"a pool takes text, not a part of {other}")
    text = "\n".join(str(part.get("text", "")) for part in parts)
    if not text.strip():
        raise UsageError("the message says nothing")
    return text


def context_of(task: Mapping[str, Any]) -> str:
    """Return the context of a task: the one that it was sent in, else its own."""
    return str(task["spec"]["fairness_key"] or task["id"])


def task_in_full(task: Mapping[str, Any], result: object, now: float) -> dict[str, Any]:
    """Return a task, as plain values of the query `task`, with its result."""
    return {"id": task["id"], "contextId": context_of(task), "status": status_of(task, now), "artifacts": artifacts_of(task, result), "metadata": metadata_of(task)}


def status_of(task: Mapping[str, Any], now: float) -> dict[str, Any]:
    """Return how a task stands, with what it asks or why it ended."""
    state = STATES[task["state"]]
    at = datetime.fromtimestamp(now, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    parts = _said(task, state)
    message = {"messageId": f"{task['id']}.{task['attempt']}.{state}", "role": "ROLE_AGENT", "taskId": task["id"], "contextId": context_of(task), "parts": parts}
    return {"state": state, "timestamp": at, **({"message": message} if parts else {})}


def _said(task: Mapping[str, Any], state: str) -> list[dict[str, Any]]:
    if state == "TASK_STATE_INPUT_REQUIRED":
        return [part for id_, question in task["questions"].items() for part in _asked(id_, question["ask"])]
    if state == "TASK_STATE_WORKING" and task.get("progress"):
        return [{"text": str(task["progress"]["text"])}]
    reason = task.get("reason") if state in STILL and state != "TASK_STATE_COMPLETED" else ""
    return [{"text": str(reason)}] if reason else []


def _asked(id_: str, ask: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return a question for people, and the same for programs."""
    text = f"{ask['text'] or 'Leave to use ' + ask['tool']}" + (f" ({', '.join(ask['options'])})" if ask["options"] else "")
    data = {"question": id_, "tool": ask["tool"], "arguments": ask["arguments"], "diff": ask["diff"], "options": list(ask["options"])}
    return [{"text": text}, {"data": data}]


def artifacts_of(task: Mapping[str, Any], result: object) -> list[dict[str, Any]]:
    """Return what a task made: its agent's words, else its result as data; nothing before it has succeeded."""
    if task["state"] != TaskState.SUCCEEDED:
        return []
    is_text = isinstance(result, dict) and isinstance(result.get("text"), str)
    part = {"text": result["text"]} if is_text and isinstance(result, dict) else {"data": result}
    return [{"artifactId": f"{task['id']}.result", "name": "result", "parts": [part]}]


def metadata_of(task: Mapping[str, Any]) -> dict[str, Any]:
    """Return what else is known of a task: its pool, its agent, what it used."""
    found = {"pool": task["spec"]["pool"], "agent": task.get("agent_name", ""), "attempt": task["attempt"], "usage": task["usage"]}
    return {name: value for name, value in found.items() if value}
