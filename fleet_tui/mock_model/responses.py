"""OpenAI Responses: what Codex speaks.

Owner: nobody; pure.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import count
from typing import Any

from fleet_tui.mock_model.answers import (
    Answer,
    BadRequest,
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
from fleet_tui.mock_model.chat import openai_error
from fleet_tui.mock_model.conversations import Ask

_TEXTS = ("input_text", "output_text", "text")
_CALLS = ("function_call", "custom_tool_call", "local_shell_call")


class Responses:
    """`POST /v1/responses`."""

    def read(self, body: Mapping[str, Any], headers: Mapping[str, str]) -> Ask:
        """Return what is asked. Raises BadRequest."""
        given = body.get("input")
        if not isinstance(given, str | list):
            raise BadRequest("input must be a text or a list of items")
        items = [{"role": "user", "content": given}] if isinstance(given, str) else list_of(body, "input")
        users = [item.get("content") for item in items if item.get("role") == "user"]
        said = [text for content in users if (text := said_by_people(texts_of(content, _TEXTS)))]
        result = _tool_result(items[-1]) if items else ""
        return Ask(
            "responses",
            text_of(body, "model"),
            body.get("stream") is True,
            str(body.get("prompt_cache_key") or headers.get("session_id") or headers.get("session-id") or ""),
            said[0] if said else "",
            result or (said[-1] if said else ""),
            sum(item.get("role") == "assistant" or item.get("type") in _CALLS for item in items),
            names_of(body.get("tools"), ("name",)),
            tokens_of(len(encode([items, body.get("instructions"), body.get("tools")]))),
        )

    def whole(self, answer: Answer) -> dict[str, object]:
        """Return an answer that is not streamed."""
        return _response(answer, "completed", _items(answer), _usage(answer))

    def pieces(self, answer: Answer) -> Iterator[Piece]:
        """Give an answer's events."""
        numbers = count()

        def piece(kind: str, *, is_text: bool = False, **values: object) -> Piece:
            return Piece(event(kind, {"type": kind, "sequence_number": next(numbers), **values}), is_text)

        begun = _response(answer, "in_progress", [], None)
        yield piece("response.created", response=begun)
        yield piece("response.in_progress", response=begun)
        for index, item in enumerate(_items(answer)):
            empty = {**item, "status": "in_progress"} | ({"content": []} if item["type"] == "message" else {})
            yield piece("response.output_item.added", output_index=index, item=empty)
            if item["type"] == "message":
                place = {"item_id": item["id"], "output_index": index, "content_index": 0}
                yield piece("response.content_part.added", **place, part=_part(""))
                for part in split(answer.turn.text):
                    yield piece("response.output_text.delta", is_text=True, **place, delta=part, logprobs=[])
                yield piece("response.output_text.done", **place, text=answer.turn.text, logprobs=[])
                yield piece("response.content_part.done", **place, part=_part(answer.turn.text))
            elif item["type"] == "function_call":
                place = {"item_id": item["id"], "output_index": index}
                yield piece("response.function_call_arguments.delta", **place, delta=answer.arguments)
                yield piece("response.function_call_arguments.done", **place, arguments=answer.arguments)
            yield piece("response.output_item.done", output_index=index, item=item)
        yield piece("response.completed", response=self.whole(answer))

    def error(self, status: int, message: str) -> dict[str, object]:
        """Return the body of an error."""
        return openai_error(status, message)


def _response(answer: Answer, status: str, output: list[dict[str, Any]], usage: Mapping[str, object] | None) -> dict[str, object]:
    return {
        "id": f"resp_{answer.id}",
        "object": "response",
        "created_at": answer.at,
        "status": status,
        "model": answer.ask.model,
        "output": output,
        "usage": usage,
        "error": None,
        "incomplete_details": None,
        "parallel_tool_calls": False,
        "tool_choice": "auto",
        "tools": [],
    }


def _items(answer: Answer) -> list[dict[str, Any]]:
    turn = answer.turn
    items: list[dict[str, Any]] = []
    if turn.text:
        items.append({"type": "message", "id": f"msg_{answer.id}", "status": "completed", "role": "assistant", "content": [_part(turn.text)]})
    if turn.tool:
        call = {"id": f"fc_{answer.id}", "status": "completed", "call_id": f"call_{answer.id}", "name": turn.tool}
        is_free = isinstance(turn.input, str)
        items.append({"type": "custom_tool_call", **call, "input": turn.input} if is_free else {"type": "function_call", **call, "arguments": answer.arguments})
    return items


def _part(text: str) -> dict[str, object]:
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}


def _usage(answer: Answer) -> dict[str, object]:
    return {
        "input_tokens": answer.input_tokens,
        "input_tokens_details": {"cached_tokens": answer.cached_tokens},
        "output_tokens": answer.output_tokens,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": answer.input_tokens + answer.output_tokens,
    }


def _tool_result(item: Mapping[str, Any]) -> str:
    """Return what a tool gave, if this item is that."""
    if not str(item.get("type", "")).endswith("_output"):
        return ""
    output = item.get("output")
    return "\n".join(texts_of(output, _TEXTS)) if isinstance(output, str | list) else encode(output).decode()
