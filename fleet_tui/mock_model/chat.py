"""OpenAI chat completions: what most servers of models and most programs speak.

Owner: nobody; pure.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from fleet_tui.mock_model.answers import (
    Answer,
    Piece,
    encode,
    list_of,
    names_of,
    said_by_people,
    split,
    text_of,
    texts_of,
    tokens_of,
)
from fleet_tui.mock_model.conversations import Ask

_ERRORS = {401: "authentication_error", 403: "permission_error", 404: "not_found_error", 429: "rate_limit_exceeded"}


class Chat:
    """`POST /v1/chat/completions`."""

    def read(self, body: Mapping[str, Any], headers: Mapping[str, str]) -> Ask:
        """Return what is asked. Raises BadRequest."""
        messages = list_of(body, "messages")
        said = [text for message in messages if message.get("role") == "user" and (text := _text(message))]
        is_result = bool(messages) and messages[-1].get("role") == "tool"
        options = body.get("stream_options")
        return Ask(
            "chat",
            text_of(body, "model"),
            body.get("stream") is True,
            str(body.get("prompt_cache_key") or body.get("user") or headers.get("x-session-id") or ""),
            said[0] if said else "",
            _text(messages[-1]) if is_result else said[-1] if said else "",
            sum(message.get("role") == "assistant" for message in messages),
            names_of(body.get("tools"), ("function", "name")),
            tokens_of(len(encode([messages, body.get("tools")]))),
            isinstance(options, dict) and options.get("include_usage") is True,
        )

    def whole(self, answer: Answer) -> dict[str, object]:
        """Return an answer that is not streamed."""
        message: dict[str, object] = {"role": "assistant", "content": answer.turn.text or None, "refusal": None}
        if answer.turn.tool:
            message["tool_calls"] = [_call(answer)]
        choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": _reason(answer)}
        return {**_head(answer, "chat.completion"), "choices": [choice], "usage": _usage(answer)}

    def pieces(self, answer: Answer) -> Iterator[Piece]:
        """Give an answer's chunks."""
        yield _chunk(answer, {"role": "assistant", "content": ""})
        for part in split(answer.turn.text) if answer.turn.text else []:
            yield _chunk(answer, {"content": part}, is_text=True)
        if answer.turn.tool:
            yield _chunk(answer, {"tool_calls": [{"index": 0, **_call(answer)}]})
        yield _chunk(answer, {}, _reason(answer))
        if answer.ask.with_usage:
            yield Piece(_data({**_head(answer, "chat.completion.chunk"), "choices": [], "usage": _usage(answer)}))
        yield Piece(b"data: [DONE]\n\n")

    def error(self, status: int, message: str) -> dict[str, object]:
        """Return the body of an error."""
        return openai_error(status, message)


def openai_error(status: int, message: str) -> dict[str, object]:
    """Return the body of an error, as both of OpenAI's APIs have it."""
    kind = _ERRORS.get(status, "invalid_request_error" if status < 500 else "server_error")
    return {"error": {"message": message, "type": kind, "param": None, "code": kind}}


def _chunk(answer: Answer, delta: dict[str, object], reason: str | None = None, *, is_text: bool = False) -> Piece:
    choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": reason}
    return Piece(_data({**_head(answer, "chat.completion.chunk"), "choices": [choice]}), is_text)


def _data(value: Mapping[str, object]) -> bytes:
    return b"data: %s\n\n" % encode(value)


def _head(answer: Answer, kind: str) -> dict[str, object]:
    return {"id": f"chatcmpl-{answer.id}", "object": kind, "created": answer.at, "model": answer.ask.model}


def _call(answer: Answer) -> dict[str, object]:
    return {"id": f"call_{answer.id}", "type": "function", "function": {"name": answer.turn.tool, "arguments": answer.arguments}}


def _reason(answer: Answer) -> str:
    return "tool_calls" if answer.turn.tool else "stop"


def _usage(answer: Answer) -> dict[str, object]:
    return {
        "prompt_tokens": answer.input_tokens,
        "completion_tokens": answer.output_tokens,
        "total_tokens": answer.input_tokens + answer.output_tokens,
        "prompt_tokens_details": {"cached_tokens": answer.cached_tokens},
    }


def _text(message: Mapping[str, Any]) -> str:
    return said_by_people(texts_of(message.get("content"), ("text",)))
