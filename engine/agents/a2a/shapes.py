"""What agents of the Agent2Agent protocol 1.0 say, read as what it should be: their card, and how a task of theirs stands.

Owner: nobody; pure functions that never raise but RefusedError. Shapes: https://a2a-protocol.org/latest/specification/
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.parse import urljoin, urlsplit

import msgspec

from engine.agents.http_agents import RefusedError
from engine.agents.sessions.fields import number, rows, table, text_of
from engine.agents.sessions.lines import cut
from engine.agents.sessions.messages import shielded
from engine.model import wire
from engine.model.plain import NOT_JSON, plain_object, require_shallow
from engine.model.questions import ARGUMENTS_MAX_BYTES, Ask
from engine.model.shielding import clean, shield, shield_values

CARD = ".well-known/agent-card.json"
VERSION = "1.0"
TEXT_MAX = 1 << 20
ASKED_MAX = 64 * 1024
WORD_MAX = 500
OPTIONS_MAX = 20
ENDED = frozenset({"TASK_STATE_COMPLETED", "TASK_STATE_FAILED", "TASK_STATE_CANCELED", "TASK_STATE_REJECTED"})
ASKING, LOCKED, DONE = "TASK_STATE_INPUT_REQUIRED", "TASK_STATE_AUTH_REQUIRED", "TASK_STATE_COMPLETED"
_FIGURES = ("tokens", "input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens", "reasoning_tokens", "turns", "cost")


class Standing(NamedTuple):
    """How a task stands at the agent."""

    id: str
    context: str
    state: str
    words: str
    """What it says of that: how far it is, what it asks, or why it ended."""
    asked: Mapping[str, Any]
    """What it asks, for programs, as it came; empty = in words only."""
    message: str
    """The id of the message that says it."""
    text: str
    """What it made, in words."""
    data: object
    """What it made, for programs."""
    usage: dict[str, float]


def card_url(url: str) -> str:
    """Return where the card is: the url itself, or beneath it."""
    return url if url.endswith(".json") else f"{url.rstrip('/')}/{CARD}"


def calls_url(card: Mapping[str, Any], url: str) -> str:
    """Return where the agent of a card is called. Raises RefusedError."""
    for one in rows(card, "supportedInterfaces"):
        if text_of(one, "protocolBinding") == "JSONRPC" and text_of(one, "protocolVersion").split(".")[0] == "1":
            found = urljoin(url, text_of(one, "url"))
            if urlsplit(found)[:2] != urlsplit(url)[:2]:
                raise RefusedError("protocol", f"its card is at {_place(url)} and has it called at {_place(found)}: the key stays where it was meant for", retryable=False)
            return found
    raise RefusedError("protocol", f"{_place(url)} has no card with JSON-RPC in version 1 of the protocol", retryable=False)


def standing_of(result: Mapping[str, Any]) -> Standing:
    """Return how a task stands by the answer to a call: a task, or a message that is all there is."""
    task = table(result, "task") or (result if "status" in result else {})
    if not task:
        said, data = _said(table(result, "message"))
        return Standing("", "", DONE if said or data is not None else "", "", {}, "", said, shield_values(data), {})
    status = table(task, "status")
    message = table(status, "message")
    words, asked = _said(message)
    text, made = _said({"parts": [part for artifact in rows(task, "artifacts") for part in rows(artifact, "parts")]})
    metadata = table(table(task, "metadata"), "usage")
    usage = {name: value for name in _FIGURES if (value := number(metadata, name)) is not None}
    state = text_of(status, "state")
    if state == DONE and not text and made is None:
        text = words
    name = text_of(message, "messageId") or text_of(status, "timestamp") or state
    return Standing(text_of(task, "id"), text_of(task, "contextId"), state, words, asked if isinstance(asked, dict) else {}, name, text, shield_values(made), usage)


def tells_state(line: bytes) -> bool:
    """Tell whether a line of a stream is about the state of its task, and not about what it makes, or nothing."""
    name, _, data = line.partition(b":")
    if name != b"data":
        return False
    try:
        require_shallow(data)
        said = msgspec.json.decode(data)
    except NOT_JSON:
        return False
    result = said.get("result") if isinstance(said, dict) else None
    return isinstance(result, dict) and "artifactUpdate" not in result


def question_of(turn: str, standing: Standing) -> Ask:
    """Return what an agent asks as the fleet keeps it. Raises RefusedError for more than anybody can judge."""
    asked = standing.asked
    name = text_of(asked, "question") or standing.message
    options = asked.get("options")
    words = tuple(cut(clean(str(option)), WORD_MAX) for option in options[:OPTIONS_MAX]) if isinstance(options, list) else ()
    arguments = plain_object(table(asked, "arguments"))
    if (size := len(wire.encode(arguments))) > ARGUMENTS_MAX_BYTES:
        raise RefusedError("protocol", f"it asks with arguments of {size:,} bytes; nobody can judge more than {ARGUMENTS_MAX_BYTES:,}", retryable=False)
    text, tool, diff = standing.words or "it asks something", text_of(asked, "tool"), text_of(asked, "diff")
    ask = Ask(turn, cut(clean(name), WORD_MAX), cut(text, ASKED_MAX), cut(clean(tool), WORD_MAX), arguments, cut(clean(diff), ASKED_MAX), words)
    return shielded(ask)


def _said(message: Mapping[str, Any]) -> tuple[str, object]:
    """Return the words of a message, shielded before they are cut, and its data as it is: one value, or a list of them."""
    parts = rows(message, "parts")
    text = cut(shield("\n".join(text_of(part, "text") for part in parts if "text" in part)), TEXT_MAX)
    data = [plain_object({"data": part["data"]})["data"] for part in parts if "data" in part]
    return text, data[0] if len(data) == 1 else data or None


def _place(url: str) -> str:
    scheme, host, *_ = urlsplit(url)
    return cut(shield(f"{scheme}://{host}"), WORD_MAX)
