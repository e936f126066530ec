"""Anthropic Messages: what Claude Code and others speak.

Owner: nobody; pure.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from fleet_tui.mock_model.answers import (
    Answer,
    Piece,
    encode,
    event,
    list_of,
    names_of,
    said_by_people,
    split,
    text_of,
    texts_of,
    tokens_of,
)
from fleet_tui.mock_model.conversations import Ask

_ERRORS = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    529: "overloaded_error",
}


class Messages:
    """`POST /v1/messages`."""

    def read(self, body: Mapping[str, Any], headers: Mapping[str, str]) -> Ask:
        """Return what is asked. Raises BadRequest."""
        messages = list_of(body, "messages")
        users = [message.get("content") for message in messages if message.get("role") == "user"]
        said = [text for content in users if (text := said_by_people(texts_of(content, ("text",))))]
        result = _tool_result(users[-1]) if users else ""
        return Ask(
            "messages",
            text_of(body, "model"),
            body.get("stream") is True,
            _session(body, headers),
            said[0] if said else "",
            result or (said[-1] if said else ""),
            sum(message.get("role") == "assistant" for message in messages),
            names_of(body.get("tools"), ("name",)),
            tokens_of(len(encode([messages, body.get("system"), body.get("tools")]))),
        )

    def whole(self, answer: Answer) -> dict[str, object]:
        """Return an answer that is not streamed."""
        return self._message(answer, _blocks(answer), _reason(answer), answer.output_tokens)

    def pieces(self, answer: Answer) -> Iterator[Piece]:
        """Give an answer's events."""
        yield Piece(event("message_start", {"type": "message_start", "message": self._message(answer, [], None, 1)}))
        for index, block in enumerate(_blocks(answer)):
            is_text = block["type"] == "text"
            empty = {**block, "text": ""} if is_text else {**block, "input": {}}
            yield Piece(event("content_block_start", {"type": "content_block_start", "index": index, "content_block": empty}))
            deltas = [{"type": "text_delta", "text": part} for part in split(answer.turn.text)] if is_text else [{"type": "input_json_delta", "partial_json": answer.arguments}]
            for delta in deltas:
                yield Piece(event("content_block_delta", {"type": "content_block_delta", "index": index, "delta": delta}), is_text)
            yield Piece(event("content_block_stop", {"type": "content_block_stop", "index": index}))
        end = {"stop_reason": _reason(answer), "stop_sequence": None}
        yield Piece(event("message_delta", {"type": "message_delta", "delta": end, "usage": _usage(answer, answer.output_tokens)}))
        yield Piece(event("message_stop", {"type": "message_stop"}))

    def error(self, status: int, message: str) -> dict[str, object]:
        """Return the body of an error."""
        kind = _ERRORS.get(status, "invalid_request_error" if status < 500 else "api_error")
        return {"type": "error", "error": {"type": kind, "message": message}}

    def _message(self, answer: Answer, blocks: list[dict[str, Any]], reason: str | None, output: int) -> dict[str, object]:
        return {
            "id": f"msg_{answer.id}",
            "type": "message",
            "role": "assistant",
            "model": answer.ask.model,
            "content": blocks,
            "stop_reason": reason,
            "stop_sequence": None,
            "usage": _usage(answer, output),
        }


def _usage(answer: Answer, output: int) -> dict[str, int]:
    """Return the usage; here, what came from a cache is no part of the input."""
    cached = answer.cached_tokens
    return {
        "input_tokens": answer.input_tokens - cached,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": cached,
        "output_tokens": output,
    }


def _blocks(answer: Answer) -> list[dict[str, Any]]:
    turn = answer.turn
    blocks: list[dict[str, Any]] = [{"type": "text", "text": turn.text}] if turn.text else []
    if turn.tool:
        blocks.append({"type": "tool_use", "id": f"toolu_{answer.id}", "name": turn.tool, "input": turn.input})
    return blocks


def _reason(answer: Answer) -> str:
    return "tool_use" if answer.turn.tool else "end_turn"


def _tool_result(content: object) -> str:
    """Return what a tool gave, if the last message has it."""
    blocks = content if isinstance(content, list) else []
    results = [block.get("content") for block in blocks if isinstance(block, dict) and block.get("type") == "tool_result"]
    return "\n".join(text for result in results for text in texts_of(result, ("text",)))


def _session(body: Mapping[str, Any], headers: Mapping[str, str]) -> str:
    if told := headers.get("x-claude-code-session-id"):
        return told
    metadata = body.get("metadata")
    user = metadata.get("user_id") if isinstance(metadata, dict) else None
    return user if isinstance(user, str) else ""
